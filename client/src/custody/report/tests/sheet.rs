//! The style sheet: what can be read on what, in every theme, and the policy that lets no other style in.

use std::collections::BTreeMap;

use govlog_formats::base64;
use govlog_formats::digest::Digest;

use super::super::page::SHEET;
use super::*;

/// Text and its ground, as the rules of the sheet pair them.
const PAIRS: [(&str, &[&str]); 11] = [
    ("ink", &["paper", "panel"]),
    ("soft", &["paper", "panel"]),
    ("link", &["paper", "panel"]),
    ("good", &["paper"]),
    ("warn", &["paper", "panel"]),
    ("governance", &["panel"]),
    ("identity", &["panel"]),
    ("operation", &["panel"]),
    ("integrity", &["panel"]),
    ("people", &["paper"]),
    ("line", &["paper"]),
];

/// The colours of each `:root` rule, in their order: light, dark, paper.
fn themes() -> Vec<BTreeMap<&'static str, [u8; 3]>> {
    let rules = SHEET.split(":root {").skip(1).map(|rule| rule.split('}').next().unwrap());
    rules
        .map(|rule| {
            let lines = rule.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
            let number = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            lines.map(|(name, hex)| (name, [number(hex, 0), number(hex, 2), number(hex, 4)])).collect()
        })
        .collect()
}

/// WCAG 2.2, "relative luminance" and "contrast ratio".
fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |[red, green, blue]: [u8; 3]| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn text_can_be_read_in_every_theme() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
    let themes = themes();
    assert_eq!(themes.len(), 3, "light, dark, paper");
    for (at, theme) in themes.iter().enumerate() {
        for (text, grounds) in PAIRS {
            for ground in grounds {
                let found = contrast(theme[text], theme[ground]);
                // What is no text, such as an arrow, needs 3.
                let least = if text == "line" { 3.0 } else { 4.5 };
                assert!(found >= least, "theme {at}: --{text} on --{ground} has {found:.2}");
            }
        }
    }
}

/// A colour that stands elsewhere than in a theme is in no computation: only the margins of paper have one, which is white.
#[test]
fn every_colour_is_one_of_a_theme() {
    let rules: String = SHEET.split(":root {").map(|rule| rule.split_once('}').map_or("", |(_, rest)| rest)).collect();
    let hex = |rest: &&str| rest.len() >= 6 && rest.bytes().take(6).all(|byte| byte.is_ascii_hexdigit());
    for colour in rules.split('#').skip(1).filter(hex) {
        assert_eq!(&colour[..6], "5d574d");
    }
    let white = [255; 3];
    assert!(contrast([0x5d, 0x57, 0x4d], white) >= 4.5);
    let names = themes();
    for used in rules.split("var(--").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(names.iter().all(|theme| theme.contains_key(used)), "--{used}");
    }
}

#[test]
fn the_policy_names_the_one_sheet_and_nothing_else() {
    let elements = markup::check(&page(&judge(&Story::whole())));
    let sheet = elements.iter().find(|element| element.tag == "style").unwrap();
    let digest = base64::encode(Digest::sha256(sheet.text.as_bytes()).as_bytes());
    let policy = elements.iter().find(|element| element.attributes.contains_key("http-equiv")).unwrap();
    let said = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    assert_eq!(policy.attributes["content"], said);
    assert_eq!(elements.iter().filter(|element| element.tag == "style").count(), 1);
}

//! How times, numbers and relations are written on the page.

use super::super::file::timeline;
use super::html::Html;

/// What a relation is called from the entry that names the other, and from the other one.
const RELATIONS: [(&str, &str, &str); 21] = [
    ("governed_by", "governed by", "governs"),
    ("authenticated_by", "authenticated by", "authenticates"),
    ("registered_as", "registered as", "is the registration of"),
    ("attested_by", "attested by", "attests"),
    ("signed_by", "signed by the key of", "is the key that signed"),
    ("anchored_in", "anchored in", "anchors"),
    ("on_behalf_of", "on behalf of", "is what was acted on in"),
    ("derived_from", "derived from", "gave rise to"),
    ("authorised_by", "authorised by", "authorises"),
    ("enforces", "carries out", "carried out by"),
    ("caused_by", "caused by", "caused"),
    ("owned_by", "answered for by", "answers for"),
    ("acted_as", "acted as", "acted in"),
    ("revokes", "revokes", "revoked by"),
    ("bears_on", "revokes what it rests on:", "rests on what was revoked by"),
    ("ends", "ends", "ended by"),
    ("redacts", "redacts", "redacted by"),
    ("about", "speaks of", "spoken of by"),
    ("supersedes", "supersedes", "superseded by"),
    ("member_of", "a member of", "has the member"),
    ("observes", "saw in use", "seen in use by"),
];

/// A relation's words; of an unknown one its name.
pub(super) fn relation(rel: &str, is_naming: bool) -> String {
    let known = RELATIONS.iter().find(|(name, _, _)| *name == rel);
    match known {
        Some((_, naming, named)) => (if is_naming { naming } else { named }).to_string(),
        None if is_naming => rel.to_owned(),
        None => format!("named by {rel} of"),
    }
}

/// Writes POSIX milliseconds as a time in UTC.
pub(super) fn time_ms(html: &mut Html, at_ms: u64) {
    let iso = timeline::utc(at_ms);
    match iso.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((day, clock)) => {
            let clock = clock.strip_suffix(".000").unwrap_or(clock);
            html.element("time", &[("datetime", &iso)], |html| html.words(&format!("{day} {clock} UTC")));
        }
        None => html.words(&format!("{iso} ms after 1970, beyond the calendar")),
    }
}

/// POSIX milliseconds as a time in UTC to the second, where there is little room.
pub(super) fn clock(at_ms: u64) -> String {
    let iso = timeline::utc(at_ms);
    iso.get(..19).filter(|text| text.contains('T')).map(|text| text.replace('T', " ")).unwrap_or_default()
}

/// Writes POSIX seconds as a time in UTC.
pub(super) fn time_s(html: &mut Html, at_s: u64) {
    match at_s.checked_mul(1000) {
        Some(at_ms) => time_ms(html, at_ms),
        None => html.words(&format!("{at_s} s after 1970, beyond the calendar")),
    }
}

/// A number with its word: `1 entry`, `2 entries`.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {several}", grouped(number)) }
}

/// A line with its digests cut to what tells them apart at a glance.
pub(super) fn shortened(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(digits);
        match run.get(..DIGITS).filter(|_| run.len() >= DIGEST) {
            Some(start) => {
                out.push_str(start);
                out.push('…');
            }
            None => out.push_str(run),
        }
        let next = after.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        out.push_str(between);
        rest = after;
    }
    out
}

/// How many digits of a digest are shown in a line, and from how many on it is taken for one.
const DIGITS: usize = 10;
const DIGEST: usize = 40;

/// Thousands apart by a comma.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::{Class, class};

    #[test]
    fn every_relation_that_is_followed_has_words() {
        let known =
            govlog_formats::record::RELATIONS.iter().chain(&["owned_by", "acted_as", "ends", "bears_on", "member_of"]);
        for rel in known.filter(|rel| class(rel) != Class::Other) {
            assert!(!relation(rel, true).contains('_') && !relation(rel, false).contains("named by"), "{rel}");
        }
        assert_eq!(relation("external_log", true), "external_log");
    }

    #[test]
    fn digests_are_cut_and_nothing_else() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(shortened(&format!("a {digest}, b {digest}")), "a 0123456789…, b 0123456789…");
        for text in ["", "decade", "x", "32 of 2bdfc124-331f-4973-b045-8b97b0e034c9", "ä €"] {
            assert_eq!(shortened(text), text);
        }
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([0, 7, 999, 1_000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!(count(1, "entry", "entries") + &count(1_000, "entry", "entries"), "1 entry1,000 entries");
    }
}

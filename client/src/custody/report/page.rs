//! The page: its head, its landmarks, and the order of its parts.

use govlog_formats::base64;
use govlog_formats::digest::Digest;

use super::html::Html;
use super::matter::{Matter, Told};
use super::parts::parts;
use super::{chain, entry, exceptions, summary, timeline};

/// How it looks, on screens and on paper.
pub(super) const SHEET: &str = include_str!("style.css");

/// Makes the page.
pub(super) fn page(matter: &Matter<'_>) -> String {
    let mut html = Html::default();
    html.document();
    html.element("html", &[("lang", "en")], |html| {
        html.line();
        html.plain("head", |html| head(html, matter));
        html.plain("body", |html| body(html, matter));
    });
    html.into_string()
}

fn head(html: &mut Html, matter: &Matter<'_>) {
    let manifest = matter.custody.manifest_digest.to_string();
    // Every printed sheet names the file that it is of.
    let sheet = format!("{SHEET}@page {{ @bottom-left {{ content: \"Manifest {manifest}\"; }} }}\n");
    let digest = base64::encode(Digest::sha256(sheet.as_bytes()).as_bytes());
    // Nothing runs and nothing is fetched, whatever a record says; of styles this one sheet alone.
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    html.line();
    html.open("meta", &[("charset", "utf-8")]);
    html.line();
    html.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    html.line();
    for (name, content) in [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
        ("generator", concat!("govlog ", env!("CARGO_PKG_VERSION"))),
    ] {
        html.open("meta", &[("name", name), ("content", content)]);
        html.line();
    }
    html.plain("title", |html| {
        html.words(&format!("{} · custody file {}", summary::heading(matter), manifest.get(..12).unwrap_or_default()))
    });
    html.style(&sheet);
}

fn body(html: &mut Html, matter: &Matter<'_>) {
    html.line();
    html.element("a", &[("class", "skip"), ("href", "#content")], |html| html.words("Skip to the verdict"));
    html.line();
    contents(html);
    html.element("main", &[("id", "content"), ("tabindex", "-1")], |html| {
        let found = exceptions::exceptions(matter);
        html.plain("header", |html| summary::verdict(html, matter));
        html.of("div", "screen", |html| {
            section(html, "not-proved", "What is not proved", |html| summary::not_proved(html, matter));
            section(html, "witnesses", "Witnesses and times", |html| summary::witnesses(html, matter));
            section(html, "population", "What is here", |html| {
                summary::population(html, matter);
                summary::streams(html, matter);
            });
            section(html, "exceptions", "Exceptions", |html| exceptions::write(html, &found));
        });
        section(html, "chain", "The chain", |html| chain::chain(html, matter));
        section(html, "verify", "How to verify it", |html| summary::identity(html, matter));
        section(html, "timeline", "Timeline", |html| timeline::timeline(html, matter));
        section(html, "entries", "Entries", |html| {
            html.plain("p", |html| html.words("In the log's order. Who signed each, and how it was proved, was checked; what it says is its signer's word."));
            if !matter.has_fields() {
                html.plain("p", |html| html.words(&format!("More than {} entries: what each says, and who signed it, stands here in a line; its fields are in timeline.jsonl in the custody file, and how each was proved is said by govlog custody verify.", matter.most_with_fields)));
            }
            let all: Vec<&Told<'_>> = matter.told.values().collect();
            let between = |html: &mut Html, first: &&Told<'_>, last: &&Told<'_>| {
                html.words(&format!("{} to {}", first.id(), last.id()));
            };
            parts(html, &all, between, |html, part| part.iter().for_each(|told| entry::entry(html, matter, told)));
        });
    });
    html.plain("footer", |html| {
        html.plain("p", |html| html.words("Made by govlog from a verified custody file. This page proves nothing by itself; the file beside it does."));
    });
}

const PARTS: [(&str, &str); 8] = [
    ("not-proved", "Not proved"),
    ("witnesses", "Witnesses"),
    ("population", "What is here"),
    ("exceptions", "Exceptions"),
    ("chain", "Chain"),
    ("verify", "Verify"),
    ("timeline", "Timeline"),
    ("entries", "Entries"),
];

fn contents(html: &mut Html) {
    html.element("nav", &[("aria-label", "Parts of the report")], |html| {
        html.plain("ul", |html| {
            for (id, name) in PARTS {
                html.plain("li", |html| html.element("a", &[("href", &format!("#{id}"))], |html| html.words(name)));
            }
        });
    });
}

fn section(html: &mut Html, id: &'static str, name: &str, inner: impl FnOnce(&mut Html)) {
    let heading = format!("{id}-name");
    html.element("section", &[("id", id), ("aria-labelledby", &heading)], |html| {
        html.element("h2", &[("id", &heading)], |html| html.words(name));
        inner(html);
    });
}

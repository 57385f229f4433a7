//! Everything in the order of the times that it claims, beside the times that witnesses prove.

use super::html::Html;
use super::matter::{Matter, Told, link, role};
use super::parts::parts;
use super::words::{time_ms, time_s};

/// Writes the timeline.
pub(super) fn timeline(html: &mut Html, matter: &Matter<'_>) {
    let between = |html: &mut Html, first: &&Told<'_>, last: &&Told<'_>| {
        time_ms(html, first.at_ms);
        html.words(" to ");
        time_ms(html, last.at_ms);
    };
    parts(html, &matter.by_time(), between, table);
}

fn table(html: &mut Html, all: &[&Told<'_>]) {
    html.of("table", "timeline", |html| {
        html.plain("caption", |html| {
            html.words(
                "In the order of the times that the entries claim. By when each was logged is what witnesses prove.",
            );
        });
        html.plain("thead", |html| {
            html.plain("tr", |html| {
                for name in ["Claimed time", "Entry", "What it says", "Logged no later than"] {
                    html.element("th", &[("scope", "col")], |html| html.words(name));
                }
            });
        });
        html.plain("tbody", |html| {
            for told in all {
                html.plain("tr", |html| {
                    html.of("td", "when", |html| time_ms(html, told.at_ms));
                    html.element("th", &[("scope", "row")], |html| {
                        link(html, told.spot);
                        html.words(" ");
                        html.of("span", "kind", |html| html.said(told.kind()));
                        html.words(" ");
                        html.of("span", "about", |html| html.words(role(told.held.role)));
                    });
                    html.plain("td", |html| {
                        html.said(&told.says);
                        html.words(" ");
                        html.of("span", "about", |html| {
                            html.words("signed by ");
                            html.said(&told.held.entry.statement().claims().iss);
                        });
                    });
                    html.of("td", "when", |html| match told.held.bracket.upper_s {
                        Some(at) => time_s(html, at),
                        None => html.words("no witness says"),
                    });
                });
            }
        });
    });
}

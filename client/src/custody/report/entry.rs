//! One entry: what it says, who signed it, how it is known to be in the log and since when, and how it hangs together with the others.

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::cose::Algorithm;
use govlog_formats::digest::Digest;
use govlog_formats::record::about_kind;
use govlog_formats::statement::Signer;

use super::super::file::Place;
use super::super::matter::Role;
use super::super::relations::{Class, class};
use super::exceptions::missing;
use super::fields::fields;
use super::html::Html;
use super::matter::{Matter, Told, anchor, link};
use super::words::{count, relation, time_ms, time_s};

/// Writes an entry.
pub(super) fn entry(html: &mut Html, matter: &Matter<'_>, told: &Told<'_>) {
    let name = format!("{}-name", anchor(told.spot));
    html.element("article", &[("id", &anchor(told.spot)), ("aria-labelledby", &name), ("class", "entry")], |html| {
        html.element("h3", &[("id", &name)], |html| {
            html.of("span", "id", |html| html.words(&told.id()));
            html.words(" ");
            html.said(told.kind());
        });
        html.of("p", "says", |html| html.said(&told.says));
        html.of("p", "gist", |html| {
            html.words(because(told.held.role));
            // Of thousands it would be said thousands of times.
            if let Some(about) = about_kind(told.kind()).filter(|_| matter.has_fields()) {
                html.words(&format!(" An entry of this kind says: {about}."));
            }
        });
        if !matter.has_fields() {
            html.of("p", "about", |html| short(html, told));
            return related(html, matter, told);
        }
        html.of("div", "two", |html| {
            html.plain("div", |html| {
                html.plain("h4", |html| html.words("Signed"));
                html.of("dl", "facts", |html| signed(html, matter, told));
            });
            html.plain("div", |html| {
                html.plain("h4", |html| html.words("Proved"));
                html.of("dl", "facts", |html| proved(html, matter, told));
            });
        });
        related(html, matter, told);
        html.plain("h4", |html| html.words("Fields"));
        fields(html, matter, told);
    });
}

/// Who signed it and how it is known to be in the log, in a line: of thousands there is no room for more.
fn short(html: &mut Html, told: &Told<'_>) {
    html.words("Signed by ");
    html.said(&told.held.entry.statement().claims().iss);
    html.words("; leaf ");
    html.code(&told.held.leaf().to_string());
    match told.held.bracket.upper_s {
        Some(at) => {
            html.words("; logged no later than ");
            time_s(html, at);
        }
        None => html.words("; by when it was logged no witness says"),
    }
    html.words(".");
}

const fn because(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Start) => "It was asked for.",
        Some(Role::Effect) => "It came of what was asked for.",
        Some(Role::Cause) => "What was asked for rests on it.",
        Some(Role::Word) => "It speaks of another entry here.",
        None => "It tells of a stream, or was put beside the others.",
    }
}

/// Writes a fact.
pub(super) fn fact(html: &mut Html, name: &str, value: impl FnOnce(&mut Html)) {
    html.plain("div", |html| {
        html.plain("dt", |html| html.words(name));
        html.plain("dd", value);
    });
}

fn signed(html: &mut Html, matter: &Matter<'_>, told: &Told<'_>) {
    let statement = told.held.entry.statement();
    let claims = statement.claims();
    fact(html, "By", |html| html.said(&claims.iss));
    fact(html, "With", |html| match statement.signer() {
        Signer::Kid(kid) => {
            html.words(&format!("{}, key ", algorithm(statement.algorithm())));
            html.code(&kid.to_string());
        }
        Signer::X5chain(chain) => {
            html.words(&format!("{}, certificate ", algorithm(statement.algorithm())));
            html.code(&chain.first().map(|leaf| Digest::sha256(leaf).to_string()).unwrap_or_default());
            html.words(&format!(
                ", with {} that it enclosed",
                count(chain.len().saturating_sub(1), "certificate above it", "certificates above it")
            ));
        }
    });
    fact(html, "Allowed by", |html| match told.held.entry.row() {
        Some(row) => allowed(html, row, matter.custody.changes.as_of),
        None => html.words("the operator's own right: it is an entry of the admission policy"),
    });
    fact(html, "About", |html| html.said(&told.held.subject()));
    fact(html, "Signed at", |html| {
        match u64::try_from(claims.iat) {
            Ok(at) => time_s(html, at),
            Err(_) => html.words("before 1970"),
        }
        html.words(", as the signer claims");
    });
    if told.map.is_some() {
        fact(html, "Happened at", |html| {
            time_ms(html, told.at_ms);
            html.words(", as the record claims");
        });
    }
    if told.held.member.is_some() {
        fact(html, "As", |html| html.words("a member of a batch, which is what was signed"));
    }
    if let Some(position) = &claims.stream {
        fact(html, "In stream", |html| {
            html.said(&position.stream);
            html.words(&format!(", position {}", position.seq));
        });
    }
}

fn allowed(html: &mut Html, row: &IssuerRow, as_of: usize) {
    html.words("the log's admission policy for ");
    html.said(&row.iss);
    html.words(&match &row.credentials {
        Credentials::Keys(keys) => format!(", by {}", count(keys.len(), "key", "keys")),
        Credentials::X509(anchors) => {
            format!(", by certificates under {}", count(anchors.len(), "trust anchor", "trust anchors"))
        }
    });
    html.words(&format!(" (as of change {as_of})"));
}

fn proved(html: &mut Html, matter: &Matter<'_>, told: &Told<'_>) {
    let (held, head) = (told.held, &matter.custody.checkpoint);
    let index = told.spot.index;
    fact(html, "Leaf", |html| html.code(&held.leaf().to_string()));
    if let Some(member) = &held.member {
        fact(html, "In the batch", |html| {
            html.words(&format!("member {} of {} of ", member.at, member.of));
            link(html, index.into());
            html.words(", by ");
            html.code(&Place::Member(index, member.at).name());
        });
    }
    fact(html, "In the log", |html| {
        let what = if held.member.is_some() { "with its batch " } else { "" };
        html.words(&format!("{what}at index {index} of the tree of {} entries, by ", head.size));
        html.code(&Place::Proof(index).name());
        html.words(match head.witnesses.len() {
            0 => "; no witness cosigned it",
            _ => "; cosigned by ",
        });
        for (at, witness) in head.witnesses.iter().enumerate() {
            html.words(if at == 0 { "" } else { ", " });
            html.said(&witness.name);
        }
    });
    fact(html, "Receipt", |html| {
        html.words(if held.has_receipt { "the log's own, for SCITT tools, in " } else { "none enclosed in " });
        html.code(&Place::Entry(index).name());
    });
    fact(html, "Logged", |html| {
        match held.bracket.lower_s {
            Some(at) => {
                html.words("no earlier than ");
                time_s(html, at);
            }
            None => html.words("no earlier bound: it names no checkpoint that is in the file"),
        }
        html.words("; ");
        match held.bracket.upper_s {
            Some(at) => {
                html.words("no later than ");
                time_s(html, at);
                html.words(", as witnesses say");
            }
            None => html.words("no later bound: no witness says"),
        }
    });
    for (redacted, by) in matter.redactions(told.spot) {
        fact(html, "Redacted", |html| {
            html.said(&redacted.what());
            html.words(": ");
            html.said(&redacted.why());
            if let Some(by) = by {
                html.words(", in ");
                link(html, by);
            }
        });
    }
}

fn related(html: &mut Html, matter: &Matter<'_>, told: &Told<'_>) {
    let (naming, named) = (matter.naming(told.spot), matter.named(told.spot));
    let dead = matter.dead(told.spot);
    if naming.is_empty() && named.is_empty() && dead.is_empty() {
        return;
    }
    html.plain("h4", |html| html.words("Related"));
    html.of("ul", "related", |html| {
        let both = naming.iter().map(|edge| (edge, true)).chain(named.iter().map(|edge| (edge, false)));
        for (edge, is_naming) in both {
            html.plain("li", |html| {
                html.words(&format!("{} ", relation(&edge.rel, is_naming)));
                link(html, if is_naming { edge.to } else { edge.from });
                match class(&edge.rel) {
                    Class::Owner => html.words(", by its SPIFFE ID"),
                    Class::Part => html.words(", under its root"),
                    _ => {
                        html.words(", both hold ");
                        html.said(&edge.by);
                    }
                }
                if let Some(through) = edge.through {
                    html.words(", through the certificate in ");
                    link(html, through);
                }
            });
        }
        for dead in dead {
            html.plain("li", |html| {
                html.of("span", "badge", |html| html.words("not found"));
                html.words(" ");
                html.said(&missing(dead, matter.custody));
            });
        }
    });
}

const fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Es256 => "ES256",
        Algorithm::EdDsa => "EdDSA (Ed25519)",
        Algorithm::Esp256 => "ESP256",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::Es384 => "ES384",
        Algorithm::Esp384 => "ESP384",
    }
}

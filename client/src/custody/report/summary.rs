//! The first screen: the verdict and what it covers, what is not proved, who saw it and when, how many of what, and what verifies it.

use std::collections::BTreeMap;

use super::super::file::StreamSeen;
use super::super::judge::{Custody, Recorded};
use super::super::matter::Role;
use super::super::relations::{Class, class};
use super::entry::fact;
use super::html::Html;
use super::matter::Matter;
use super::words::{count, grouped, time_ms, time_s};
use crate::trust::Relation;

/// The words of the heading, and the title of the document.
pub(super) fn heading(matter: &Matter<'_>) -> String {
    let entries = population_of(matter.custody);
    match lacking(matter.custody).len() {
        0 => format!("Verified: {entries}"),
        _ => format!("Verified: {entries}, with things missing"),
    }
}

/// How many entries there are, and members of batches.
fn population_of(custody: &Custody) -> String {
    let (entries, members) = custody.counts();
    let entries = count(entries, "entry", "entries");
    match members {
        0 => entries,
        members => format!("{entries}, {}", count(members, "decision in batches", "decisions in batches")),
    }
}

/// What keeps the file from being the whole matter, by its own word. It is said before everything else.
pub(super) fn lacking(custody: &Custody) -> Vec<String> {
    let mut list = Vec::new();
    if let Some(most) = custody.manifest.not_found.cut_at {
        list.push(format!(
            "the collector stopped at {most} entries, and there are more: what is not here was not looked for to the end"
        ));
    }
    let gaps = custody.streams.iter().map(|stream| stream.gaps.len()).sum::<usize>();
    if gaps > 0 {
        list.push(format!("{} in the streams involved", count(gaps, "gap is declared", "gaps are declared")));
    }
    let silent = custody.streams.iter().filter(|stream| silence(custody, stream).is_some()).count();
    if silent > 0 {
        list.push(format!("{} silent before the checkpoint", count(silent, "stream was", "streams were")));
    }
    // What leads to another log is not missed here.
    let dead = custody.dead_links.iter().filter(|dead| class(&dead.rel) != Class::Other).count();
    if dead > 0 {
        let dead = count(dead, "relation leads", "relations lead");
        list.push(format!("{dead} to no entry of the file{}", custody.unlooked()));
    }
    let unopened = custody.manifest.not_found.members.len();
    if unopened > 0 {
        let batches = count(unopened, "batch has members", "batches have members");
        list.push(format!("{batches} that are not opened"));
    }
    list
}

fn silence(custody: &Custody, stream: &StreamSeen) -> Option<u64> {
    stream.silent_s(custody.checkpoint.time_s?)
}

/// Writes the verdict and its scope.
pub(super) fn verdict(html: &mut Html, matter: &Matter<'_>) {
    let custody = matter.custody;
    let (manifest, lacking) = (&custody.manifest, lacking(custody));
    let state = if lacking.is_empty() { "verdict" } else { "verdict part" };
    html.of("div", state, |html| {
        html.of("p", "kicker", |html| html.words("Chain of custody, from a govlog custody file"));
        html.plain("h1", |html| html.words(&heading(matter)));
        if !lacking.is_empty() {
            html.of("p", "lacking", |html| {
                html.words(&format!("What is here holds. It is not the whole: {}.", lacking.join("; ")))
            });
        }
        html.of("p", "lead", |html| {
            html.words("Each is in the log ");
            html.said(&manifest.origin);
            html.words(&format!(
                " at its size of {}, signed by an issuer that the log's admission policy allowed.",
                grouped_u64(custody.checkpoint.size.get())
            ));
        });
    });
    html.of("dl", "facts scope", |html| {
        fact(html, "Asked for", |html| {
            let terms =
                manifest.query.search.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
            for (at, (name, value)) in terms.enumerate() {
                html.words(if at == 0 { "" } else { ", " });
                html.said(name);
                html.words(" ");
                html.said(value);
            }
            for (at, id) in manifest.query.entries.iter().enumerate() {
                html.words(if at == 0 && manifest.query.search.is_empty() { "entry " } else { ", entry " });
                html.said(id);
            }
        });
        fact(html, "Found", |html| {
            let starts = count(manifest.starts.len(), "of them answers", "of them answer");
            html.words(&format!("{} with what belongs to it; {starts} what was asked (", population_of(custody)));
            html.said(&manifest.completeness);
            html.words(", as claimed)");
        });
        let by = custody.confirmed().map(Recorded::issuer);
        fact(html, "Collected by", |html| claimed(html, manifest.collector.as_deref(), by));
        fact(html, "Purpose", |html| claimed(html, manifest.purpose.as_deref(), by));
        for record in &custody.records {
            fact(html, "Custody", |html| {
                html.said(&record.op);
                if let Some(to) = &record.recipient {
                    html.words(" to ");
                    html.said(to);
                }
                html.words(&format!(", entry {} signed by ", record.entry.id()));
                html.said(&record.entry.statement().claims().iss);
            });
        }
        fact(html, "Checkpoint", |html| {
            html.words(&format!("size {}, ", grouped_u64(custody.checkpoint.size.get())));
            match custody.checkpoint.time_s {
                Some(at) => {
                    html.words("cosigned last at ");
                    time_s(html, at);
                }
                None => html.words("no witness says how old it is"),
            }
        });
    });
}

fn claimed(html: &mut Html, text: Option<&str>, recorded_by: Option<&str>) {
    match (text, recorded_by) {
        (Some(text), Some(by)) => {
            html.said(text);
            html.words(" (recorded in the log by ");
            html.said(by);
            html.words(")");
        }
        (Some(text), None) => {
            html.said(text);
            html.words(" (as the file claims)");
        }
        (None, _) => html.words("not said"),
    }
}

/// Writes what is not proved: the claim, and after it why.
pub(super) fn not_proved(html: &mut Html, matter: &Matter<'_>) {
    html.of("ul", "not-proved", |html| {
        for remark in matter.not_proved {
            let (claim, why) = remark.split_once(": ").unwrap_or((remark, ""));
            html.plain("li", |html| {
                html.plain("strong", |html| html.said(claim));
                if !why.is_empty() {
                    html.words(": ");
                    html.said(why);
                }
            });
        }
    });
}

/// Writes who cosigned, and what that says of times.
pub(super) fn witnesses(html: &mut Html, matter: &Matter<'_>) {
    let head = &matter.custody.checkpoint;
    let independent = head.witnesses.iter().filter(|witness| witness.relation == Relation::Independent).count();
    html.plain("p", |html| {
        html.plain("strong", |html| {
            html.words(&format!(
                "{} of {} cosigned, {independent} independent.",
                head.witnesses.len(),
                count(head.known_witnesses, "witness", "witnesses")
            ))
        });
        html.words(&format!(
            " {} of the same history.",
            count(head.earlier.len(), "earlier checkpoint is", "earlier checkpoints are")
        ));
    });
    if !head.witnesses.is_empty() {
        html.plain("table", |html| {
            html.plain("caption", |html| html.words("Who cosigned the checkpoint, by your trust directory"));
            columns(html, &["Witness", "To the log's operator", "Cosigned at"]);
            html.plain("tbody", |html| {
                for witness in &head.witnesses {
                    html.plain("tr", |html| {
                        html.element("th", &[("scope", "row")], |html| html.said(&witness.name));
                        html.plain("td", |html| {
                            html.words(match witness.relation {
                                Relation::Same => "its own, as far as you say",
                                Relation::Affiliate => "with ties",
                                Relation::Independent => "independent",
                            })
                        });
                        html.of("td", "when", |html| time_s(html, witness.time_s));
                    });
                }
            });
        });
    }
    html.of("dl", "facts", |html| bounds(html, matter));
}

fn bounds(html: &mut Html, matter: &Matter<'_>) {
    let all = matter.told.len();
    for (name, of) in [("No earlier than", true), ("No later than", false)] {
        let times: Vec<u64> = matter
            .told
            .values()
            .filter_map(|told| if of { told.held.bracket.lower_s } else { told.held.bracket.upper_s })
            .collect();
        fact(html, name, |html| {
            match (times.iter().min(), times.iter().max()) {
                (Some(first), Some(last)) if first == last => time_s(html, *first),
                (Some(first), Some(last)) => {
                    time_s(html, *first);
                    html.words(" to ");
                    time_s(html, *last);
                }
                _ => html.words("nothing says"),
            }
            html.words(&format!(", for {} of {}", grouped(times.len()), count(all, "entry", "entries")));
        });
    }
}

fn columns(html: &mut Html, names: &[&str]) {
    html.plain("thead", |html| {
        html.plain("tr", |html| {
            for name in names {
                html.element("th", &[("scope", "col")], |html| html.words(name));
            }
        });
    });
}

/// Writes how many entries of which kind there are, and why.
pub(super) fn population(html: &mut Html, matter: &Matter<'_>) {
    let roles = [Some(Role::Start), Some(Role::Effect), Some(Role::Cause), Some(Role::Word), None];
    let mut kinds: BTreeMap<&str, BTreeMap<Option<Role>, usize>> = BTreeMap::new();
    for told in matter.told.values() {
        *kinds.entry(told.kind()).or_default().entry(told.held.role).or_default() += 1;
    }
    html.of("table", "numbers", |html| {
        html.plain("caption", |html| html.words("Entries by kind, and why they are here"));
        let used: Vec<Option<Role>> =
            roles.into_iter().filter(|role| kinds.values().any(|counts| counts.contains_key(role))).collect();
        let names: Vec<&str> = used.iter().map(|role| super::matter::role(*role)).collect();
        columns(html, &[&["Kind"], names.as_slice(), &["all"]].concat());
        html.plain("tbody", |html| {
            for (kind, counts) in &kinds {
                html.plain("tr", |html| {
                    html.element("th", &[("scope", "row")], |html| html.said(kind));
                    for role in &used {
                        html.plain("td", |html| match counts.get(role) {
                            Some(number) => html.words(&grouped(*number)),
                            None => html.words("–"),
                        });
                    }
                    html.plain("td", |html| html.words(&grouped(counts.values().sum())));
                });
            }
        });
    });
}

/// Writes what is known of the streams.
pub(super) fn streams(html: &mut Html, matter: &Matter<'_>) {
    if matter.custody.streams.is_empty() {
        html.plain("p", |html| {
            html.words(
                "None of the entries stands in a stream, so nothing shows whether others of their issuers are missing.",
            )
        });
        return;
    }
    html.plain("table", |html| {
        html.plain("caption", |html| {
            html.words(
                "Streams that the entries stand in. A stream cannot lose a position unseen; here are only some of them",
            )
        });
        columns(html, &["Stream", "Entries here", "Positions", "Gaps declared here", "Last word"]);
        html.plain("tbody", |html| {
            for stream in &matter.custody.streams {
                html.plain("tr", |html| stream_row(html, matter.custody, stream));
            }
        });
    });
}

fn stream_row(html: &mut Html, custody: &Custody, stream: &StreamSeen) {
    html.element("th", &[("scope", "row")], |html| {
        html.said(&stream.stream);
        html.of("span", "about", |html| {
            html.words("of ");
            html.said(&stream.issuer);
        });
    });
    html.plain("td", |html| html.words(&grouped_u64(stream.entries)));
    html.plain("td", |html| html.words(&format!("{} to {}", stream.first, stream.last)));
    html.plain("td", |html| {
        if stream.gaps.is_empty() {
            html.words("none");
        }
        for (at, gap) in stream.gaps.iter().enumerate() {
            html.words(if at == 0 { "" } else { ", " });
            html.said(&gap.entry);
        }
    });
    html.plain("td", |html| match &stream.last_word {
        None => html.words("says nothing of itself here"),
        Some(word) => {
            if silence(custody, stream).is_some() {
                html.of("span", "badge", |html| html.words("silent"));
                html.words(" ");
            }
            html.words(&format!("{} at ", word.op));
            time_ms(html, word.event_ms);
        }
    });
}

/// Writes by what the file is known, and how to verify it.
pub(super) fn identity(html: &mut Html, matter: &Matter<'_>) {
    let custody = matter.custody;
    html.of("p", "nothing", |html| {
        html.plain("strong", |html| html.words("This page proves nothing by itself."));
        html.words(" Anyone can write such a page. Take the custody file and a trust directory that you made yourself, and run ");
        html.code("govlog custody verify FILE --trust DIR");
        html.words("; then compare what it prints with these:");
    });
    html.of("dl", "facts digests", |html| {
        fact(html, "Manifest", |html| html.code(&custody.manifest_digest.to_string()));
        fact(html, "File", |html| html.code(&custody.file_digest.to_string()));
        fact(html, "Trust fingerprint", |html| html.code(&custody.fingerprint.to_string()));
        fact(html, "Root hash", |html| {
            html.code(&custody.checkpoint.root.to_string());
            html.words(&format!(" at size {}", custody.checkpoint.size));
        });
        fact(html, "Admission policy", |html| {
            html.words(&format!("as of change {}", custody.changes.as_of));
            if custody.changes.learnt > 0 {
                let learnt = count(custody.changes.learnt, "of its changes was", "of its changes were");
                html.words(&format!(
                    "; {learnt} learnt from the file, proved under your operators' keys and witnesses"
                ));
            }
        });
    });
    html.of("p", "about", |html| html.words("All digests are SHA-256. Manifest and File (which sha256sum gives) name the custody file; Trust fingerprint names whom the verifier trusted."));
}

fn grouped_u64(number: u64) -> String {
    usize::try_from(number).map_or_else(|_| number.to_string(), grouped)
}

//! What verified entries say of each other: a decision's credential and the issuance behind it, an effect and its decision.

use govlog_formats::record::{Body, Handle, LinkTarget, Record};

use super::entry::VerifiedEntry;

/// One entry that another one links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Position of the entry that links, in the slice given.
    pub from: usize,
    /// Position of the entry linked to.
    pub to: usize,
    /// The relation, such as `authenticated_by`.
    pub rel: String,
    /// What both entries hold, such as `cert_s256 292c42db…`.
    pub by: String,
}

/// Finds the links between verified entries, by leaf hash or by a handle that both hold.
///
/// Only what the entries' own signed bytes say counts; a payload that is no record of its kind joins nothing.
#[must_use]
pub fn joins(entries: &[&VerifiedEntry]) -> Vec<Join> {
    let records: Vec<Option<Record>> = entries.iter().map(|entry| record(entry)).collect();
    let mut found = Vec::new();
    for (from, record) in records.iter().enumerate() {
        for (rel, target) in record.iter().flat_map(targets) {
            let matches = |to: &usize| {
                *to != from && leads_to(&target, entries.get(*to).copied(), records.get(*to).and_then(Option::as_ref))
            };
            found.extend((0..entries.len()).filter(matches).map(|to| Join {
                from,
                to,
                rel: rel.clone(),
                by: shown(&target),
            }));
        }
    }
    found.dedup();
    found
}

fn record(entry: &VerifiedEntry) -> Option<Record> {
    let statement = entry.statement();
    if statement.is_hash_envelope() { None } else { Record::parse(statement.kind(), statement.payload()).ok() }
}

/// The explicit links, and what a kind's own fields link to.
fn targets(record: &Record) -> Vec<(String, LinkTarget)> {
    let links = record.body().map(Body::links).unwrap_or_default();
    let mut targets: Vec<_> = links.into_iter().map(|link| (link.rel, link.target)).collect();
    let implied = match record {
        Record::Decision(decision) => {
            decision.credential().present().map(|handle| ("authenticated_by".to_owned(), LinkTarget::Handle(handle)))
        }
        _ => None,
    };
    if let Some(implied) = implied.filter(|implied| !targets.contains(implied)) {
        targets.push(implied);
    }
    targets
}

fn leads_to(target: &LinkTarget, entry: Option<&VerifiedEntry>, record: Option<&Record>) -> bool {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => {
            entry.is_some_and(|entry| entry.statement().leaf_hash() == *leaf)
        }
        LinkTarget::Handle(handle) => record.and_then(Record::body).is_some_and(|body| body.handles().contains(handle)),
    }
}

fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => format!("leaf {leaf}"),
        LinkTarget::Handle(Handle { name, value }) => match value.as_bytes() {
            Some(bytes) => format!("{name} {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            None => name.clone(),
        },
    }
}

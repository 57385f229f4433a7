//! `formats/RECORDS.md`: every kind on one page, written from the field tables and the examples.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::schema::{Field, Group, Shape};
use super::tables::{ADMISSION_POLICY, COMMON, HANDLES, group_of};
use super::{example, indexed_fields, subject};
use crate::search::Column;

/// The planes, with their kinds.
const PLANES: [(&str, &[&str]); 4] = [
    ("Governance", &[ADMISSION_POLICY, "policy", "activation", "approval", "ownership", "agent"]),
    ("Identity", &["registration", "attestation", "issuance", "signing-key", "revocation", "federation"]),
    ("Operation", &["delegation", "decision", "decision-batch", "effect", "observation"]),
    ("Integrity", &["stream", "gap", "quarantine", "redaction", "finding", "custody", "anchor"]),
];

/// Which links a kind bears, as a rule, and to what.
const LINKS: [(&str, &str, &[&str]); 17] = [
    (
        "governed_by",
        "activation or policy",
        &["decision", "decision-batch", "activation", "issuance", "registration", "attestation"],
    ),
    ("authenticated_by", "issuance", &["decision", "effect"]),
    ("registered_as", "registration", &["issuance"]),
    ("attested_by", "attestation", &["issuance"]),
    ("signed_by", "signing-key", &["issuance"]),
    ("anchored_in", "federation", &["signing-key"]),
    ("on_behalf_of", "delegation", &["decision"]),
    ("derived_from", "delegation", &["delegation"]),
    ("authorised_by", "approval", &["registration", "delegation", "policy", "federation"]),
    ("enforces", "decision", &["effect"]),
    ("caused_by", "effect or decision", &["effect", "decision"]),
    ("revokes", "what is revoked", &["revocation"]),
    ("supersedes", "the record it takes the place of", &["policy", "ownership", "agent", "revocation"]),
    ("observes", "what was seen", &["observation"]),
    ("redacts", "the entries", &["redaction"]),
    ("about", "anything", &["finding", "approval", "custody"]),
    ("external_log", "an entry of another log", &["attestation", "anchor"]),
];

const HEAD: &str = "\
# Records, kind by kind

This page is written by the library from its field tables and from `examples/`; `GOVLOG_WRITE_RECORDS=1 cargo test -p govlog-formats --lib page`
writes it anew. The same tables drive the checks and the CDDL files in `cddl/`.

A record is the payload of a signed statement: a deterministic CBOR map with text keys. Its kind is the content type
`application/vnd.govlog.<kind>+cbor`. Unknown keys are kept and hashed, never refused, except in `admission-policy`. Any value but `v` may be sealed:
a commitment stands in its place. Where a shape names values, those are all there are; \"in use\" means that others are taken too. Digests print as
lower-case hex, other byte strings as `{\"$bytes\": \"<base64url>\"}`, sealed values as `{\"$sealed\": \"<base64url>\"}`. Times are POSIX milliseconds.
";

const SEARCH: &str = "
## What entries are found by

A search names columns and values, `GET /v1/records?policy=r1&resource=acct-5`; an entry must have all of them, and `since` and `until` bound its
time. The fields that a kind is to be found by answer under these names, and so do the header, the entry's own digests, and every handle, link
and reference of a sealed value anywhere in a record. Statements that are only a digest, and those of foreign content types, are found by their
header. The time is `event_ms` and the other times a kind is to be found by, from the least to the greatest, else `iat`: as claimed.
";

/// Writes the page.
#[must_use]
pub fn records_page() -> String {
    let mut out = HEAD.to_owned();
    let _ = write!(out, "\n## Every kind but `{ADMISSION_POLICY}`\n\n");
    fields(&mut out, &COMMON);
    for inner in inner(&COMMON) {
        section(&mut out, inner);
    }
    for (plane, kinds) in PLANES {
        let _ = write!(out, "\n## {plane} plane\n");
        kinds.iter().for_each(|kind| self::kind(&mut out, kind));
    }
    columns(&mut out);
    out
}

/// What a search asks for: each column with what it is.
fn columns(out: &mut String) {
    out.push_str(SEARCH);
    out.push_str("\n| Column | What it is |\n|---|---|\n");
    for column in Column::all() {
        let _ = writeln!(out, "| `{column}` | {} |", column.about());
    }
}

fn kind(out: &mut String, kind: &str) {
    let _ = write!(out, "\n### `{kind}`\n\n");
    if kind == ADMISSION_POLICY {
        out.push_str("A change to who may submit what. Its fields stand in [`cddl/admission-policy.cddl`](cddl/admission-policy.cddl); unknown keys are refused, nothing is sealed, and it has none of the common fields but `v` and `event_ms`.\n\n");
        out.push_str("- in the view a COSE key prints as a JWK\n");
    } else {
        let group = group_of(kind);
        let _ = write!(out, "{}.\n\n", capital(group.about));
        fields(out, group);
        for inner in inner(group) {
            if !self::inner(&COMMON).iter().any(|common| common.name == inner.name) {
                section(out, inner);
            }
        }
        out.push('\n');
        let handles = handles(group);
        let _ = writeln!(out, "- handles among its own fields: {}", listed(handles.into_iter()));
        let links =
            LINKS.iter().filter(|(_, _, kinds)| kinds.contains(&kind)).map(|(rel, to, _)| format!("`{rel}` ({to})"));
        let _ = writeln!(out, "- links in use: {}", listed(links));
        let found = indexed_fields(kind).into_iter().map(|path| format!("`{path}`"));
        let _ = writeln!(
            out,
            "- to be found by, besides kind, iss, sub, stream, time and correlation ids: {}",
            listed(found)
        );
    }
    let _ = writeln!(out, "- `sub` when none is given: {}", subject::source_of(kind));
    let _ = write!(out, "\n```json\n{}```\n", example(kind).unwrap_or_default());
}

fn section(out: &mut String, group: &'static Group) {
    let _ = write!(out, "\n`{}`: {}.\n\n", group.name, group.about);
    fields(out, group);
}

fn fields(out: &mut String, group: &Group) {
    let _ = writeln!(out, "| Field | Must | Shape | Meaning |\n|---|---|---|---|");
    for field in group.fields {
        let must = if field.required { "yes" } else { "" };
        let _ = writeln!(out, "| `{}` | {must} | {} | {} |", field.key, shape(&field.shape), field.about);
    }
}

/// Says a shape in words that fit a cell.
fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".to_owned(),
        Shape::Version => "1".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Name => "text, not empty".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Uint => "integer, 0 or more".to_owned(),
        Shape::Int => "integer".to_owned(),
        Shape::Millis => "time".to_owned(),
        Shape::Bytes => "bytes".to_owned(),
        Shape::TextOrBytes => "text or bytes".to_owned(),
        Shape::Digest => "digest, 32 bytes".to_owned(),
        Shape::DigestBytes => "digest".to_owned(),
        Shape::Closed(names) => listed(names.iter().map(|name| format!("`{name}`"))),
        Shape::Open(names) => format!("text, in use: {}", listed(names.iter().map(|name| format!("`{name}`")))),
        Shape::List(of) => format!("list of: {}", self::shape(of)),
        Shape::Tuple(parts) => format!("[{}]", parts.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")),
        Shape::Map(group) => format!("map `{}`", group.name),
        Shape::OneOf(group) => format!("map with one key of `{}`", group.name),
        Shape::Each(of) => format!("map, each value: {}", self::shape(of)),
        Shape::Pair(_) => "[name, value] of a handle".to_owned(),
    }
}

fn listed(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// Collects the maps below a group, each once.
fn inner(group: &'static Group) -> Vec<&'static Group> {
    let mut found = Vec::new();
    walk(group, &mut |field| {
        if let Shape::Map(group) | Shape::OneOf(group) = innermost(&field.shape)
            && !found.iter().any(|known: &&Group| known.name == group.name)
        {
            found.push(*group);
        }
    });
    found
}

/// Names the handles among the fields of a kind. One whose shape is not the handle's shares its name only, as a tool's `schema_digest` does.
fn handles(group: &'static Group) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(group, &mut |field| {
        let any = match innermost(&field.shape) {
            Shape::Pair(_) => true,
            Shape::Map(group) => group.name == HANDLES.name,
            _ => false,
        };
        if any {
            found.insert(format!("any in `{}`", field.key));
        } else if HANDLES
            .fields
            .iter()
            .any(|handle| handle.key == field.key && shape(&handle.shape) == shape(&field.shape))
        {
            found.insert(format!("`{}`", field.key));
        }
    });
    found
}

/// Visits the fields of a group and of the maps below it, not those of handles.
fn walk(group: &'static Group, visit: &mut impl FnMut(&'static Field)) {
    for field in group.fields {
        visit(field);
        match innermost(&field.shape) {
            Shape::Map(inner) | Shape::OneOf(inner) if inner.name != HANDLES.name => walk(inner, visit),
            _ => {}
        }
    }
}

fn innermost(shape: &'static Shape) -> &'static Shape {
    match shape {
        Shape::List(of) | Shape::Each(of) => innermost(of),
        other => other,
    }
}

#[cfg(test)]
mod tests;

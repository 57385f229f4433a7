//! The CDDL (RFC 8610) of each kind, written from the field tables.
//!
//! The files in `formats/cddl` are these texts, compared by a test; only `admission-policy.cddl` is written by hand, for that kind has a
//! type of its own.

use std::fmt::Write as _;

use super::schema::{Field, Group, Shape};
use super::sealed;
use super::tables::{self, ADMISSION_POLICY, COMMON};

/// Gives the CDDL of a kind (`decision`, or its content type): that of `common` is to be read after it, but for `admission-policy`, which
/// stands alone. `None`: the kind has no schema of its own.
#[must_use]
pub fn cddl(kind: &str) -> Option<String> {
    match super::short_kind(kind) {
        ADMISSION_POLICY => Some(include_str!("../../../cddl/admission-policy.cddl").to_owned()),
        "common" => Some(render_common()),
        kind => Some(tables::group_of(kind)).filter(|group| group.name == kind).map(render_kind),
    }
}

/// Rules that need no table.
const BASICS: &str = "\
; Text that is not empty.
name = tstr .size (1..65535)

; POSIX milliseconds.
millis = uint

; SHA-256.
digest = bstr .size 32

; A digest with the algorithm it is made by.
scheme-digest = [scheme: name / sealed, digest: digest-bytes / sealed]
digest-bytes = bstr .size (1..65535)
";

fn render_kind(group: &'static Group) -> String {
    let mut out = format!("; {}: {}. With the rules of common.cddl.\n", group.name, group.about);
    map_rule(&mut out, group, true);
    for inner in inner_groups(group) {
        if !inner_groups(&COMMON).iter().any(|common| common.group.name == inner.group.name) {
            rule(&mut out, inner);
        }
    }
    out
}

fn render_common() -> String {
    let mut out = String::from("; Rules that every kind but admission-policy shares.\n\n");
    let _ = write!(out, "; {}\ncommon = (\n", sentence(COMMON.about));
    fields(&mut out, COMMON.fields);
    out.push_str(")\n\n");
    let _ = write!(
        out,
        "; Stands in the place of any value of a body. Where any value may stand its tag is on such values alone, at every depth.\nsealed = #6.{}({{ d: digest, ? ref: bstr }})\n\n",
        sealed::TAG
    );
    out.push_str(BASICS);
    for inner in inner_groups(&COMMON) {
        rule(&mut out, inner);
    }
    out.push_str("\n; Name and value of a handle.\n");
    pair(&mut out, &tables::HANDLES);
    out
}

/// A map inside a record.
#[derive(Clone, Copy)]
struct Inner {
    group: &'static Group,
    /// Whether it has exactly one of the fields.
    one_of: bool,
}

/// Writes the rule of a map inside a record. A map that is one of several is a choice of maps with one key each.
fn rule(out: &mut String, inner: Inner) {
    let _ = write!(out, "\n; {}\n", sentence(inner.group.about));
    if inner.one_of {
        let choice = |field: &Field| format!("{{ {}: {} }}", field.key, sealable(&field.shape));
        let choices: Vec<String> = inner.group.fields.iter().map(choice).collect();
        let _ = writeln!(out, "{} = {}", inner.group.name, choices.join(" / "));
    } else {
        map_rule(out, inner.group, false);
    }
}

fn map_rule(out: &mut String, group: &Group, is_record: bool) {
    let _ = writeln!(out, "{} = {{", group.name);
    if is_record {
        out.push_str("  common,\n");
    }
    fields(out, group.fields);
    out.push_str("  * tstr => any\n}\n");
}

fn fields(out: &mut String, fields: &[Field]) {
    for field in fields {
        let mark = if field.required { "" } else { "? " };
        let in_use = match field.shape {
            Shape::Open(names) => format!("in use: {}", names.join(", ")),
            _ => String::new(),
        };
        let about: Vec<&str> = [field.about, &in_use].into_iter().filter(|text| !text.is_empty()).collect();
        let about = if about.is_empty() { String::new() } else { format!(" ; {}", about.join("; ")) };
        let _ = writeln!(out, "  {mark}{}: {},{about}", field.key, sealable(&field.shape));
    }
}

fn pair(out: &mut String, group: &Group) {
    out.push_str("handle =\n");
    for field in group.fields {
        let _ = writeln!(out, "  [\"{}\", {}] /", field.key, sealable(&field.shape));
    }
    out.push_str("  [other-handle, any] ; a name that is not known yet\n\n");
    // CDDL chooses among arrays by what fits, so a known name with a wrong value must not fit here.
    let mut other = String::from("tstr");
    for (place, field) in group.fields.iter().enumerate() {
        other = match place {
            0 => format!("tstr .ne \"{}\"", field.key),
            _ => format!("({other}) .and (tstr .ne \"{}\")", field.key),
        };
    }
    let _ = writeln!(out, "other-handle = {other}");
}

/// Writes what may stand in a place: the shape's own, or a sealed value.
fn sealable(shape: &Shape) -> String {
    match shape {
        Shape::Any | Shape::Version => of(shape),
        _ => format!("{} / sealed", of(shape)),
    }
}

fn of(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any".to_owned(),
        Shape::Version => "1".to_owned(),
        Shape::Text => "tstr".to_owned(),
        Shape::Name | Shape::Open(_) => "name".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Uint => "uint".to_owned(),
        Shape::Int => "int".to_owned(),
        Shape::Millis => "millis".to_owned(),
        Shape::Bytes => "bstr".to_owned(),
        Shape::DigestBytes => "digest-bytes".to_owned(),
        Shape::TextOrBytes => "tstr / bstr".to_owned(),
        Shape::Digest => "digest".to_owned(),
        Shape::Closed(names) => names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" / "),
        Shape::List(of) => format!("[* {}]", sealable(of)),
        Shape::Tuple([("scheme", _), ("digest", _)]) => "scheme-digest".to_owned(),
        Shape::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(|(name, shape)| format!("{name}: {}", sealable(shape))).collect();
            format!("[{}]", parts.join(", "))
        }
        Shape::Map(group) | Shape::OneOf(group) => group.name.to_owned(),
        Shape::Each(shape) => format!("{{ * tstr => {} }}", sealable(shape)),
        Shape::Pair(_) => "handle".to_owned(),
    }
}

/// Collects the groups below a group, each once, in the order they are met.
fn inner_groups(group: &'static Group) -> Vec<Inner> {
    let mut found = Vec::new();
    for field in group.fields {
        collect(&field.shape, &mut found);
    }
    found
}

fn collect(shape: &'static Shape, found: &mut Vec<Inner>) {
    match shape {
        Shape::Map(group) | Shape::OneOf(group) if !found.iter().any(|known| known.group.name == group.name) => {
            found.push(Inner { group, one_of: matches!(shape, Shape::OneOf(_)) });
            for field in group.fields {
                collect(&field.shape, found);
            }
        }
        Shape::List(shape) | Shape::Each(shape) => collect(shape, found),
        _ => {}
    }
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests;

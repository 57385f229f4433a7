//! What kinds and fields are about, in the words of the field tables: for pages that explain a record to people.

use super::schema::{Group, Shape};
use super::short_kind;
use super::tables::{COMMON, TYPED};

/// One line on what a record of this kind says; `None`: an unknown kind, or `admission-policy`, which has no field table.
#[must_use]
pub fn about_kind(kind: &str) -> Option<&'static str> {
    let kind = short_kind(kind);
    TYPED.into_iter().find(|group| group.name == kind).map(|group| group.about)
}

/// One line on the field at a path of keys, elements of lists left out: `["policies", "revision"]`; `None`: nothing more than its name is known.
#[must_use]
pub fn about_field(kind: &str, path: &[&str]) -> Option<&'static str> {
    let kind = short_kind(kind);
    let own = TYPED.into_iter().find(|group| group.name == kind);
    own.into_iter().chain([&COMMON]).find_map(|group| in_group(group, path)).filter(|about| !about.is_empty())
}

fn in_group(group: &'static Group, path: &[&str]) -> Option<&'static str> {
    let (key, rest) = path.split_first()?;
    let field = group.fields.iter().find(|field| field.key == *key)?;
    if rest.is_empty() { Some(field.about) } else { in_shape(&field.shape, rest) }
}

fn in_shape(shape: &'static Shape, path: &[&str]) -> Option<&'static str> {
    match shape {
        Shape::Map(group) | Shape::OneOf(group) => in_group(group, path),
        Shape::List(shape) => in_shape(shape, path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_tables_say() {
        assert_eq!(about_kind("application/vnd.govlog.effect+cbor"), about_kind("effect"));
        assert_eq!(about_kind("effect"), Some("what became of a decision, or what was done without one"));
        assert_eq!(about_kind("admission-policy"), None);
        assert_eq!(about_field("decision", &["subject", "credential"]), Some("how it was known"));
        assert_eq!(
            about_field("delegation", &["actors", "id"]),
            Some("a SPIFFE ID where there is one, of people a pseudonym")
        );
        assert_eq!(about_field("decision", &["event_ms"]), Some("when it happened, as claimed"));
        assert_eq!(about_field("text/plain", &["event_ms"]), Some("when it happened, as claimed"));
        for path in [&[][..], &["result"], &["nothing"], &["result", "id"], &["subject", "id", "x"]] {
            assert_eq!(about_field("decision", path), None, "{path:?}");
        }
    }
}

//! The one spelling of a term's value, as it is found in an entry and as people write it.

use ciborium::Value;

use crate::digest::Digest;
use crate::record::sealed::Sealed;

/// So many hex digits are taken for the bytes they spell, whatever their case.
const MIN_DIGITS: usize = 16;

/// Gives text its one spelling: hex in lower case without colons, `sha256:` before hex left out; other text is as it is.
///
/// Both an entry's text and what a filter asks for pass through here, so that a digest is found as people copy it.
pub(super) fn canonical(text: &str) -> String {
    if let Some(digits) = hex(text.strip_prefix("sha256:").unwrap_or(text)) {
        return digits;
    }
    match text.split_once(':').and_then(|(scheme, rest)| Some((scheme, hex(rest)?))) {
        Some((scheme, digits)) => format!("{scheme}:{digits}"),
        None => text.to_owned(),
    }
}

/// Gives the spelling of a list `A,B`: each part for itself. A comma or a backslash within a part has a backslash before it; one at the very end
/// stands for itself.
pub(super) fn canonical_list(text: &str) -> String {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, ',') => parts.push(std::mem::take(&mut part)),
            _ => {
                escaped = false;
                part.push(c);
            }
        }
    }
    if escaped {
        part.push('\\');
    }
    parts.push(part);
    join(parts.iter().map(String::as_str))
}

/// Joins the parts of a list, each in its one spelling.
pub(super) fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let escaped = parts.map(|part| canonical(part).replace('\\', r"\\").replace(',', r"\,"));
    escaped.collect::<Vec<_>>().join(",")
}

/// Gives the text of a single value: text as it is, bytes as hex, numbers in decimal. `None` for lists, maps, sealed values and the rest.
pub(super) fn single(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(canonical(text)),
        Value::Bytes(bytes) => Some(digits(bytes)),
        Value::Integer(number) => Some(i128::from(*number).to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Gives the texts of a list of single values, none if a part is something else.
pub(super) fn parts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(single).collect()
}

/// Gives the `ref` of a sealed value; `None` within: it has none. `None` without: the value is not sealed.
pub(super) fn reference(value: &Value) -> Option<Option<String>> {
    let sealed = Sealed::from_value(value).ok()?;
    Some(sealed.reference.map(|reference| digits(&reference)))
}

/// Writes a digest as hex, several for each entry: without the machinery of formatting.
pub(super) fn of_digest(digest: &Digest) -> String {
    digits(digest.as_bytes())
}

/// Writes bytes as hex.
pub(super) fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}

/// Reads hex digits of either case, or pairs of them between colons, and gives them in lower case.
fn hex(text: &str) -> Option<String> {
    let digits: String = if text.contains(':') && text.split(':').all(|pair| pair.len() == 2) {
        text.split(':').collect()
    } else {
        text.to_owned()
    };
    let is_hex = digits.len() >= MIN_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| digits.to_ascii_lowercase())
}

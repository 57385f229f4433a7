//! Envoy's `x-forwarded-client-cert`: which certificate the client of a request showed.
//!
//! Each proxy on the way adds an element, or replaces what came: the last element is the nearest proxy's, those before it are hearsay.
//! The header proves nothing by itself. It is believed because the operator says that OPA is asked through that proxy alone; whoever else
//! can ask OPA can write what they like in it.

use govlog_formats::digest::Digest;
use govlog_formats::limits::MAX_SUBJECT_BYTES;

#[cfg(test)]
mod tests;

/// The most bytes all values together may have: chains of certificates in PEM stand in it too.
const MAX_BYTES: usize = 128 * 1024;

/// What a trusted proxy says of its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// SHA-256 of the DER of the client's certificate.
    pub cert_s256: Digest,
    /// The URI in that certificate; `None` if it has none, several, or one that is too long for a subject.
    pub uri: Option<String>,
    /// The proxy, by the URI of its own certificate.
    pub by: String,
}

/// Why a client is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// There is no such header.
    #[error("no x-forwarded-client-cert")]
    Absent,
    /// The last element is well formed, but not by a proxy that is believed.
    #[error("x-forwarded-client-cert by a proxy that is not in xfcc_from")]
    NotTrusted,
    /// The header does not follow its grammar, or its last element says something twice.
    #[error("x-forwarded-client-cert: {0}")]
    Malformed(&'static str),
}

/// Finds the client in the values of a header, in the order in which they came.
///
/// # Errors
///
/// There is no header; something in it, even in an earlier element, does not follow the grammar; or the last element's `By` is none of
/// `trusted`. Nothing is guessed.
pub fn client_of(values: &[impl AsRef<str>], trusted: &[String]) -> Result<Client, Unknown> {
    let bytes: usize = values.iter().map(|value| value.as_ref().len()).sum();
    if bytes > MAX_BYTES {
        return Err(Unknown::Malformed("too long"));
    }
    let mut last = Element::default();
    for value in values {
        last = last_element(value.as_ref())?;
    }
    if values.is_empty() {
        return Err(Unknown::Absent);
    }
    let by = match last.by {
        Once::Is(by) if trusted.contains(&by) => by,
        Once::Is(_) | Once::Absent => return Err(Unknown::NotTrusted),
        // A proxy whose certificate has several URIs writes several: none of them is its one name.
        Once::Several => return Err(Unknown::Malformed("several By")),
    };
    let Once::Is(hash) = last.hash else { return Err(Unknown::Malformed("not one Hash")) };
    // Envoy writes lower case; the grammar does not say so.
    let cert_s256 = hash.to_ascii_lowercase().parse().map_err(|_| Unknown::Malformed("Hash is not 64 hex digits"))?;
    let uri = match last.uri {
        Once::Is(uri) if (1..=MAX_SUBJECT_BYTES).contains(&uri.len()) => Some(uri),
        _ => None,
    };
    Ok(Client { cert_s256, uri, by })
}

/// What is kept of an element.
#[derive(Default)]
struct Element {
    by: Once,
    hash: Once,
    uri: Once,
}

impl Element {
    fn set(&mut self, key: &str, value: String) {
        let fields = [("by", &mut self.by), ("hash", &mut self.hash), ("uri", &mut self.uri)];
        if let Some((_, field)) = fields.into_iter().find(|(name, _)| key.eq_ignore_ascii_case(name)) {
            *field = match field {
                Once::Absent => Once::Is(value),
                Once::Is(_) | Once::Several => Once::Several,
            };
        }
    }
}

/// A key's value, where it must stand once to be believed.
#[derive(Default)]
enum Once {
    #[default]
    Absent,
    Is(String),
    Several,
}

/// Reads all elements of one value and gives the last.
fn last_element(value: &str) -> Result<Element, Unknown> {
    let mut reader = Reader { rest: value };
    loop {
        let mut element = Element::default();
        reader.spaces();
        let end = loop {
            let key = reader.key()?;
            let text = reader.value()?;
            element.set(key, text);
            match reader.next() {
                Some(';') => {}
                other => break other,
            }
        };
        match end {
            None => return Ok(element),
            Some(',') => {}
            Some(_) => return Err(Unknown::Malformed("after a value stands ';' or ','")),
        }
    }
}

/// Reads a header's value from left to right.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn key(&mut self) -> Result<&'a str, Unknown> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
        let (key, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let rest = rest.strip_prefix('=').ok_or(Unknown::Malformed("a key is followed by '='"))?;
        self.rest = rest;
        if key.is_empty() { Err(Unknown::Malformed("a key is missing")) } else { Ok(key) }
    }

    fn value(&mut self) -> Result<String, Unknown> {
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted();
        }
        let end = self.rest.find([';', ',']).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        // Such a value should have been in quotes; where it is not, somebody else's quotes may have been closed.
        if value.contains(['"', '=']) {
            return Err(Unknown::Malformed("a value with '\"' or '=' stands in quotes"));
        }
        Ok(value.trim_end_matches([' ', '\t']).to_owned())
    }

    /// Reads up to the closing quote. `\"` is a quote of the value; another backslash is itself.
    fn quoted(&mut self) -> Result<String, Unknown> {
        let mut value = String::new();
        let mut backslashes = 0;
        for (at, c) in self.rest.char_indices() {
            match c {
                // Whether `\\"` ends the value depends on who escaped what: nothing is guessed.
                '"' if backslashes > 1 => return Err(Unknown::Malformed("several backslashes before a quote")),
                '"' if backslashes == 1 => {
                    value.pop();
                    value.push('"');
                }
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    self.spaces();
                    return Ok(value);
                }
                other => value.push(other),
            }
            backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        }
        Err(Unknown::Malformed("a quote is not closed"))
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

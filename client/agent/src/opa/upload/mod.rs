//! A decision-log upload: unpacked and cut into events.
//!
//! OPA sends a gzip JSON array and sends it again until it gets a 2xx, so nothing here may fail because of one bad element: each is judged
//! alone. Only what cannot be cut at all is refused as a whole.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

use super::event::Event;
use crate::json::{self, JsonError};

#[cfg(test)]
mod tests;

/// How many unreadable elements of one upload are given one by one.
pub const MAX_UNREADABLE: usize = 64;

/// The bytes a gzip member begins with (RFC 1952 §2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How many bytes are unpacked at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What an upload may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as they come over the wire. 16 MiB: OPA sends 32 kB by default and a few hundred kB as we advise; its own limit can be set to
    /// 4 GiB, which nobody needs.
    pub upload_bytes: usize,
    /// Bytes once unpacked. 64 MiB: decision logs shrink to a tenth or so, but a full upload of 16 MiB is not to be expected.
    pub unpacked_bytes: usize,
    /// Bytes of one event. 8 MiB: inputs are requests, results of `http.send` are documents; neither is larger as a rule.
    pub event_bytes: usize,
    /// Events of one upload. 50,000: more than 64 MiB hold at the size events have.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 16 * 1024 * 1024,
            unpacked_bytes: 64 * 1024 * 1024,
            event_bytes: 8 * 1024 * 1024,
            events: 50_000,
        }
    }
}

/// Why an upload is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The body is too long.
    #[error("a body of {found} bytes, should be at most {most}")]
    Body {
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// One event is too long.
    #[error("an event of {found} bytes, should be at most {most}")]
    Event {
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// The body unpacks to too much.
    #[error("unpacks to more than {0} bytes")]
    Unpacked(usize),
    /// The body is packed in a way that is not read.
    #[error("another content encoding, should be gzip or identity")]
    Encoding,
    /// The body is cut off, damaged, or something follows it.
    #[error("not gzip: {0}")]
    Gzip(String),
    /// The body is not the JSON that is wanted.
    #[error("{at}: {problem}")]
    Json {
        /// What was read, as `labels.id`.
        at: String,
        /// What is wrong there.
        problem: JsonError,
    },
    /// A member is missing.
    #[error("{0}: missing")]
    Missing(String),
    /// Text is too long, or empty.
    #[error("{at}: text of {found} bytes, should be 1 to {most}")]
    Length {
        /// Where, as `labels.id`.
        at: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
}

/// An upload, cut into its elements.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// The elements in order: all events, and the first [`MAX_UNREADABLE`] of the others.
    pub elements: Vec<Element<'a>>,
    /// How many more elements are unreadable. Where it is not 0, the whole body is to be kept as the one thing that could not be read.
    pub unreadable_beyond: usize,
}

/// An element of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// An event.
    Event(Event<'a>),
    /// Something that is not one.
    Unreadable {
        /// Why.
        reason: String,
        /// The element's bytes.
        bytes: &'a [u8],
    },
}

impl Element<'_> {
    /// The instance whose event it is, if it is one.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(&event.instance),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Unpacks a body: gzip of one or several members, or what is not packed.
///
/// A body that begins as gzip does is unpacked even if no header says so; no JSON begins like that.
///
/// # Errors
///
/// The encoding is another one, the body is too long before or after, cut off, damaged, or something follows it. The limit holds while
/// unpacking: no more memory than that is taken.
pub fn unpack<'a>(content_encoding: Option<&str>, body: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, Refused> {
    if body.len() > limits.upload_bytes {
        return Err(Refused::Body { found: body.len(), most: limits.upload_bytes });
    }
    let encoding = content_encoding.unwrap_or_default().trim();
    let says = |name: &str| encoding.eq_ignore_ascii_case(name);
    if says("gzip") || says("x-gzip") {
        return gunzip(body, limits.unpacked_bytes).map(Cow::Owned);
    }
    if !encoding.is_empty() && !says("identity") {
        return Err(Refused::Encoding);
    }
    if body.starts_with(&GZIP_MAGIC) {
        return gunzip(body, limits.unpacked_bytes).map(Cow::Owned);
    }
    if body.len() > limits.unpacked_bytes {
        return Err(Refused::Body { found: body.len(), most: limits.unpacked_bytes });
    }
    Ok(Cow::Borrowed(body))
}

/// Unpacks gzip of one or several members to at most so many bytes.
pub(super) fn gunzip(body: &[u8], most: usize) -> Result<Vec<u8>, Refused> {
    let mut decoder = MultiGzDecoder::new(body);
    let mut out: Vec<u8> = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match decoder.read(&mut chunk) {
            Ok(0) => return Ok(out),
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Refused::Gzip("cut off".to_owned()));
            }
            Err(error) => return Err(Refused::Gzip(error.to_string())),
        };
        let left = most - out.len();
        if read.len() > left {
            return Err(Refused::Unpacked(most));
        }
        if out.capacity() - out.len() < read.len() {
            // Twice as much each time, but never beyond the limit.
            out.reserve_exact(out.len().max(CHUNK_BYTES).min(left));
        }
        out.extend_from_slice(read);
    }
}

/// Cuts an unpacked upload into its elements.
///
/// # Errors
///
/// It is not a JSON array in UTF-8 from beginning to end, or has too many elements. What is wrong with one element is said in its place.
pub fn read<'a>(unpacked: &'a [u8], limits: &Limits) -> Result<Upload<'a>, Refused> {
    let refused = |problem| Refused::Json { at: "upload".to_owned(), problem };
    if unpacked.len() > limits.unpacked_bytes {
        return Err(Refused::Unpacked(limits.unpacked_bytes));
    }
    let text = std::str::from_utf8(unpacked).map_err(|error| refused(JsonError::Utf8(error.valid_up_to())))?;
    let mut elements = Vec::new();
    let mut unreadable = 0;
    let cut = json::each_element(text, limits.events, |raw| match Event::of_raw(raw, limits) {
        Ok(event) => elements.push(Element::Event(event)),
        Err(error) => {
            if unreadable < MAX_UNREADABLE {
                elements.push(Element::Unreadable { reason: error.to_string(), bytes: raw.get().as_bytes() });
            }
            unreadable += 1;
        }
    });
    cut.map_err(refused)?;
    Ok(Upload { elements, unreadable_beyond: unreadable.saturating_sub(MAX_UNREADABLE) })
}

//! One line of an access log, read with its bounds.

use std::borrow::Cow;

use govlog_formats::digest::Digest;
use jiff::Timestamp;

use super::table::Names;
use crate::json::{self, JsonError, Kind, Object};
use crate::opa::decision::MAX_TEXT_BYTES;

/// A line: one JSON object. Members that are `null`, empty, or `-` as Envoy writes what it does not know, are none.
#[derive(Debug)]
pub struct Line<'a> {
    members: Object<'a>,
    names: &'a Names,
}

/// Why a line is no event. None repeats what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// It is not JSON, or not an object that has each member once.
    #[error("a line of an access log: {0}")]
    Json(#[from] JsonError),
    /// There is no time, or it is none.
    #[error(
        "a line of an access log: no time between 1970 and 2200 as \"1795320442.320\" or \"2026-11-22T04:07:22.320Z\" where fields.start says"
    )]
    Start,
    /// There is no response code.
    #[error("a line of an access log: no response code of 0 to 999 where fields.code says")]
    Code,
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// It is no JSON object, or lacks what every effect has: when, and what was answered.
    pub fn read(bytes: &'a [u8], names: &'a Names) -> Result<Self, Unread> {
        let line = Self { members: Object::parse(json::value(bytes)?)?, names };
        line.start_ms()?;
        line.code()?;
        Ok(line)
    }

    /// When the request began, POSIX milliseconds.
    ///
    /// # Errors
    ///
    /// It does not say.
    pub fn start_ms(&self) -> Result<u64, Unread> {
        self.member(&self.names.start).and_then(|text| milliseconds(&text)).ok_or(Unread::Start)
    }

    /// When the response ended, where the log says how long it took.
    #[must_use]
    pub fn end_ms(&self) -> Option<u64> {
        let took = self.member(&self.names.duration)?.parse::<u64>().ok()?;
        self.start_ms().ok()?.checked_add(took).filter(|end_ms| *end_ms < MAX_MS)
    }

    /// The response code; 0 where there was no response.
    ///
    /// # Errors
    ///
    /// It does not say.
    pub fn code(&self) -> Result<u16, Unread> {
        let code = self.member(&self.names.code).and_then(|text| text.parse().ok());
        code.filter(|code| *code < 1_000).ok_or(Unread::Code)
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.request_id).filter(|id| id.len() <= MAX_ID_BYTES)
    }

    /// The decision's id, where Envoy wrote it.
    #[must_use]
    pub fn decision_id(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.decision_id).filter(|id| id.len() <= MAX_ID_BYTES)
    }

    /// The path, without its query.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let path = self.member(&self.names.path)?;
        // Whatever separates it: a fragment has no place in a request, but callers write what they like.
        path.split(['?', '#']).next().filter(|path| !path.is_empty()).map(str::to_owned)
    }

    pub(super) fn trace(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.traceparent)
    }

    pub(super) fn method(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.method)
    }

    pub(super) fn authority(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.authority)
    }

    /// The flags of the response.
    pub(super) fn flags(&self) -> Vec<String> {
        let flags = self.member(&self.names.flags).unwrap_or_default();
        let plain = |flag: &&str| {
            (1..=MAX_FLAG_BYTES).contains(&flag.len())
                && flag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        flags.split(',').map(str::trim).filter(plain).take(MAX_FLAGS).map(str::to_owned).collect()
    }

    pub(super) fn details(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.details).filter(|details| details.len() <= MAX_DETAILS_BYTES)
    }

    pub(super) fn grpc_status(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.grpc_status).filter(|status| status.len() <= MAX_FLAG_BYTES)
    }

    pub(super) fn peer_uri(&self) -> Option<Cow<'a, str>> {
        self.member(&self.names.peer_uri)
    }

    /// Says whether the caller is known to have shown no certificate: Envoy writes the member, and nothing in it.
    pub(super) fn has_no_peer(&self) -> bool {
        self.members.get(&self.names.peer_s256).is_some_and(|raw| match json::kind(raw) {
            Kind::Null => true,
            Kind::Text => json::text(raw).is_ok_and(|text| says_nothing(&text)),
            _ => false,
        })
    }

    /// SHA-256 of the caller's certificate.
    #[must_use]
    pub fn peer_s256(&self) -> Option<Digest> {
        self.member(&self.names.peer_s256).and_then(|hex| hex.parse().ok())
    }

    /// The serial number of the caller's certificate, without leading zeros.
    pub(super) fn peer_serial(&self) -> Option<Vec<u8>> {
        let hex = self.member(&self.names.peer_serial).filter(|hex| hex.len() <= MAX_SERIAL_DIGITS)?;
        let digits = hex.trim_start_matches('0');
        let digits = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
        let serial: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
        serial.filter(|serial| !serial.is_empty())
    }

    /// A member that is text or a number, as text.
    fn member(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.members.get(name)?;
        let text = match json::kind(raw) {
            Kind::Text => json::text(raw).ok()?,
            Kind::Number => Cow::Borrowed(raw.get()),
            _ => return None,
        };
        Some(text).filter(|text| text.len() <= MAX_MEMBER_BYTES && !says_nothing(text))
    }
}

/// As Envoy writes what it does not know.
fn says_nothing(text: &str) -> bool {
    matches!(text, "" | "-")
}

/// Text that may stand in clear.
pub(super) fn in_clear(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len())
}

/// Reads a time: seconds with or without a fraction, or RFC 3339.
fn milliseconds(text: &str) -> Option<u64> {
    if text.contains('T') {
        let time = text.parse::<Timestamp>().ok().filter(|_| !text.contains('['))?;
        return u64::try_from(time.as_millisecond()).ok().filter(|ms| *ms < MAX_MS);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("00".chars()).take(3).collect();
    let ms = seconds.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(thousandths.parse().ok()?)?;
    (ms < MAX_MS).then_some(ms)
}

/// The year 2200: no clock is wrong by that much and still believed.
const MAX_MS: u64 = 7_258_118_400_000;
/// The most bytes of an id: UUIDs as a rule.
pub(super) const MAX_ID_BYTES: usize = 512;
/// The most bytes of a member that is looked at: paths may be long.
const MAX_MEMBER_BYTES: usize = 64 * 1024;
const MAX_DETAILS_BYTES: usize = 256;
const MAX_FLAG_BYTES: usize = 64;
const MAX_FLAGS: usize = 32;
/// RFC 5280 §4.1.2.2: "Certificate users MUST be able to handle serialNumber values up to 20 octets"; some are longer.
const MAX_SERIAL_DIGITS: usize = 128;

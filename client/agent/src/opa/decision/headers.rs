//! Headers of the request that asked OPA, where it is configured to log them: correlation, and the client's certificate.
//!
//! Their values are the caller's to choose. None of them can therefore keep a decision from being recorded: what is not well formed is left
//! out here, and stands in the sealed `native` all the same.

use std::borrow::Cow;

use super::fields::{MAX_ELEMENTS, text_member};
use super::unmapped::MAX_TEXT_BYTES;
use crate::json::{self, Object, RawValue};
use crate::opa::xfcc::{self, Client, Unknown};

/// The headers of `request_context.http.headers`.
pub(super) struct Headers<'a>(Option<Object<'a>>);

/// What finds a decision among the traces of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Correlation<'a> {
    pub(super) trace_id: Option<Cow<'a, str>>,
    pub(super) span_id: Option<Cow<'a, str>>,
    pub(super) request_id: Option<Cow<'a, str>>,
}

impl<'a> Headers<'a> {
    pub(super) fn read(event: &Object<'a>) -> Self {
        let inside = |object: &Object<'a>, name| object.get(name).and_then(|raw| Object::parse(raw).ok());
        let http = inside(event, "request_context").and_then(|context| inside(&context, "http"));
        Self(http.and_then(|http| inside(&http, "headers")))
    }

    /// Gives what finds the decision among traces: the event's own ids, else those of the headers.
    pub(super) fn correlation(&self, event: &Object<'a>) -> Correlation<'a> {
        let own = |name| text_member(event, name, name).ok().flatten();
        let request_id = self.one("x-request-id").filter(|id| (1..=MAX_TEXT_BYTES).contains(&id.len()));
        // A span is one of its trace's: the two are not mixed.
        if let Some(trace_id) = own("trace_id") {
            return Correlation { trace_id: Some(trace_id), span_id: own("span_id"), request_id };
        }
        let parent = self.one("traceparent");
        let ids = parent.as_deref().and_then(trace_parent);
        let [trace_id, span_id] = match ids {
            Some((trace, span)) => [Some(Cow::Owned(trace.to_owned())), Some(Cow::Owned(span.to_owned()))],
            None => [None, None],
        };
        Correlation { trace_id, span_id, request_id }
    }

    /// Gives the client whose certificate a trusted proxy saw.
    pub(super) fn client(&self, trusted: &[String]) -> Result<Client, Unknown> {
        match self.values("x-forwarded-client-cert") {
            None => Err(Unknown::Malformed("not a list of text")),
            Some(values) => xfcc::client_of(&values, trusted),
        }
    }

    /// Gives a header's value if it has exactly one.
    fn one(&self, name: &str) -> Option<Cow<'a, str>> {
        let [value] = <[_; 1]>::try_from(self.values(name)?).ok()?;
        Some(value)
    }

    /// Gives a header's values: none if it is not there, `None` if it cannot be told what they are.
    fn values(&self, name: &str) -> Option<Vec<Cow<'a, str>>> {
        let members = self.0.iter().flat_map(Object::members);
        let mut found = members.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, raw)| raw);
        match (found.next(), found.next()) {
            (None, _) => Some(Vec::new()),
            (Some(raw), None) => texts(raw),
            // Two spellings of one name: which value came last is lost.
            (Some(_), Some(_)) => None,
        }
    }
}

fn texts(raw: &RawValue) -> Option<Vec<Cow<'_, str>>> {
    json::array(raw, MAX_ELEMENTS).ok()?.into_iter().map(|raw| json::text(raw).ok()).collect()
}

/// Reads trace id and parent id of a `traceparent` (W3C Trace Context §3.2): lower-case hex, neither all zeros.
///
/// "If a higher version is detected, the implementation SHOULD try to parse it": what follows the flags is then passed over.
pub(crate) fn trace_parent(value: &str) -> Option<(&str, &str)> {
    let mut parts = value.splitn(5, '-');
    let mut next = |length| parts.next().filter(|part| part.len() == length && part.bytes().all(is_hex));
    let version = next(2).filter(|version| *version != "ff")?;
    let trace = next(32).filter(|id| id.bytes().any(|digit| digit != b'0'))?;
    let span = next(16).filter(|id| id.bytes().any(|digit| digit != b'0'))?;
    next(2)?;
    let ends = parts.next().is_none() || version != "00";
    ends.then_some((trace, span))
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

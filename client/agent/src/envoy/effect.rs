//! A line of an access log becomes an `effect` record.
//!
//! What audits join and count stands in clear, within bounds: outcome, method, host and path, times, ids, and the caller's certificate. The
//! line as it was written, with the query, is sealed.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::is_spiffe_id;
use govlog_formats::record::{Handle, Link, LinkTarget, Record, default_subject};
use serde::{Deserialize, Serialize};

use super::line::{Line, Unread, in_clear};
use super::outcome::outcome;
use super::table::Envoy;
use crate::opa::decision::{MAX_PAYLOAD_BYTES, trace_parent};
use crate::seal::{Draft, Sealer};

/// What is known of a line besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The decisions of its request that may be this one's.
    pub decisions: Vec<String>,
    /// Where it stands: what told lines without a request's id apart before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Where no decision may be this one's: what those of its request say otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<String>,
    /// How often a line of the same bytes came before.
    #[serde(default, skip_serializing_if = "crate::json::is_default")]
    pub before: u32,
}

/// Why a line gives no record. None repeats what stands in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoEffect {
    /// The line is none.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The record is too long for an entry.
    #[error("a record of {0} bytes, should be at most {MAX_PAYLOAD_BYTES}")]
    Payload(usize),
    /// What was made is no record.
    #[error("the record: {0}")]
    Record(#[from] govlog_formats::record::RecordError),
    /// The performer is nobody that a statement can be about.
    #[error("performer: it names nobody that a statement can be about")]
    Performer,
}

impl Known {
    /// Names the line once among all of its Envoy; `digest` is that of its bytes.
    #[must_use]
    pub fn native_id(&self, line: &Line<'_>, digest: &Digest) -> String {
        let digest = digest.to_string();
        let digest = digest.get(..16).unwrap_or_default();
        // A request's id may come twice: sent again, or chosen by the caller.
        let name = match (line.request_id(), &self.at) {
            (Some(id), _) => format!("{id}/{digest}"),
            (None, Some(at)) => format!("{at}/{digest}"),
            (None, None) => digest.to_owned(),
        };
        match self.before {
            0 => name,
            before => format!("{name}/{}", u64::from(before) + 1),
        }
    }
}

/// Makes the record of a line. `iss`: who signs it, and signed its decision.
///
/// # Errors
///
/// [`NoEffect`]
pub fn effect(
    bytes: &[u8],
    known: &Known,
    envoy: &Envoy,
    iss: &str,
    mut sealer: Sealer<'_>,
) -> Result<Draft, NoEffect> {
    let line = Line::read(bytes, &envoy.names)?;
    let start_ms = line.start_ms()?;
    let mut record = vec![
        ("v", 1.into()),
        ("event_ms", start_ms.into()),
        ("start_ms", start_ms.into()),
        ("assurance", "adapter-signed".into()),
        ("source", source(&line, known, envoy, bytes)),
        ("performer", envoy.performer.as_str().into()),
    ];
    response(&mut record, &line)?;
    request(&mut record, &line, envoy, &mut sealer);
    let mut links = caller(&mut record, &line);
    let decisions = decisions(&line, known);
    if let [one] = decisions.as_slice() {
        record.push(("decision_id", one.as_str().into()));
    }
    links.extend(decisions.iter().map(|id| link("enforces", dec(iss, id))));
    if decisions.is_empty() && !known.contradictions.is_empty() {
        let said = known.contradictions.iter().map(|what| what.as_str().into()).collect();
        record.push(("contradictions", Value::Array(said)));
    }
    if !links.is_empty() {
        record.push(("links", Value::Array(links)));
    }
    record.push(("native", sealer.seal("native", Value::Bytes(bytes.to_vec()))));
    finish(record, sealer)
}

/// The decisions of a line: the one that Envoy wrote, else those that were made for its request.
#[must_use]
pub fn decisions(line: &Line<'_>, known: &Known) -> Vec<String> {
    match line.decision_id() {
        Some(id) => vec![id.into_owned()],
        None => known.decisions.clone(),
    }
}

type Fields = Vec<(&'static str, Value)>;

fn source(line: &Line<'_>, known: &Known, envoy: &Envoy, bytes: &[u8]) -> Value {
    map(vec![
        ("system", super::SYSTEM.into()),
        ("instance", envoy.node.as_str().into()),
        ("native_id", known.native_id(line, &Digest::sha256(bytes)).into()),
    ])
}

/// Puts in what was answered, and what that means.
fn response(record: &mut Fields, line: &Line<'_>) -> Result<(), Unread> {
    let (code, flags, grpc) = (line.code()?, line.flags(), line.grpc_status());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    record.push(("outcome", outcome(code, &flags, grpc.as_deref()).as_str().into()));
    let mut status = vec![("code", code.into())];
    if !flags.is_empty() {
        status.push(("flags", Value::Array(flags.into_iter().map(Value::from).collect())));
    }
    for (name, text) in [("details", line.details()), ("grpc", grpc)] {
        status.extend(text.map(|text| (name, text.as_ref().into())));
    }
    record.push(("status", map(status)));
    record.extend(line.end_ms().map(|end_ms| ("end_ms", end_ms.into())));
    Ok(())
}

/// Puts in what was asked for, and what finds it among traces.
fn request(record: &mut Fields, line: &Line<'_>, envoy: &Envoy, sealer: &mut Sealer<'_>) {
    record.extend(line.method().filter(|method| in_clear(method)).map(|method| ("method", method.as_ref().into())));
    if let Some(path) = line.path() {
        let id = format!("{}{path}", line.authority().unwrap_or_default());
        if envoy.seal_path || !in_clear(&id) {
            let resource = map(vec![("type", "http".into()), ("id", id.into())]);
            record.push(("resource", sealer.seal("resource", resource)));
        } else {
            record.push(("resource", map(vec![("type", "http".into()), ("id", id.into())])));
        }
    }
    record.extend(line.request_id().map(|id| ("request_id", id.as_ref().into())));
    if let Some((trace, span)) = line.trace().as_deref().and_then(trace_parent) {
        record.extend([("trace_id", trace.into()), ("span_id", span.into())]);
    }
}

/// Puts in who called, as far as the handshake told; gives the link to the issuance of their certificate.
fn caller(record: &mut Fields, line: &Line<'_>) -> Vec<Value> {
    let handle = line.peer_s256().map(|digest| Handle::of_digest("cert_s256", &digest));
    let mut credential = vec![("type", "x509".into())];
    if let Some(uri) = line.peer_uri().filter(|uri| is_spiffe_id(uri)) {
        let domain = uri.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next());
        credential.extend(domain.map(|domain| ("trust_domain", domain.into())));
        credential.extend(handle.as_ref().map(|handle| ("handle", handle.to_value())));
        let party = vec![("id", uri.as_ref().into()), ("type", "workload".into()), ("credential", map(credential))];
        record.push(("caller", map(party)));
    }
    record.extend(line.peer_serial().map(|serial| ("serial", Value::Bytes(serial))));
    let Some(handle) = handle else { return Vec::new() };
    record.push(("handles", Value::Map(vec![(handle.name.as_str().into(), handle.value.clone())])));
    vec![link("authenticated_by", handle)]
}

/// Encodes the record, and reads it as its readers will: what is signed is known to be well formed.
fn finish(record: Fields, sealer: Sealer<'_>) -> Result<Draft, NoEffect> {
    let payload = to_deterministic(&map(record));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(NoEffect::Payload(payload.len()));
    }
    let sub = default_subject(&Record::parse("effect", &payload)?).ok_or(NoEffect::Performer)?;
    Ok(Draft { kind: "effect", sub: Some(sub), payload, openings: sealer.into_openings() })
}

fn dec(iss: &str, decision_id: &str) -> Handle {
    Handle { name: "dec".to_owned(), value: Value::Array(vec![iss.into(), decision_id.into()]) }
}

fn link(rel: &str, handle: Handle) -> Value {
    Link { rel: rel.to_owned(), target: LinkTarget::Handle(handle) }.to_value()
}

fn map(fields: Fields) -> Value {
    Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

//! Something that was seen becomes an `observation` record.

use ciborium::Value;
use govlog_formats::base64;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::{CertificateHandles, is_spiffe_id};
use govlog_formats::record::{Handle, Link, LinkTarget, Record, default_subject};
use serde::{Deserialize, Serialize};

use super::SYSTEM;
use super::read::{Bundle, Seen, Token};
use crate::opa::decision::MAX_PAYLOAD_BYTES;
use crate::seal::{Draft, Sealer};

/// What the outbox keeps of something seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// What.
    pub seen: Seen,
    /// Where: a file, a socket.
    pub at: String,
    /// When, POSIX milliseconds.
    pub seen_ms: u64,
}

/// Why there is no record. None repeats what was seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoObservation {
    /// The event is none that this program wrote.
    #[error("what was seen cannot be read")]
    Unreadable,
    /// The record is too long for an entry.
    #[error("a record of {0} bytes, should be at most {MAX_PAYLOAD_BYTES}")]
    Payload(usize),
    /// What was made is no record.
    #[error("the record: {0}")]
    Record(#[from] govlog_formats::record::RecordError),
}

type Fields = Vec<(&'static str, Value)>;

/// Makes the record of an event. `instance`: the table's name; `observer`: who saw it.
///
/// # Errors
///
/// [`NoObservation`]
pub fn observation(
    bytes: &[u8],
    instance: &str,
    observer: &str,
    mut sealer: Sealer<'_>,
) -> Result<Draft, NoObservation> {
    let sight: Sight = serde_json::from_slice(bytes).map_err(|_| NoObservation::Unreadable)?;
    let source =
        vec![("system", SYSTEM.into()), ("instance", instance.into()), ("native_id", sight.seen.name().into())];
    let mut record = vec![
        ("v", 1.into()),
        ("event_ms", sight.seen_ms.into()),
        // Nobody sent it: it was looked for.
        ("assurance", "scraped".into()),
        ("source", map(source)),
        ("where", sight.at.into()),
        ("observer", observer.into()),
    ];
    let handles = match &sight.seen {
        Seen::Certificate(der) => certificate(&mut record, der, &mut sealer)?,
        Seen::Token(token) => self::token(&mut record, token, &mut sealer)?,
        Seen::Bundle(bundle) => self::bundle(&mut record, bundle)?,
    };
    let link = handles.iter().find(|handle| OBSERVED_BY.contains(&handle.name.as_str()));
    if let Some(handle) = link {
        let target = LinkTarget::Handle(handle.clone());
        record.push(("links", Value::Array(vec![Link { rel: "observes".to_owned(), target }.to_value()])));
    }
    record
        .push(("handles", Value::Map(handles.into_iter().map(|handle| (handle.name.into(), handle.value)).collect())));
    finish(record, observer, sealer)
}

fn certificate(record: &mut Fields, der: &str, sealer: &mut Sealer<'_>) -> Result<Vec<Handle>, NoObservation> {
    let der = base64::decode(der).map_err(|_| NoObservation::Unreadable)?;
    let found = CertificateHandles::from_der(&der).map_err(|_| NoObservation::Unreadable)?;
    record.extend([
        ("observed", "credential".into()),
        ("credential_type", "x509".into()),
        ("not_before_ms", found.not_before_ms.into()),
        ("not_after_ms", found.not_after_ms.into()),
    ]);
    if let Some(id) = &found.spiffe_id {
        of_workload(record, id);
    }
    let mut handles = found.handles();
    // The issuer's log knows it by its serial number: that joins first.
    handles.sort_by_key(|handle| handle.name != "serial_aki");
    // Without a workload's name it may be a person's, with theirs in it.
    let der = Value::Bytes(der);
    let shown = if found.spiffe_id.is_some() { der } else { sealer.seal("certificate", der) };
    record.push(("certificate", shown));
    Ok(handles)
}

fn token(record: &mut Fields, token: &Token, sealer: &mut Sealer<'_>) -> Result<Vec<Handle>, NoObservation> {
    record.extend([("observed", "credential".into()), ("credential_type", "jwt".into())]);
    match token.sub.as_deref() {
        Some(sub) if is_spiffe_id(sub) => of_workload(record, sub),
        // It may be a person's.
        Some(sub) => record.push(("subject", sealer.seal("subject", sub.into()))),
        None => {}
    }
    record.extend(token.kid.as_deref().map(|kid| ("key_id", kid.into())));
    record.extend(token.exp_ms.map(|exp_ms| ("not_after_ms", exp_ms.into())));
    if !token.aud.is_empty() {
        record.push(("audience", Value::Array(token.aud.iter().map(|aud| aud.as_str().into()).collect())));
    }
    let mut handles = vec![
        Handle::of_digest("jws_input_s256", &digest(&token.jws_input_s256)?),
        Handle::of_digest("tok_s256", &digest(&token.tok_s256)?),
    ];
    handles.extend(token.jti_iss.as_ref().map(|(jti, iss)| Handle {
        name: "jti_iss".to_owned(),
        value: Value::Array(vec![jti.as_str().into(), iss.as_str().into()]),
    }));
    Ok(handles)
}

fn bundle(record: &mut Fields, bundle: &Bundle) -> Result<Vec<Handle>, NoObservation> {
    let digest = Value::Bytes(digest(&bundle.digest)?.as_bytes().to_vec());
    let digest = Value::Array(vec!["sha256".into(), digest]);
    record.extend([
        ("observed", "bundle".into()),
        ("domain", bundle.domain.as_str().into()),
        ("trust_domain", bundle.domain.as_str().into()),
        ("bundle_digest", digest.clone()),
    ]);
    Ok(vec![Handle { name: "bundle_digest".to_owned(), value: digest }])
}

fn of_workload(record: &mut Fields, id: &str) {
    record.push(("subject", id.into()));
    let domain = id.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next());
    record.extend(domain.map(|domain| ("trust_domain", domain.into())));
}

/// Encodes the record, and reads it as its readers will: what is signed is known to be well formed.
fn finish(record: Fields, observer: &str, sealer: Sealer<'_>) -> Result<Draft, NoObservation> {
    let payload = to_deterministic(&map(record));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(NoObservation::Payload(payload.len()));
    }
    let parsed = Record::parse("observation", &payload)?;
    // A credential that names nobody is filed under whoever saw it.
    let sub = default_subject(&parsed).unwrap_or_else(|| observer.to_owned());
    Ok(Draft { kind: "observation", sub: Some(sub), payload, openings: sealer.into_openings() })
}

fn digest(hex: &str) -> Result<Digest, NoObservation> {
    hex.parse().map_err(|_| NoObservation::Unreadable)
}

fn map(fields: Fields) -> Value {
    Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// The handles that an observation links by, whichever it has first.
const OBSERVED_BY: [&str; 4] = ["serial_aki", "tbs_s256", "jws_input_s256", "bundle_digest"];

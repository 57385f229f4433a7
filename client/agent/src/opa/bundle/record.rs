//! A verified bundle becomes a `policy` record.

use ciborium::Value;
use govlog_formats::digest::Digest;
use govlog_formats::record::SchemeDigest;
use serde::{Deserialize, Serialize};

use super::{Origin, Table, Verified, scheme_digest};
use crate::adapter::Kept;
use crate::opa::SYSTEM;
use crate::opa::draft::{drafted, put};
use crate::outbox::{Arrival, Content, idempotency_key};
use crate::seal::{Draft, Sealer};

/// The form of a verified bundle in the outbox: a line that says what was verified, and the bundle.
pub const FORM: &str = "policy";

/// What was verified, when it was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    uri: Option<String>,
    location: Option<String>,
    revision: Option<String>,
    policy_digest: String,
    bundle_digest: String,
    key_id: Option<String>,
    alg: String,
}

/// Makes of a verified bundle what the outbox takes. The same bundle, when it is read again, is known.
pub(super) fn arrival(table: &Table, verified: &Verified, bundle: &[u8]) -> Result<Arrival, serde_json::Error> {
    let location = match &table.origin {
        Origin::File(_) => None,
        // What stands behind a question mark may be a secret.
        Origin::Url { url, .. } => Some(url.clone()).filter(|url| !url.contains(['?', '#'])),
    };
    let head = Head {
        name: table.name.clone(),
        uri: table.uri.clone(),
        location,
        revision: verified.revision.clone(),
        policy_digest: verified.policy_digest.to_string(),
        bundle_digest: verified.bundle_digest.to_string(),
        key_id: verified.signer_key_id.clone(),
        alg: verified.signer_alg.to_owned(),
    };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(bundle);
    let key = idempotency_key(SYSTEM, "", &native_id(&table.name, &head.bundle_digest));
    let content = Content::Formed { form: FORM.to_owned(), bytes };
    Ok(Arrival { instance: String::new(), key, semantic: verified.bundle_digest, content })
}

fn native_id(name: &str, bundle_digest: &str) -> String {
    format!("bundle/{name}/{bundle_digest}")
}

/// Makes the record of a verified bundle. The bundle itself is sealed: policies may name what is no business of a log's readers.
///
/// # Errors
///
/// It is none that this program wrote.
pub fn policy(event: &Kept<'_>, mut sealer: Sealer<'_>) -> Result<Draft, String> {
    let damaged = || "a verified bundle in another form than this version writes".to_owned();
    let end = event.bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (head, bundle) = event.bytes.split_at_checked(end).ok_or_else(damaged)?;
    let bundle = bundle.get(1..).unwrap_or_default();
    let head: Head = serde_json::from_slice(head).map_err(|_| damaged())?;
    let digest = |text: &str| text.parse::<Digest>().map_err(|_| damaged());
    let (policy, of_bundle) = (digest(&head.policy_digest)?, digest(&head.bundle_digest)?);
    let of_bundle = SchemeDigest { scheme: "sha256".to_owned(), bytes: of_bundle.as_bytes().to_vec() };
    let source: Vec<(Value, Value)> =
        vec![("system".into(), SYSTEM.into()), ("native_id".into(), native_id(&head.name, &head.bundle_digest).into())];
    let mut map: Vec<(Value, Value)> = vec![
        ("v".into(), 1.into()),
        ("event_ms".into(), event.received_ms.into()),
        ("engine".into(), "opa".into()),
        ("policy_digest".into(), scheme_digest(&policy).to_value()),
        ("bundle_digest".into(), of_bundle.to_value()),
        ("content".into(), sealer.seal("content", Value::Bytes(bundle.to_vec()))),
        ("content_type".into(), "application/gzip".into()),
        ("source".into(), Value::Map(source)),
        // The agent fetched it; what its signer vouches for is what the digests name.
        ("assurance".into(), "scraped".into()),
    ];
    let sub = head.uri.clone().unwrap_or_else(|| format!("policy:{}", head.name));
    put(&mut map, "name", Some(head.name));
    put(&mut map, "uri", head.uri);
    put(&mut map, "revision", head.revision);
    put(&mut map, "signer_key_id", head.key_id);
    put(&mut map, "signer_alg", Some(head.alg));
    put(&mut map, "content_location", head.location);
    drafted("policy", Some(sub), map, sealer)
}

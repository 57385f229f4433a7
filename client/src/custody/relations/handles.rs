//! Handles, as entries are called by and name each other by; and those that are only used here, for what no record writes as a handle.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::record::{Body, Handle, LinkTarget, Recorded};
use govlog_formats::visible::visible;

use crate::verify::join;

/// Names that are only used here: a registration by its registry's id, an ownership by its prefix, and whatever a revocation names by an id.
pub(in crate::custody) const REGISTRY_ENTRY: &str = "registry_entry";
pub(in crate::custody) const OWNED: &str = "owned";
pub(in crate::custody) const NAMED: &str = "id";
/// And by whose it is: an issuance, a registration, an attestation or agent, a delegation; a signing key by its issuer.
pub(in crate::custody) const ISSUED_TO: &str = "issued_to";
pub(in crate::custody) const REGISTERED: &str = "registered";
pub(in crate::custody) const RUNS_AS: &str = "runs_as";
pub(in crate::custody) const DELEGATED_TO: &str = "delegated_to";
pub(in crate::custody) const KEYS_OF: &str = "keys_of";
/// A trust domain, without `spiffe://`.
pub(in crate::custody) const DOMAIN: &str = "trust_domain";
pub(super) const LOCAL_NAMES: [&str; 9] =
    [REGISTRY_ENTRY, OWNED, NAMED, ISSUED_TO, REGISTERED, RUNS_AS, DELEGATED_TO, KEYS_OF, DOMAIN];

/// A handle's canonical bytes, for look-ups.
fn key(handle: &Handle) -> Vec<u8> {
    to_deterministic(&handle.to_value())
}

/// What is named, in a word or two.
pub(in crate::custody) fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) => format!("leaf {leaf}"),
        LinkTarget::LogRef { origin, index, leaf } => format!("entry {index} of {}, leaf {leaf}", visible(origin)),
        LinkTarget::Handle(handle) if handle.name == OWNED => {
            format!("anybody who answers for {}", visible(handle.value.as_text().unwrap_or_default()))
        }
        LinkTarget::Handle(handle) if LOCAL_NAMES.contains(&handle.name.as_str()) && handle.value.is_text() => {
            let what = if handle.name == DOMAIN { "trust domain" } else { NAMED };
            Handle { name: what.to_owned(), value: handle.value.clone() }.to_string()
        }
        LinkTarget::Handle(handle) => match &handle.value {
            Value::Array(parts) if parts.iter().any(Value::is_array) => {
                let inner = parts.iter().filter_map(Value::as_array).flatten().cloned().collect();
                Handle { name: handle.name.clone(), value: Value::Array(inner) }.to_string()
            }
            _ => handle.to_string(),
        },
    }
}

/// What a target is looked up by: an entry of this log and a reference to it by its leaf hash are one.
pub(in crate::custody) fn target_key(target: &LinkTarget) -> Vec<u8> {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => leaf.as_bytes().to_vec(),
        LinkTarget::Handle(handle) => key(handle),
    }
}

pub(in crate::custody) fn same(one: &LinkTarget, other: &LinkTarget) -> bool {
    target_key(one) == target_key(other)
}

pub(in crate::custody) fn is_certificate_name(handle: &Handle) -> bool {
    join::NAMES.contains(&handle.name.as_str())
}

pub(in crate::custody) fn is_key_name(handle: &Handle) -> bool {
    ["spki_s256", "jkt"].contains(&handle.name.as_str())
}

/// By what else the handle that an entry names is to be asked for: the registry's id of an entry is what a revocation has.
pub(in crate::custody) fn also_called(handle: &Handle) -> Option<Handle> {
    let id = handle.value.as_array()?.get(1)?.as_text()?;
    (handle.name == REGISTRY_ENTRY).then(|| named(id))
}

/// The trust domain of a SPIFFE ID.
pub(super) fn domain_of(id: &str) -> Option<&str> {
    id.strip_prefix("spiffe://")?.split('/').next().filter(|domain| !domain.is_empty())
}

/// The trust domain that a text names and nothing below it: with or without `spiffe://`.
pub(super) fn domain_alone(text: &str) -> Option<&str> {
    let domain = text.strip_prefix("spiffe://").unwrap_or(text);
    let domain = domain.strip_suffix('/').unwrap_or(domain);
    Some(domain).filter(|domain| !domain.is_empty() && !domain.contains('/'))
}

pub(super) fn digest_handle(body: &Body, name: &str) -> Option<Handle> {
    named_digest(body, &[name], name)
}

pub(super) fn named_digest(body: &Body, path: &[&str], name: &str) -> Option<Handle> {
    let value = body.scheme_digest(path).present()?.to_value();
    Some(Handle { name: name.to_owned(), value })
}

/// The handles of a list of maps of handles.
pub(super) fn handle_maps(body: &Body, field: &str) -> Vec<Handle> {
    let Recorded::Present(Value::Array(maps)) = body.at(&[field]) else { return Vec::new() };
    let pairs = maps.iter().filter_map(Value::as_map).flatten();
    pairs.filter_map(|(name, value)| Handle::from_value(&Value::Array(vec![name.clone(), value.clone()]))).collect()
}

pub(super) fn key_iss(key_id: Value, issuer: &str) -> Handle {
    Handle { name: "key_iss".to_owned(), value: Value::Array(vec![key_id, issuer.into()]) }
}

pub(super) fn pair(name: &str, one: &str, other: &str) -> Handle {
    Handle { name: name.to_owned(), value: Value::Array(vec![one.into(), other.into()]) }
}

pub(super) fn named(id: &str) -> Handle {
    local(NAMED, id)
}

/// A name that is only used here.
pub(super) fn local(name: &str, id: &str) -> Handle {
    Handle { name: name.to_owned(), value: id.into() }
}

pub(super) fn distinct(handles: Vec<Handle>) -> Vec<Handle> {
    let mut known = Vec::new();
    for handle in handles {
        if !known.contains(&handle) {
            known.push(handle);
        }
    }
    known
}

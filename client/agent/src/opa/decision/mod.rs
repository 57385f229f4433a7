//! An event of OPA's decision log becomes a `decision` record.
//!
//! What audits need to join and to count stands in clear, within bounds; what is personal, secret or guessable is sealed, as the exact bytes
//! in which OPA sent it. Together they are the whole event, but for members that are empty.

mod fields;
mod headers;
mod joins;
#[cfg(test)]
mod tests;
mod unmapped;

use std::borrow::Cow;

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::decision::DecisionResult;
use govlog_formats::record::{Handle, Link, LinkTarget, Record, default_subject};

use self::fields::{Fields, MAX_ELEMENTS, at, list_of_text, name_of, text_member};
use self::headers::Headers;
pub(crate) use self::headers::trace_parent;
pub use self::unmapped::{MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES, Unmapped};
use super::bundle::{Policies, governed_by, scheme_digest};
use super::mapping::{Group, Mapping};
use super::xfcc::{Client, Unknown};
use crate::json::{self, JsonError, Kind, Object, RawValue};
use crate::seal::{Draft, Sealer};

/// Members that are sealed one by one: where each stands in the record.
const SEALED: [(&str, &str); 4] =
    [("input", "input"), ("result", "output"), ("nd_builtin_cache", "nd_cache"), ("error", "error")];

/// Members that the record has in clear, and whole; `native` need not have them.
const IN_CLEAR: [&str; 3] = ["decision_id", "erased", "masked"];

/// Knows the digest of what a bundle of this name and revision holds, if one was verified.
pub type Known<'a> = dyn Fn(&str, &str) -> Option<Digest> + 'a;

/// A map of the record under construction.
type Map = Vec<(Value, Value)>;

/// Makes the record of an event.
///
/// # Errors
///
/// A field that the record needs is missing, of another form or too long, or the whole is too long for an entry. The error says where.
pub fn decision(bytes: &[u8], group: &Group, sealer: Sealer<'_>) -> Result<Draft, Unmapped> {
    decision_under(bytes, group, &|_, _| None, sealer)
}

/// The same, bound to the policies that verified bundles are known to hold: by name and revision of the bundle, their digest.
///
/// # Errors
///
/// As [`decision`].
pub fn decision_under(bytes: &[u8], group: &Group, known: &Known<'_>, sealer: Sealer<'_>) -> Result<Draft, Unmapped> {
    let event = Fields::read(bytes)?;
    draft_of(&event, &Headers::read(&event.members), group, known, sealer)
}

fn draft_of(
    event: &Fields<'_>,
    headers: &Headers<'_>,
    group: &Group,
    known: &Known<'_>,
    mut sealer: Sealer<'_>,
) -> Result<Draft, Unmapped> {
    let path = event.text("path")?;
    let mapping = group.mapping_of(path.as_deref().unwrap_or_default());
    // Not believed, not there or not readable: then there is no link, and which it was is counted where records are signed.
    let client = headers.client(group.xfcc_from()).ok();
    let (policies, said_by_policies) = policies(event, known)?;
    let result = result(event, mapping)?;

    let mut record: Map = vec![("v".into(), 1.into()), ("assurance".into(), "adapter-signed".into())];
    record.push(("event_ms".into(), event_ms(event)?.into()));
    identity(&mut record, event, group, client.as_ref())?;
    request(&mut record, event, mapping, client.as_ref())?;
    record.push(("result".into(), result.as_str().into()));
    put_list(&mut record, "reasons", reasons(event, mapping, result)?);
    let governing: Vec<Link> = policies.iter().filter_map(Policy::governs).collect();
    put_list(&mut record, "policies", policies.iter().map(Policy::to_value).collect());
    put_list(&mut record, "policy_ids", path.iter().map(|path| text(path.strip_prefix('/').unwrap_or(path))).collect());
    put(&mut record, "enforcement", group.enforcement().map(|enforcement| enforcement.as_str()));
    for name in ["erased", "masked"] {
        put_list(&mut record, name, event.texts(name)?.iter().flatten().map(|pointer| text(pointer)).collect());
    }
    let correlation = headers.correlation(&event.members);
    put(&mut record, "trace_id", correlation.trace_id);
    put(&mut record, "span_id", correlation.span_id);
    put(&mut record, "request_id", correlation.request_id);
    let authenticated = client.as_ref().map(|client| {
        let target = LinkTarget::Handle(handle(client));
        Link { rel: "authenticated_by".to_owned(), target }
    });
    let links = authenticated.into_iter().chain(governing);
    put_list(&mut record, "links", links.map(|link| link.to_value()).collect());
    let said_by_path = path.is_some_and(|path| !path.starts_with('/')).then_some("path");
    seal(&mut record, event, &[said_by_path, said_by_policies], &mut sealer);
    finish(record, mapping, sealer)
}

/// Says whether an event names a revision that is not known of a bundle that is read.
pub(super) fn awaits(bytes: &[u8], known: &Policies) -> bool {
    // What cannot be read awaits nothing; why it cannot is said where its record is made.
    let bundles = Fields::read(bytes).and_then(|event| event.object("bundles")).ok().flatten();
    bundles.is_some_and(|bundles| {
        bundles.members().any(|(name, raw)| {
            let bundle = Object::parse(raw).ok();
            let revision = bundle.and_then(|bundle| text_member(&bundle, "revision", "revision").ok().flatten());
            revision.is_some_and(|revision| known.awaits(name, &revision))
        })
    })
}

/// Says whether an event names a client: `Ok` holds the SHA-256 of its certificate and more, an error why there is none.
///
/// For counting: [`decision`] makes a record in either case.
///
/// # Errors
///
/// The event cannot be read ([`Unknown::Malformed`]), or as [`super::xfcc::client_of`].
pub fn client(bytes: &[u8], group: &Group) -> Result<Client, Unknown> {
    let event = Fields::read(bytes).map_err(|_| Unknown::Malformed("not an event"))?;
    Headers::read(&event.members).client(group.xfcc_from())
}

/// Puts in who says so: the event's names, the parties.
fn identity(record: &mut Map, event: &Fields<'_>, group: &Group, client: Option<&Client>) -> Result<(), Unmapped> {
    let missing = |at: &str| Unmapped::Missing { at: at.to_owned() };
    let labels = event.object("labels")?.ok_or_else(|| missing("labels"))?;
    let instance = text_member(&labels, "id", "labels.id")?.ok_or_else(|| missing("labels.id"))?;
    let id = event.text("decision_id")?.ok_or_else(|| missing("decision_id"))?;
    let mut source: Map = vec![("system".into(), "opa".into())];
    put(&mut source, "version", text_member(&labels, "version", "labels.version")?);
    put(&mut source, "instance", Some(&*instance));
    put(&mut source, "native_id", Some(&*id));
    put(record, "decision_id", Some(&*id));
    record.push(("source".into(), Value::Map(source)));
    let pdp = group.pdp().map_or_else(|| format!("opa/{instance}"), str::to_owned);
    put(record, "pdp", Some(pdp));
    put(record, "pep", group.pep().or(client.map(|client| client.by.as_str())));
    Ok(())
}

/// Puts in who asked to do what to which resource.
fn request(record: &mut Map, event: &Fields<'_>, mapping: &Mapping, client: Option<&Client>) -> Result<(), Unmapped> {
    let id = event.source(&mapping.subject)?;
    let mut subject: Map = vec![("id".into(), text(&id))];
    let kind = mapping.subject_type.as_ref().map(|source| event.optional(source)).transpose()?.flatten();
    put(&mut subject, "type", kind);
    if let Some(client) = client {
        subject.push(("credential".into(), credential(client)));
        put(&mut subject, "transport", client.uri.as_deref().filter(|uri| *uri != id));
    }
    let action: Map = vec![("name".into(), text(&event.source(&mapping.action)?))];
    let resource: Map = vec![
        ("type".into(), text(&event.source(&mapping.resource_type)?)),
        ("id".into(), text(&event.source(&mapping.resource)?)),
    ];
    for (key, map) in [("subject", subject), ("action", action), ("resource", resource)] {
        record.push((key.into(), Value::Map(map)));
    }
    Ok(())
}

fn credential(client: &Client) -> Value {
    let mut credential: Map = vec![("type".into(), "x509".into()), ("handle".into(), handle(client).to_value())];
    let spiffe = client.uri.as_deref().and_then(|uri| uri.strip_prefix("spiffe://"));
    let domain = spiffe.and_then(|rest| rest.split('/').next()).filter(|domain| !domain.is_empty());
    put(&mut credential, "trust_domain", domain);
    Value::Map(credential)
}

fn handle(client: &Client) -> Handle {
    Handle::of_digest("cert_s256", &client.cert_s256)
}

fn event_ms(event: &Fields<'_>) -> Result<u64, Unmapped> {
    let given = event.text("timestamp")?.ok_or_else(|| Unmapped::Missing { at: "timestamp".to_owned() })?;
    crate::rfc3339::milliseconds(&given).ok_or(Unmapped::Timestamp)
}

/// A policy that an event names.
struct Policy {
    name: Option<String>,
    revision: Option<String>,
    /// Its digest, where a verified bundle of this name and revision was seen.
    digest: Option<Digest>,
}

impl Policy {
    fn to_value(&self) -> Value {
        let mut policy = Map::new();
        put(&mut policy, "name", self.name.as_deref());
        put(&mut policy, "revision", self.revision.as_deref());
        if let Some(digest) = &self.digest {
            policy.push(("policy_digest".into(), scheme_digest(digest).to_value()));
        }
        Value::Map(policy)
    }

    fn governs(&self) -> Option<Link> {
        self.digest.as_ref().map(governed_by)
    }
}

/// Gives the policies, and the member that they say all of.
fn policies(event: &Fields<'_>, known: &Known<'_>) -> Result<(Vec<Policy>, Option<&'static str>), Unmapped> {
    let Some(bundles) = event.object("bundles")? else {
        let revision = event.text("revision")?.map(Cow::into_owned);
        let policy = |revision| Policy { name: None, revision: Some(revision), digest: None };
        return Ok((revision.into_iter().map(policy).collect(), Some("revision")));
    };
    let mut policies = Vec::new();
    let mut whole = true;
    for (name, raw) in bundles.members() {
        let place = format!("bundles.{}", json::excerpt(name));
        if policies.len() == MAX_ELEMENTS {
            return Err(at("bundles")(JsonError::Members(MAX_ELEMENTS)));
        }
        if !(1..=MAX_TEXT_BYTES).contains(&name.len()) {
            return Err(Unmapped::Length { at: place, found: name.len() });
        }
        let bundle = Object::parse(raw).map_err(at(&place))?;
        let revision = text_member(&bundle, "revision", &format!("{place}.revision"))?.map(Cow::into_owned);
        whole &= bundle.members().all(|(member, _)| member == "revision");
        let digest = revision.as_ref().and_then(|revision| known(name, revision));
        policies.push(Policy { name: Some(name.to_string()), revision, digest });
    }
    Ok((policies, whole.then_some("bundles")))
}

/// Reads what was decided. No answer is never taken for a deny.
fn result(event: &Fields<'_>, mapping: &Mapping) -> Result<DecisionResult, Unmapped> {
    if event.member("error").is_some() {
        return Ok(DecisionResult::Error);
    }
    // A result of null is one that a policy gave; OPA has no such member where nothing is defined.
    if event.members.get("result").is_none() {
        return Ok(DecisionResult::NotEvaluated);
    }
    let mut found = None;
    for pointer in &mapping.decision {
        found = event.find(pointer)?;
        match found.map(RawValue::get) {
            Some("true") => return Ok(DecisionResult::Permit),
            Some("false") => return Ok(DecisionResult::Deny),
            _ => {}
        }
    }
    let pointers: Vec<&str> = mapping.decision.iter().map(|pointer| pointer.as_str()).collect();
    Err(Unmapped::NoDecision { at: pointers.join(", "), found: found.map(json::kind) })
}

/// Reads the reasons: text, or a list of it; of an error its code.
fn reasons(event: &Fields<'_>, mapping: &Mapping, result: DecisionResult) -> Result<Vec<Value>, Unmapped> {
    if result == DecisionResult::Error {
        let error = event.member("error").filter(|raw| json::kind(raw) == Kind::Object);
        let error = error.map(Object::parse).transpose().map_err(at("error"))?;
        let code = error.map(|error| text_member(&error, "code", "error.code")).transpose()?.flatten();
        return Ok(code.iter().map(|code| text(code)).collect());
    }
    let Some(pointer) = &mapping.reasons else { return Ok(Vec::new()) };
    let Some(raw) = event.find(pointer)? else { return Ok(Vec::new()) };
    let reasons = match json::kind(raw) {
        Kind::Text => vec![fields::bounded_text(raw, pointer.as_str())?],
        _ => list_of_text(raw, pointer.as_str())?,
    };
    Ok(reasons.iter().map(|reason| text(reason)).collect())
}

/// Puts commitments to what stays out of the log, byte for byte as OPA sent it.
fn seal(record: &mut Map, event: &Fields<'_>, in_clear: &[Option<&str>], sealer: &mut Sealer<'_>) {
    for (member, field) in SEALED {
        if let Some(raw) = event.members.get(member) {
            record.push((field.into(), sealer.seal(field, Value::Bytes(raw.get().as_bytes().to_vec()))));
        }
    }
    let sealed = |name: &str| SEALED.iter().any(|(member, _)| *member == name);
    let clear = |name: &str| IN_CLEAR.contains(&name) || in_clear.contains(&Some(name));
    let native = event.members.select(|name| !sealed(name) && !clear(name));
    record.push(("native".into(), sealer.seal("native", Value::Bytes(native))));
}

/// Encodes the record, and reads it as its readers will: what is signed is known to be well formed.
fn finish(record: Map, mapping: &Mapping, sealer: Sealer<'_>) -> Result<Draft, Unmapped> {
    let payload = to_deterministic(&Value::Map(record));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Unmapped::Payload(payload.len()));
    }
    let parsed = Record::parse("decision", &payload)?;
    let place = name_of(&mapping.subject);
    match default_subject(&parsed) {
        Some(sub) if sub.len() > MAX_TEXT_BYTES => Err(Unmapped::Sub { at: place, found: sub.len() }),
        Some(sub) => Ok(Draft { kind: "decision", sub: Some(sub), payload, openings: sealer.into_openings() }),
        None => Err(Unmapped::Subject { at: place }),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn put<'t>(map: &mut Map, key: &str, given: Option<impl Into<Cow<'t, str>>>) {
    if let Some(given) = given {
        map.push((key.into(), Value::Text(given.into().into_owned())));
    }
}

fn put_list(map: &mut Map, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.push((key.into(), Value::Array(list)));
    }
}

//! A record under construction.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::{Handle, Link, LinkTarget, Record};

use crate::opa::decision::{MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES};
use crate::seal::{Draft, Sealer};
use crate::spire::api::Selector;
use crate::spire::event::{Form, Told, native_id};
use crate::spire::fields::{Fields, MAX_ELEMENTS, bounded};
use crate::spire::{SYSTEM, Settings, Wrong};

/// A map of the record.
pub(super) type Map = Vec<(Value, Value)>;

/// A record under construction.
pub(super) struct Sheet<'s, 'r> {
    pub(super) settings: &'s Settings,
    map: Map,
    source: Map,
    links: Vec<Value>,
    handles: Map,
    sealer: Sealer<'r>,
    /// Whom the statement is about; the issuer, where it is nobody else.
    sub: Option<String>,
    form: Form,
}

impl<'s, 'r> Sheet<'s, 'r> {
    pub(super) fn new(settings: &'s Settings, instance: &str, form: Form, sealer: Sealer<'r>) -> Self {
        let mut sheet = Self {
            settings,
            map: vec![("v".into(), 1.into())],
            source: vec![("system".into(), SYSTEM.into()), ("instance".into(), instance.into())],
            links: Vec::new(),
            handles: Map::new(),
            sealer,
            sub: None,
            form,
        };
        sheet.put_text("trust_domain", Some(settings.trust_domain.clone()));
        sheet
    }

    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.map.push((key.into(), value.into()));
    }

    pub(super) fn put_text(&mut self, key: &str, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.put(key, text);
        }
    }

    pub(super) fn put_list(&mut self, key: &'static str, list: Vec<Value>) -> Result<(), Wrong> {
        match list.len() {
            0 => {}
            found if found > MAX_ELEMENTS => return Err(Wrong::Elements { at: key, found, most: MAX_ELEMENTS }),
            _ => self.put(key, Value::Array(list)),
        }
        Ok(())
    }

    /// Puts in whom the record is about.
    pub(super) fn subject(&mut self, id: String) {
        self.sub = Some(id.clone());
        self.put("subject", id);
    }

    pub(super) fn link(&mut self, rel: &str, target: Handle) {
        self.links.push(Link { rel: rel.to_owned(), target: LinkTarget::Handle(target) }.to_value());
    }

    pub(super) fn handle(&mut self, handle: Handle) {
        self.handles.push((handle.name.into(), handle.value));
    }

    /// Says that this was found by asking, and when.
    pub(super) fn is_found(&mut self, received_ms: u64) {
        self.put("event_ms", received_ms);
        self.put("assurance", "scraped");
    }

    pub(super) fn native_id(&mut self, id: String) {
        self.source.push(("native_id".into(), id.into()));
    }

    /// Puts in what every record of a line has; gives when it was written. The lines are sealed.
    pub(super) fn line(&mut self, told: &Told<'_>, fields: &Fields<'_>) -> Result<u64, Wrong> {
        let at_ms = fields.time_ms("time")?.ok_or(Wrong::Missing("time"))?;
        self.put("event_ms", at_ms);
        self.put("assurance", "adapter-signed");
        let request = fields.text("request_id")?;
        let main = told.line.or(told.signed).ok_or(Wrong::Unknown)?;
        self.native_id(native_id(request.as_deref(), main.get(), self.form));
        self.put_text("request_id", request);
        if let Some(version) = &told.state.version {
            self.source.push(("version".into(), version.as_str().into()));
        }
        for (field, line) in [("native", told.line), ("native_signed", told.signed)] {
            if let Some(line) = line {
                self.seal(field, Value::Bytes(line.get().as_bytes().to_vec()));
            }
        }
        Ok(at_ms)
    }

    pub(super) fn seal(&mut self, field: &str, value: Value) {
        let sealed = self.sealer.seal(field, value);
        self.put(field, sealed);
    }

    /// Gives who asked: a workload's SPIFFE ID, or `local`: who may use the server's own socket.
    pub(super) fn requester(&self, fields: &Fields<'_>) -> Result<Option<String>, Wrong> {
        match fields.text("authorized_as")?.as_deref() {
            Some("local") => Ok(Some("local".to_owned())),
            _ => fields.member_id("caller_id", self.settings),
        }
    }

    /// Puts in who may ask for an entry's credentials; sealed where a token that nobody used yet may stand in it.
    pub(super) fn parent(&mut self, id: Option<String>) {
        match id {
            Some(id) if holds_token(&id) => self.seal("parent", id.into()),
            id => self.put_text("parent", id),
        }
    }

    /// Puts in selectors, their values sealed where they may be personal or secret.
    pub(super) fn selectors(&mut self, selectors: &[Selector]) -> Result<(), Wrong> {
        let mut list = Vec::new();
        for (number, Selector(kind, value)) in selectors.iter().enumerate().take(MAX_ELEMENTS + 1) {
            bounded("selectors", kind)?;
            let value = if is_clear(kind, value) {
                bounded("selectors", value)?.into()
            } else {
                self.sealer.seal(&format!("selectors[{number}].value"), value.as_str().into())
            };
            list.push(Value::Map(vec![("type".into(), kind.as_str().into()), ("value".into(), value)]));
        }
        self.put_list("selectors", list)
    }

    /// The digest of the entry that the record tells.
    pub(super) fn entry_digest(&self) -> Digest {
        govlog_formats::record::entry_digest(&self.map)
    }

    /// Encodes the record, and reads it as its readers will: what is signed is known to be well formed.
    pub(super) fn finish(mut self, kind: &'static str) -> Result<Draft, Wrong> {
        let source = std::mem::take(&mut self.source);
        self.put("source", Value::Map(source));
        if !self.links.is_empty() {
            let links = std::mem::take(&mut self.links);
            self.put("links", Value::Array(links));
        }
        if !self.handles.is_empty() {
            let handles = std::mem::take(&mut self.handles);
            self.put("handles", Value::Map(handles));
        }
        for (_, value) in &self.map {
            if let Value::Text(text) = value {
                bounded("the record", text)?;
            }
        }
        let payload = to_deterministic(&Value::Map(self.map));
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Wrong::Payload(payload.len()));
        }
        // What it says is not repeated.
        Record::parse(kind, &payload).map_err(|_| Wrong::Record(kind))?;
        let sub = self.sub.unwrap_or_else(|| self.settings.issuer());
        if sub.len() > MAX_TEXT_BYTES {
            return Err(Wrong::Length { at: "subject", found: sub.len() });
        }
        Ok(Draft { kind, sub: Some(sub), payload, openings: self.sealer.into_openings() })
    }
}

/// Gives the handle of a key that signs with an id.
pub(super) fn key_iss(key_id: Value, issuer: &str) -> Handle {
    Handle { name: "key_iss".to_owned(), value: Value::Array(vec![key_id, issuer.into()]) }
}

/// Gives the handle of what was attested.
pub(super) fn attested(subject: &str, verifier: &str) -> Handle {
    Handle { name: "attested".to_owned(), value: Value::Array(vec![subject.into(), verifier.into()]) }
}

/// Whether a selector's value names machines and workloads, and neither people nor secrets.
fn is_clear(kind: &str, value: &str) -> bool {
    if holds_token(value) {
        return false;
    }
    let of_kind = CLEAR.iter().find(|(known, _)| *known == kind);
    of_kind.is_some_and(|(_, names)| {
        names.is_empty() || names.iter().any(|name| value.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    })
}

/// Whether a join token stands in an agent's SPIFFE ID. SPIRE makes the entry of a node that is to join before the token was used: until then whoever
/// reads it can join in its place.
fn holds_token(id: &str) -> bool {
    id.contains(JOINED_BY_TOKEN)
}

const JOINED_BY_TOKEN: &str = "/spire/agent/join_token/";

/// Types of selectors with the names whose values stand in clear; none: all of them. What is not here is sealed: labels, tags, environment
/// variables, users and groups by name, subjects of tokens.
#[rustfmt::skip]
const CLEAR: [(&str, &[&str]); 7] = [
    ("spiffe_id", &[]),
    ("unix", &["uid", "gid", "supplementary_gid", "path", "sha256"]),
    ("k8s", &["ns", "sa", "node-name", "container-name", "container-image", "pod-owner", "pod-owner-uid", "pod-uid", "pod-name", "pod-image",
        "pod-image-count", "pod-init-image", "pod-init-image-count"]),
    ("k8s_psat", &["cluster", "agent_ns", "agent_sa", "agent_pod_name", "agent_pod_uid", "agent_node_name", "agent_node_ip", "agent_node_uid"]),
    ("docker", &["image_id", "image_config_digest"]),
    ("systemd", &["id", "fragment_path"]),
    ("x509pop", &["ca", "serialnumber"]),
];

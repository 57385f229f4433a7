//! What entries are called and what they name, for [`super::brute`]: read from the JSON view of their records.

use std::collections::BTreeSet;

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::leaf_hash;
use govlog_formats::record::handles::CertificateHandles;
use govlog_formats::record::{Record, view};
use govlog_formats::statement::SignedStatement;
use serde_json::{Value as Json, json};

use super::workloads::json_of;

/// An entry, as far as relations go. Names are texts: of a handle its name and its value, as the JSON view has them.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) kind: String,
    pub(super) iss: String,
    pub(super) names: BTreeSet<String>,
    pub(super) points: Vec<(String, Target)>,
    /// The names of the certificate that it holds whole, and of its key.
    pub(super) certificate: Vec<Target>,
    /// What it stands under without naming it.
    pub(super) under: Vec<Target>,
}

/// What is named: an entry by its leaf hash, or a handle by its name and in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) handle: Option<String>,
    pub(super) text: String,
}

impl Said {
    /// Reads an entry.
    pub(super) fn read(statement: &SignedStatement) -> Self {
        let (kind, iss) = (statement.kind().to_owned(), statement.claims().iss.clone());
        let digest = |name: &str, digest: Digest| named(name, &json!(digest.to_string()));
        let mut names = BTreeSet::from([
            leaf(&statement.leaf_hash().to_string()).text,
            digest("sig_structure", statement.sig_structure_digest()).text,
            digest("payload", Digest::sha256(statement.payload())).text,
        ]);
        if kind == "admission-policy" || Record::parse(&kind, statement.payload()).is_err() {
            return Self { kind, iss, names, ..Self::default() };
        }
        let record = view::to_json(&kind, statement.payload()).unwrap();
        names.extend(called(&kind, &iss, &record).into_iter().map(|target| target.text));
        Self {
            points: says(&kind, &iss, &record),
            certificate: certificate(&kind, &record),
            under: under(&kind, &record),
            names,
            kind,
            iss,
        }
    }
}

impl Said {
    /// Reads a member of a batch: a decision as if its issuer had logged it by itself, and of that batch.
    pub(super) fn of_member(batch: &SignedStatement, record: &[u8]) -> Self {
        let (kind, iss) = ("decision".to_owned(), batch.claims().iss.clone());
        let view = view::to_json(&kind, record).unwrap();
        let own = [leaf(&leaf_hash(record).to_string()), named("payload", &json!(Digest::sha256(record).to_string()))];
        let names = own.into_iter().chain(called(&kind, &iss, &view)).map(|target| target.text).collect();
        let mut points = says(&kind, &iss, &view);
        points.push(("member_of".to_owned(), leaf(&batch.leaf_hash().to_string())));
        Self { names, points, certificate: Vec::new(), under: under(&kind, &view), kind, iss }
    }
}

fn named(name: &str, value: &Json) -> Target {
    Target { handle: Some(name.to_owned()), text: format!("{name} {value}") }
}

impl Target {
    /// Whether it is a handle of one of these names.
    pub(super) fn is_one_of(&self, names: &[&str]) -> bool {
        self.handle.as_deref().is_some_and(|name| names.contains(&name))
    }

    /// A registry's id without the registry, as a revocation has it.
    pub(super) fn id_alone(&self) -> Option<Self> {
        let pair: Json = serde_json::from_str(self.text.strip_prefix("registry ")?).ok()?;
        Some(named("id", &pair[1]))
    }
}

/// Names that follow from what an entry is, and are nobody's to write.
const OWN: [&str; 12] = [
    "sig_structure",
    "payload",
    "dec",
    "registry",
    "id",
    "prefix",
    "issued to",
    "registered for",
    "runs as",
    "delegated to",
    "keys of",
    "domain",
];

fn leaf(hex: &str) -> Target {
    Target { handle: None, text: format!("leaf {hex}") }
}

/// A value that stands in the record, and is not sealed.
fn present<'r>(record: &'r Json, path: &str) -> Option<&'r Json> {
    let mut value = record;
    for key in path.split('.') {
        value = value.get(key)?;
        if value.get("$sealed").is_some() {
            return None;
        }
    }
    Some(value)
}

fn list<'r>(record: &'r Json, path: &str) -> impl Iterator<Item = &'r Json> {
    present(record, path).and_then(Json::as_array).into_iter().flatten()
}

/// What an entry is called: by the handles it bears, and by what only its kind can be called.
fn called(kind: &str, iss: &str, record: &Json) -> Vec<Target> {
    let field = |name: &str, path: &str| present(record, path).map(|value| named(name, value));
    let own = |names: &[(&str, &str)]| names.iter().filter_map(|(name, path)| field(name, path)).collect::<Vec<_>>();
    let pair = |name: &str, one: &Json, other: &Json| named(name, &json!([one, other]));
    let mut found: Vec<Target> = handles(present(record, "handles")).collect();
    // By these an entry would pose as another one.
    found.retain(|target| !target.is_one_of(&OWN));
    found.extend(match kind {
        "decision" => own(&[("op_digest", "op_digest")]),
        "policy" => own(&[
            ("policy_digest", "policy_digest"),
            ("bundle_digest", "bundle_digest"),
            ("id", "uri"),
            ("id", "name"),
        ]),
        "activation" => own(&[("policy_digest", "policy_digest"), ("bundle_digest", "bundle_digest")]),
        "registration" => own(&[("entry_digest", "entry_digest"), ("id", "entry_id"), ("registered for", "subject")]),
        "issuance" => own(&[("issued to", "subject")]),
        "attestation" => own(&[("runs as", "subject")]),
        "signing-key" => own(&[("spki_s256", "spki_s256"), ("id", "key_id")]),
        "federation" => own(&[("bundle_digest", "bundle_digest"), ("id", "domain")]),
        "agent" => own(&[("id", "agent_id")]),
        "ownership" => own(&[("prefix", "prefix")]),
        "delegation" => {
            let given = list(record, "tokens_out").flat_map(|tokens| handles(Some(tokens)));
            given.chain(field("delegated to", "delegate.id")).collect()
        }
        _ => Vec::new(),
    });
    match kind {
        "decision" => found.extend(present(record, "decision_id").map(|id| pair("dec", &json!(iss), id))),
        "registration" => found.extend(present(record, "entry_id").map(|id| pair("registry", &json!(iss), id))),
        "signing-key" => found.extend(
            present(record, "key_id").zip(present(record, "issuer")).map(|(id, issuer)| pair("key_iss", id, issuer)),
        ),
        "federation" => found.extend(domain_alone(present(record, "domain"))),
        "agent" => found.extend(list(record, "runs_as").map(|id| named("runs as", id))),
        _ => {}
    }
    found
}

/// A trust domain that a text names, and nothing below it.
fn domain_alone(text: Option<&Json>) -> Option<Target> {
    let text = text?.as_str()?;
    let domain = text.strip_prefix("spiffe://").unwrap_or(text).trim_end_matches('/');
    (!domain.is_empty() && !domain.contains('/')).then(|| named("domain", &json!(domain)))
}

/// What an entry stands under: its trust domain, and where a decision's credential or a key is not known better, whose it is.
fn under(kind: &str, record: &Json) -> Vec<Target> {
    let (field, whose) = match kind {
        "decision" => ("subject.id", Some("issued to")),
        "signing-key" => ("issuer", Some("keys of")),
        "issuance" | "registration" | "attestation" => ("subject", None),
        _ => return Vec::new(),
    };
    let Some(id) = present(record, field).and_then(Json::as_str) else { return Vec::new() };
    let domain =
        id.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).filter(|domain| !domain.is_empty());
    let whose = whose.filter(|_| kind == "signing-key" || domain.is_some());
    let domain = domain.map(|domain| named("domain", &json!(domain)));
    whose.map(|name| named(name, &json!(id))).into_iter().chain(domain).collect()
}

fn handles(map: Option<&Json>) -> impl Iterator<Item = Target> + '_ {
    map.and_then(Json::as_object).into_iter().flatten().map(|(name, value)| named(name, value))
}

/// The names of a certificate that stands in an observation whole, and of its key.
fn certificate(kind: &str, record: &Json) -> Vec<Target> {
    let der = present(record, "certificate.$bytes").and_then(Json::as_str).filter(|_| kind == "observation");
    let Some(der) = der.and_then(|text| base64::decode_url(text).ok()) else { return Vec::new() };
    let Ok(certificate) = CertificateHandles::from_der(&der) else { return Vec::new() };
    let shown = |name: &str| {
        let handle = certificate.handles().into_iter().find(|handle| handle.name == name)?;
        Some(named(name, &json_of(&handle)))
    };
    ["cert_s256", "tbs_s256", "serial_aki", "spki_s256", "jkt"].into_iter().filter_map(shown).collect()
}

/// What an entry names: by its links, and by its fields what no link says already.
fn says(kind: &str, iss: &str, record: &Json) -> Vec<(String, Target)> {
    let mut found: Vec<(String, Target)> = list(record, "links")
        .filter_map(|link| Some((link["rel"].as_str()?.to_owned(), target(&link["target"])?)))
        .collect();
    for (rel, target) in fields(kind, iss, record) {
        if !found.iter().any(|(_, known)| *known == target) {
            found.push((rel.to_owned(), target));
        }
    }
    found
}

/// A link's target in the JSON view.
fn target(value: &Json) -> Option<Target> {
    if let Some(hex) = present(value, "entry").or_else(|| present(value, "log_ref.leaf")) {
        return Some(leaf(hex.as_str()?));
    }
    handle(present(value, "handle")?)
}

/// `[name, value]`.
fn handle(value: &Json) -> Option<Target> {
    let [name, value] = value.as_array()?.as_slice() else { return None };
    (value.get("$sealed").is_none()).then(|| named(name.as_str().unwrap_or_default(), value))
}

fn fields(kind: &str, iss: &str, record: &Json) -> Vec<(&'static str, Target)> {
    let at = |path: &str| present(record, path);
    let digest = |name: &str, path: &str| at(path).map(|value| named(name, value));
    let link = |path: &str| at(path).and_then(target);
    let shown = |path: &str| at(path).and_then(handle);
    let mut found: Vec<(&'static str, Option<Target>)> = Vec::new();
    match kind {
        "decision" => {
            found.push(("authenticated_by", shown("subject.credential.handle")));
            found.push(("on_behalf_of", link("delegation")));
            for policy in list(record, "policies") {
                for name in ["policy_digest", "bundle_digest"] {
                    found.push(("governed_by", present(policy, name).map(|value| named(name, value))));
                }
            }
            found.push(("acted_as", link("agent.link")));
        }
        "decision-batch" => found.push(("governed_by", digest("policy_digest", "capture"))),
        "effect" => {
            let iss = at("decision_iss").cloned().unwrap_or_else(|| json!(iss));
            found.push(("enforces", at("decision_id").map(|id| named("dec", &json!([iss, id])))));
        }
        "approval" => {
            let approved = ["sig_structure", "payload", "op_digest"];
            let what = approved.into_iter().find_map(|name| digest(name, &format!("approved.{name}")));
            found.push(("about", what));
            found.push(("authenticated_by", shown("credential.handle")));
        }
        "revocation" => {
            found.push(("revokes", at("target").and_then(target)));
            found.push(("caused_by", link("cause")));
            found.extend(revoked(record).into_iter().map(|target| ("revokes", Some(target))));
        }
        "delegation" => {
            found.push(("derived_from", link("parent")));
            found.push(("authorised_by", link("consent")));
            let taken = list(record, "tokens_in").flat_map(|tokens| handles(Some(tokens)));
            found.extend(taken.map(|token| ("derived_from", Some(token))));
            found.push(("authenticated_by", shown("delegator.credential.handle")));
            found.push(("authenticated_by", shown("delegate.credential.handle")));
        }
        "activation" | "attestation" => {
            for name in ["policy_digest", "bundle_digest"] {
                found.push(("governed_by", digest(name, name)));
            }
        }
        "issuance" => {
            let by_id = || at("entry_id").map(|id| named("registry", &json!([iss, id])));
            found.push(("registered_as", digest("entry_digest", "entry_digest").or_else(by_id)));
            let key = at("issuer_key_id").zip(at("issuer"));
            found.push(("signed_by", key.map(|(id, issuer)| named("key_iss", &json!([id, issuer])))));
            found.push(("governed_by", digest("policy_digest", "governance.policy_digest")));
            found.extend(owners(at("subject")));
        }
        "registration" => {
            let is_end = at("op").is_some_and(|op| op == "delete");
            let end = at("entry_id").filter(|_| is_end).map(|id| named("registry", &json!([iss, id])));
            found.push(("ends", end));
            found.extend(owners(at("subject")));
        }
        "agent" => found.extend(list(record, "runs_as").flat_map(|id| owners(Some(id)))),
        "redaction" => found.extend(list(record, "targets").map(|one| ("redacts", target(&one["target"])))),
        "finding" | "custody" => found.extend(list(record, "entries").map(|one| ("about", target(one)))),
        _ => {}
    }
    found.into_iter().filter_map(|(rel, target)| Some((rel, target?))).collect()
}

/// Who answers for an identity: somebody by its SPIFFE ID, or by a path that it is below.
fn owners(subject: Option<&Json>) -> Vec<(&'static str, Option<Target>)> {
    let Some(path) = subject.and_then(Json::as_str).filter(|id| id.starts_with("spiffe://")) else { return Vec::new() };
    let above = path.match_indices('/').map(|(at, _)| &path[..=at]).filter(|prefix| prefix.len() > "spiffe://".len());
    above.chain([path]).map(|prefix| ("owned_by", Some(named("prefix", &json!(prefix))))).collect()
}

/// What a revocation revokes besides the target of a link: by its id, as what calls itself so and by whose it is, and by those of its handles that its
/// `target_type` is about.
fn revoked(record: &Json) -> Vec<Target> {
    const OF_CREDENTIALS: &str = "cert_s256 tbs_s256 serial_aki tok_s256 jws_input_s256 jti_iss";
    let (names, whose) = match present(record, "target_type").and_then(Json::as_str).unwrap_or_default() {
        "credential" => (OF_CREDENTIALS, "issued to"),
        "key" => ("spki_s256 jkt", "issued to"),
        "entry" => ("entry_digest", "registered for"),
        "agent" => ("attested", "runs as"),
        "delegation" => (OF_CREDENTIALS, "delegated to"),
        "policy" => ("policy_digest", "id"),
        "issuer-key" => ("spki_s256 jkt key_iss", "keys of"),
        _ => ("", "domain"),
    };
    let id = present(record, "target.id");
    let of = match whose {
        "domain" => domain_alone(id),
        whose => id.map(|id| named(whose, id)),
    };
    let names: Vec<&str> = names.split(' ').collect();
    let borne = handles(present(record, "handles")).filter(|handle| handle.is_one_of(&names));
    id.map(|id| named("id", id)).into_iter().chain(of).chain(borne).collect()
}

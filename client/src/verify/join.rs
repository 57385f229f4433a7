//! What verified entries say of each other: a decision's credential and the issuance behind it, an effect and its decision, an approval and
//! what it approves, a revocation and what it ends.
//!
//! An enforcement point names a certificate by the digest of its bytes, its issuer's log by serial number and key id. Whoever logged the
//! certificate itself, as an `observation`, ties both: its bytes hash to the one and hold the other.

use std::collections::{HashMap, HashSet};

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::approval::Approved;
use govlog_formats::record::handles::CertificateHandles;
use govlog_formats::record::revocation::RevocationTarget;
use govlog_formats::record::{Body, Handle, LinkTarget, Record, Recorded};

use super::entry::VerifiedEntry;
use super::member::VerifiedMember;

/// What was verified, as far as links go: an entry, or a member of a batch.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its id, as a verdict prints it.
    pub id: String,
    leaf: Digest,
    /// Who signed it; of a member, who signed its batch.
    iss: String,
    /// What it can be found by besides the handles its record bears.
    found_by: Vec<Handle>,
    record: Option<Record>,
}

impl From<&VerifiedEntry> for Said {
    fn from(entry: &VerifiedEntry) -> Self {
        let (statement, record) = (entry.statement(), entry.record());
        let iss = statement.claims().iss.clone();
        let mut found_by = record.as_ref().map(|record| own_handles(record, &iss)).unwrap_or_default();
        found_by.push(Handle::of_digest(SIG_STRUCTURE, &statement.sig_structure_digest()));
        found_by.push(Handle::of_digest(PAYLOAD, &Digest::sha256(statement.payload())));
        Self { id: entry.id().to_string(), leaf: statement.leaf_hash(), iss, found_by, record }
    }
}

impl From<&VerifiedMember> for Said {
    fn from(member: &VerifiedMember) -> Self {
        let iss = member.batch().statement().claims().iss.clone();
        let (record, found_by) = (member.record().clone(), own_handles(member.record(), &iss));
        Self { id: member.id(), leaf: member.leaf(), iss, found_by, record: Some(record) }
    }
}

/// One entry that another one links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Position of the entry that links, in the slice given.
    pub from: usize,
    /// Position of the entry linked to.
    pub to: usize,
    /// The relation, such as `authenticated_by`.
    pub rel: String,
    /// What both entries hold, such as `cert_s256 292c42db…`.
    pub by: String,
    /// Position of the entry with the certificate that has the handle linked to, and the one that the other entry holds.
    pub through: Option<usize>,
}

/// Finds the links between verified entries and members, by leaf hash or by a handle that both hold.
///
/// Only what the entries' own signed bytes say counts; an approval finds what it approves by its digest. A payload that is no record of its
/// kind joins nothing.
#[must_use]
pub fn joins(verified: &[Said]) -> Vec<Join> {
    let holders = Holders::new(verified);
    let mut found = Vec::new();
    for (from, said) in verified.iter().enumerate() {
        for (rel, target) in said.record.iter().flat_map(|record| targets(record, &said.iss)) {
            let fits = |to: &&usize| verified.get(**to).is_some_and(|to| fits(&rel, &target, to.record.as_ref()));
            let by = shown(&target);
            let join = |to: &usize, through| Join { from, to: *to, rel: rel.clone(), by: by.clone(), through };
            let others = holders.of(&target).iter().filter(|to| **to != from).filter(fits);
            let direct: Vec<Join> = others.map(|to| join(to, None)).collect();
            if !direct.is_empty() {
                found.extend(direct);
                continue;
            }
            for (through, same) in holders.same_certificate(&target) {
                // Anybody can make a certificate with another's serial number. By whoever issued the other one it is that one's own word.
                let is_own = |to: &&usize| iss_of(verified, **to) == iss_of(verified, through);
                let others = holders.of(&LinkTarget::Handle(same)).iter().filter(|to| **to != from).filter(fits);
                found.extend(others.filter(is_own).map(|to| join(to, Some(through))));
            }
        }
    }
    let mut known = HashSet::new();
    found.retain(|join| known.insert((join.from, join.to, join.rel.clone())));
    found
}

/// Which entries a link leads to: a look-up for each link, for comparing each entry with each takes long over thousands.
struct Holders {
    by_leaf: HashMap<Digest, Vec<usize>>,
    /// By the handle's canonical bytes.
    by_handle: HashMap<Vec<u8>, Vec<usize>>,
    /// The names of a certificate, by each of them, and which entry holds its bytes; several, where several say so.
    certificates: HashMap<Vec<u8>, Vec<(usize, Vec<Handle>)>>,
}

impl Holders {
    fn new(verified: &[Said]) -> Self {
        let (mut by_leaf, mut by_handle) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, said) in verified.iter().enumerate() {
            by_leaf.entry(said.leaf).or_default().push(at);
            let borne = said.record.iter().filter_map(Record::body).flat_map(Body::handles);
            // An entry bears what its issuer writes; by these names it would pose as another statement, or as another issuer's decision.
            let borne = borne.filter(|handle| !OWN_NAMES.contains(&handle.name.as_str()));
            for handle in borne.chain(said.found_by.iter().cloned()) {
                let holders = by_handle.entry(key(&handle)).or_default();
                if holders.last() != Some(&at) {
                    holders.push(at);
                }
            }
        }
        Self { by_leaf, by_handle, certificates: certificates(verified) }
    }

    /// Other names of the certificate that a handle names, where an entry holds its bytes.
    fn same_certificate(&self, target: &LinkTarget) -> Vec<(usize, Handle)> {
        let LinkTarget::Handle(handle) = target else { return Vec::new() };
        let found = self.certificates.get(&key(handle)).map(Vec::as_slice).unwrap_or_default();
        let others = |(through, names): &(usize, Vec<Handle>)| {
            let through = *through;
            let others: Vec<_> = names.iter().filter(|name| *name != handle).cloned().collect();
            others.into_iter().map(move |name| (through, name))
        };
        found.iter().flat_map(others).collect()
    }

    fn of(&self, target: &LinkTarget) -> &[usize] {
        let holders = match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => self.by_leaf.get(leaf),
            LinkTarget::Handle(handle) => self.by_handle.get(&key(handle)),
        };
        holders.map(Vec::as_slice).unwrap_or_default()
    }
}

/// The names of every certificate that an entry holds whole: taken from its bytes, whatever the entry says of them.
///
/// Not by key, which many certificates may share. Signatures in them are not looked at: what ties them to others is who logged them.
fn certificates(verified: &[Said]) -> HashMap<Vec<u8>, Vec<(usize, Vec<Handle>)>> {
    let mut found = HashMap::<_, Vec<_>>::new();
    for (at, said) in verified.iter().enumerate() {
        let Some(Record::Observation(observation)) = &said.record else { continue };
        let Recorded::Present(der) = observation.certificate() else { continue };
        let Ok(certificate) = CertificateHandles::from_der(der) else { continue };
        let names = certificate.handles().into_iter().filter(|handle| NAMES.contains(&handle.name.as_str()));
        let names: Vec<Handle> = names.collect();
        for name in &names {
            found.entry(key(name)).or_default().push((at, names.clone()));
        }
    }
    found
}

fn iss_of(verified: &[Said], at: usize) -> Option<&str> {
    verified.get(at).map(|said| said.iss.as_str())
}

/// What names one certificate. By `tbs_s256` whoever signs it again with ECDSA makes no other one.
pub(crate) const NAMES: [&str; 3] = ["cert_s256", "tbs_s256", "serial_aki"];

fn key(handle: &Handle) -> Vec<u8> {
    to_deterministic(&handle.to_value())
}

/// What a record can be found by besides the handles it bears. `iss`: who signed it.
pub(crate) fn own_handles(record: &Record, iss: &str) -> Vec<Handle> {
    let Some(body) = record.body() else { return Vec::new() };
    let names: &[&str] = match record {
        Record::Decision(_) => &["op_digest"],
        Record::Policy(_) | Record::Activation(_) => &["policy_digest", "bundle_digest"],
        Record::Registration(_) => &["entry_digest"],
        Record::SigningKey(_) => &["spki_s256"],
        _ => &[],
    };
    let field = |name: &&str| Some(Handle { name: (*name).to_owned(), value: body.at(&[name]).present()?.clone() });
    let mut handles: Vec<Handle> = names.iter().filter_map(field).collect();
    if let Record::Decision(decision) = record
        && let Recorded::Present(id) = decision.decision_id()
    {
        handles.push(dec(iss, id));
    }
    handles
}

/// Names under which statements and payloads are looked up here, and nowhere else.
pub(crate) const SIG_STRUCTURE: &str = "sig_structure";
pub(crate) const PAYLOAD: &str = "payload";
/// The name of a decision: by its issuer and its id.
pub(crate) const DEC: &str = "dec";
/// What an entry is found by under these names follows from its signed bytes, and is never what its record says.
pub(crate) const OWN_NAMES: [&str; 3] = [SIG_STRUCTURE, PAYLOAD, DEC];

fn dec(iss: &str, decision_id: &str) -> Handle {
    Handle { name: DEC.to_owned(), value: Value::Array(vec![iss.into(), decision_id.into()]) }
}

/// The explicit links, and what a kind's own fields link to. `iss`: who signed the record.
pub(crate) fn targets(record: &Record, iss: &str) -> Vec<(String, LinkTarget)> {
    let links = record.body().map(Body::links).unwrap_or_default();
    let mut targets: Vec<_> = links.into_iter().map(|link| (link.rel, link.target)).collect();
    for (rel, target) in implied(record, iss) {
        if !targets.iter().any(|(_, known)| *known == target) {
            targets.push((rel.to_owned(), target));
        }
    }
    targets
}

fn implied(record: &Record, iss: &str) -> Vec<(&'static str, LinkTarget)> {
    let handle = |handle: Option<Handle>| handle.map(LinkTarget::Handle);
    let found = match record {
        Record::Decision(decision) => vec![
            ("authenticated_by", handle(decision.credential().present())),
            ("on_behalf_of", decision.body().link_target(&["delegation"]).present()),
        ],
        Record::Effect(effect) => {
            let id = effect.decision_id().present();
            let iss = effect.decision_iss(iss).present();
            vec![("enforces", handle(iss.zip(id).map(|(iss, id)| dec(iss, id))))]
        }
        Record::Approval(approval) => {
            let approved = approval.approved().present().map(|approved| match approved {
                Approved::SigStructure(digest) => Handle::of_digest(SIG_STRUCTURE, &digest),
                Approved::Payload(digest) => Handle::of_digest(PAYLOAD, &digest),
                Approved::OpDigest(digest) => Handle::of_digest("op_digest", &digest),
            });
            vec![("about", handle(approved))]
        }
        Record::Revocation(revocation) => {
            let target = match revocation.target().present() {
                Some(RevocationTarget::Link(target)) => Some(target),
                _ => None,
            };
            vec![("revokes", target), ("caused_by", revocation.cause().present())]
        }
        Record::Delegation(delegation) => {
            vec![("derived_from", delegation.parent().present()), ("authorised_by", delegation.consent().present())]
        }
        _ => Vec::new(),
    };
    found.into_iter().filter_map(|(rel, target)| Some((rel, target?))).collect()
}

/// Says whether an entry can be what a relation by handle leads to: a revocation bears the handles of a credential, and issued none.
fn fits(rel: &str, target: &LinkTarget, record: Option<&Record>) -> bool {
    let (LinkTarget::Handle(_), Some(record)) = (target, record) else { return true };
    let kinds: &[&str] = match rel {
        "authenticated_by" => &["issuance"],
        "governed_by" => &["activation", "policy", "issuance"],
        "registered_as" => &["registration"],
        "attested_by" => &["attestation"],
        "signed_by" => &["signing-key"],
        "on_behalf_of" | "derived_from" => &["delegation"],
        "enforces" => &["decision"],
        "revokes" => return record.kind() != "revocation",
        "observes" => return record.kind() != "observation",
        _ => return true,
    };
    kinds.contains(&record.kind())
}

fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => format!("leaf {leaf}"),
        LinkTarget::Handle(handle) => handle.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use govlog_formats::cbor;
    use govlog_formats::record::handles::certificate_from_pem;
    use govlog_formats::record::view;
    use serde_json::json;

    use super::*;

    const PEP: &str = "spiffe://a/pep";

    /// What an issuer says in a record that bears these handles, found by what its signed bytes are besides.
    fn said(iss: &str, kind: &str, view: &serde_json::Value, bears: &[Handle], own: &[Handle]) -> Said {
        let Value::Map(mut pairs) = cbor::parse(&view::from_json(kind, view).unwrap()).unwrap() else { panic!() };
        let handles = bears.iter().map(|handle| (handle.name.as_str().into(), handle.value.clone()));
        pairs.push(("handles".into(), Value::Map(handles.collect())));
        let payload = to_deterministic(&Value::Map(pairs));
        let record = Record::parse(kind, &payload).unwrap();
        assert_eq!(record.body().unwrap().handles().len(), bears.len());
        let found_by = own_handles(&record, iss).into_iter().chain(own.iter().cloned()).collect();
        Said { id: String::new(), leaf: Digest::sha256(&payload), iss: iss.to_owned(), found_by, record: Some(record) }
    }

    #[test]
    fn a_record_poses_as_no_other_by_the_handles_it_bears() {
        let digest = Digest::from_bytes([7; 32]);
        let decision = json!({
            "v": 1, "event_ms": 1, "decision_id": "d-1", "result": "permit", "subject": { "id": "spiffe://a/x" },
            "action": { "name": "read" }, "resource": { "type": "account", "id": "a" },
        });
        let effect = json!({
            "v": 1, "event_ms": 1, "decision_id": "d-1", "decision_iss": PEP, "performer": "spiffe://a/x", "outcome": "performed",
        });
        let approval = |of: &str| {
            json!({
                "v": 1, "event_ms": 1, "type": "change", "approved": { of: digest.to_string() }, "decision": "approve", "approver": "p-1",
            })
        };
        let digests = [SIG_STRUCTURE, PAYLOAD].map(|name| Handle::of_digest(name, &digest));
        let posing = [digests.as_slice(), &[dec(PEP, "d-1"), Handle::of_digest("jkt", &digest)]].concat();
        let all = [
            said("spiffe://a/desk", "approval", &approval(SIG_STRUCTURE), &[], &[]),
            said("spiffe://a/desk", "approval", &approval(PAYLOAD), &[], &[]),
            said("spiffe://a/x", "effect", &effect, &[], &[]),
            said(PEP, "decision", &decision, &[], &digests),
            said("spiffe://b/other", "decision", &decision, &posing, &[]),
        ];
        let found: Vec<_> = joins(&all).into_iter().map(|join| (join.from, join.rel, join.to)).collect();
        let expected = [(0, "about", 3), (1, "about", 3), (2, "enforces", 3)];
        assert_eq!(found, expected.map(|(from, rel, to)| (from, rel.to_owned(), to)));
        // What a credential is known by is what records bear handles for.
        assert_eq!(Holders::new(&all).of(&LinkTarget::Handle(Handle::of_digest("jkt", &digest))), [4]);
    }

    /// A certificate as SPIRE issued it.
    const PAY: &str = include_str!("../../agent/tests/data/capture/spire/pay-1.pem");

    #[test]
    fn who_logged_the_certificate_ties_the_names_that_others_have_for_it() {
        let der = certificate_from_pem(PAY.as_bytes()).unwrap();
        let handles = CertificateHandles::from_der(&der).unwrap().handles();
        let of = |name: &str| handles.iter().find(|handle| handle.name == name).unwrap().clone();
        let decision = json!({
            "v": 1, "event_ms": 1, "decision_id": "d-1", "result": "permit", "action": { "name": "read" },
            "subject": { "id": "spiffe://a/x", "credential": { "handle": ["cert_s256", shown_digest(&of("cert_s256"))] } },
            "resource": { "type": "account", "id": "a" },
        });
        let issuance =
            json!({ "v": 1, "event_ms": 1, "stage": "issued", "credential_type": "x509", "subject": "spiffe://a/x" });
        let without = json!({ "v": 1, "event_ms": 1, "observed": "credential" });
        let pairs = [
            ("v", 1.into()),
            ("event_ms", 1.into()),
            ("observed", "credential".into()),
            ("certificate", Value::Bytes(der)),
        ];
        let whole = Value::Map(pairs.map(|(key, value): (&str, Value)| (key.into(), value)).to_vec());
        let observation = view::to_json("observation", &to_deterministic(&whole)).unwrap();
        let decided = said(PEP, "decision", &decision, &[], &[]);
        let issued = said("spiffe://a/spire", "issuance", &issuance, &[of("serial_aki")], &[]);
        let other = said("spiffe://a/spire", "issuance", &issuance, &[of("spki_s256")], &[]);
        let by_other = said("spiffe://a/agent", "observation", &observation, &[], &[]);
        assert_eq!(
            joins(&[decided.clone(), issued.clone(), by_other.clone()]),
            [],
            "anybody may show a certificate with that serial"
        );
        let seen = said("spiffe://a/spire", "observation", &observation, &[], &[]);
        let found = joins(&[decided.clone(), issued.clone(), other, seen, by_other]);
        let by = format!("cert_s256 {}", shown_digest(&of("cert_s256")));
        assert_eq!(found, [Join { from: 0, to: 1, rel: "authenticated_by".into(), by, through: Some(3) }]);
        // Handles are anybody's to write: without the bytes they tie nothing, however the entry that bears them is called.
        let claimed = said("spiffe://a/spire", "observation", &without, &[of("cert_s256"), of("serial_aki")], &[]);
        assert_eq!(joins(&[decided.clone(), issued.clone(), claimed]), []);
        // What an issuer names by the same handle needs nobody between.
        let whole = said("spiffe://a/spire", "issuance", &issuance, &[of("cert_s256")], &[]);
        let seen = said("spiffe://a/spire", "observation", &observation, &[], &[]);
        let found = joins(&[decided, issued, whole, seen]);
        assert_eq!(found.iter().map(|join| (join.to, join.through)).collect::<Vec<_>>(), [(2, None)]);
    }

    fn shown_digest(handle: &Handle) -> String {
        handle.value.as_bytes().unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

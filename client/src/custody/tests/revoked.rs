//! What people revoke, as they write it, and what it is found about: by what an index suggests as by all there is.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem, key_handles};
use govlog_formats::record::revocation::TargetType;
use govlog_formats::record::view;
use govlog_formats::search::Marks;
use serde_json::{Value as Json, json};

use super::closure::{Suggests, found};
use super::scene::Scene;
use super::*;
use crate::custody::file::missing;
use crate::custody::relations::is_revoking;
use crate::custody::{Node, Role, Shelf};
use crate::people::{RevocationFacts, Seals, revocation};
use crate::resolve::Resolver;

const SPIRE: &str = "spiffe://prod.example/spire/server";
const PDP: &str = "spiffe://prod.example/pdp";
const DESK: &str = "https://desk.example";
const PAY: &str = "spiffe://prod.example/pay";
const PEM: &str = include_str!("../../../../formats/tests/data/pay-1.pem");

/// Entries of several issuers, the last of which is a revocation as `govlog revoke` writes it.
struct Case {
    scene: Scene,
    statements: Vec<SignedStatement>,
}

impl Case {
    fn new(records: &[(&str, &str, Json)]) -> Self {
        let mut case = Self { scene: Scene::new(1, 0), statements: Vec::new() };
        for (iss, kind, record) in records {
            let mut record = record.clone();
            record["v"] = json!(1);
            record["event_ms"] = json!(1_700_000_000_000_u64);
            let payload = view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}"));
            case.statements.push(case.scene.sign(iss, kind, &payload));
        }
        case
    }

    /// `govlog revoke TEXT --as TYPE`.
    fn revoke(mut self, text: &str, target_type: Option<TargetType>) -> Self {
        let (_dir, trust) = trust(&TestLog::new());
        let resolver = Resolver { trust: &trust, http: None, unverified: false, pdp: None };
        let target = resolver.find(text).unwrap();
        let facts = RevocationFacts {
            target_type,
            reason: "stolen".to_owned(),
            effective_ms: 1_700_000_000_000,
            deadline_ms: None,
            revoked_by: None,
            cause: None,
            sub: Some(PAY.to_owned()),
        };
        let mut seals = Seals { fields: Vec::new(), can_keep: false, random: &mut || [1; 32] };
        let built = revocation(&target, &facts, 1_700_000_000, &mut seals).unwrap();
        self.statements.push(self.scene.sign(DESK, &built.draft.kind, &built.draft.payload));
        self
    }

    fn nodes(&self) -> Vec<Arc<Node>> {
        (0..).zip(&self.statements).map(|(at, one)| Arc::new(Node::new(LeafIndex::new(at), one))).collect()
    }

    /// The role of each entry in the matter that begins here, the same with an index.
    fn from(&self, start: usize) -> BTreeMap<u64, Role> {
        let nodes = self.nodes();
        let mut shelf = Shelf::default();
        nodes.iter().for_each(|node| shelf.add(node.as_ref().clone()));
        let mut suggests = Suggests {
            nodes: nodes.clone(),
            marks: self.statements.iter().map(Marks::of).collect(),
            known: HashMap::new(),
        };
        let all = found(&mut shelf, &nodes[start]);
        assert_eq!(found(&mut suggests, &nodes[start]), all, "with an index, from {start}");
        all
    }

    /// Which entries the last one says to be revoked, or bears on, when the matter begins with the first; and by which relation.
    fn revoked(&self) -> Vec<(u64, String)> {
        let last = self.statements.len() as u64 - 1;
        let roles = self.from(0);
        let mut shelf = Shelf::default();
        self.nodes()
            .iter()
            .filter(|node| roles.contains_key(&node.spot.index.get()))
            .for_each(|node| shelf.add(node.as_ref().clone()));
        let roles = roles.into_iter().map(|(at, role)| (LeafIndex::new(at).into(), role)).collect();
        let (edges, dead) = shelf.survey(&roles);
        assert!(dead.iter().all(|dead| dead.from.index.get() != last), "{dead:?}");
        let said =
            edges.into_iter().filter(|edge| edge.from.index.get() == last && is_revoking(&edge.rel, "revocation"));
        said.map(|edge| (edge.to.index.get(), edge.rel)).collect()
    }
}

fn decision(handle: &Json) -> (&'static str, &'static str, Json) {
    let record = json!({
        "decision_id": "d-1", "result": "permit", "action": { "name": "read" }, "resource": { "type": "account", "id": "a" },
        "subject": { "id": PAY, "credential": { "handle": handle } },
    });
    (PDP, "decision", record)
}

/// What a SPIRE server's log tells of a certificate: its serial number and who signed it.
fn issuance() -> (&'static str, &'static str, Json) {
    let record = json!({
        "stage": "issued", "credential_type": "x509", "subject": PAY, "entry_id": "e-7",
        "handles": { "serial_aki": handle_of("serial_aki")[1].clone() },
    });
    (SPIRE, "issuance", record)
}

fn registration() -> (&'static str, &'static str, Json) {
    (
        SPIRE,
        "registration",
        json!({ "op": "create", "entry_id": "e-7", "subject": PAY, "parent": "spiffe://prod.example/node" }),
    )
}

/// The certificate itself, logged by whoever says so.
fn observation(iss: &'static str) -> (&'static str, &'static str, Json) {
    let der = govlog_formats::base64::encode_url(&certificate_from_pem(PEM.as_bytes()).unwrap());
    (iss, "observation", json!({ "observed": "credential", "certificate": { "$bytes": der } }))
}

/// One of the certificate's handles, as a view has it.
fn handle_of(name: &str) -> Json {
    let certificate = CertificateHandles::from_der(&certificate_from_pem(PEM.as_bytes()).unwrap()).unwrap();
    let bytes =
        |bytes: &Option<Vec<u8>>| json!({ "$bytes": govlog_formats::base64::encode_url(bytes.as_ref().unwrap()) });
    match name {
        "serial_aki" => json!([name, [bytes(&certificate.serial), bytes(&certificate.aki)]]),
        "cert_s256" => json!([name, certificate.cert_s256.to_string()]),
        "spki_s256" => json!([name, certificate.spki_s256.to_string()]),
        _ => json!([name, certificate.tbs_s256.to_string()]),
    }
}

/// The certificate in a file, as people have it.
fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn revokes(at: u64) -> (u64, String) {
    (at, "revokes".to_owned())
}

fn bears_on(at: u64) -> (u64, String) {
    (at, "bears_on".to_owned())
}

#[test]
fn a_workload_is_revoked_by_its_spiffe_id_as_its_credentials_or_its_registration() {
    let known = [decision(&handle_of("serial_aki")), issuance(), registration()];
    for (target_type, expected) in
        [(TargetType::Credential, revokes(1)), (TargetType::Key, revokes(1)), (TargetType::Entry, revokes(2))]
    {
        assert_eq!(Case::new(&known).revoke(PAY, Some(target_type)).revoked(), [expected], "{target_type:?}");
        let other = Case::new(&known).revoke("spiffe://prod.example/payroll", Some(target_type));
        assert!(!other.from(0).contains_key(&3), "another workload");
    }
    let case = Case::new(&known).revoke(PAY, Some(TargetType::Credential));
    assert_eq!(
        case.from(3),
        [(1, Role::Cause), (2, Role::Cause), (3, Role::Start)].into(),
        "what was revoked, and what it rests on"
    );
    let unlogged = Case::new(&known[..1]).revoke(PAY, Some(TargetType::Credential));
    assert_eq!(unlogged.revoked(), [bears_on(0)], "its credential was never logged");
}

#[test]
fn an_agent_and_a_delegation_are_revoked_by_the_spiffe_id() {
    let agent = json!({ "agent_id": "urn:agent:7", "runs_as": [PAY] });
    let attestation = json!({ "subject": PAY, "method": "k8s_psat", "result": "accepted" });
    let delegation = json!({ "delegator": { "id": "person-1" }, "delegate": { "id": PAY } });
    for (target_type, kind, record) in [
        (TargetType::Agent, "agent", agent),
        (TargetType::Agent, "attestation", attestation),
        (TargetType::Delegation, "delegation", delegation),
    ] {
        let case = Case::new(&[(SPIRE, kind, record)]).revoke(PAY, Some(target_type));
        assert_eq!(case.revoked(), [revokes(0)], "{kind}");
        assert_eq!(case.from(1), [(0, Role::Cause), (1, Role::Start)].into(), "{kind}");
    }
}

#[test]
fn a_trust_domain_is_revoked_with_all_that_stands_under_it() {
    let federation = json!({ "op": "observe", "domain": "prod.example", "own": false });
    let key = json!({ "op": "active", "key_id": "k-1", "issuer": "spiffe://prod.example" });
    for written in ["spiffe://prod.example", "spiffe://prod.example/"] {
        let revoked = |kind: &str, record: &Json| {
            let record = (SPIRE, kind, record.clone());
            Case::new(&[record]).revoke(written, None).revoked()
        };
        assert_eq!(revoked("federation", &federation), [revokes(0)], "{written}");
        assert_eq!(revoked("signing-key", &key), [bears_on(0)]);
        assert_eq!(revoked("issuance", &issuance().2), [bears_on(0)]);
        assert_eq!(revoked("decision", &decision(&handle_of("cert_s256")).2), [bears_on(0)]);
        let known = Case::new(&[decision(&handle_of("serial_aki")), issuance()]).revoke(written, None);
        assert_eq!(known.revoked(), [bears_on(1)], "once, on the nearest");
        assert_eq!(known.from(2).len(), 1, "nobody is led to all of a trust domain");
    }
    let other = Case::new(&[issuance()]).revoke("spiffe://prod.example.org", None);
    assert_eq!(other.from(0).len(), 1);
    let by_issuer =
        Case::new(&[(SPIRE, "signing-key", key)]).revoke("spiffe://prod.example", Some(TargetType::IssuerKey));
    assert_eq!(by_issuer.revoked(), [bears_on(0)]);
}

#[test]
fn a_stolen_key_revokes_the_certificate_that_is_known_by_its_serial_number() {
    let dir = tempfile::tempdir().unwrap();
    let spki = handle_of("spki_s256")[1].as_str().unwrap().to_owned();
    let key = format!("spki_s256:{spki}");
    let known = [decision(&handle_of("cert_s256")), issuance(), observation(SPIRE)];
    assert_eq!(Case::new(&known).revoke(&key, None).revoked(), [revokes(1)]);
    let other = [known[0].clone(), known[1].clone(), observation(PDP)];
    assert_eq!(
        Case::new(&other).revoke(&key, None).revoked(),
        [bears_on(0)],
        "another's certificate ties no serial number"
    );
    // Whoever bears the key's name displaces nothing.
    let poser = json!({ "stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/x", "handles": { "spki_s256": spki } });
    let posed = [&known[..], &[(DESK, "issuance", poser)]].concat();
    let case = Case::new(&posed).revoke(&key, None);
    assert_eq!(case.revoked(), [revokes(1)]);
    assert_eq!(case.from(4), [(1, Role::Cause), (2, Role::Word), (3, Role::Cause), (4, Role::Start)].into());
    // A file with the private key gives both names of the key.
    let stolen = SigningKey::from_seed(Curve::P256, &[7; 32]).unwrap();
    let path = file(dir.path(), "stolen.pem", &stolen.to_pkcs8_pem());
    let handles = key_handles(&stolen.public().spki_der()).unwrap();
    let jkt = handles.into_iter().find(|handle| handle.name == "jkt").unwrap().digest().unwrap().to_string();
    let by_jkt = json!({ "stage": "issued", "credential_type": "x509", "subject": PAY, "handles": { "jkt": jkt } });
    assert_eq!(Case::new(&[(SPIRE, "issuance", by_jkt)]).revoke(&path, None).revoked(), [revokes(0)]);
}

#[test]
fn a_certificate_whose_issuance_nobody_logged_is_revoked_by_any_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let pem = file(dir.path(), "pay.pem", PEM);
    for name in ["cert_s256", "tbs_s256", "serial_aki"] {
        assert_eq!(Case::new(&[decision(&handle_of(name))]).revoke(&pem, None).revoked(), [bears_on(0)], "{name}");
    }
    // A certificate revokes no other one of the same key.
    let same_key = json!({
        "stage": "issued", "credential_type": "x509", "subject": PAY,
        "handles": { "tbs_s256": "11".repeat(32), "spki_s256": handle_of("spki_s256")[1] },
    });
    let case = Case::new(&[(SPIRE, "issuance", same_key.clone())]).revoke(&pem, None);
    assert_eq!(case.from(0).len(), 1);
    assert_eq!(Case::new(&[(SPIRE, "issuance", same_key)]).revoke(&pem, Some(TargetType::Key)).revoked(), [revokes(0)]);
    // Whoever holds the bytes with that hash ties its key to it.
    let key = format!("spki_s256:{}", handle_of("spki_s256")[1].as_str().unwrap());
    let seen = [decision(&handle_of("cert_s256")), observation(DESK)];
    assert_eq!(Case::new(&seen).revoke(&key, None).revoked(), [bears_on(0)]);
    let serial = [decision(&handle_of("serial_aki")), observation(DESK)];
    assert_eq!(
        Case::new(&serial).revoke(&key, None).from(0).len(),
        1,
        "anybody makes a certificate with that serial number"
    );
}

#[test]
fn nobody_but_a_revocation_revokes() {
    let links = json!([{ "rel": "revokes", "target": { "handle": handle_of("serial_aki") } }]);
    let effect = json!({ "outcome": "performed", "performer": PAY, "links": links });
    let case = Case::new(&[issuance(), (DESK, "effect", effect)]);
    let statements = (0..).map(LeafIndex::new).zip(case.statements.iter().cloned()).collect();
    let survey = missing::survey(&statements, &Members::new(), [&LeafIndex::new(0).into()]);
    let claimed = missing::Claimed::default();
    let not_found = missing::not_found(&statements, &Members::new(), &survey, &BTreeMap::new(), claimed);
    assert_eq!(not_found.revocations, ["1.0"]);
}

/// By a link anybody says of an entry what he likes: what a proof gives, a rule or a field of its own, stands under another name.
#[test]
fn nobody_says_by_a_link_what_only_a_proof_a_rule_or_a_field_gives() {
    let link = |rel: &str| json!({ "rel": rel, "target": { "handle": handle_of("cert_s256") } });
    let (_, kind, mut posing) = decision(&handle_of("serial_aki"));
    posing["links"] = ["member_of", "bears_on", "acted_as", "owned_by", "ends", "caused_by"].map(link).to_vec().into();
    let target = json!({ "handle": ["policy_digest", ["sha256", "77".repeat(32)]] });
    let bearing = json!({ "target_type": "policy", "target": target, "effective_ms": 1, "links": [link("bears_on")] });
    let case = Case::new(&[issuance(), (PDP, kind, posing), (DESK, "revocation", bearing)]);
    let rels: Vec<Vec<String>> =
        case.nodes().iter().skip(1).map(|node| node.points.iter().map(|point| point.rel.clone()).collect()).collect();
    assert_eq!(rels, [vec!["caused_by", "authenticated_by"], vec!["revokes"]]);
    assert_eq!(case.revoked(), []);
}

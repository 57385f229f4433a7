//! Each builder against the view it should give, what is refused, and that nothing else can be built.

mod warned;

use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::record::approval::{ApprovalDecision, ApprovalType};
use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem};
use govlog_formats::record::sealed::Sealed;
use govlog_formats::record::{Handle, Record, view};
use govlog_formats::statement::{Claims, Content, StatementHeader, UnsignedStatement, content_type_of};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::resolve::{Entry, Found, Standing, What};
use crate::testing::sign;

const NOW: u64 = 1_795_320_000;
const NOW_MS: u64 = NOW * 1000;
const PAY_1: &[u8] = include_bytes!("../../../../formats/tests/data/pay-1.pem");

fn key() -> SigningKey {
    SigningKey::from_seed(Curve::Ed25519, &[3; 32]).unwrap()
}

/// Builds with these seals, and gives the record's view beside what was built.
fn built(
    fields: &[&str],
    can_keep: bool,
    build: impl FnOnce(&mut Seals<'_>) -> Result<Built, BuildError>,
) -> Result<(Built, Value), BuildError> {
    let mut count = 0;
    let mut random = || {
        count += 1;
        [count; 32]
    };
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let built = build(&mut Seals { fields, can_keep, random: &mut random })?;
    let view = view::to_json(&built.draft.kind, &built.draft.payload).unwrap();
    Ok((built, view))
}

fn entry(kind: &str, view: &Value) -> Found {
    let statement = sign(&key(), kind, &view::from_json(kind, view).unwrap(), None);
    let what = What::Entry(Box::new(Entry { statement, standing: Standing::Unverified("a test's".to_owned()) }));
    Found { name: "1.57".to_owned(), what }
}

fn leaf(found: &Found) -> String {
    found.entry().unwrap().statement.leaf_hash().to_string()
}

fn decision() -> Value {
    json!({
        "v": 1, "event_ms": NOW_MS, "decision_id": "d-1", "result": "deny", "op_digest": "22".repeat(32),
        "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
        "resource": { "type": "account", "id": "acct-5" },
    })
}

fn approving(approval_type: ApprovalType) -> ApprovalFacts {
    ApprovalFacts {
        approval_type,
        decision: ApprovalDecision::Approve,
        approver: Some("person-91c0".to_owned()),
        key: Digest::from_bytes([5; 32]),
        iss: "https://approvals.example/desk".to_owned(),
        method: "cli".to_owned(),
        reason_code: Some("INC-204".to_owned()),
        reason: None,
        expires_ms: Some(NOW_MS + 28_800_000),
        thread: Some("INC-204".to_owned()),
        shown: None,
        sub: None,
    }
}

#[test]
fn an_approval_holds_the_digest_of_what_it_approves_and_of_what_was_shown() {
    let target = entry("decision", &decision());
    let statement = target.entry().unwrap().statement.clone();
    let facts = approving(ApprovalType::Exception);
    let (built, view) =
        built(&[], false, |seals| approval(&Target::Found(target.clone()), &facts, NOW, seals)).unwrap();
    let shown = built.shown.clone().unwrap();
    assert_eq!(
        view,
        json!({
            "v": 1, "event_ms": NOW_MS, "assurance": "source-signed", "type": "exception",
            "approved": { "sig_structure": statement.sig_structure_digest().to_string() },
            "decision": "approve", "approver": "person-91c0", "method": "cli", "reason_code": "INC-204",
            "credential": { "handle": ["spki_s256", "05".repeat(32)] },
            "shown_digest": Digest::sha256(shown.as_bytes()).to_string(),
            "expires_ms": NOW_MS + 28_800_000, "thread": "INC-204",
            "links": [{ "rel": "about", "target": { "entry": leaf(&target) } }],
        })
    );
    assert_eq!(built.draft.sub, "spiffe://prod.example/pay");
    assert!(shown.starts_with("govlog shown v1\nstatement  ") && shown.contains("\"acct-5\""), "{shown}");
}

#[test]
fn an_operation_is_approved_by_its_own_digest_and_a_draft_by_its_payload() {
    let approved = |target: Target, facts: &ApprovalFacts| {
        built(&[], false, |seals| approval(&target, facts, NOW, seals)).unwrap().1["approved"].clone()
    };
    let facts = approving(ApprovalType::Operation);
    assert_eq!(
        approved(Target::Found(entry("decision", &decision())), &facts),
        json!({ "op_digest": "22".repeat(32) })
    );
    let handle = Handle::of_digest("op_digest", &Digest::from_bytes([7; 32]));
    let found = Found { name: "op_digest:…".to_owned(), what: What::Handle(handle) };
    let facts = ApprovalFacts { sub: Some("spiffe://prod.example/pay".to_owned()), ..facts };
    assert_eq!(approved(Target::Found(found), &facts), json!({ "op_digest": "07".repeat(32) }));
    let payload = view::from_json("decision", &decision()).unwrap();
    let digest = Digest::sha256(&payload).to_string();
    let record = Target::Record { name: "d.json".to_owned(), kind: "decision".to_owned(), payload };
    assert_eq!(approved(record, &approving(ApprovalType::Change)), json!({ "payload": digest }));
}

#[test]
fn who_approves_an_operation_that_is_sealed_is_told_that_it_is_the_statement() {
    let facts = approving(ApprovalType::Operation);
    let notes = |decision: &Value| {
        let target = Target::Found(entry("decision", decision));
        let (built, view) = built(&[], false, |seals| approval(&target, &facts, NOW, seals)).unwrap();
        (view["approved"].clone(), built.warnings.iter().any(|note| note.contains("and not the operation in it")))
    };
    let mut sealed = decision();
    sealed["op_digest"] = json!({ "$sealed": "A".repeat(43) });
    let (approved, said) = notes(&sealed);
    assert!(approved.get("sig_structure").is_some() && said, "{approved}");
    assert_eq!(notes(&decision()), (json!({ "op_digest": "22".repeat(32) }), false));
}

#[test]
fn what_cannot_be_approved_is_refused_with_advice() {
    let refused = |what: What| {
        let target = Target::Found(Found { name: "it".to_owned(), what });
        built(&[], false, |seals| approval(&target, &approving(ApprovalType::Change), NOW, seals))
            .unwrap_err()
            .to_string()
    };
    assert!(refused(What::Name("spiffe://prod.example/pay".to_owned())).contains("op_digest:"));
    let policy = Handle { name: "policy_digest".to_owned(), value: "x".into() };
    assert!(refused(What::Handle(policy)).contains("by its entry"));
    let change = sign(&key(), "admission-policy", &[0xa1, 0x61, b'v', 1], None);
    let draft = Entry { statement: change, standing: Standing::Unverified("no receipt".to_owned()) };
    assert!(refused(What::Entry(Box::new(draft))).contains("govlog admission approve"));
}

#[test]
fn people_never_go_in_the_clear() {
    let target = Target::Found(entry("decision", &decision()));
    for name in ["alice@prod.example", "Alice Example"] {
        let facts = ApprovalFacts { approver: Some(name.to_owned()), ..approving(ApprovalType::Change) };
        let error = built(&[], false, |seals| approval(&target, &facts, NOW, seals)).unwrap_err();
        assert!(matches!(&error, BuildError::Personal { field } if field == "approver"), "{error}");
        assert!(!error.to_string().contains("lice"), "{error}");

        let (sealed, view) = built(&[], true, |seals| approval(&target, &facts, NOW, seals)).unwrap();
        assert!(view["approver"]["$sealed"].is_string() && !view.to_string().contains("lice"), "{view}");
        let [opening] = &sealed.openings[..] else { panic!() };
        assert_eq!((opening.path.as_str(), opening.opening.value.as_text()), ("approver", Some(name)));
        let Record::Approval(record) = Record::parse("approval", &sealed.draft.payload).unwrap() else { panic!() };
        let govlog_formats::record::Recorded::Sealed(commitment) = record.approver() else { panic!() };
        Sealed::open(&commitment, &opening.opening).unwrap();
    }
}

#[test]
fn sealing_needs_a_field_and_a_place() {
    let facts =
        OwnershipFacts { prefix: "spiffe://prod.example/a/".into(), owner: "team-a".into(), ..Default::default() };
    let with = |fields: &[&str], can_keep| built(fields, can_keep, |seals| ownership(&facts, NOW, seals));
    assert!(matches!(with(&["owner"], false), Err(BuildError::NoPlace { field }) if field == "owner"));
    assert!(
        matches!(with(&["sponsor"], true), Err(BuildError::NothingToSeal { known, .. }) if known.contains("owner"))
    );
    let named = OwnershipFacts { roles: vec![("alice@prod.example".into(), None)], ..facts.clone() };
    let error = built(&[], true, |seals| ownership(&named, NOW, seals)).unwrap_err();
    assert!(matches!(error, BuildError::Personal { field } if field == "roles"), "a key cannot be sealed");
    let (_, view) = with(&["owner"], true).unwrap();
    assert!(view["owner"]["$sealed"].is_string());
    let prompted = AgentFacts {
        id: "a-1".into(),
        sponsor: "team-a".into(),
        system_prompt: Some(b"be kind".to_vec()),
        ..Default::default()
    };
    let error = built(&[], false, |seals| agent(&prompted, NOW, seals)).unwrap_err();
    assert!(matches!(error, BuildError::NoPlace { field } if field == "system_prompt_digest"));
}

#[test]
fn an_owner_and_an_agent_are_recorded_as_said() {
    let facts = OwnershipFacts {
        prefix: "spiffe://prod.example/ledger/".into(),
        owner: "team-ledger".into(),
        roles: vec![("policy".into(), None), ("evidence".into(), Some("team-audit".into()))],
        environment: Some("production".into()),
        review_ms: Some(NOW_MS + 7_776_000_000),
        ..Default::default()
    };
    let (owned, view) = built(&[], false, |seals| ownership(&facts, NOW, seals)).unwrap();
    assert_eq!(
        view,
        json!({
            "v": 1, "event_ms": NOW_MS, "assurance": "source-signed", "prefix": "spiffe://prod.example/ledger/",
            "owner": "team-ledger", "roles": { "policy": "team-ledger", "evidence": "team-audit" },
            "environment": "production", "review_ms": NOW_MS + 7_776_000_000,
        })
    );
    assert_eq!(owned.draft.sub, "spiffe://prod.example/ledger/");

    let tools = br#"{"tools":[{"name":"read_account","server":"https://tools.example"},{"name":"close"}]}"#;
    let facts = AgentFacts {
        id: "ledger-assistant".into(),
        sponsor: "team-ledger".into(),
        model_provider: Some("models.example".into()),
        model: Some("large".into()),
        tools: Some(tools.to_vec()),
        runs_as: vec!["spiffe://prod.example/agent/ledger".into()],
        ..Default::default()
    };
    let (agent, view) = built(&[], false, |seals| agent(&facts, NOW, seals)).unwrap();
    assert_eq!(
        view,
        json!({
            "v": 1, "event_ms": NOW_MS, "assurance": "source-signed", "agent_id": "ledger-assistant", "sponsor": "team-ledger",
            "model": { "provider": "models.example", "id": "large" }, "tools_digest": Digest::sha256(tools).to_string(),
            "tools": [{ "server": "https://tools.example", "name": "read_account" }, { "name": "close" }],
            "runs_as": ["spiffe://prod.example/agent/ledger"],
        })
    );
    assert_eq!(agent.draft.sub, "agent:ledger-assistant");
}

fn revoking() -> RevocationFacts {
    RevocationFacts {
        target_type: None,
        reason: "key-compromise".to_owned(),
        effective_ms: NOW_MS,
        deadline_ms: Some(NOW_MS + 3_600_000),
        revoked_by: None,
        cause: None,
        sub: None,
    }
}

#[test]
fn a_certificate_is_revoked_by_every_handle_it_has() {
    let found = CertificateHandles::from_der(&certificate_from_pem(PAY_1).unwrap()).unwrap();
    let tbs = found.tbs_s256.to_string();
    let target = Found { name: "pay.pem".to_owned(), what: What::Certificate(Box::new(found)) };
    let (revoked, view) = built(&[], false, |seals| revocation(&target, &revoking(), NOW, seals)).unwrap();
    assert_eq!(
        (&view["target_type"], &view["target"]),
        (&json!("credential"), &json!({ "handle": ["tbs_s256", tbs] }))
    );
    assert_eq!(view["links"], json!([{ "rel": "revokes", "target": { "handle": ["tbs_s256", tbs] } }]));
    assert_eq!(view["handles"].as_object().unwrap().len(), 5);
    assert_eq!(
        (&view["subject"], &view["propagate_by_ms"]),
        (&json!("spiffe://prod.example/pay"), &json!(NOW_MS + 3_600_000))
    );
    assert_eq!(revoked.draft.sub, "spiffe://prod.example/pay");
}

#[test]
fn an_entry_is_revoked_as_what_it_records_and_a_name_as_what_is_said() {
    let issuance = json!({
        "v": 1, "event_ms": NOW_MS, "stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/pay",
        "handles": { "cert_s256": "11".repeat(32), "tbs_s256": "12".repeat(32) },
    });
    let target = entry("issuance", &issuance);
    let cause = entry("decision", &decision());
    let facts = RevocationFacts { cause: Some(cause.clone()), ..revoking() };
    let (_, view) = built(&[], false, |seals| revocation(&target, &facts, NOW, seals)).unwrap();
    assert_eq!(view["target"], json!({ "handle": ["tbs_s256", "12".repeat(32)] }));
    assert_eq!(view["cause"], json!({ "entry": leaf(&cause) }));
    assert_eq!(
        view["links"],
        json!([
            { "rel": "revokes", "target": { "handle": ["tbs_s256", "12".repeat(32)] } },
            { "rel": "revokes", "target": { "entry": leaf(&target) } },
            { "rel": "caused_by", "target": { "entry": leaf(&cause) } },
        ])
    );
    let name = |name: &str| Found { name: name.to_owned(), what: What::Name(name.to_owned()) };
    let domain =
        built(&[], false, |seals| revocation(&name("spiffe://prod.example"), &revoking(), NOW, seals)).unwrap().1;
    assert_eq!(
        (&domain["target_type"], &domain["target"]),
        (&json!("trust-domain"), &json!({ "id": "spiffe://prod.example" }))
    );
    let unclear = built(&[], false, |seals| revocation(&name("spiffe://prod.example/pay"), &revoking(), NOW, seals));
    assert!(unclear.unwrap_err().to_string().contains("--as"));
    let early = RevocationFacts { deadline_ms: Some(NOW_MS - 1), ..revoking() };
    assert!(built(&[], false, |seals| revocation(&target, &early, NOW, seals)).is_err());
}

fn delegating() -> DelegationFacts {
    DelegationFacts {
        from: PartyName::read("user:person-7f3a"),
        to: PartyName::read("agent:spiffe://prod.example/agent/ledger"),
        scope: vec!["ledger:read".into()],
        resources: vec![("account".into(), "acct-5".into())],
        purpose: None,
        not_before_ms: NOW_MS,
        expires_ms: NOW_MS + 1_800_000,
        max_hops: 0,
        parent: None,
        approval: None,
        force: false,
        sub: None,
    }
}

fn parent(change: impl FnOnce(&mut Value)) -> Found {
    let mut view = json!({
        "v": 1, "event_ms": NOW_MS, "delegator": { "id": "person-7f3a", "type": "user" },
        "delegate": { "id": "spiffe://prod.example/portal", "type": "workload" }, "scope": ["ledger:read", "ledger:write"],
        "resources": [{ "type": "account", "id": "acct-5" }], "expires_ms": NOW_MS + 3_600_000, "max_hops": 1, "redelegation": true,
    });
    change(&mut view);
    entry("delegation", &view)
}

#[test]
fn a_delegation_derives_from_its_parent_and_names_the_chain() {
    let parent = parent(|_| {});
    let facts = DelegationFacts { parent: Some(parent.clone()), ..delegating() };
    let (made, view) = built(&[], false, |seals| delegation(&facts, NOW, seals)).unwrap();
    assert_eq!(
        view,
        json!({
            "v": 1, "event_ms": NOW_MS, "assurance": "source-signed", "delegator": { "id": "person-7f3a", "type": "user" },
            "delegate": { "id": "spiffe://prod.example/agent/ledger", "type": "agent" },
            "actors": [{ "id": "spiffe://prod.example/portal", "type": "workload" }, { "id": "spiffe://prod.example/agent/ledger", "type": "agent" }],
            "parent": { "entry": leaf(&parent) }, "scope": ["ledger:read"], "resources": [{ "type": "account", "id": "acct-5" }],
            "not_before_ms": NOW_MS, "expires_ms": NOW_MS + 1_800_000, "max_hops": 0, "redelegation": false,
            "links": [{ "rel": "derived_from", "target": { "entry": leaf(&parent) } }],
        })
    );
    assert_eq!(made.draft.sub, "spiffe://prod.example/agent/ledger");
}

#[test]
fn nobody_delegates_more_than_was_delegated_unless_by_force() {
    let beyond: [(&str, Found, DelegationFacts); 8] = [
        ("expired", parent(|view| view["expires_ms"] = (NOW_MS - 1_000).into()), delegating()),
        ("outlive", parent(|view| view["expires_ms"] = (NOW_MS + 60_000).into()), delegating()),
        ("does not grant", parent(|view| view["scope"] = json!(["other"])), delegating()),
        (
            "does not cover",
            parent(|view| view["resources"] = json!([{ "type": "account", "id": "acct-6" }])),
            delegating(),
        ),
        ("limited to some", parent(|_| {}), DelegationFacts { resources: Vec::new(), ..delegating() }),
        ("delegated further", parent(|view| view["redelegation"] = false.into()), delegating()),
        ("at most 0", parent(|_| {}), DelegationFacts { max_hops: 1, ..delegating() }),
        ("neither", parent(|_| {}), DelegationFacts { from: PartyName::read("person-0000"), ..delegating() }),
    ];
    for (why, parent, facts) in beyond {
        let facts = DelegationFacts { parent: Some(parent), ..facts };
        let error = built(&[], false, |seals| delegation(&facts, NOW, seals)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("--force"), "{why}: {error}");
        let forced = DelegationFacts { force: true, ..facts };
        let (made, _) = built(&[], false, |seals| delegation(&forced, NOW, seals)).unwrap();
        assert!(made.warnings.iter().any(|warning| warning.contains(why)), "{why}: {:?}", made.warnings);
    }
    let rejected = json!({
        "v": 1, "event_ms": NOW_MS, "type": "change", "approved": { "op_digest": "22".repeat(32) }, "decision": "reject", "approver": "p-1",
    });
    let facts = DelegationFacts { approval: Some(entry("approval", &rejected)), ..delegating() };
    assert!(
        built(&[], false, |seals| delegation(&facts, NOW, seals)).unwrap_err().to_string().contains("does not approve")
    );
}

#[test]
fn the_preview_shows_the_bytes_that_will_be_signed() {
    let target = entry("decision", &decision());
    let facts = ApprovalFacts { approver: Some("a@b".to_owned()), ..approving(ApprovalType::Exception) };
    let (built, record) = built(&[], true, |seals| approval(&Target::Found(target), &facts, NOW, seals)).unwrap();
    let claims = Claims {
        iss: "https://approvals.example/desk".to_owned(),
        sub: built.draft.sub.clone(),
        aud: Some("log.example/test".to_owned()),
        iat: 1_795_320_000,
        stream: None,
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(content_type_of("approval")), claims };
    let statement = UnsignedStatement::new(&header, &built.draft.payload, &key()).unwrap();
    let kid = key().public().thumbprint();
    let preview =
        Preview { built: &built, statement: &statement, kid, now_s: NOW, pending: 1, openings: Some("openings") };
    let (text, document) = (preview.text(), preview.json());
    for said in [
        "kind         approval",
        "says         approve: exception of sig_structure",
        "log          log.example/test",
        "expires_ms   2026-11-22T12:00:00Z (in 8 h 0 min)",
        "link         about 1.57: decision (deny: read account acct-5)",
        "NOT VERIFIED",
        "sealed       approver",
        "before it    1 signed by an earlier run",
        &statement.sig_structure_digest().to_string(),
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(document["record"], record);
    assert_eq!(view::from_json("approval", &document["record"]).unwrap(), statement.payload());
    assert_eq!((&document["sealed"], &document["links"][0]["verified"]), (&json!(["approver"]), &json!(false)));
    assert!(!format!("{text}{document}").contains("a@b"));
}

#[test]
fn no_record_writes_to_the_terminal_of_who_is_asked() {
    let facts = ApprovalFacts { thread: Some("a\u{9b}2J\u{202e}b".to_owned()), ..approving(ApprovalType::Exception) };
    let target = Target::Found(entry("decision", &decision()));
    let (built, _) = built(&[], false, |seals| approval(&target, &facts, NOW, seals)).unwrap();
    let claims = sign(&key(), "approval", &built.draft.payload, None).claims().clone();
    let header = StatementHeader { content: Content::Plain(content_type_of("approval")), claims };
    let statement = UnsignedStatement::new(&header, &built.draft.payload, &key()).unwrap();
    let kid = key().public().thumbprint();
    let text = Preview { built: &built, statement: &statement, kid, now_s: NOW, pending: 0, openings: None }.text();
    let record = text.split_once("The record:").unwrap().1;
    assert!(record.contains(r#""thread": "a\u{9b}2J\u{202e}b""#), "{record}");
    assert!(!text.contains(['\u{9b}', '\u{202e}']), "{text:?}");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        Just("alice@prod.example".to_owned()),
        Just("spiffe://prod.example/x".to_owned())
    ]
}

fn some<T: Clone + std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

proptest! {
    /// Whatever is said, what is built parses as its kind, and no e-mail address is in it in the clear.
    #[test]
    fn whatever_is_said_the_record_is_one_of_its_kind(
        words in proptest::collection::vec(text(), 8), maybe in proptest::collection::vec(some(text()), 6),
        times in proptest::collection::vec(some(any::<u64>()), 2), can_keep: bool, kind in 0..4_usize, bytes: [u8; 32],
        lists in proptest::collection::vec(text(), 0..4),
    ) {
        let word = |at: usize| words[at].clone();
        let handle = Handle::of_digest(["cert_s256", "jkt", "op_digest", "tok_s256"][kind], &Digest::from_bytes(bytes));
        let found = Found { name: word(0), what: What::Handle(handle) };
        let made = built(&[], can_keep, |seals| match kind {
            0 => ownership(&OwnershipFacts {
                prefix: format!("spiffe://{}", word(0)), owner: word(1), roles: vec![(word(2), maybe[0].clone())],
                environment: maybe[1].clone(), purpose: maybe[2].clone(), review_ms: times[0], offboard_ms: times[1], sub: maybe[3].clone(),
            }, NOW, seals),
            1 => agent(&AgentFacts {
                id: word(0), sponsor: word(1), model_provider: maybe[0].clone(), model: maybe[1].clone(),
                model_digest: Some(Digest::from_bytes(bytes)), tools: maybe[2].clone().map(String::into_bytes),
                system_prompt: maybe[3].clone().map(String::into_bytes), runs_as: lists.iter().map(|id| format!("spiffe://{id}")).collect(),
                autonomy: maybe[4].clone(), version: maybe[5].clone(), purpose: Some(word(2)), sub: None,
            }, NOW, seals),
            2 => approval(&Target::Found(found), &ApprovalFacts {
                approver: maybe[0].clone(), method: word(1), reason_code: maybe[1].clone(), reason: maybe[2].clone(),
                expires_ms: times[0], thread: maybe[3].clone(), shown: maybe[4].clone().map(String::into_bytes), sub: Some(word(2)),
                ..approving(ApprovalType::BreakGlass)
            }, NOW, seals),
            _ => delegation(&DelegationFacts {
                from: PartyName::read(&word(0)), to: PartyName::read(&word(1)), scope: lists.clone(),
                resources: vec![(word(2), word(3))], purpose: maybe[0].clone(), not_before_ms: times[0].unwrap_or(NOW_MS), ..delegating()
            }, NOW, seals),
        });
        if let Ok((made, view)) = made {
            prop_assert!(Record::parse(&made.draft.kind, &made.draft.payload).is_ok());
            prop_assert!(!view.to_string().contains("alice@"), "{view}");
            prop_assert!(made.draft.sub.contains([':', '/']));
            prop_assert!(can_keep || made.openings.is_empty());
        }
    }
}

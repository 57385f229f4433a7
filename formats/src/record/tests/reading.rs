//! Typed reading, and the subject of a statement.

use super::*;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::record::decision::{DecisionResult, Enforcement, OpBound};
use crate::record::effect::Outcome;
use crate::record::issuance::{Possession, Stage};
use crate::record::stream::StreamOp;

fn digest() -> Digest {
    Digest::from_hex_lenient(HEX).unwrap()
}

#[test]
fn a_decision() {
    let view = with(
        least("decision"),
        json!({
            "subject": {"id": "pay", "type": "workload", "credential": {"handle": ["cert_s256", HEX]}},
            "enforcement": "fail-open", "op_digest": HEX, "op_bound": "no-body",
            "policies": [{"name": "authz", "revision": "r1", "bundle_digest": ["sha256", HEX]}, sealed_value()],
            "delegation": {"log_ref": {"origin": "log.example", "index": 5, "leaf": HEX}},
        }),
    );
    let Record::Decision(decision) = parsed("decision", &view) else { panic!() };
    assert_eq!(decision.decision_id(), Recorded::Present("d-1"));
    assert_eq!(decision.subject_id(), Recorded::Present("pay"));
    assert_eq!(decision.subject_type(), Recorded::Present("workload"));
    assert_eq!(decision.action_name(), Recorded::Present("read"));
    assert_eq!(decision.resource_type(), Recorded::Present("account"));
    assert_eq!(decision.resource_id(), Recorded::Present("acct-5"));
    assert_eq!(decision.result(), Recorded::Present(DecisionResult::Permit));
    assert_eq!(decision.enforcement(), Recorded::Present(Enforcement::FailOpen));
    assert_eq!(decision.op_digest(), Recorded::Present(digest()));
    assert_eq!(decision.op_bound(), Recorded::Present(OpBound::NoBody));
    assert_eq!(decision.credential(), Recorded::Present(Handle::of_digest("cert_s256", &digest())));
    assert_eq!(decision.credential().present().unwrap().digest(), Some(digest()));
    let bundle = SchemeDigest { scheme: "sha256".to_owned(), bytes: digest().as_bytes().to_vec() };
    assert_eq!(decision.policies().len(), 1);
    assert_eq!(decision.policies()[0].bundle_digest, Some(bundle));
    assert_eq!(decision.policies()[0].policy_digest, None);
    assert_eq!(decision.policies()[0].revision.as_deref(), Some("r1"));
    let target = LinkTarget::LogRef { origin: "log.example".to_owned(), index: LeafIndex::new(5), leaf: digest() };
    assert_eq!(decision.delegation(), Recorded::Present(target));
    assert_eq!(decision.body().event_ms(), Recorded::Present(1_795_320_442_504));
}

#[test]
fn what_a_decision_is_replayed_from() {
    let view = with(
        least("decision"),
        json!({
            "input": {"$bytes": "AQ"}, "nd_cache": {"$bytes": "Ag"}, "output": {"$bytes": "Aw"}, "error": {"$bytes": "BA"},
            "native": {"$bytes": "BQ"}, "erased": ["/input/token", "/result/secret"], "masked": [],
        }),
    );
    let Record::Decision(decision) = parsed("decision", &view) else { panic!() };
    let bytes = [decision.input(), decision.nd_cache(), decision.output(), decision.error(), decision.native()];
    assert_eq!(bytes, [&[1], &[2], &[3], &[4], &[5]].map(|bytes: &[u8; 1]| Recorded::Present(&bytes[..])));
    assert_eq!(decision.erased(), Recorded::Present(vec!["/input/token", "/result/secret"]));
    assert_eq!(decision.masked(), Recorded::Present(Vec::new()));
    // One sealed pointer: the others are not all there was.
    let view = with(least("decision"), json!({"input": sealed_value(), "erased": ["/input/token", sealed_value()]}));
    let Record::Decision(decision) = parsed("decision", &view) else { panic!() };
    assert!(matches!(decision.input(), Recorded::Sealed(_)));
    assert!(matches!(decision.erased(), Recorded::Sealed(_)));
    assert_eq!(decision.masked(), Recorded::Absent);
    let view = with(least("decision"), json!({"masked": sealed_value()}));
    let Record::Decision(decision) = parsed("decision", &view) else { panic!() };
    assert!(matches!(decision.masked(), Recorded::Sealed(_)));
}

#[test]
fn an_effect() {
    let Record::Effect(effect) = parsed("effect", &with(least("effect"), json!({"start_ms": 5}))) else { panic!() };
    assert_eq!(effect.decision_id(), Recorded::Present("d-1"));
    assert_eq!(effect.decision_iss("own"), Recorded::Present("own"));
    assert_eq!(effect.outcome(), Recorded::Present(Outcome::Performed));
    assert_eq!(effect.performer(), Recorded::Present("spiffe://prod.example/ledger"));
    assert_eq!(effect.time_ms(), (Recorded::Present(5), Recorded::Absent));
    let Record::Effect(effect) = parsed("effect", &with(least("effect"), json!({"decision_iss": "pdp"}))) else {
        panic!()
    };
    assert_eq!(effect.decision_iss("own"), Recorded::Present("pdp"));
    let Record::Effect(effect) = parsed("effect", &with(least("effect"), json!({"decision_iss": sealed_value()})))
    else {
        panic!()
    };
    assert!(matches!(effect.decision_iss("own"), Recorded::Sealed(_)));
}

#[test]
fn an_issuance() {
    let view = with(
        least("issuance"),
        json!({
            "not_before_ms": 1, "not_after_ms": 2, "possession": "bearer", "entry_digest": HEX,
            "governance": {"policy_digest": ["cedar", HEX]},
            "handles": {"cert_s256": HEX, "jkt": sealed_value(), "jti_iss": ["j", "i"]},
        }),
    );
    let Record::Issuance(issuance) = parsed("issuance", &view) else { panic!() };
    assert_eq!(issuance.stage(), Recorded::Present(Stage::Issued));
    assert_eq!(issuance.credential_type(), Recorded::Present("x509"));
    assert_eq!(issuance.subject(), Recorded::Present("spiffe://prod.example/pay"));
    assert_eq!(issuance.validity_ms(), (Recorded::Present(1), Recorded::Present(2)));
    assert_eq!(issuance.possession(), Recorded::Present(Possession::Bearer));
    assert_eq!(issuance.entry_digest(), Recorded::Present(digest()));
    assert_eq!(issuance.policy_digest().present().unwrap().scheme, "cedar");
    let names: Vec<String> = issuance.body().handles().into_iter().map(|handle| handle.name).collect();
    assert_eq!(names, ["jti_iss", "cert_s256"]);
}

#[test]
fn a_stream() {
    let view = with(
        least("stream"),
        json!({
            "op": "close", "predecessor": "opa/old", "head": HEX,
            "counters": {"received": 3, "waiting": sealed_value(), "dropped": {"full": 2}},
        }),
    );
    let Record::Stream(stream) = parsed("stream", &view) else { panic!() };
    assert_eq!(stream.op(), Recorded::Present(StreamOp::Close));
    assert_eq!(stream.instance(), Recorded::Present("opa-1"));
    assert_eq!(stream.predecessor(), Recorded::Present("opa/old"));
    assert_eq!(stream.next_seq(), Recorded::Present(1));
    assert_eq!(stream.counter("received"), Recorded::Present(3));
    assert!(matches!(stream.counter("waiting"), Recorded::Sealed(_)));
    assert_eq!(stream.counter("emitted"), Recorded::Absent);
    assert_eq!(stream.counter("dropped"), Recorded::Absent);
    assert_eq!(stream.dropped("full"), Recorded::Present(2));
    assert_eq!(stream.dropped("too-large"), Recorded::Absent);
    assert_eq!(stream.head(), Recorded::Present(digest()));
    let Record::Stream(stream) = parsed("stream", &with(least("stream"), json!({"counters": sealed_value()}))) else {
        panic!()
    };
    assert!(matches!(stream.counter("received"), Recorded::Sealed(_)));
    assert!(matches!(stream.dropped("full"), Recorded::Sealed(_)));
    assert_eq!(stream.head(), Recorded::Absent);
}

#[test]
fn a_quarantine() {
    let view = with(least("quarantine"), json!({"size": 3, "input": {"$bytes": "AQID"}, "refused": 403}));
    let Record::Quarantine(quarantine) = parsed("quarantine", &view) else { panic!() };
    assert_eq!(quarantine.reason(), Recorded::Present("not-json"));
    assert_eq!(quarantine.digest(), Recorded::Present(digest()));
    assert_eq!(quarantine.size(), Recorded::Present(3));
    assert_eq!(quarantine.input(), Recorded::Present(&[1, 2, 3][..]));
    assert_eq!(quarantine.refused(), Recorded::Present(403));
    let view = with(least("quarantine"), json!({"digest": sealed_value(), "input": sealed_value()}));
    let Record::Quarantine(quarantine) = parsed("quarantine", &view) else { panic!() };
    assert!(matches!(quarantine.digest(), Recorded::Sealed(_)));
    assert!(matches!(quarantine.input(), Recorded::Sealed(_)));
    assert_eq!((quarantine.size(), quarantine.refused()), (Recorded::Absent, Recorded::Absent));
}

#[test]
fn present_sealed_and_absent_are_told_apart() {
    let view = with(
        least("decision"),
        json!({"subject": sealed_value(), "resource": {"type": "account", "id": sealed_value()}}),
    );
    let Record::Decision(decision) = parsed("decision", &view) else { panic!() };
    assert!(matches!(decision.subject_id(), Recorded::Sealed(sealed) if *sealed.digest.as_bytes() == [7; 32]));
    assert!(matches!(decision.resource_id(), Recorded::Sealed(_)));
    assert_eq!(decision.resource_type(), Recorded::Present("account"));
    assert_eq!(decision.op_digest(), Recorded::Absent);
}

#[test]
fn links_are_read_and_written() {
    let targets = [
        LinkTarget::Entry(digest()),
        LinkTarget::Handle(Handle::of_digest("tbs_s256", &digest())),
        LinkTarget::LogRef { origin: "log.example".to_owned(), index: LeafIndex::new(5), leaf: digest() },
    ];
    let links: Vec<Link> = targets.into_iter().map(|target| Link { rel: "about".to_owned(), target }).collect();
    let record = Value::Map(vec![
        ("v".into(), 1.into()),
        ("event_ms".into(), 0.into()),
        ("links".into(), Value::Array(links.iter().map(Link::to_value).collect())),
    ]);
    let record = Record::parse("of-tomorrow", &cbor::to_deterministic(&record)).unwrap();
    assert_eq!(record.body().unwrap().links(), links);
}

#[test]
fn the_default_subject() {
    let subject = |kind: &str, more: Json| default_subject(&parsed(kind, &with(least(kind), more)));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(subject("decision", json!({})), some("spiffe://prod.example/pay"));
    assert_eq!(subject("decision", json!({"subject": {"id": "alice", "type": "user"}})), some("user:alice"));
    assert_eq!(subject("decision", json!({"subject": {"id": "a/b", "type": "user"}})), some("a/b"));
    assert_eq!(subject("decision", json!({"subject": {"id": "a:b"}})), some("a:b"));
    assert_eq!(subject("decision", json!({"subject": {"id": "alice"}})), None);
    assert_eq!(subject("decision", json!({"subject": {"id": "alice", "type": ""}})), None);
    assert_eq!(subject("decision", json!({"subject": {"id": sealed_value(), "type": "user"}})), None);
    assert_eq!(subject("effect", json!({})), some("spiffe://prod.example/ledger"));
    assert_eq!(subject("effect", json!({"performer": "teller"})), some("workload:teller"));
    assert_eq!(subject("issuance", json!({})), some("spiffe://prod.example/pay"));
    assert_eq!(subject("issuance", json!({"subject": "teller"})), some("workload:teller"));
    assert_eq!(subject("issuance", json!({"subject": sealed_value()})), None);
    assert_eq!(subject("stream", json!({})), None);
    assert_eq!(subject("quarantine", json!({})), None);
    assert_eq!(subject("of-tomorrow", json!({})), None);
}

#[test]
fn the_example_of_a_kind_has_the_default_subject_that_the_page_promises() {
    for kind in KINDS {
        let view = view::parse_text(example(kind).unwrap()).unwrap();
        let promised = subject::source_of(kind).starts_with('`');
        assert!(!subject::source_of(kind).is_empty(), "{kind}");
        assert_eq!(default_subject(&parsed(kind, &view)).is_some(), promised, "{kind}");
    }
}

#[test]
fn the_default_subject_of_kinds_that_name_another_thing() {
    let subject = |kind: &str, more: Json| default_subject(&parsed(kind, &with(least(kind), more)));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(subject("policy", json!({})), some("policy:authz"));
    assert_eq!(subject("policy", json!({"uri": "https://p.example/authz"})), some("https://p.example/authz"));
    assert_eq!(subject("activation", json!({})), None);
    assert_eq!(subject("ownership", json!({})), some("spiffe://prod.example/ledger/"));
    assert_eq!(subject("agent", json!({})), some("agent:assistant"));
    assert_eq!(subject("federation", json!({})), some("spiffe://partner.example"));
    assert_eq!(subject("federation", json!({"domain": "spiffe://partner.example"})), some("spiffe://partner.example"));
    assert_eq!(subject("delegation", json!({"delegate": {"id": "bot", "type": "agent"}})), some("agent:bot"));
    assert_eq!(subject("delegation", json!({"delegate": {"id": "bot"}})), None);
    assert_eq!(subject("decision-batch", json!({})), None);
    assert_eq!(subject("decision-batch", json!({"pdp": "opa-1"})), some("pdp:opa-1"));
    assert_eq!(subject("decision-batch", json!({"pdp": "opa-1", "pep": "spiffe://p/pep"})), some("spiffe://p/pep"));
    assert_eq!(subject("revocation", json!({})), None);
    assert_eq!(subject("revocation", json!({"target_type": "entry", "target": {"id": "pay"}})), some("entry:pay"));
    assert_eq!(subject("revocation", json!({"subject": "pay", "target": {"id": "x:y"}})), some("workload:pay"));
    assert_eq!(subject("observation", json!({"domain": "partner.example"})), some("spiffe://partner.example"));
    assert_eq!(subject("redaction", json!({"store": "payments"})), some("opening-store:payments"));
    assert_eq!(subject("anchor", json!({})), some("log:log.example"));
    assert_eq!(subject("approval", json!({})), None);
    assert_eq!(subject("custody", json!({})), None);
    assert_eq!(subject("gap", json!({})), None);
}

#[test]
fn what_is_one_of_several_is_read_and_written() {
    use crate::record::approval::Approved;
    use crate::record::revocation::RevocationTarget;
    for approved in [Approved::SigStructure(digest()), Approved::OpDigest(digest()), Approved::Payload(digest())] {
        assert_eq!(Approved::from_value(&approved.to_value()), Some(approved));
    }
    let Record::Approval(approval) = parsed("approval", &least("approval")) else { panic!() };
    assert_eq!(approval.approved(), Recorded::Present(Approved::OpDigest(digest())));
    let sealed = with(least("approval"), json!({"approved": {"op_digest": sealed_value()}}));
    let Record::Approval(approval) = parsed("approval", &sealed) else { panic!() };
    assert_eq!(approval.approved(), Recorded::Absent);
    let handle = LinkTarget::Handle(Handle::of_digest("tbs_s256", &digest()));
    for target in [RevocationTarget::Link(handle), RevocationTarget::Id("pay".to_owned())] {
        assert_eq!(RevocationTarget::from_value(&target.to_value()), Some(target));
    }
}

#[test]
fn a_redaction_names_each_target() {
    use crate::record::redaction::{RedactionExtent, RedactionRule};
    let view = view::parse_text(example("redaction").unwrap()).unwrap();
    let Record::Redaction(redaction) = parsed("redaction", &view) else { panic!() };
    assert_eq!(redaction.rule(), Recorded::Present(RedactionRule::Retention));
    let [all, fields, members] = redaction.targets().try_into().unwrap();
    assert_eq!((all.extent, all.fields.len(), all.members.len()), (RedactionExtent::All, 0, 0));
    assert_eq!(
        (fields.extent, &*fields.fields),
        (RedactionExtent::Fields, &["/context".to_owned(), "/agent/prompt".to_owned()][..])
    );
    assert_eq!(fields.digests.len(), 2);
    assert_eq!((members.extent, &*members.members), (RedactionExtent::Members, &[0, 2][..]));
    let Record::Redaction(redaction) = parsed("redaction", &least("redaction")) else { panic!() };
    assert_eq!(redaction.destroyed_ms(), redaction.body().event_ms());
}

#[test]
fn records_are_found_by_fields_at_any_depth() {
    let fields = indexed_fields("decision");
    for path in ["decision_id", "subject.credential.handle", "policies[].policy_digest", "op_digest", "handles"] {
        assert!(fields.iter().any(|field| field == path), "{path}: {fields:?}");
    }
    assert!(indexed_fields("admission-policy").is_empty());
    assert_eq!(indexed_fields("of-tomorrow"), ["handles"]);
}

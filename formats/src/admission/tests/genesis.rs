//! Entry 0.

use crate::admission::{
    ChangeFields, Expected, GenesisError, GenesisRequest, PolicyState, Refusal, RequestError, operator_statement,
};
use crate::digest::Digest;
use crate::merkle::LeafIndex;

use super::world::*;

fn first(draft: impl FnOnce(&mut Draft)) -> Result<PolicyState, GenesisError> {
    let change = GenesisRequest::new(log_row()).unwrap().change(vec![operator_key().public()], 1).unwrap();
    let mut drafted = Draft::change(&begun(), &change).stream("admission", 0);
    draft(&mut drafted);
    PolicyState::genesis(&drafted.sign())
}

fn with_fields(spoil: impl FnOnce(&mut ChangeFields)) -> Result<PolicyState, GenesisError> {
    let mut fields =
        GenesisRequest::new(log_row()).unwrap().change(vec![operator_key().public()], 1).unwrap().fields().clone();
    spoil(&mut fields);
    let payload = change(fields).encode();
    first(|draft| draft.payload = payload)
}

#[test]
fn entry_0_begins_a_policy() {
    let policy = first(|_| ()).unwrap();
    assert_eq!(policy.as_of(), LeafIndex::new(0));
    assert_eq!((policy.origin(), policy.operator_iss()), (ORIGIN, OPERATOR));
    assert_eq!(policy.issuers().count(), 0);
    assert_eq!(policy.operators().map(|(kid, _)| *kid).collect::<Vec<_>>(), [operator_key().public().thumbprint()]);
    assert_eq!(policy.next_change().seq, 1);
}

#[test]
fn entry_0_may_set_issuers_already() {
    let policy = with_fields(|fields| fields.set = vec![row(PEP, &pep_key())]).unwrap();
    policy.judge(&Draft::new().sign(), Some(NOW)).unwrap();
}

#[test]
fn entry_0_is_an_admission_policy_and_carries_it() {
    assert!(matches!(first(|draft| *draft = Draft::new()), Err(GenesisError::NotAPolicy { .. })));
    let enveloped = first(|draft| *draft = draft.clone().enveloped(crate::admission::ADMISSION_POLICY));
    assert!(matches!(enveloped, Err(GenesisError::NotAPolicy { .. })));
}

#[test]
fn entry_0_names_the_log_and_an_operator() {
    assert_eq!(with_fields(|fields| fields.log = None), Err(GenesisError::Missing { field: "log" }));
    let none = with_fields(|fields| fields.operators.clear());
    assert_eq!(none, Err(GenesisError::Missing { field: "operators" }));
}

#[test]
fn entry_0_has_seq_0_and_prev_zero() {
    let seq = first(|draft| draft.claims.stream.as_mut().unwrap().seq = 1).unwrap_err();
    assert_eq!(seq.to_string(), "entry 0: seq is \"1\"; it must be \"0\"");
    let prev = first(|draft| draft.claims.stream.as_mut().unwrap().prev = Digest::sha256(b"")).unwrap_err();
    assert!(prev.to_string().starts_with("entry 0: prev is"), "{prev}");
}

#[test]
fn entry_0_claims_to_be_the_operators_about_this_log() {
    for (claim, spoil) in [
        ("iss", (|draft| draft.claims.iss = PEP.to_owned()) as fn(&mut Draft)),
        ("iss", |draft| draft.claims.iss = "https://log.example/2/operator".to_owned()),
        ("sub", |draft| draft.claims.sub = "log.example/2".to_owned()),
        ("aud", |draft| draft.claims.aud = Some("log.example/2".to_owned())),
        ("stream", |draft| draft.claims.stream.as_mut().unwrap().stream = "admissions".to_owned()),
        ("stream", |draft| draft.claims.stream = None),
    ] {
        let error = first(spoil).unwrap_err();
        assert!(matches!(&error, GenesisError::Claim { claim: found, .. } if *found == claim), "{error}");
    }
}

#[test]
fn entry_0_is_signed_by_an_operator_key_that_it_names_itself() {
    let stranger = first(|draft| draft.key = ed25519(3)).unwrap_err();
    assert!(matches!(stranger, GenesisError::NotAnOperator { .. }), "{stranger}");
    let broken = first(|draft| draft.break_signature = true).unwrap_err();
    assert!(matches!(broken, GenesisError::Refused(Refusal::BadSignature { .. })), "{broken}");
    let second_of_two = with_fields(|fields| fields.operators = vec![ed25519(3).public(), operator_key().public()]);
    assert_eq!(second_of_two.unwrap().operators().count(), 2);
}

#[test]
fn entry_0_keeps_the_rules_of_every_change() {
    let own = with_fields(|fields| fields.set = vec![row(OPERATOR, &pep_key())]).unwrap_err();
    assert!(matches!(own, GenesisError::Refused(Refusal::OperatorAsIssuer { .. })), "{own}");
    let mut plain = row(PEP, &pep_key());
    plain.subjects = vec!["alice".to_owned()];
    let plain = with_fields(|fields| fields.set = vec![plain]).unwrap_err();
    assert!(matches!(plain, GenesisError::Refused(Refusal::PlainPattern { .. })), "{plain}");
    let threshold = with_fields(|fields| fields.threshold = Some(2));
    assert_eq!(threshold, Err(GenesisError::Refused(Refusal::ThresholdOutOfReach { threshold: 2, operators: 1 })));
    let schema = first(|draft| draft.payload = record()).unwrap_err();
    assert!(matches!(schema, GenesisError::Missing { .. }), "{schema}");
}

#[test]
fn entry_0_does_not_pass_for_a_later_change() {
    let refusal = policy().apply(LeafIndex::new(9), &genesis_statement()).unwrap_err();
    assert!(matches!(refusal, Refusal::Conflict(conflict) if conflict.expected_seq == 2 && conflict.found_seq == 0));
}

#[test]
fn a_request_is_read_back_and_leads_to_entry_0() {
    let request = GenesisRequest::new(log_row()).unwrap();
    let text = request.encode();
    assert!(text.ends_with("}\n") && text.contains(ORIGIN), "{text}");
    let read = GenesisRequest::parse(&text).unwrap();
    assert_eq!(read, request);
    assert_eq!(read.encode(), text);
    let policy = PolicyState::genesis(&read.sign(&operator_key(), 1_700_000_000_123).unwrap()).unwrap();
    assert_eq!(policy.log(), &log_row());
}

#[test]
fn a_request_is_signed_the_same_way_twice() {
    assert_eq!(genesis_statement().entry(), genesis_statement().entry());
    assert_eq!(genesis_statement().claims().iat, 1_700_000_000);
}

#[test]
fn what_is_no_request_is_refused_with_the_member_that_is_wrong() {
    let good = GenesisRequest::new(log_row()).unwrap().encode();
    assert!(matches!(GenesisRequest::parse("{"), Err(RequestError::Json(_))));
    assert!(matches!(GenesisRequest::parse("[]"), Err(RequestError::Members)));
    assert!(matches!(GenesisRequest::parse("{\"govlog\":\"genesis-request v1\"}"), Err(RequestError::Members)));
    let version = GenesisRequest::parse(&good.replace("request v1", "request v2")).unwrap_err();
    assert!(version.to_string().contains("genesis-request v2"), "{version}");
    let origin = GenesisRequest::parse(&good.replace("\"origin\": \"log.example/1\"", "\"origin\": \"log.example/2\""));
    assert!(origin.unwrap_err().to_string().contains("log.checkpoint"));
    let key = GenesisRequest::parse(&good.replace("P-256", "P-384")).unwrap_err();
    assert!(key.to_string().contains("log.receipts[0].key"), "{key}");
}

#[test]
fn an_operators_statement_claims_its_place() {
    let place = Expected { seq: 4, prev: Digest::sha256(b"third") };
    let statement = operator_statement(ORIGIN, &set(vec![row(PEP, &pep_key())]), place, 77, &p256(1)).unwrap();
    let claims = statement.claims();
    assert_eq!((claims.iss.as_str(), claims.sub.as_str(), claims.aud.as_deref()), (OPERATOR, ORIGIN, Some(ORIGIN)));
    let position = claims.stream.as_ref().unwrap();
    assert_eq!((position.stream.as_str(), position.seq, position.prev, claims.iat), ("admission", 4, place.prev, 77));
    assert!(operator_statement(ORIGIN, &set(vec![]), place, u64::MAX, &p256(1)).is_err());
}

//! The order of judgement: of several faults, the one that is judged first is the one that is answered.

use crate::admission::{Credentials, Refusal};

use super::world::*;

/// A fault, and the refusal it leads to. The lists are in the order of judgement.
type Fault = (&'static str, fn(Draft) -> Draft);

const FAULTS: [Fault; 6] = [
    ("WrongAudience", |draft| draft.aud("log.example/2")),
    ("UnknownIssuer", |draft| draft.iss("spiffe://example.org/stranger")),
    ("BadSignature", Draft::bad_signature),
    ("Kind", |draft| draft.kind("application/vnd.govlog.issuance+cbor")),
    ("Subject", |draft| draft.sub("spiffe://example.org/db")),
    ("TooOld", |draft| draft.iat(NOW - 1_000_000)),
];

const OTHER_FAULTS: [Fault; 6] = [
    ("WrongAudience", |draft| draft.aud("log.example/2")),
    ("UnknownKey", |draft| draft.key(ed25519(77))),
    ("BadSignature", Draft::bad_signature),
    ("Kind", |draft| draft.enveloped("application/vnd.govlog.issuance+cbor")),
    ("PlainSubject", |draft| draft.sub("alice")),
    ("Ahead", |draft| draft.iat(NOW + 301)),
];

const STREAM_FAULTS: [Fault; 5] = [
    ("WrongAudience", |draft| draft.aud("log.example/2")),
    ("UnknownKey", |draft| draft.key(ed25519(77))),
    ("BadSignature", Draft::bad_signature),
    ("StreamKindSubject", |draft| draft.sub("spiffe://example.org/api")),
    ("TooOld", |draft| draft.iat(NOW - 1_000_000)),
];

/// Tries every set of faults on a draft that is right without them.
fn first_fault_is_answered(right: &Draft, faults: &[Fault]) {
    let policy = policy();
    for subset in 0..1_usize << faults.len() {
        let chosen = || faults.iter().enumerate().filter(|(at, _)| subset & (1 << at) != 0).map(|(_, fault)| fault);
        let draft = chosen().fold(right.clone(), |draft, (_, spoil)| spoil(draft));
        let answer = policy.judge(&draft.sign(), Some(NOW)).map_err(|refusal| variant(&refusal));
        let names: Vec<_> = chosen().map(|(name, _)| *name).collect();
        match names.first() {
            None => answer.map(drop).unwrap(),
            Some(first) => assert_eq!(answer.unwrap_err(), *first, "{names:?}"),
        }
    }
}

fn variant(refusal: &Refusal) -> String {
    let debug = format!("{refusal:?}");
    debug.split(['(', ' ']).next().unwrap().to_owned()
}

#[test]
fn bytes_then_issuer_then_signature_then_kind_then_subject_then_iat() {
    first_fault_is_answered(&Draft::new(), &FAULTS);
}

#[test]
fn the_same_with_the_other_faults_of_each_step() {
    first_fault_is_answered(&Draft::new(), &OTHER_FAULTS);
}

#[test]
fn the_same_for_records_about_a_stream() {
    let right = Draft::new().kind("application/vnd.govlog.gap+cbor").stream("pep-1", 0).sub("pep-1");
    first_fault_is_answered(&right, &STREAM_FAULTS);
}

#[test]
fn a_change_is_judged_in_the_same_order() {
    fn payload(mut draft: Draft, change: &crate::admission::Change) -> Draft {
        draft.payload = change.encode();
        draft
    }
    let faults: [Fault; 7] = [
        ("WrongAudience", |draft| draft.aud("log.example/2")),
        ("OperatorAsIssuer", |draft| payload(draft, &set(vec![row(OPERATOR, &ed25519(3))]))),
        ("UnknownKey", |draft| draft.key(pep_key())),
        ("BadSignature", Draft::bad_signature),
        ("OperatorStream", |mut draft| {
            draft.claims.stream = None;
            draft
        }),
        ("OperatorSubject", |draft| draft.sub("log.example/3")),
        ("TooOld", |draft| draft.iat(NOW - 1_000_000)),
    ];
    let right = Draft::change(&policy(), &set(vec![row(OTHER, &ed25519(3))]));
    first_fault_is_answered(&right, &faults);
}

#[test]
fn a_strangers_change_is_unknown_before_it_is_forbidden() {
    let faults: [Fault; 4] = [
        ("EnvelopedChange", |draft| draft.enveloped(crate::admission::ADMISSION_POLICY)),
        ("UnknownIssuer", |draft| draft.iss("spiffe://example.org/stranger")),
        ("BadSignature", Draft::bad_signature),
        ("NotTheOperator", |draft| if draft.claims.iss == OPERATOR { draft.iss(PEP).key(pep_key()) } else { draft }),
    ];
    let right = Draft::change(&policy(), &set(vec![row(OTHER, &ed25519(3))]));
    // The last fault takes the operator's name and key away, so the others go onto a draft that has lost them already.
    let forbidden = (faults[3].1)(right);
    let policy = policy();
    for subset in 0..1_usize << 3 {
        let chosen: Vec<_> = (0..3).filter(|at| subset & (1 << at) != 0).map(|at| faults[at]).collect();
        let draft = chosen.iter().fold(forbidden.clone(), |draft, (_, spoil)| spoil(draft));
        let answer = policy.judge(&draft.sign(), Some(NOW)).map_err(|refusal| variant(&refusal)).unwrap_err();
        assert_eq!(answer, chosen.first().map_or("NotTheOperator", |(name, _)| name));
    }
}

#[test]
fn a_foreign_aud_is_answered_before_a_missing_credential() {
    let x509 = x5chain_statement(TRUST_DOMAIN);
    assert_eq!(policy().judge(&x509, Some(NOW)).map_err(|refusal| variant(&refusal)).unwrap_err(), "Chain");
    assert!(matches!(policy().issuer(TRUST_DOMAIN).unwrap().credentials, Credentials::X509(_)));
}

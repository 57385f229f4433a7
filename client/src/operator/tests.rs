//! Proposals: what is read is what was signed, and what speaks against it is said.

use govlog_formats::admission::{ChangeFields, Credentials, IssuerRow, PolicyState, Word};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::statement::SignedStatement;

use super::{AnchorsError, Proposal, ProposalError, anchors, in_words, next_index, say};
use crate::testing::{ISSUER, TestLog};

const NOW_S: u64 = 1_700_000_000;

/// Two operators who must agree, their keys, and the policy that says so.
fn agreeing() -> ([SigningKey; 2], PolicyState) {
    let mut log = TestLog::new();
    let second = SigningKey::from_seed(Curve::P384, &[21; 48]).unwrap();
    let operators = vec![log.operator.public(), second.public()];
    log.change(ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() });
    let mut entries = log.entries.iter().map(|entry| SignedStatement::parse(entry).unwrap());
    let mut policy = PolicyState::genesis(&entries.next().unwrap()).unwrap();
    for entry in entries {
        policy = policy.apply(next_index(&policy), &entry).unwrap();
    }
    ([log.operator.clone(), second], policy)
}

fn retire() -> ChangeFields {
    ChangeFields { retire: vec![ISSUER.to_owned()], ..ChangeFields::default() }
}

#[test]
fn a_proposal_counts_who_is_missing_until_enough_have_spoken() {
    let ([first, second], policy) = agreeing();
    let proposal = Proposal::sign(&policy, retire(), NOW_S, &first).unwrap();
    assert_eq!((proposal.missing(), proposal.signer()), (1, Some(first.public().thumbprint())));
    let read = Proposal::read(proposal.statement().entry(), &policy).unwrap();
    assert_eq!((read.digest(), read.change()), (proposal.digest(), proposal.change()));
    let shown = read.text(&policy);
    assert!(shown.contains(&proposal.digest().to_string()) && shown.contains(ISSUER), "{shown}");
    let word = say(&policy, (&proposal.digest(), Word::Approve), None, &shown, NOW_S, &second).unwrap();
    let approved = policy.apply(next_index(&policy), &word).unwrap();
    let read = Proposal::read(proposal.statement().entry(), &approved).unwrap();
    assert_eq!(read.missing(), 0);
    let after = approved.apply(next_index(&approved), read.statement()).unwrap();
    let late = Proposal::read(read.statement().entry(), &after).unwrap_err();
    assert!(matches!(late, ProposalError::Overtaken(_)), "{late}");
}

#[test]
fn what_is_no_proposal_is_refused() {
    let ([first, second], policy) = agreeing();
    let digest = Proposal::sign(&policy, retire(), NOW_S, &first).unwrap().digest();
    let word = say(&policy, (&digest, Word::Approve), None, "", NOW_S, &second).unwrap();
    assert!(
        matches!(Proposal::read(word.entry(), &policy), Err(ProposalError::NotAChange(kind)) if kind == "approval")
    );
    assert!(matches!(Proposal::read(b"no statement", &policy), Err(ProposalError::Statement(_))));
    let stranger = SigningKey::from_seed(Curve::P256, &[77; 32]).unwrap();
    assert!(matches!(Proposal::sign(&policy, retire(), NOW_S, &stranger), Err(ProposalError::Refused(_))));
    let spoken = say(&policy, (&digest, Word::Approve), None, "", NOW_S, &stranger);
    assert!(matches!(spoken, Err(ProposalError::Refused(_))));
}

#[test]
fn what_a_change_holds_forges_no_line_of_what_an_operator_sees() {
    const FORGED: &str = "a\nit says    nothing\u{9b}2J\u{202e}";
    let ([first, second], policy) = agreeing();
    let row = IssuerRow {
        iss: format!("spiffe://x/{FORGED}"),
        credentials: Credentials::Keys(vec![second.public()]),
        kinds: vec![FORGED.to_owned()],
        subjects: vec![format!("spiffe://x/{FORGED}")],
        rate: None,
        max_age_s: None,
    };
    let fields = ChangeFields { set: vec![row], retire: vec![FORGED.to_owned()], ..ChangeFields::default() };
    let shown = Proposal::sign(&policy, fields, NOW_S, &first).unwrap().text(&policy);
    assert!(shown.contains("a\\nit says    nothing\\u{9b}2J\\u{202e} may submit nothing more"), "{shown}");
    assert!(shown.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{shown:?}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("it says")).count(), 2, "{shown}");
}

#[test]
fn a_change_is_said_in_words() {
    let ([first, _], policy) = agreeing();
    let operators = vec![first.public()];
    let fields = ChangeFields { operators, threshold: Some(1), ..retire() };
    let change = govlog_formats::admission::Change::new(fields).unwrap();
    let lines = in_words(&policy, &change);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("may submit nothing more") && lines[1].contains("an operator no more"), "{lines:?}");
    assert_eq!(lines[2], "a change takes 1 operators from then on (now: 2)");
}

// --- Trust anchors ------------------------------------------------------------------------------------------------------------------------

/// A SPIRE server's bundle: one authority of prod.example, of 2026-11-22 and 23.
const BUNDLE: &[u8] = include_bytes!("../../../formats/tests/data/bundle.pem");
const BUNDLE_ENDS_S: u64 = 1_795_406_834;

fn bundle(iss: &str, pem: &[u8], now_s: u64) -> Result<Credentials, AnchorsError> {
    anchors(iss, &[("bundle.pem".to_owned(), pem.to_vec())], now_s)
}

#[test]
fn a_bundle_becomes_the_anchors_of_a_domain_or_of_one_workload() {
    for iss in ["spiffe://prod.example", "spiffe://prod.example/pep/envoy"] {
        let twice = [BUNDLE, BUNDLE].concat();
        let Ok(Credentials::X509(found)) = bundle(iss, &twice, BUNDLE_ENDS_S) else { panic!("{iss}") };
        assert_eq!(found.len(), 1, "each once");
        let row = IssuerRow {
            iss: iss.to_owned(),
            credentials: Credentials::X509(vec![found[0].clone(), b"none".to_vec()]),
            kinds: vec!["decision".to_owned()],
            subjects: vec!["spiffe://prod.example/".to_owned()],
            rate: None,
            max_age_s: None,
        };
        let fields = ChangeFields { set: vec![row], ..ChangeFields::default() };
        let lines = in_words(&agreeing().1, &govlog_formats::admission::Change::new(fields).unwrap());
        assert!(lines[0].contains("with X.509-SVIDs under ") && lines[0].contains("O=SPIFFE"), "{lines:?}");
        assert!(lines[0].contains("until 2026-11-23T04:07:14Z"), "{lines:?}");
        assert!(lines[0].contains("a certificate that admits nobody (it is not an X.509 certificate"), "{lines:?}");
    }
}

#[test]
fn what_would_admit_nobody_is_not_signed() {
    let refused = |iss: &str, pem: &[u8], now_s| bundle(iss, pem, now_s).unwrap_err().to_string();
    for iss in ["https://prod.example", "spiffe://", "spiffe://prod.example/", "spiffe://Prod.example", "prod.example"]
    {
        assert!(refused(iss, BUNDLE, NOW_S).contains("neither a trust domain"), "{iss}");
    }
    let iss = "spiffe://prod.example";
    assert!(refused("spiffe://other.example", BUNDLE, NOW_S).contains("an authority of spiffe://prod.example"));
    assert!(refused(iss, BUNDLE, BUNDLE_ENDS_S + 1).contains("it ended 2026-11-23T04:07:14Z"));
    assert!(refused(iss, b"nothing", NOW_S).starts_with("bundle.pem: no certificate"));
    let leaf = include_bytes!("../../../formats/tests/data/pay-1.pem");
    let error = refused(iss, &[BUNDLE, leaf].concat(), NOW_S);
    assert!(error.starts_with("bundle.pem, certificate 2: it is no authority"), "{error}");
    let rsa = include_bytes!("../../../formats/tests/data/x509/rsa-ca.pem");
    assert!(refused("spiffe://x509.example", rsa, NOW_S).contains("keys of RSA"));
}

//! Who signs: the bytes, the issuer, its keys and certificates.

use crate::admission::{Class, Credentials, Refusal};
use crate::merkle::LeafIndex;

use super::*;

// --- "Everything that can be seen in the bytes" and issuer -------------------------------------------------------------------------------

#[test]
fn a_statement_that_keeps_every_rule_is_admitted_and_names_key_and_policy() {
    let (policy, statement) = (policy(), Draft::new().sign());
    let accepted = policy.judge(&statement, Some(NOW)).unwrap();
    assert_eq!(accepted.key(), &pep_key().public().thumbprint());
    assert_eq!(accepted.identity(), &statement.sig_structure_digest());
    assert_eq!(accepted.as_of(), policy.as_of());
    assert_eq!(policy.as_of(), LeafIndex::new(5));
}

#[test]
fn aud_of_another_log_is_400_and_names_both() {
    let refusal = judged(&Draft::new().aud("log.example/2")).unwrap_err();
    assert_eq!(refusal.class(), Class::Malformed);
    assert_eq!(refusal.to_string(), "aud is \"log.example/2\"; this log is \"log.example/1\"");
    judged(&Draft::new().aud(ORIGIN)).unwrap();
}

#[test]
fn an_unknown_issuer_is_403() {
    let refusal = judged(&Draft::new().iss("spiffe://example.org/stranger")).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    assert!(matches!(refusal, Refusal::UnknownIssuer { as_of: 5, .. }));
    assert!(refusal.to_string().contains("spiffe://example.org/stranger"));
}

#[test]
fn issuers_are_compared_exactly() {
    for iss in
        ["spiffe://example.org/PEP", "spiffe://example.org/pep/", "spiffe://example.org/pe", "spiffe://example.org"]
    {
        assert!(matches!(judged(&Draft::new().iss(iss)), Err(Refusal::UnknownIssuer { .. })), "{iss}");
    }
}

#[test]
fn a_kid_that_is_not_in_the_issuers_row_is_403_and_lists_those_that_are() {
    let refusal = judged(&Draft::new().key(ed25519(77))).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    let told = refusal.to_string();
    assert!(told.contains(&ed25519(77).public().thumbprint().to_string()), "{told}");
    assert!(told.contains(&pep_key().public().thumbprint().to_string()), "{told}");
}

#[test]
fn a_key_of_another_issuer_is_not_ones_own() {
    let policy = applied(&policy(), &set(vec![row(OTHER, &ed25519(3))]));
    let refusal = policy.judge(&Draft::new().key(ed25519(3)).sign(), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownKey { .. }));
}

#[test]
fn a_signature_that_does_not_verify_is_400() {
    let refusal = judged(&Draft::new().bad_signature()).unwrap_err();
    assert_eq!(refusal.class(), Class::BadSignature);
    assert!(refusal.to_string().contains("signature does not verify"), "{refusal}");
}

#[test]
fn every_key_of_a_row_signs_whatever_its_curve() {
    let policy = with_row(|row| {
        row.credentials = Credentials::Keys(vec![ed25519(3).public(), p256(4).public(), p384(5).public()])
    });
    for key in [ed25519(3), p256(4), p384(5)] {
        policy.judge(&Draft::new().key(key).sign(), Some(NOW)).unwrap();
    }
}

// --- X.509 rows ---------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_certificate_chain_of_no_registered_trust_domain_is_an_unknown_issuer() {
    for iss in ["spiffe://x509.example.org/w", "spiffe://x509", "https://x509.example/w", "x509.example"] {
        let refusal = policy().judge(&x5chain_statement(iss), Some(NOW)).unwrap_err();
        assert!(matches!(refusal, Refusal::UnknownIssuer { .. }), "{iss}: {refusal}");
    }
}

#[test]
fn keys_and_certificates_do_not_stand_for_one_another() {
    let refusal = policy().judge(&x5chain_statement(PEP), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
    let refusal = judged(&Draft::new().iss("spiffe://x509.example/w")).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
    let refusal = policy().judge(&x5chain_statement(OPERATOR), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
}

#[test]
fn a_row_of_keys_inside_a_trust_domain_admits_its_own_keys() {
    let iss = "spiffe://x509.example/pinned";
    let policy = applied(&policy(), &set(vec![row(iss, &ed25519(3))]));
    policy.judge(&Draft::new().iss(iss).key(ed25519(3)).sign(), Some(NOW)).unwrap();
    // A certificate of the domain still speaks for it: that row is the domain's.
    let refusal = policy.judge(&x5chain_statement(iss), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::Chain { .. }), "{refusal}");
}

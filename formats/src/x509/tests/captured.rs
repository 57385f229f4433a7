//! Certificates that others have issued: a SPIRE server's, and of kinds that are not verified.

use crate::record::handles::certificate_from_pem;
use crate::x509::{Anchor, Chain, ChainError};

/// All of it was issued on 2026-11-22, within minutes of 04:07 UTC.
const MEANWHILE: i64 = 1_795_320_450 + 60;

fn der(pem: &[u8]) -> Vec<u8> {
    certificate_from_pem(pem).unwrap()
}

#[test]
fn what_a_spire_server_issued_leads_to_its_bundle() {
    let anchor = Anchor::parse(&der(include_bytes!("../../../tests/data/bundle.pem"))).unwrap();
    assert_eq!(anchor.trust_domain(), Some("spiffe://prod.example"));
    let captured: [(&[u8], &str); 5] = [
        (include_bytes!("../../../tests/data/pay-1.pem"), "spiffe://prod.example/pay"),
        (include_bytes!("../../../tests/data/pay-2.pem"), "spiffe://prod.example/pay"),
        (include_bytes!("../../../tests/data/ledger-1.pem"), "spiffe://prod.example/ledger"),
        (include_bytes!("../../../tests/data/agentbot-1.pem"), "spiffe://prod.example/agent/triage"),
        (include_bytes!("../../../tests/data/breakglass.pem"), "spiffe://prod.example/breakglass/oncall"),
    ];
    for (pem, id) in captured {
        let chain = Chain::parse(&[der(pem)]).unwrap();
        assert_eq!(chain.spiffe_id(), id);
        chain.verify(std::slice::from_ref(&anchor), MEANWHILE).unwrap();
        let (_, until) = chain.validity_s();
        let late = chain.verify(std::slice::from_ref(&anchor), until + 1).unwrap_err();
        assert!(matches!(late, ChainError::Time { position: 1, .. }), "{late}");
    }
}

#[test]
fn what_is_not_verified_here_is_refused_by_name_and_may_be_by_a_later_version() {
    let cases: [(&[u8], &str); 4] = [
        (include_bytes!("../../../tests/data/x509/signed-by-rsa.pem"), "signatures by RSA (1.2.840.113549.1.1.11)"),
        (include_bytes!("../../../tests/data/x509/rsa-leaf.pem"), "keys of RSA (1.2.840.113549.1.1.1)"),
        (include_bytes!("../../../tests/data/x509/signed-sha512.pem"), "signatures by 1.2.840.10045.4.3.4"),
        (include_bytes!("../../../tests/data/x509/p521-leaf.pem"), "keys of 1.2.840.10045.2.1 on 1.3.132.0.35"),
    ];
    for (pem, told) in cases {
        let error = Chain::parse(&[der(pem)]).unwrap_err();
        assert!(error.is_unsupported() && error.to_string().contains(told), "{told}: {error}");
    }
    let anchor = Anchor::parse(&der(include_bytes!("../../../tests/data/x509/rsa-ca.pem"))).unwrap_err();
    assert!(anchor.to_string().contains("RSA"), "{anchor}");
}

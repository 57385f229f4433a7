//! Certificate chains that statements are signed with, and the anchors that they must lead to.

use std::slice;

use govlog_formats::digest::Digest;
use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem, is_spiffe_id};
use govlog_formats::x509::{Anchor, Chain, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};

use super::{choice, chosen, number};

const AUTHORITY: &str = include_str!("../../../tests/data/bundle.pem");
/// All that is known to be signed with its key.
const SIGNED: [&str; 3] = [
    include_str!("../../../tests/data/pay-1.pem"),
    include_str!("../../../tests/data/ledger-1.pem"),
    include_str!("../../../tests/data/breakglass.pem"),
];

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 2) {
        (0, der) => anchor(der),
        (_, certificates) => chain(&cut(certificates)),
    }
}

fn anchor(der: &[u8]) -> bool {
    let Ok(anchor) = Anchor::parse(der) else { return false };
    assert!(der.len() <= MAX_CERTIFICATE_BYTES);
    assert_eq!(anchor.digest(), &Digest::sha256(der));
    assert!(Chain::parse(slice::from_ref(&der.to_vec())).is_err(), "who signs for others is no workload");
    true
}

fn chain(certificates: &[Vec<u8>]) -> bool {
    let Ok(chain) = Chain::parse(certificates) else { return false };
    assert!((1..=MAX_CERTIFICATES).contains(&certificates.len()));
    assert!(is_spiffe_id(chain.spiffe_id()), "{}", chain.spiffe_id());
    if let Ok(handles) = CertificateHandles::from_der(&certificates[0]) {
        assert_eq!(handles.spiffe_id.as_deref(), Some(chain.spiffe_id()), "two readers see two workloads");
    }
    let (from, until) = chain.validity_s();
    assert!(chain.verify(&[], from).is_err(), "nobody is trusted");
    let anchor = Anchor::parse(&der(AUTHORITY)).unwrap();
    let verify = |at: i64| chain.verify(slice::from_ref(&anchor), at);
    assert!(verify(from.saturating_sub(1)).is_err() && verify(until.saturating_add(1)).is_err());
    if verify(from).is_ok() {
        assert!(from <= until && from <= anchor.not_after_s());
        let last = CertificateHandles::from_der(&certificates[certificates.len() - 1]).unwrap();
        let is_known = |pem: &&str| CertificateHandles::from_der(&der(pem)).unwrap().tbs_s256 == last.tbs_s256;
        assert!(SIGNED.iter().any(is_known), "the anchor never signed it");
    }
    true
}

/// Takes certificates, each behind its length.
fn cut(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut certificates = Vec::new();
    while !data.is_empty() && certificates.len() <= MAX_CERTIFICATES {
        let (length, rest) = number(data);
        let (certificate, rest) = rest.split_at(length.min(rest.len()));
        certificates.push(certificate.to_vec());
        data = rest;
    }
    certificates
}

fn der(pem: &str) -> Vec<u8> {
    certificate_from_pem(pem.as_bytes()).unwrap()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let with_length = |der: Vec<u8>| [&u16::try_from(der.len()).unwrap().to_be_bytes()[..], &der].concat();
    let chains = SIGNED.iter().map(|pem| chosen(1, with_length(der(pem))));
    std::iter::once(chosen(0, der(AUTHORITY))).chain(chains).collect()
}

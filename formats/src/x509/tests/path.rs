//! From the leaf to an anchor: order, names, signatures, time, path lengths.

use proptest::prelude::*;
use rcgen::{BasicConstraints, IsCa};

use super::authority::{Authority, FROM, NOW, UNTIL, WORKLOAD, self_signed, uri, valid};
use crate::cose::Curve;
use crate::x509::{Anchor, Chain, ChainError, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};

fn anchor(authority: &Authority) -> Anchor {
    Anchor::parse(&authority.der()).unwrap()
}

fn judged(chain: &[Vec<u8>], anchors: &[Anchor]) -> Result<(), ChainError> {
    Chain::parse(chain)?.verify(anchors, NOW).map(drop)
}

#[test]
fn chains_of_every_length_and_curve_are_verified_in_their_order_and_in_no_other() {
    for curve in [Curve::P256, Curve::P384, Curve::Ed25519] {
        let root = Authority::root_with("root", curve, |_| {});
        let (mut above, mut authorities) = (root.below_with("1", curve, |_| {}), Vec::new());
        for length in 2..=MAX_CERTIFICATES {
            let leaf = above.svid_with(WORKLOAD, curve, |_| {});
            authorities.insert(0, above.der());
            let chain = [vec![leaf.der], authorities.clone()].concat();
            judged(&chain, &[anchor(&root)]).unwrap();
            assert_eq!(Chain::parse(&chain).unwrap().key(), &leaf.key.public());
            for at in 0..length - 1 {
                let mut swapped = chain.clone();
                swapped.swap(at, at + 1);
                judged(&swapped, &[anchor(&root)]).unwrap_err();
                // One that is missing, the last one too.
                let mut gap = chain.clone();
                gap.remove(at + 1);
                judged(&gap, &[anchor(&root)]).unwrap_err();
            }
            let next = above.below_with(&format!("{length}"), curve, |_| {});
            above = next;
        }
    }
}

#[test]
fn an_anchor_may_stand_at_the_end_and_counts_against_no_path_length() {
    let only_leaves = |params: &mut rcgen::CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    };
    let root = Authority::root_with("root", Curve::P256, only_leaves);
    let leaf = root.svid(WORKLOAD).der;
    judged(&[leaf.clone(), root.der()], &[anchor(&root)]).unwrap();
    let other = Authority::root("root");
    let error = judged(&[leaf, root.der()], &[anchor(&other)]).unwrap_err();
    assert!(error.to_string().contains("does not verify under its key"), "{error}");
}

#[test]
fn of_anchors_with_one_name_the_key_decides() {
    let (old, new) = (Authority::root("root"), Authority::root("root"));
    let chain = [new.svid(WORKLOAD).der];
    judged(&chain, &[anchor(&old), anchor(&new)]).unwrap();
    judged(&chain, &[anchor(&new)]).unwrap();
    let error = judged(&chain, &[anchor(&old)]).unwrap_err();
    assert!(matches!(error, ChainError::Anchor { .. }), "{error}");
    let error = judged(&chain, &[anchor(&Authority::root("other"))]).unwrap_err();
    assert!(error.to_string().contains("\"CN=root\", and none of 1 anchors is named so"), "{error}");
    assert!(matches!(judged(&chain, &[]), Err(ChainError::Anchor { .. })));
}

#[test]
fn nobody_speaks_for_himself() {
    let error = judged(&[self_signed(WORKLOAD).der], &[anchor(&Authority::root("workload"))]).unwrap_err();
    assert!(matches!(error, ChainError::Anchor { .. }), "{error}");
    // Not even where the row lists it.
    Anchor::parse(&self_signed(WORKLOAD).der).unwrap_err();
    // A workload's certificate signs nobody else's, whatever its key can do.
    let root = Authority::root("root");
    let workload = root.below_with("workload", Curve::P256, |params| params.is_ca = IsCa::ExplicitNoCa);
    let error = judged(&[workload.svid(WORKLOAD).der, workload.der()], &[anchor(&root)]).unwrap_err();
    assert!(error.to_string().starts_with("certificate 2 (the leaf is 1): it is no authority"), "{error}");
}

#[test]
fn every_certificate_is_valid_at_the_time_to_the_second_and_the_anchor_too() {
    let root = Authority::root_with("root", Curve::P256, |params| valid(params, FROM - 30, UNTIL + 30));
    let middle = root.below_with("middle", Curve::P256, |params| valid(params, FROM - 20, UNTIL + 20));
    let leaf = middle.svid_with(WORKLOAD, Curve::P256, |params| valid(params, FROM - 10, UNTIL + 10));
    let chain = Chain::parse(&[leaf.der, middle.der()]).unwrap();
    assert_eq!(chain.validity_s(), (FROM - 10, UNTIL + 10));
    let anchors = [anchor(&root)];
    for at in [FROM - 10, UNTIL + 10] {
        chain.verify(&anchors, at).unwrap();
    }
    for at in [FROM - 11, UNTIL + 11, i64::MIN, -1, 0, i64::MAX] {
        let error = chain.verify(&anchors, at).unwrap_err();
        assert!(matches!(error, ChainError::Time { position: 1, .. }), "{error}");
    }
    let long = |params: &mut rcgen::CertificateParams| valid(params, 1, UNTIL * 2);
    let (brief, leaf) = (root.below("brief"), |ca: &Authority| ca.svid_with(WORKLOAD, Curve::P256, long).der);
    let chain = Chain::parse(&[leaf(&brief), brief.der()]).unwrap();
    assert!(matches!(chain.verify(&anchors, UNTIL + 1), Err(ChainError::Time { position: 2, .. })));
    let chain = Chain::parse(&[leaf(&root)]).unwrap();
    chain.verify(&anchors, UNTIL + 30).unwrap();
    let error = chain.verify(&anchors, UNTIL + 31).unwrap_err();
    assert!(matches!(&error, ChainError::Anchor { why } if why.contains("it is valid from")), "{error}");
    chain.verify(&anchors, FROM - 31).unwrap_err();
}

#[test]
fn path_lengths_hold_for_authorities_and_for_anchors() {
    let most = |most: u8| {
        move |params: &mut rcgen::CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(most))
    };
    for (of_root, of_middle, is_well) in [(2, 1, true), (9, 1, true), (1, 1, false), (0, 9, false), (9, 0, false)] {
        let root = Authority::root_with("root", Curve::P256, most(of_root));
        let middle = root.below_with("middle", Curve::P256, most(of_middle));
        let low = middle.below("low");
        let judged = judged(&[low.svid(WORKLOAD).der, low.der(), middle.der()], &[anchor(&root)]);
        assert_eq!(judged.is_ok(), is_well, "{of_root} {of_middle}: {judged:?}");
    }
}

#[test]
fn an_authority_of_another_trust_domain_signs_nobody_here() {
    let foreign = |params: &mut rcgen::CertificateParams| {
        params.subject_alt_names = vec![uri("spiffe://other.example")];
    };
    let (root, other) = (Authority::root("root"), Authority::root_with("other", Curve::P256, foreign));
    let error = judged(&[other.svid(WORKLOAD).der], &[anchor(&other)]).unwrap_err();
    assert!(matches!(&error, ChainError::Anchor { why } if why.contains("other.example")), "{error}");
    let middle = root.below_with("middle", Curve::P256, foreign);
    let error = judged(&[middle.svid(WORKLOAD).der, middle.der()], &[anchor(&root)]).unwrap_err();
    assert!(error.to_string().contains("an authority of \"spiffe://other.example\""), "{error}");
    // Authorities need not say of which domain they are, and other URIs say nothing.
    for names in [vec![], vec![uri("https://ca.example/")]] {
        let silent = root.below_with("silent", Curve::P256, |params| params.subject_alt_names = names);
        judged(&[silent.svid(WORKLOAD).der, silent.der()], &[anchor(&root)]).unwrap();
    }
}

#[test]
fn a_chain_has_its_bounds() {
    assert!(matches!(Chain::parse(&[]), Err(ChainError::Length { certificates: 0 })));
    let many = vec![vec![0x30]; MAX_CERTIFICATES + 1];
    assert!(matches!(Chain::parse(&many), Err(ChainError::Length { certificates }) if certificates == many.len()));
    let error = Chain::parse(&[vec![0x30; MAX_CERTIFICATE_BYTES + 1]]).unwrap_err();
    assert!(error.to_string().contains("8193 bytes; at most 8192"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4)) {
        prop_assert!(Chain::parse(&chain).is_err());
        for der in chain {
            prop_assert!(Anchor::parse(&der).is_err());
        }
    }
}

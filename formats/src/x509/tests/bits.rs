//! Every bit of a chain counts.

use super::authority::{Authority, NOW, WORKLOAD};
use crate::cose::Curve;
use crate::x509::{Anchor, Chain};

fn flipped(der: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..der.len() * 8).map(|bit| {
        let mut other = der.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        (bit, other)
    })
}

#[test]
fn a_chain_of_which_any_bit_is_another_is_refused() {
    for curve in [Curve::P256, Curve::Ed25519] {
        let root = Authority::root_with("root", curve, |_| {});
        let middle = root.below_with("middle", curve, |_| {});
        let chain = [middle.svid_with(WORKLOAD, curve, |_| {}).der, middle.der()];
        let anchor = [Anchor::parse(&root.der()).unwrap()];
        let is_taken = |chain: &[Vec<u8>]| Chain::parse(chain).is_ok_and(|chain| chain.verify(&anchor, NOW).is_ok());
        assert!(is_taken(&chain));
        for (bit, leaf) in flipped(&chain[0]) {
            assert!(!is_taken(&[leaf, chain[1].clone()]), "bit {bit} of the leaf");
        }
        for (bit, middle) in flipped(&chain[1]) {
            assert!(!is_taken(&[chain[0].clone(), middle]), "bit {bit} of the authority");
        }
    }
}

#[test]
fn another_bit_in_an_anchor_admits_nobody_else() {
    let (root, other) = (Authority::root("root"), Authority::root("root"));
    let own = Chain::parse(&[root.svid(WORKLOAD).der]).unwrap();
    let foreign = Chain::parse(&[other.svid(WORKLOAD).der]).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for (bit, der) in flipped(&root.der()) {
        // Half of the bits of its key make it a point of no curve.
        let anchors: Vec<Anchor> = Anchor::parse(&der).into_iter().collect();
        foreign.verify(&anchors, NOW).expect_err(&format!("bit {bit}"));
        match own.verify(&anchors, NOW) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    // Its serial number and its signature say nothing here; its key and its name do.
    assert!(taken > 256 && refused > 256, "{taken} {refused}");
}

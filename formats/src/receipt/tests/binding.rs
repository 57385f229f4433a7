//! What a receipt is verified against: entry, subject, key, and the checkpoint in it.

use std::collections::BTreeMap;

use super::*;

/// Every tree up to this size is tried.
const SIZES: u64 = 130;

#[test]
fn another_entry_is_refused() {
    let receipt = Receipt::parse(&receipt(3, 5).0).unwrap();
    for index in [0, 1, 2, 4, 5] {
        let result = receipt.verify(&entry(index), SUB, &key().public());
        assert_eq!(result, Err(ReceiptError::Signature(SignatureError::Mismatch)));
    }
}

#[test]
fn another_subject_is_refused() {
    let receipt = Receipt::parse(&receipt(3, 5).0).unwrap();
    let result = receipt.verify(&entry(3), "spiffe://example.org/other", &key().public());
    assert!(matches!(result, Err(ReceiptError::Subject { .. })));
}

#[test]
fn another_key_is_refused() {
    let receipt = Receipt::parse(&receipt(3, 5).0).unwrap();
    for other in [SigningKey::from_seed(Curve::P256, &[78; 32]), SigningKey::from_seed(Curve::Ed25519, &[77; 32])] {
        let other = other.unwrap().public();
        let (named, given) = (key().public().thumbprint(), other.thumbprint());
        assert_eq!(receipt.verify(&entry(3), SUB, &other), Err(ReceiptError::OtherKey { named, given }));
    }
}

#[test]
fn another_checkpoint_is_refused() {
    let (bytes, checkpoint) = receipt(3, 5);
    let bind = |checkpoint: &Checkpoint| {
        let receipt = Receipt::parse(&bytes).unwrap();
        receipt.verify(&entry(3), SUB, &key().public()).unwrap().bind(checkpoint)
    };
    assert!(bind(&checkpoint).is_ok());
    let elsewhere = Checkpoint::new(Origin::new("log.example/2").unwrap(), checkpoint.size, checkpoint.root);
    assert!(matches!(bind(&elsewhere), Err(ReceiptError::Issuer { .. })));
    let larger = Checkpoint::new(checkpoint.origin.clone(), TreeSize::new(6), checkpoint.root);
    let (receipt, note) = (TreeSize::new(5), TreeSize::new(6));
    assert_eq!(bind(&larger), Err(ReceiptError::Size { receipt, note }));
    let forked = Checkpoint::new(checkpoint.origin.clone(), checkpoint.size, Digest::ZERO);
    assert_eq!(bind(&forked), Err(ReceiptError::Root { receipt: checkpoint.root, note: Digest::ZERO }));
}

#[test]
fn the_published_trap_is_real_and_refused() {
    // "entry 2 of size 3 also verifies as index 1 of size 2"
    let (tree, small) = (tree(3), TreeSize::new(2));
    let proof = InclusionProof::build(&tree, LeafIndex::new(2), tree.size()).unwrap();
    let root = SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap();
    let relabelled = InclusionProof { index: LeafIndex::new(1), size: small, ..proof };
    let bytes = root.receipt(&relabelled, &note(&checkpoint(&tree))).unwrap();
    let verified = Receipt::parse(&bytes).unwrap().verify(&entry(2), SUB, &key().public()).unwrap();
    assert!(matches!(verified.bind(&checkpoint(&tree)), Err(ReceiptError::Size { .. })));
    assert_eq!(judge(&bytes, &entry(2)), None);
}

/// What a label does with a path: two labels that are alike here lead every leaf and path to the same root.
///
/// Folding distinct hashes tells in which order a label takes them, and from which side.
fn group_of(index: u64, size: u64, length: usize) -> Option<Digest> {
    let path = (0..length).map(|mark| Digest::sha256(&mark.to_be_bytes())).collect();
    let proof = InclusionProof { index: LeafIndex::new(index), size: TreeSize::new(size), path };
    proof.fold(&Digest::ZERO).ok()
}

/// Every label of every tree, by group.
fn groups() -> BTreeMap<Digest, Vec<(u64, u64)>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for size in 2..=SIZES {
        for index in 0..size {
            let group = (1..=8).find_map(|length| group_of(index, size, length)).unwrap();
            groups.entry(group).or_default().push((index, size));
        }
    }
    groups
}

#[test]
fn every_receipt_of_every_tree_is_refused_under_every_other_label() {
    let groups = groups();
    let mut relabelled = 0;
    for size in 2..=SIZES {
        let tree = tree(size);
        let checkpoint = checkpoint(&tree);
        let note = note(&checkpoint);
        let signed = SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap();
        for index in 0..size {
            let proof = InclusionProof::build(&tree, LeafIndex::new(index), tree.size()).unwrap();
            let label = |(index, size)| InclusionProof {
                index: LeafIndex::new(index),
                size: TreeSize::new(size),
                path: proof.path.clone(),
            };
            // At its own size no other index leads to the root.
            for other in (0..size).filter(|other| *other != index) {
                assert_ne!(label((other, size)).fold(&entry(index)), Ok(tree.root()), "{index} as {other} of {size}");
            }
            // At other sizes those of its group do, signature and all, and the note refuses each of them.
            let group = &groups[&group_of(index, size, proof.path.len()).unwrap()];
            for other in group.iter().copied().filter(|other| *other != (index, size)) {
                let proof = label(other);
                assert_eq!(proof.fold(&entry(index)), Ok(tree.root()));
                let verified = VerifiedReceipt { claims: claims(), proof, root: tree.root() };
                let (receipt, note) = (TreeSize::new(other.1), tree.size());
                assert_eq!(verified.bind(&checkpoint), Err(ReceiptError::Size { receipt, note }));
                relabelled += 1;
            }
            // The whole way for one other label of each, and for the right one.
            let others: Vec<_> = group.iter().copied().filter(|other| *other != (index, size)).collect();
            if let Some(other) = others.get(usize::try_from(index).unwrap() % others.len().max(1)) {
                let bytes = signed.receipt(&label(*other), &note).unwrap();
                let verified = Receipt::parse(&bytes).unwrap().verify(&entry(index), SUB, &key().public());
                assert!(matches!(verified.unwrap().bind(&checkpoint), Err(ReceiptError::Size { .. })));
            }
            if index % 16 == size % 16 {
                let bound = judge(&signed.receipt(&proof, &note).unwrap(), &entry(index)).unwrap();
                assert_eq!((bound.index().get(), bound.size().get()), (index, size));
            }
        }
    }
    assert!(relabelled > 10_000, "only {relabelled} labels lead to a root of another size");
}

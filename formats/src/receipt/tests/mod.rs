mod binding;
mod form;
mod mutations;

use super::*;
use crate::cbor::tests::unhex;
use crate::cbor::{Value, to_deterministic};
use crate::checkpoint::Origin;
use crate::cose::{Curve, Label, Sign1Error, SignatureError, SigningKey, encode_sign1};
use crate::merkle::{MemoryTree, ProofError, leaf_hash};
use crate::note::{KeyName, Note, NoteSigner, SignatureAlgorithm};

const ORIGIN: &str = "log.example/1";
const SUB: &str = "spiffe://example.org/workload";
const IAT: i64 = 1_790_000_000;

fn key() -> SigningKey {
    SigningKey::from_seed(Curve::P256, &[77; 32]).unwrap()
}

fn claims() -> ReceiptClaims {
    ReceiptClaims { iss: ReceiptClaims::issuer(ORIGIN), sub: SUB.to_owned(), iat: IAT }
}

fn entry(index: u64) -> Digest {
    leaf_hash(&index.to_be_bytes())
}

fn tree(size: u64) -> MemoryTree {
    (0..size).map(entry).collect()
}

fn checkpoint(tree: &MemoryTree) -> Checkpoint {
    Checkpoint::new(Origin::new(ORIGIN).unwrap(), tree.size(), tree.root())
}

fn note_signer() -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), SignatureAlgorithm::Ed25519, &[5; 32]).unwrap()
}

fn note(checkpoint: &Checkpoint) -> Vec<u8> {
    let text = checkpoint.to_string();
    let line = note_signer().sign(&text, None).unwrap();
    Note::with_lines(&text, &[line]).unwrap().to_bytes()
}

/// A receipt for a leaf of a tree, and the checkpoint in it.
fn receipt(index: u64, size: u64) -> (Vec<u8>, Checkpoint) {
    let tree = tree(size);
    let proof = InclusionProof::build(&tree, LeafIndex::new(index), tree.size()).unwrap();
    let checkpoint = checkpoint(&tree);
    let root = SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap();
    (root.receipt(&proof, &note(&checkpoint)).unwrap(), checkpoint)
}

/// What a verifier does with a receipt: everything but the quorum.
fn judge(bytes: &[u8], leaf: &Digest) -> Option<BoundReceipt> {
    let receipt = Receipt::parse(bytes).ok()?;
    let verified = receipt.verify(leaf, SUB, &key().public()).ok()?;
    let note = Note::parse(receipt.note()).ok()?;
    note.verify_log(note_signer().vkey()).ok()?;
    verified.bind(&Checkpoint::of_note(&note).ok()?).ok()
}

#[test]
fn a_receipt_says_what_was_signed() {
    let (bytes, checkpoint) = receipt(3, 5);
    let receipt = Receipt::parse(&bytes).unwrap();
    assert_eq!(receipt.claims(), &claims());
    assert_eq!(receipt.kid(), key().public().thumbprint());
    assert_eq!((receipt.index(), receipt.size()), (LeafIndex::new(3), TreeSize::new(5)));
    assert_eq!(receipt.note(), note(&checkpoint));
    assert_eq!(receipt.bytes(), bytes);
    assert_eq!(receipt.fold(&entry(3)), Ok(checkpoint.root));
    let verified = receipt.verify(&entry(3), SUB, &key().public()).unwrap();
    assert_eq!(verified.root(), checkpoint.root);
    let bound = verified.bind(&checkpoint).unwrap();
    assert_eq!((bound.index(), bound.size()), (LeafIndex::new(3), TreeSize::new(5)));
    assert_eq!((bound.root(), bound.iat()), (checkpoint.root, IAT));
    assert_eq!(judge(&bytes, &entry(3)), Some(bound));
}

#[test]
fn one_signature_serves_every_entry_with_its_subject_at_its_size() {
    let tree = tree(9);
    let root = SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap();
    assert_eq!(root, SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap(), "deterministic");
    for index in 0..9 {
        let proof = InclusionProof::build(&tree, LeafIndex::new(index), tree.size()).unwrap();
        let bytes = root.receipt(&proof, &note(&checkpoint(&tree))).unwrap();
        assert_eq!(judge(&bytes, &entry(index)).unwrap().index(), LeafIndex::new(index));
    }
}

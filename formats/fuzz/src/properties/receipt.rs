//! Receipts and transparent statements, as they come and made by a log of ours.

use std::sync::LazyLock;

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{InclusionProof, LeafIndex, MemoryTree, leaf_hash};
use govlog_formats::note::Note;
use govlog_formats::receipt::{BoundReceipt, Receipt, ReceiptClaims, SignedRoot};
use govlog_formats::transparent::{TransparentStatement, assemble};

use super::{choice, chosen, number, world};

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 3) {
        (0, bytes) => as_it_comes(bytes),
        (1, bytes) => transparent(bytes),
        (_, rest) => changed(rest),
    }
}

fn as_it_comes(bytes: &[u8]) -> bool {
    Receipt::parse(bytes).is_ok_and(|receipt| {
        assert_eq!(receipt.bytes(), bytes);
        assert!(receipt.size().covers(receipt.index()) && receipt.size().get() >= 2);
        receipt.fold(&Digest::ZERO).unwrap();
        let _ = Note::parse(receipt.note());
        true
    })
}

fn transparent(bytes: &[u8]) -> bool {
    TransparentStatement::parse(bytes).is_ok_and(|read| {
        let receipts: Vec<Vec<u8>> = read.receipts().iter().map(|receipt| receipt.bytes().to_vec()).collect();
        for receipt in read.receipts() {
            let _ = receipt.parse();
        }
        let written = assemble(read.statement().entry(), &receipts).unwrap();
        assert_eq!(TransparentStatement::parse(&written).as_ref(), Ok(&read));
        true
    })
}

/// Spoils a good receipt. What is still accepted says nothing else than before.
fn changed(rest: &[u8]) -> bool {
    let (place, rest) = number(rest);
    static GOOD: LazyLock<(Vec<u8>, Digest, Checkpoint)> = LazyLock::new(good);
    let (good, leaf, checkpoint) = &*GOOD;
    // As many bytes of the receipt as there are left are replaced, from a place on.
    let mut bytes = good.clone();
    let at = place % bytes.len();
    let end = bytes.len().min(at + rest.len());
    bytes.splice(at..end, rest.iter().copied());
    match judge(&bytes, leaf, checkpoint) {
        Some(after) => assert_eq!(Some(after), judge(good, leaf, checkpoint), "another receipt is as good"),
        None => assert_ne!(&bytes, good),
    }
    true
}

fn judge(bytes: &[u8], leaf: &Digest, checkpoint: &Checkpoint) -> Option<BoundReceipt> {
    let receipt = Receipt::parse(bytes).ok()?;
    receipt.verify(leaf, world::SUBJECT, &world::p256(7).public()).ok()?.bind(checkpoint).ok()
}

/// A receipt for entry 4 of 11, its leaf hash, its checkpoint.
fn good() -> (Vec<u8>, Digest, Checkpoint) {
    let tree: MemoryTree = (0..11).map(|number: u8| leaf_hash(&[number])).collect();
    let checkpoint = Checkpoint::new(Origin::new(world::ORIGIN).unwrap(), tree.size(), tree.root());
    let text = checkpoint.to_string();
    let note = Note::with_lines(&text, &[world::log_signer().sign(&text, None).unwrap()]).unwrap();
    let claims =
        ReceiptClaims { iss: ReceiptClaims::issuer(world::ORIGIN), sub: world::SUBJECT.to_owned(), iat: 1_700_000_000 };
    let proof = InclusionProof::build(&tree, LeafIndex::new(4), tree.size()).unwrap();
    let receipt = SignedRoot::sign(&world::p256(7), &claims, &tree.root()).unwrap().receipt(&proof, &note.to_bytes());
    (receipt.unwrap(), leaf_hash(&[4]), checkpoint)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let receipt = good().0;
    let (kind, payload) = super::record::payloads().remove(1);
    let statement = world::statement(kind, &payload, &world::ed25519(2), true);
    let transparent = assemble(statement.entry(), std::slice::from_ref(&receipt)).unwrap();
    vec![chosen(0, &receipt), chosen(1, transparent), chosen(2, [0, 9, 1, 2, 3])]
}

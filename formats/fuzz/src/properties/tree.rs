//! Paths of tiles, bundles of entries, numbers, and proofs of any shape.

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{ConsistencyProof, Frontier, InclusionProof, LeafIndex, Node, TreeSize, root_nodes};
use govlog_formats::tile::{self, TilePath, TileSpan, bundle};

use super::{choice, chosen, number, prints_as_read};

pub(super) fn check(data: &[u8]) -> bool {
    let (form, bytes) = choice(data, 9);
    match (form, std::str::from_utf8(bytes)) {
        (0, Ok(text)) => prints_as_read::<TilePath>(text),
        (1, Ok(text)) => prints_as_read::<EntryId>(text),
        (2, Ok(text)) => prints_as_read::<TreeSize>(text) | prints_as_read::<LeafIndex>(text),
        (3, Ok(text)) => prints_as_read::<Digest>(text),
        (4, _) => entries(bytes),
        (5, _) => spans(bytes),
        (6, _) => inclusion(bytes),
        (7, _) => consistency(bytes),
        (8, _) => frontier(bytes),
        _ => false,
    }
}

fn entries(bytes: &[u8]) -> bool {
    let (width, bytes) = number(bytes);
    bundle::parse(bytes, u16::try_from(width).unwrap()).is_ok_and(|entries| {
        assert_eq!(entries.len(), width);
        let mut written = Vec::new();
        entries.iter().for_each(|entry| bundle::append(&mut written, entry).unwrap());
        assert_eq!(written, bytes);
        true
    })
}

/// Where a node is to be had, and what it hashes to from a tile of any length.
fn spans(bytes: &[u8]) -> bool {
    let (first, tile) = numbers::<2>(bytes);
    let [level, index] = first;
    let node = Node { level: u8::try_from(level % 64).unwrap(), index };
    let span = TileSpan::of(node);
    assert!(span.count.is_power_of_two() && span.offset + span.count <= 256);
    let width = usize::from(span.offset + span.count) * Digest::LEN;
    assert_eq!(span.hash(tile).is_some(), tile.len() >= width, "{span:?} {}", tile.len());
    let size = TreeSize::new(index % (TreeSize::MAX.get() + 1));
    assert!(tile::width_at(span.id.level, span.id.n, size) <= 256);
    assert_eq!(root_nodes(size).len(), usize::try_from(size.get().count_ones()).unwrap());
    true
}

fn inclusion(bytes: &[u8]) -> bool {
    let ([index, size], rest) = numbers::<2>(bytes);
    let proof = InclusionProof { index: LeafIndex::new(index), size: TreeSize::new(size), path: hashes(rest) };
    proof.fold(&Digest::ZERO).is_ok_and(|root| {
        // Arithmetic is total over 64 bits, though no tree grows past 2^62.
        assert!(proof.size.covers(proof.index) && proof.path.len() <= 64);
        proof.verify(&Digest::ZERO, &root).unwrap();
        assert!(proof.verify(&Digest::sha256(b"another"), &root).is_err());
        true
    })
}

fn consistency(bytes: &[u8]) -> bool {
    let ([old, new], rest) = numbers::<2>(bytes);
    let proof = ConsistencyProof { old: TreeSize::new(old), new: TreeSize::new(new), path: hashes(rest) };
    let root = Digest::sha256(b"root");
    proof.verify(&root, &root).is_ok_and(|()| {
        // Only trees of one size have one root.
        assert_eq!((proof.old, proof.path.len()), (proof.new, 0));
        true
    })
}

fn frontier(bytes: &[u8]) -> bool {
    let ([size], rest) = numbers::<1>(bytes);
    Frontier::from_parts(TreeSize::new(size), hashes(rest)).is_ok_and(|mut frontier| {
        let before = frontier.clone();
        assert_eq!(frontier.hashes().len(), usize::try_from(size.count_ones()).unwrap());
        if frontier.push(Digest::ZERO).is_ok() {
            assert_eq!(frontier.size().get(), before.size().get() + 1);
            assert_ne!(frontier.root(), before.root());
        }
        true
    })
}

fn numbers<const N: usize>(bytes: &[u8]) -> ([u64; N], &[u8]) {
    let mut rest = bytes;
    let numbers = std::array::from_fn(|_| match rest.split_first_chunk::<8>() {
        Some((number, after)) => {
            rest = after;
            u64::from_be_bytes(*number)
        }
        None => 0,
    });
    (numbers, rest)
}

fn hashes(bytes: &[u8]) -> Vec<Digest> {
    bytes.chunks(Digest::LEN).filter_map(Digest::from_slice).collect()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let words = |words: &[u64], rest: &[u8]| {
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        [&words, rest].concat()
    };
    vec![
        chosen(0, "tile/0/x001/x234/067.p/8"),
        chosen(0, "tile/entries/000"),
        chosen(1, "1.345"),
        chosen(2, "4611686018427387904"),
        chosen(3, "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9"),
        chosen(4, [0, 2, 0, 3, 1, 2, 3, 0, 0]),
        chosen(5, words(&[9, 70], &[7; 32 * 256])),
        chosen(6, words(&[4, 11], &[7; 32 * 4])),
        chosen(7, words(&[11, 11], &[])),
        chosen(8, words(&[11], &[7; 32 * 3])),
    ]
}

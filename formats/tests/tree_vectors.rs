//! Known answers: root hashes, a proof and tiles that other implementations computed from the same entries.
#![cfg(test)]

use std::collections::BTreeMap;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{
    ConsistencyProof, Frontier, InclusionProof, LeafIndex, MemoryTree, Node, NodeReader, TreeSize, leaf_hash,
};
use govlog_formats::tile::{TileId, TilePath, TileSpan, hash_tiles, width_at};

/// Sizes and root hashes of the tree whose entry i is the ASCII text `leaf i`.
const ROOTS: [(u64, &str); 10] = [
    (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    (1, "G7l9zCFjXUfiZj79/QoXRobZjdcBNS3SzQbotD/T0wU="),
    (2, "/F9riP+FVPdbsvnm85wxsZNtRLaSdu33sSBalVuXYeM="),
    (3, "1Pksj7uJcg6ztVZ3x9fvrd/rENEaGoSguo8aIzN/qpU="),
    (255, "1xWSohnUBnZj7t4kf5tUw/ngKQaC1V3gm0lbB/HeQck="),
    (256, "z17/2xHQknou31Ow5zx4N/ZZQU4AU32l2Q61xMSf8nQ="),
    (257, "hVuTaqAMuYtRFEhCSa0514pr6TYj4mwB6OSH3AIYSlo="),
    (1_000, "L/M/udjxT4nKMGKJYzM2oWj/P0Uy6PdBoAGdy0wdYKE="),
    (65_536, "4QC6VNaakQEvwTt4kP6seNaZaglyaLb3NdFzEcdAKmA="),
    (70_000, "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM="),
];

/// The inclusion path of leaf 69,999 in that tree of 70,000.
const PATH: [&str; 9] = [
    "3X4b2zAkiLqV+XxECUDHQfZPhxtrMd8iqCJmG0eyWf8=",
    "ezenIb4hJ77PvYsAPDsTuugyH5zVZDIk99oxr+16aBo=",
    "Zil+DYpqZ7W+8dRLlTtY1TJhGcJL8PwchDglIwO0+ik=",
    "hZUlffB1vfX99UnH1IoGgUOWYPx+TCOH5GmMbApBl8A=",
    "sl+TlJ+C7qQRArjU/sFZHYZCbh8Mb9rtLc1CND1LkVo=",
    "C/exneiAnxkvU0dXzHpyM5a+zqrlcosin/XpHU83lwI=",
    "QqZJOhkLZA2R9/p75UB8934RLI1rgGW/pLgHbPh+Ris=",
    "yGbt9spLHbdV+E19IwTS5qk7TVmSwQ1tWA7dnzyg58c=",
    "4QC6VNaakQEvwTt4kP6seNaZaglyaLb3NdFzEcdAKmA=",
];

/// Entries and root hashes that implementations of RFC 6962 commonly test with.
const WELL_KNOWN: [(&[u8], &str); 8] = [
    (&[], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    (&[0x00], "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (&[0x10], "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (&[0x20, 0x21], "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (&[0x30, 0x31], "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    (&[0x40, 0x41, 0x42, 0x43], "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

const SIZE: TreeSize = TreeSize::new(70_000);

fn leaf(i: u64) -> Digest {
    leaf_hash(format!("leaf {i}").as_bytes())
}

fn tree() -> MemoryTree {
    (0..SIZE.get()).map(leaf).collect()
}

/// A tree of a size as its hash tiles: every width as that size has it, nothing else.
struct Tiles {
    size: TreeSize,
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
#[error("no tile for {0:?}")]
struct NoTile(Node);

impl Tiles {
    fn cut(tree: &MemoryTree, size: TreeSize) -> Self {
        let files = hash_tiles(size).map(|path| (path.to_string(), Self::bytes(tree, path))).collect();
        Self { size, files }
    }

    fn bytes(tree: &MemoryTree, path: TilePath) -> Vec<u8> {
        let TilePath::Hash { id, width } = path else { panic!("{path} is no hash tile") };
        let nodes: Vec<Node> = (0..width).map(|offset| id.node(u8::try_from(offset).unwrap())).collect();
        tree.read_nodes(&nodes).unwrap().iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    fn read(&self, node: Node) -> Option<Digest> {
        let span = TileSpan::of(node);
        let TileId { level, n } = span.id;
        let path = TilePath::Hash { id: span.id, width: width_at(level, n, self.size) };
        span.hash(self.files.get(&path.to_string())?)
    }
}

impl NodeReader for Tiles {
    type Error = NoTile;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, NoTile> {
        nodes.iter().map(|node| self.read(*node).ok_or(NoTile(*node))).collect()
    }
}

#[test]
fn roots_are_the_known_ones() {
    let known: BTreeMap<u64, &str> = ROOTS.into();
    let mut frontier = Frontier::new();
    let mut seen = 0;
    loop {
        let size = frontier.size();
        if let Some(root) = known.get(&size.get()) {
            assert_eq!(frontier.root().to_base64(), *root, "size {size}");
            seen += 1;
        }
        if size == SIZE {
            break;
        }
        frontier.push(leaf(size.get())).unwrap();
    }
    assert_eq!(seen, ROOTS.len());
    let tree = tree();
    for (size, root) in ROOTS {
        assert_eq!(tree.root_at(TreeSize::new(size)).unwrap().to_base64(), root, "size {size}");
    }
}

#[test]
fn well_known_roots_hold() {
    let mut frontier = Frontier::new();
    for (entry, root) in WELL_KNOWN {
        frontier.push(leaf_hash(entry)).unwrap();
        assert_eq!(frontier.root().to_string(), root, "size {}", frontier.size());
    }
}

#[test]
fn the_known_inclusion_proof_is_built_and_verifies() {
    let index = LeafIndex::new(69_999);
    let proof = InclusionProof::build(&tree(), index, SIZE).unwrap();
    let path: Vec<String> = proof.path.iter().map(Digest::to_base64).collect();
    assert_eq!(path, PATH);
    let known = InclusionProof { index, size: SIZE, path: PATH.map(|hash| Digest::from_base64(hash).unwrap()).into() };
    let root = Digest::from_base64(ROOTS[9].1).unwrap();
    known.verify(&leaf(69_999), &root).unwrap();
    assert!(known.verify(&leaf(69_998), &root).is_err());
}

#[test]
fn known_roots_are_consistent_with_each_other() {
    let tree = tree();
    for (old, old_root) in ROOTS {
        for (new, new_root) in ROOTS.into_iter().filter(|(new, _)| *new >= old) {
            let proof = ConsistencyProof::build(&tree, TreeSize::new(old), TreeSize::new(new)).unwrap();
            let [old_root, new_root] = [old_root, new_root].map(|root| Digest::from_base64(root).unwrap());
            proof.verify(&old_root, &new_root).unwrap();
        }
    }
}

/// Fails when proofs need a node that the tiles of the tree's size do not hold, or find another hash there.
#[test]
fn proofs_are_built_from_tiles() {
    let tree = tree();
    for size in [1, 2, 255, 256, 257, 511, 1_000, 65_535, 65_536, 65_537, 69_999, 70_000].map(TreeSize::new) {
        let tiles = Tiles::cut(&tree, size);
        let root = tree.root_at(size).unwrap();
        for index in (0..size.get()).step_by(97).chain([size.get() - 1]).map(LeafIndex::new) {
            let proof = InclusionProof::build(&tiles, index, size).unwrap();
            proof.verify(&leaf(index.get()), &root).unwrap();
        }
        for old in (0..size.get()).step_by(101).chain([size.get()]).map(TreeSize::new) {
            let proof = ConsistencyProof::build(&tiles, old, size).unwrap();
            proof.verify(&tree.root_at(old).unwrap(), &root).unwrap();
        }
        let beyond = InclusionProof::build(&tiles, LeafIndex::new(0), TreeSize::new(size.get() + 1));
        assert!(beyond.is_err(), "the tiles of {size} prove nothing of a later size");
    }
}

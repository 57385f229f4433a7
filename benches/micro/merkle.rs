//! Hashing, proving, verifying: the tree's own work.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{ConsistencyProof, Frontier, InclusionProof, LeafIndex, MemoryTree, TreeSize, leaf_hash};

const LEAVES: u64 = 65_536;

fn tree() -> MemoryTree {
    (0..LEAVES).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
}

fn append(criterion: &mut Criterion) {
    let leaves: Vec<Digest> = (0..LEAVES).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(LEAVES));
    group.bench_function("65536 leaves and the root", |bencher| {
        bencher.iter(|| {
            let mut frontier = Frontier::new();
            for leaf in &leaves {
                frontier.push(*leaf).expect("far below the largest tree");
            }
            frontier.root()
        });
    });
    group.finish();
}

fn proofs(criterion: &mut Criterion) {
    let tree = tree();
    let (size, root) = (TreeSize::new(LEAVES), tree.root());
    let index = LeafIndex::new(40_000);
    let leaf = tree.leaf(index).expect("the tree has this leaf");
    criterion.bench_function("inclusion: build", |bencher| bencher.iter(|| InclusionProof::build(&tree, index, size)));
    let proof = InclusionProof::build(&tree, index, size).expect("the tree has this leaf");
    criterion.bench_function("inclusion: verify", |bencher| bencher.iter(|| proof.verify(&leaf, &root)));

    let old = TreeSize::new(40_001);
    let old_root = tree.root_at(old).expect("the tree had this size");
    let proof = ConsistencyProof::build(&tree, old, size).expect("both sizes are the tree's");
    criterion.bench_function("consistency: verify", |bencher| bencher.iter(|| proof.verify(&old_root, &root)));
}

criterion_group!(benches, append, proofs);
criterion_main!(benches);

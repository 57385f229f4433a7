//! Proof files, and what a log and a witness say to each other.

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::digest::Digest;
use govlog_formats::limits::MAX_PROOF_HASHES;
use govlog_formats::member::MemberProof;
use govlog_formats::merkle::{ConsistencyProof, InclusionProof, LeafIndex, MemoryTree, TreeSize, leaf_hash};
use govlog_formats::note::Note;
use govlog_formats::tlog_policy::Policy;
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::wire::add_checkpoint::{
    AddCheckpoint, encode_conflict_body, encode_reply, parse_conflict_body, parse_reply,
};

use super::{choice, chosen, world};

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 5) {
        (0, bytes) => proof_file(bytes),
        (1, bytes) => request(bytes),
        (2, bytes) => parse_reply(bytes).is_ok_and(|lines| encode_reply(&lines) == bytes),
        (3, bytes) => parse_conflict_body(bytes).is_ok_and(|size| encode_conflict_body(size) == bytes),
        (_, bytes) => member(bytes),
    }
}

fn proof_file(bytes: &[u8]) -> bool {
    let Ok(proof) = TlogProof::parse(bytes) else { return false };
    assert_eq!(proof.to_bytes(), bytes);
    assert!(proof.path.len() <= MAX_PROOF_HASHES && proof.extra.as_ref().is_none_or(|extra| !extra.is_empty()));
    // Only one proof is good for entry 4 of the one tree that was signed.
    if proof.verify(&leaf_hash(&[4]), &policy()).is_ok() {
        let good = good();
        assert_eq!((proof.index, proof.path), (good.index, good.path));
    }
    true
}

fn request(bytes: &[u8]) -> bool {
    let Ok((request, note, checkpoint)) = AddCheckpoint::parse_with_note(bytes) else { return false };
    assert_eq!(request.encode(), bytes);
    assert_eq!((note.to_bytes(), checkpoint.to_string()), (request.note.clone(), note.text().to_owned()));
    assert!(request.proof.len() <= MAX_PROOF_HASHES);
    let proof = ConsistencyProof { old: request.old, new: checkpoint.size, path: request.proof };
    let tree = tree();
    if proof.old == TreeSize::new(5) && proof.new == tree.size() {
        let good = ConsistencyProof::build(&tree, proof.old, proof.new).unwrap();
        let verifies = proof.verify(&tree.root_at(proof.old).unwrap(), &tree.root()).is_ok();
        assert_eq!(verifies, proof.path == good.path, "another proof is as good");
    } else {
        let _ = proof.verify(&Digest::ZERO, &checkpoint.root);
    }
    true
}

fn member(bytes: &[u8]) -> bool {
    let Ok(proof) = MemberProof::parse(bytes) else { return false };
    assert_eq!(proof.to_bytes(), bytes);
    let members = members();
    let tree = govlog_formats::member::tree(members.iter().map(Vec::as_slice));
    if proof.verify(&Digest::ZERO, tree.size(), &tree.root()).is_ok() {
        assert_eq!(proof, MemberProof::build(Digest::ZERO, &members, proof.index).unwrap(), "another proof is as good");
    }
    true
}

/// A batch of three decisions.
fn members() -> Vec<Vec<u8>> {
    let payloads = super::record::payloads();
    let decision = &payloads.iter().find(|(kind, _)| *kind == "decision").unwrap().1;
    vec![decision.clone(); 3]
}

fn tree() -> MemoryTree {
    (0..11).map(|number: u8| leaf_hash(&[number])).collect()
}

fn policy() -> Policy {
    format!("log {}\nquorum none\n", world::log_signer().vkey()).parse().unwrap()
}

fn note() -> Note {
    let tree = tree();
    let text = Checkpoint::new(Origin::new(world::ORIGIN).unwrap(), tree.size(), tree.root()).to_string();
    Note::with_lines(&text, &[world::log_signer().sign(&text, None).unwrap()]).unwrap()
}

fn good() -> TlogProof {
    let tree = tree();
    let path = InclusionProof::build(&tree, LeafIndex::new(4), tree.size()).unwrap().path;
    TlogProof { extra: None, index: LeafIndex::new(4), path, checkpoint: note().to_bytes() }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let tree = tree();
    let proof = ConsistencyProof::build(&tree, TreeSize::new(5), tree.size()).unwrap().path;
    let request = AddCheckpoint { old: TreeSize::new(5), proof, note: note().to_bytes() };
    let first = AddCheckpoint { old: TreeSize::ZERO, proof: Vec::new(), note: note().to_bytes() };
    vec![
        chosen(0, good().to_bytes()),
        chosen(0, TlogProof { extra: Some(vec![1, 2, 3]), ..good() }.to_bytes()),
        chosen(1, request.encode()),
        chosen(1, first.encode()),
        chosen(2, encode_reply(super::note::cosigned().lines())),
        chosen(3, encode_conflict_body(TreeSize::new(70_000))),
        chosen(4, MemberProof::build(Digest::ZERO, &members(), LeafIndex::new(1)).unwrap().to_bytes()),
    ]
}

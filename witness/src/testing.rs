//! What the tests of several modules share: a log with a tree, and the witness's own key.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use govlog_formats::{
    checkpoint::{Checkpoint, Origin},
    digest::Digest,
    merkle::{ConsistencyProof, MemoryTree, TreeSize, leaf_hash},
    note::{Note, NoteSigner, SignatureAlgorithm, SignatureLine, Vkey},
    wire::add_checkpoint::AddCheckpoint,
};

use crate::{clock::Clock, config::Config, init::init, state::OriginHash};

/// The key of the witness under test.
pub(crate) fn own() -> NoteSigner {
    NoteSigner::from_seed("witness.example/w1".parse().unwrap(), SignatureAlgorithm::CosignatureEd25519, &[2; 32])
        .unwrap()
}

/// A log that signs whatever it is asked to.
pub(crate) struct Log {
    signer: NoteSigner,
    tree: MemoryTree,
}

impl Log {
    /// A log whose entry i is `leaf i`.
    pub(crate) fn new(origin: &str, size: u64) -> Self {
        Self::with_entries(origin, size, "leaf")
    }

    /// A log under the same key as any other of its origin, with entries of its own.
    pub(crate) fn with_entries(origin: &str, size: u64, word: &str) -> Self {
        let mut tree = MemoryTree::new();
        for i in 0..size {
            tree.push(leaf_hash(format!("{word} {i}").as_bytes()));
        }
        let seed = Digest::sha256(origin.as_bytes());
        let signer =
            NoteSigner::from_seed(origin.parse().unwrap(), SignatureAlgorithm::Ed25519, seed.as_bytes()).unwrap();
        Self { signer, tree }
    }

    pub(crate) fn vkey(&self) -> Vkey {
        self.signer.vkey().clone()
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::from(self.signer.vkey().name().clone())
    }

    pub(crate) fn hash(&self) -> OriginHash {
        OriginHash::of(&self.origin())
    }

    pub(crate) fn root(&self, size: u64) -> Digest {
        self.tree.root_at(TreeSize::new(size)).unwrap()
    }

    /// The text of the checkpoint at a size.
    pub(crate) fn text(&self, size: u64) -> String {
        Checkpoint::new(self.origin(), TreeSize::new(size), self.root(size)).to_string()
    }

    pub(crate) fn line(&self, text: &str) -> SignatureLine {
        self.signer.sign(text, None).unwrap()
    }

    /// The text, signed by the log alone.
    pub(crate) fn signed(&self, text: &str) -> Vec<u8> {
        Note::with_lines(text, &[self.line(text)]).unwrap().to_bytes()
    }

    pub(crate) fn proof(&self, old: u64, new: u64) -> Vec<Digest> {
        if old == 0 {
            return Vec::new();
        }
        ConsistencyProof::build(&self.tree, TreeSize::new(old), TreeSize::new(new)).unwrap().path
    }

    /// The body of an honest request from one size to another.
    pub(crate) fn request(&self, old: u64, new: u64) -> Vec<u8> {
        let note = self.signed(&self.text(new));
        AddCheckpoint { old: TreeSize::new(old), proof: self.proof(old, new), note }.encode()
    }

    /// A body with any old size, proof and text, signed by the log.
    pub(crate) fn request_with(&self, old: u64, proof: &[Digest], text: &str) -> Vec<u8> {
        AddCheckpoint { old: TreeSize::new(old), proof: proof.to_vec(), note: self.signed(text) }.encode()
    }
}

/// A witness's folder with the key of [`own`] and a list of logs.
pub(crate) fn folder(logs: &[&Log]) -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    init(folder.path(), own().vkey().name().clone(), config.listen, config.admin).unwrap();
    std::fs::write(&config.key, own().to_secret_text()).unwrap();
    for log in logs {
        assert!(crate::logs::add(&config.logs, own().vkey(), &log.vkey()).unwrap());
    }
    (folder, config)
}

/// A clock that shows what the number says.
pub(crate) fn manual_clock(start: u64) -> (Arc<AtomicU64>, Clock) {
    let time = Arc::new(AtomicU64::new(start));
    let shown = Arc::clone(&time);
    (time, Clock::new(move || shown.load(Ordering::SeqCst)))
}

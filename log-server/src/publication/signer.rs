//! The log's own signature under its heads.

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::note::{Note, NoteSigner, Vkey};

use crate::sequencer::HeadSigner;
use crate::tree::TreeHead;

/// Signs heads with the log's checkpoint key.
pub struct LogSigner {
    origin: Origin,
    key: NoteSigner,
}

impl LogSigner {
    /// Takes the checkpoint key; its name is the origin.
    #[must_use]
    pub fn new(key: NoteSigner) -> Self {
        Self { origin: key.vkey().name().clone().into(), key }
    }

    /// Returns the key's public half.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        self.key.vkey()
    }
}

impl HeadSigner for LogSigner {
    fn sign(&mut self, head: &TreeHead) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let text = Checkpoint::new(self.origin.clone(), head.size, head.root).to_string();
        let line = self.key.sign(&text, None)?;
        Ok(Note::with_lines(&text, &[line])?.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use govlog_formats::digest::Digest;
    use govlog_formats::merkle::TreeSize;
    use govlog_formats::note::{KeyName, SignatureAlgorithm};

    use super::*;
    use crate::clock::Millis;

    #[test]
    fn a_head_becomes_a_note_with_the_logs_line_alone() {
        let name = KeyName::new("log.example/test").unwrap();
        let key = NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[7; 32]).unwrap();
        let mut signer = LogSigner::new(key);
        let head = TreeHead { size: TreeSize::new(9), root: Digest::sha256(b"root"), time: Millis::new(5) };
        let note = Note::parse(&signer.sign(&head).unwrap()).unwrap();
        note.verify_log(signer.vkey()).unwrap();
        assert_eq!(note.lines().len(), 1);
        let checkpoint = Checkpoint::of_note(&note).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (head.size, head.root));
        assert_eq!(checkpoint.origin.as_str(), "log.example/test");
        assert!(checkpoint.extensions().is_empty());
    }
}

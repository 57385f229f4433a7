//! The last checkpoint cosigned for an origin, as read back from the store.
//!
//! A stored note is the checkpoint's text, the log's verified signature lines and the witness's own cosignature, which covers size, root and time:
//! its own signature is how the witness recognises its own memory.

use govlog_formats::{
    checkpoint::{Checkpoint, CheckpointError},
    digest::Digest,
    merkle::TreeSize,
    note::{Note, NoteError, SignatureError, VerifyError, Vkey},
};

use crate::state::OriginHash;

/// A checkpoint this witness cosigned: its signature has been verified again.
#[derive(Clone, Debug)]
pub struct Remembered {
    note: Note,
    checkpoint: Checkpoint,
    timestamp: u64,
}

impl Remembered {
    /// Judges stored bytes: they have to be a note this witness cosigned, of this origin, and nothing else.
    ///
    /// The same check is made before bytes are stored, so that nothing is stored that could not be opened again. `log_keys` are those now on
    /// the list; a line under one of them has to verify, and a line under a key that was taken off since is believed, for it was verified when
    /// it was stored.
    ///
    /// # Errors
    /// A [`RememberedError`] means that the store does not hold what was put there.
    pub fn open(bytes: &[u8], origin: &OriginHash, own: &Vkey, log_keys: &[Vkey]) -> Result<Self, RememberedError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::of_note(&note)?;
        if OriginHash::of(&checkpoint.origin) != *origin {
            return Err(RememberedError::OtherOrigin { found: checkpoint.origin.to_string() });
        }
        let (log_lines, own_line) = match note.lines() {
            [log_lines @ .., own_line] if !log_lines.is_empty() => (log_lines, own_line),
            _ => return Err(RememberedError::Lines { found: note.lines().len() }),
        };
        if own_line.name() != own.name() || own_line.id() != own.id() {
            return Err(RememberedError::OtherWitness { found: own_line.name().to_string() });
        }
        if log_lines.iter().any(|line| !checkpoint.origin.is_name(line.name())) {
            return Err(RememberedError::StrangeLine);
        }
        match note.verify_known(log_keys) {
            Ok(_) | Err(VerifyError::Unsigned) => {}
            Err(error) => return Err(RememberedError::LogSignature(error)),
        }
        let timestamp = own.verify(note.text(), own_line.bytes()).map_err(RememberedError::OwnSignature)?;
        let timestamp = timestamp.ok_or(RememberedError::Untimed)?;
        Ok(Self { note, checkpoint, timestamp })
    }

    /// Returns the tree size cosigned.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.checkpoint.size
    }

    /// Returns the root hash cosigned.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.checkpoint.root
    }

    /// Returns the time stated, in POSIX seconds.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Returns the checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the whole note, with the log's signature and the witness's.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }
}

/// Why stored bytes are not this witness's memory of an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RememberedError {
    /// The bytes are no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another origin than the one it is filed under.
    #[error("it is filed under another origin than its own, {found:?}")]
    OtherOrigin {
        /// The origin in the checkpoint.
        found: String,
    },
    /// The note does not have a line of the log and one of the witness.
    #[error("it has {found} signature lines; it should have the log's and this witness's")]
    Lines {
        /// How many there are.
        found: usize,
    },
    /// The last line is another witness's.
    #[error("it was cosigned by {found:?}, not with this witness's key")]
    OtherWitness {
        /// The name in the line.
        found: String,
    },
    /// A line is neither the log's nor the witness's.
    #[error("a signature line is neither the log's nor this witness's")]
    StrangeLine,
    /// The log's line does not verify.
    #[error("the log's signature: {0}")]
    LogSignature(#[source] VerifyError),
    /// The witness's own line does not verify.
    #[error("this witness's cosignature: {0}")]
    OwnSignature(#[source] SignatureError),
    /// The witness's own key states no time.
    #[error("this witness's key is not a cosigner's")]
    Untimed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Log, own};

    fn stored(log: &Log) -> Vec<u8> {
        let text = log.text(5);
        let own_line = own().sign(&text, Some(7)).unwrap();
        Note::with_lines(&text, &[log.line(&text), own_line]).unwrap().to_bytes()
    }

    #[test]
    fn reads_back_what_was_cosigned() {
        let log = Log::new("log.example/a", 8);
        let held = Remembered::open(&stored(&log), &log.hash(), own().vkey(), &[log.vkey()]).unwrap();
        assert_eq!((held.size(), held.root(), held.timestamp()), (TreeSize::new(5), log.root(5), 7));
        assert_eq!(held.note().to_bytes(), stored(&log));
        assert_eq!(held.checkpoint().origin, log.origin());
    }

    #[test]
    fn survives_the_removal_of_the_logs_key_from_the_list() {
        let log = Log::new("log.example/a", 8);
        assert!(Remembered::open(&stored(&log), &log.hash(), own().vkey(), &[]).is_ok());
    }

    #[test]
    fn refuses_every_flipped_bit_of_text_and_signatures() {
        let log = Log::new("log.example/a", 8);
        let good = stored(&log);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // Where the flip renames the log's line to an unknown key of the log, only the file's digest tells.
            if let Ok(held) = Remembered::open(&bad, &log.hash(), own().vkey(), &[log.vkey()]) {
                assert_eq!(held.note().text(), log.text(5));
                assert_ne!(held.note().lines()[0].id(), log.vkey().id());
            }
        }
    }

    #[test]
    fn refuses_what_is_not_this_witnesss_memory_of_this_origin() {
        let (log, other) = (Log::new("log.example/a", 8), Log::new("log.example/b", 8));
        let text = log.text(5);
        let own_line = own().sign(&text, Some(7)).unwrap();
        let open = |lines: &[_]| {
            let bytes = Note::with_lines(&text, lines).unwrap().to_bytes();
            Remembered::open(&bytes, &log.hash(), own().vkey(), &[log.vkey()]).unwrap_err()
        };
        assert!(matches!(open(std::slice::from_ref(&own_line)), RememberedError::Lines { found: 1 }));
        assert!(matches!(open(&[own_line.clone(), log.line(&text)]), RememberedError::OtherWitness { .. }));
        assert!(matches!(open(&[other.line(&text), own_line.clone()]), RememberedError::StrangeLine));
        let wrong = own().sign(&log.text(4), Some(7)).unwrap();
        assert!(matches!(open(&[log.line(&text), wrong]), RememberedError::OwnSignature(_)));
        assert!(matches!(open(&[log.line(&log.text(4)), own_line]), RememberedError::LogSignature(_)));
        let elsewhere = Remembered::open(&stored(&log), &other.hash(), own().vkey(), &[log.vkey()]);
        assert!(matches!(elsewhere, Err(RememberedError::OtherOrigin { .. })));
    }
}

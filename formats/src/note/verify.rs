//! Judging a note's signatures.

use super::{KeyId, KeyName, Note, SignatureError, SignatureLine, Vkey};

/// A signature that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The key it verified under.
    pub key: Vkey,
    /// The time it states, in POSIX seconds, when its type has one.
    pub timestamp: Option<u64>,
}

/// What [`Note::verify`] found: at least one signature of a known key, and no line that speaks against the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    signatures: Vec<VerifiedSignature>,
    ignored: Vec<SignatureLine>,
}

impl VerifiedNote {
    /// Returns the verified signatures, in the order of their lines; at least one.
    #[must_use]
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// Returns the lines of keys nobody named. Nothing is known about them; a verdict lists them.
    #[must_use]
    pub fn ignored(&self) -> &[SignatureLine] {
        &self.ignored
    }
}

impl Note {
    /// Judges the note as a verifier does, against every key it knows.
    ///
    /// A line under a known (name, key ID) has to verify. A line of an unknown key has to be unknown in truth: one that
    /// verifies under a known key was relabelled. No (name, key ID) may come twice, so that no note carries two times of
    /// one witness. Remaining lines are ignored and listed.
    ///
    /// # Errors
    /// [`VerifyError`] refuses the whole note.
    pub fn verify(&self, known: &[Vkey]) -> Result<VerifiedNote, VerifyError> {
        self.refuse_repeated()?;
        let mut signatures = Vec::new();
        let mut ignored = Vec::new();
        for line in self.lines() {
            if let Some(verified) = verify_line(self.text(), line, known)? {
                signatures.push(verified);
            } else {
                refuse_relabelled(self.text(), line, known)?;
                ignored.push(line.clone());
            }
        }
        // "If no signature from a known key verifies successfully, clients MUST reject the note." (signed-note v1.0.0,
        // Signatures)
        if signatures.is_empty() { Err(VerifyError::Unsigned) } else { Ok(VerifiedNote { signatures, ignored }) }
    }

    /// Judges the note as a witness does: every line of a known key has to verify, others are not looked at.
    ///
    /// "Verifiers MUST ignore signatures from unknown keys, even if they share a name or ID (but not both) with a known
    /// key." (signed-note v1.0.0, Signatures)
    ///
    /// # Errors
    /// [`VerifyError::KeyFailed`], or [`VerifyError::Unsigned`] when no line is of a known key.
    pub fn verify_known(&self, known: &[Vkey]) -> Result<Vec<VerifiedSignature>, VerifyError> {
        let mut signatures = Vec::new();
        for line in self.lines() {
            signatures.extend(verify_line(self.text(), line, known)?);
        }
        if signatures.is_empty() { Err(VerifyError::Unsigned) } else { Ok(signatures) }
    }

    /// Judges the note by one log's key alone, as a witness does that knows one key for the origin.
    ///
    /// # Errors
    /// As [`Note::verify_known`].
    pub fn verify_log(&self, log: &Vkey) -> Result<VerifiedSignature, VerifyError> {
        let verified = self.verify_known(core::slice::from_ref(log))?;
        verified.into_iter().next().ok_or(VerifyError::Unsigned)
    }

    fn refuse_repeated(&self) -> Result<(), VerifyError> {
        for (position, line) in self.lines().iter().enumerate() {
            let same = |other: &&SignatureLine| other.name() == line.name() && other.id() == line.id();
            if self.lines().iter().skip(position + 1).find(same).is_some() {
                return Err(VerifyError::Repeated { name: line.name().clone(), id: line.id() });
            }
        }
        Ok(())
    }
}

/// Verifies a line under the known keys of its name and ID; `None` when there are none.
///
/// "If the key name and ID match a known key, verifiers MUST verify the signature." and, on main of 2026-04-23, "If a
/// signature from a known key fails to verify, clients SHOULD reject the whole note." (signed-note, Signatures). Key IDs
/// are four bytes, so two known keys can share name and ID: all of them are tried.
fn verify_line(text: &str, line: &SignatureLine, known: &[Vkey]) -> Result<Option<VerifiedSignature>, VerifyError> {
    let mut failed = None;
    for key in known.iter().filter(|key| key.name() == line.name() && key.id() == line.id()) {
        match key.verify(text, line.bytes()) {
            Ok(timestamp) => return Ok(Some(VerifiedSignature { key: key.clone(), timestamp })),
            Err(why) => failed = Some(why),
        }
    }
    match failed {
        Some(why) => Err(VerifyError::KeyFailed { name: line.name().clone(), id: line.id(), why }),
        None => Ok(None),
    }
}

/// Refuses a line of an unknown (name, key ID) whose signature is that of a known key: someone renamed it, so that a
/// verdict would silently lack a witness.
fn refuse_relabelled(text: &str, line: &SignatureLine, known: &[Vkey]) -> Result<(), VerifyError> {
    match known.iter().find(|key| key.verify(text, line.bytes()).is_ok()) {
        Some(key) => Err(VerifyError::Relabelled {
            name: line.name().clone(),
            id: line.id(),
            signer: key.name().clone(),
            signer_id: key.id(),
        }),
        None => Ok(()),
    }
}

/// Why a well-formed note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A line of a known key does not verify.
    #[error("the line of {name} (key ID {id}): {why}")]
    KeyFailed {
        /// Key name of the line.
        name: KeyName,
        /// Key ID of the line.
        id: KeyId,
        /// What is wrong with the signature.
        why: SignatureError,
    },
    /// A line of an unknown key carries a known key's signature.
    #[error("the line of {name} (key ID {id}) carries the signature of {signer} (key ID {signer_id}): relabelled")]
    Relabelled {
        /// Key name of the line.
        name: KeyName,
        /// Key ID of the line.
        id: KeyId,
        /// Name of the key that made the signature.
        signer: KeyName,
        /// ID of the key that made the signature.
        signer_id: KeyId,
    },
    /// Two lines under one name and ID.
    #[error("two lines of {name} (key ID {id}) in one note")]
    Repeated {
        /// Key name of both lines.
        name: KeyName,
        /// Key ID of both lines.
        id: KeyId,
    },
    /// No line is of a known key.
    #[error("no known key signed the note")]
    Unsigned,
}

//! Which logs and witnesses a verifier trusts, and how many of them it wants (C2SP tlog-policy, main of 2026-06-22).
//!
//! A [`Policy`] is read from the lines `log`, `witness`, `group` and `quorum`. [`Policy::verify_checkpoint`] judges a note's
//! signatures and gives a [`VerifiedCheckpoint`]: signed by a log of the policy for certain, cosigned by those witnesses
//! it names. Whether they are a quorum is a second question, which [`VerifiedCheckpoint::quorum`] answers, because a note
//! with too few cosignatures is not false but weak.

mod builder;
mod parse;
mod portable;
mod quorum;
mod verified;

use core::fmt;

pub use builder::{PolicyBuilder, PolicyFault};
pub use parse::PolicyError;
pub use portable::PortabilityError;
pub use quorum::QuorumVerdict;
pub use verified::{Cosigned, PolicyVerifyError, VerifiedCheckpoint};

use crate::checkpoint::Origin;
use crate::note::{SignatureAlgorithm, Vkey};

/// One item of a policy line, a name or a URL: octets without spaces and control characters.
///
/// "names must be handled as opaque octet strings" (tlog-policy, Character set). `Display` shows other than UTF-8
/// lossily; [`Word::as_bytes`] is exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(Vec<u8>);

impl Word {
    /// Checks and wraps the octets of a name or URL.
    ///
    /// # Errors
    /// [`PolicyFault::Word`] when they are empty or hold a space or a control character.
    pub fn new(octets: impl Into<Vec<u8>>) -> Result<Self, PolicyFault> {
        let octets = octets.into();
        let allowed = |b: &u8| matches!(b, 0x21..=0x7e | 0x80..=0xff);
        if octets.is_empty() || !octets.iter().all(allowed) {
            return Err(PolicyFault::Word(String::from_utf8_lossy(&octets).into_owned()));
        }
        Ok(Self(octets))
    }

    /// Returns the octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the octets as text, when they are UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A log whose checkpoints the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    vkey: Vkey,
    url: Option<Word>,
}

impl Log {
    /// Names a log by its key, and by its URL if it is to be reached.
    ///
    /// # Errors
    /// [`PolicyFault::LogAlgorithm`] unless the key is an Ed25519 log key (`0x01`).
    pub fn new(vkey: Vkey, url: Option<Word>) -> Result<Self, PolicyFault> {
        // "Log and witness keys must use a signature type appropriate" for their function (tlog-policy, Public key
        // representation); ours are 0x01 for logs and 0x04 for witnesses.
        match vkey.algorithm() {
            SignatureAlgorithm::Ed25519 => Ok(Self { vkey, url }),
            SignatureAlgorithm::CosignatureEd25519 => Err(PolicyFault::LogAlgorithm),
        }
    }

    /// Returns the log's key; its name is the origin.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Returns where the log is, as far as the policy says.
    #[must_use]
    pub const fn url(&self) -> Option<&Word> {
        self.url.as_ref()
    }
}

/// A witness whose cosignatures the policy counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    name: Word,
    vkey: Vkey,
    url: Option<Word>,
}

impl Witness {
    /// Names a witness for use in groups and the quorum, by its key, and by its submission prefix if it is to be asked.
    ///
    /// # Errors
    /// [`PolicyFault::WitnessAlgorithm`] unless the key is a cosigner's (`0x04`).
    pub fn new(name: Word, vkey: Vkey, url: Option<Word>) -> Result<Self, PolicyFault> {
        match vkey.algorithm() {
            SignatureAlgorithm::CosignatureEd25519 => Ok(Self { name, vkey, url }),
            SignatureAlgorithm::Ed25519 => Err(PolicyFault::WitnessAlgorithm),
        }
    }

    /// Returns the witness's name in this policy. It has no meaning outside of it.
    #[must_use]
    pub const fn name(&self) -> &Word {
        &self.name
    }

    /// Returns the witness's key.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Returns the witness's submission prefix, as far as the policy says.
    #[must_use]
    pub const fn url(&self) -> Option<&Word> {
        self.url.as_ref()
    }
}

/// What a group or the quorum refers to: a position in [`Policy::witnesses`] or [`Policy::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// A witness, by position.
    Witness(usize),
    /// A group, by position; always an earlier one than the group it is a member of.
    Group(usize),
}

/// A number of witnesses or groups of which at least `threshold` have to have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: Word,
    threshold: usize,
    members: Vec<Member>,
}

impl Group {
    /// Returns the group's name.
    #[must_use]
    pub const fn name(&self) -> &Word {
        &self.name
    }

    /// Returns how many members have to have cosigned: at least 1, at most all.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Returns the members, in the order in which they were listed.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

/// A trust policy.
///
/// Invariants: logs and witnesses have distinct public keys, names are distinct, a group's members stand before it, and
/// nothing is a member twice, so that groups form trees whose witnesses are disjoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// `None` stands for `quorum none`.
    quorum: Option<Member>,
}

impl Policy {
    /// Returns the logs. Any one of them may have signed a checkpoint.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Returns the witnesses, whether or not the quorum counts them.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Returns the groups, in an order in which each follows its members.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Returns what the quorum refers to; `None` for `quorum none`.
    #[must_use]
    pub const fn quorum(&self) -> Option<Member> {
        self.quorum
    }

    /// Returns the logs that have an origin for a name. "The log's vkey includes a "key name". This name MUST correspond to
    /// the log's origin line" (tlog-policy, Defining a log).
    pub fn logs_of<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = &'a Log> {
        self.logs.iter().filter(|log| origin.is_name(log.vkey.name()))
    }

    /// Returns the witness of a name.
    #[must_use]
    pub fn witness(&self, name: &Word) -> Option<&Witness> {
        self.witnesses.iter().find(|witness| witness.name == *name)
    }

    fn name_of(&self, member: Member) -> Option<&Word> {
        match member {
            Member::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Member::Group(at) => self.groups.get(at).map(|group| &group.name),
        }
    }
}

#[cfg(test)]
mod tests;

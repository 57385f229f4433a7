//! Which logs and witnesses a verifier trusts, and how many of them it wants (C2SP tlog-policy, main of 2026-06-22).
//!
//! A [`Policy`] is read from the lines `log`, `witness`, `group` and `quorum`. [`Policy::verify_checkpoint`] judges a note's
//! signatures and gives a [`VerifiedCheckpoint`]: signed by a log of the policy for certain, cosigned by those witnesses
//! it names. Whether they are a quorum is a second question, which [`VerifiedCheckpoint::quorum`] answers, because a note
//! with too few cosignatures is not false but weak.

mod parse;
mod portable;
mod quorum;
mod verified;

use core::fmt;

pub use parse::PolicyError;
pub use portable::PortabilityError;
pub use quorum::QuorumVerdict;
pub use verified::{Cosigned, PolicyVerifyError, VerifiedCheckpoint};

use crate::checkpoint::Origin;
use crate::limits::{MAX_POLICY_GROUPS, MAX_POLICY_LOGS, MAX_POLICY_WITNESSES};
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

/// Builds a policy statement by statement, each judged against those before it, as the lines of a policy file are.
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    used: Vec<Member>,
    quorum: Option<Option<Member>>,
}

impl PolicyBuilder {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a log.
    ///
    /// # Errors
    /// A second log of the same public key, or one log too many.
    pub fn log(&mut self, log: Log) -> Result<(), PolicyFault> {
        // "Duplicate logs, i.e., multiple log lines with the same public key, are not allowed." (Defining a log), where keys
        // are duplicate "even if they differ by key name and key id" (Public key representation).
        if self.logs.iter().any(|other| other.vkey.public_key() == log.vkey.public_key()) {
            return Err(PolicyFault::DuplicateLog(log.vkey));
        }
        if self.logs.len() >= MAX_POLICY_LOGS {
            return Err(PolicyFault::TooMany { what: "logs", most: MAX_POLICY_LOGS });
        }
        self.logs.push(log);
        Ok(())
    }

    /// Adds a witness.
    ///
    /// # Errors
    /// A second witness of the same public key, a name that is taken or reserved, or one witness too many.
    pub fn witness(&mut self, witness: Witness) -> Result<(), PolicyFault> {
        self.check_new_name(&witness.name)?;
        // "Duplicate witnesses, i.e., multiple witness lines with the same public key, are not allowed." (Defining a witness)
        if self.witnesses.iter().any(|other| other.vkey.public_key() == witness.vkey.public_key()) {
            return Err(PolicyFault::DuplicateWitness(witness.vkey));
        }
        if self.witnesses.len() >= MAX_POLICY_WITNESSES {
            return Err(PolicyFault::TooMany { what: "witnesses", most: MAX_POLICY_WITNESSES });
        }
        self.witnesses.push(witness);
        Ok(())
    }

    /// Adds a group of earlier witnesses and groups, `threshold` of which have to have cosigned.
    ///
    /// # Errors
    /// A name that is taken or reserved, a member that is undefined, reserved or already a member, a threshold outside 1
    /// to the number of members, or one group too many. After an error the builder is as before.
    pub fn group(&mut self, name: Word, threshold: usize, members: &[Word]) -> Result<(), PolicyFault> {
        self.check_new_name(&name)?;
        // "it is required that 1 <= k <= n" and "At least one member must be listed (i.e., n >= 1)" (Defining a witness group)
        if threshold < 1 || threshold > members.len() {
            return Err(PolicyFault::Threshold { threshold, members: members.len() });
        }
        if self.groups.len() >= MAX_POLICY_GROUPS {
            return Err(PolicyFault::TooMany { what: "groups", most: MAX_POLICY_GROUPS });
        }
        let mut resolved = Vec::new();
        for member_name in members {
            let member = self.resolve(member_name)?;
            // "Each defined name can be listed as a group member at most once." (Defining a witness group)
            if self.used.contains(&member) || resolved.contains(&member) {
                return Err(PolicyFault::MemberTwice(member_name.clone()));
            }
            resolved.push(member);
        }
        self.used.extend_from_slice(&resolved);
        self.groups.push(Group { name, threshold, members: resolved });
        Ok(())
    }

    /// Sets the quorum: an earlier witness or group, or `none`.
    ///
    /// # Errors
    /// A second quorum, or an undefined name.
    pub fn quorum(&mut self, name: &Word) -> Result<(), PolicyFault> {
        // "A policy file must include exactly one quorum line." (Defining the quorum)
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        let member = if name.as_bytes() == NONE { None } else { Some(self.resolve(name)?) };
        self.quorum = Some(member);
        Ok(())
    }

    /// Ends the policy.
    ///
    /// # Errors
    /// [`PolicyFault::NoQuorum`] when none was set.
    pub fn finish(self) -> Result<Policy, PolicyFault> {
        let quorum = self.quorum.ok_or(PolicyFault::NoQuorum)?;
        Ok(Policy { logs: self.logs, witnesses: self.witnesses, groups: self.groups, quorum })
    }

    /// "A line defining a group can only reference names of groups and witnesses defined on preceding lines." (Structure)
    fn resolve(&self, name: &Word) -> Result<Member, PolicyFault> {
        // "The special name `none` […] is invalid as a group member." (What is a "policy"?)
        if name.as_bytes() == NONE {
            return Err(PolicyFault::NoneAsMember);
        }
        let witness = self.witnesses.iter().position(|witness| witness.name == *name).map(Member::Witness);
        let group = || self.groups.iter().position(|group| group.name == *name).map(Member::Group);
        witness.or_else(group).ok_or_else(|| PolicyFault::Undefined(name.clone()))
    }

    /// "Witnesses and groups share a single namespace. The special name `none` is predefined" (What is a "policy"?)
    fn check_new_name(&self, name: &Word) -> Result<(), PolicyFault> {
        match self.resolve(name) {
            Err(PolicyFault::Undefined(_)) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => Err(PolicyFault::NameTaken(name.clone())),
        }
    }
}

const NONE: &[u8] = b"none";

/// What is wrong with one statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// A name or URL is empty or holds a space or control character.
    #[error("{0:?} is not a name or URL: it is empty, or holds a space or a control character")]
    Word(String),
    /// The line begins with an unknown word.
    #[error("{0:?} is not one of log, witness, group, quorum")]
    Keyword(String),
    /// The line has too few or too many items.
    #[error("{items} items instead of the form {form:?}")]
    Form {
        /// What the line should look like.
        form: &'static str,
        /// How many items it has.
        items: usize,
    },
    /// A key is malformed.
    #[error(transparent)]
    Key(#[from] crate::note::KeyError),
    /// A log's key is not of a type logs sign with.
    #[error("a log key has signature type 0x01 (Ed25519)")]
    LogAlgorithm,
    /// A witness's key is not of a type witnesses sign with.
    #[error("a witness key has signature type 0x04 (Ed25519 cosignature)")]
    WitnessAlgorithm,
    /// Two logs with one public key.
    #[error("the public key of log {0} is already that of another log")]
    DuplicateLog(Vkey),
    /// Two witnesses with one public key.
    #[error("the public key of witness {0} is already that of another witness")]
    DuplicateWitness(Vkey),
    /// A name that is already a witness's or a group's.
    #[error("the name {0} is already defined")]
    NameTaken(Word),
    /// A name that no earlier line defines.
    #[error("the name {0} is not defined on an earlier line")]
    Undefined(Word),
    /// `none` as a member, or as a name to define.
    #[error("the name none is reserved for `quorum none`")]
    NoneAsMember,
    /// A name listed as a member a second time.
    #[error("{0} is already a member of a group")]
    MemberTwice(Word),
    /// A threshold that is not all, any or a decimal.
    #[error("threshold {0:?} is not all, any or a decimal number")]
    ThresholdForm(String),
    /// A threshold below 1 or above the number of members.
    #[error("threshold {threshold} of {members} members; it has to be between 1 and their number")]
    Threshold {
        /// The threshold.
        threshold: usize,
        /// How many members are listed.
        members: usize,
    },
    /// Two quorum lines.
    #[error("a second quorum line")]
    SecondQuorum,
    /// No quorum line.
    #[error("no quorum line")]
    NoQuorum,
    /// More logs, witnesses or groups than are supported.
    #[error("more than {most} {what}")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// How many are supported.
        most: usize,
    },
}


//! Building a policy.

use super::{Group, Log, Member, Policy, Witness, Word};
use crate::limits::{MAX_POLICY_GROUPS, MAX_POLICY_LOGS, MAX_POLICY_WITNESSES};
use crate::note::{KeyError, KeyName};

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
            return Err(PolicyFault::DuplicateLog(log.vkey.name().clone()));
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
            return Err(PolicyFault::DuplicateWitness(witness.vkey.name().clone()));
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

pub(super) const NONE: &[u8] = b"none";

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
    Key(#[from] KeyError),
    /// A log's key is not of a type logs sign with.
    #[error("a log key has signature type 0x01 (Ed25519)")]
    LogAlgorithm,
    /// A witness's key is not of a type witnesses sign with.
    #[error("a witness key has signature type 0x04 (Ed25519 cosignature)")]
    WitnessAlgorithm,
    /// Two logs with one public key.
    #[error("the public key of log {0} is already that of another log")]
    DuplicateLog(KeyName),
    /// Two witnesses with one public key.
    #[error("the public key of witness {0} is already that of another witness")]
    DuplicateWitness(KeyName),
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

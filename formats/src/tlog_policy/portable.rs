//! Policies that other tools read as well.
//!
//! Readers in the field are narrower than the specification: one requires a URL on every `witness` line, cuts a line at
//! the first `#`, and refuses keywords for names.

use super::{Log, Policy, PolicyBuilder, PolicyError, Witness, Word};

impl Policy {
    /// Makes the policy of one log: `threshold` of the witnesses, or `quorum none`. What it makes is portable.
    ///
    /// # Errors
    /// [`PortabilityError`] when a witness has no URL or an unsuitable name, when two share a name or a key, or when the
    /// threshold is not between 1 and their number.
    pub fn of_log(log: Log, witnesses: Vec<Witness>, threshold: Option<usize>) -> Result<Self, PortabilityError> {
        let mut builder = PolicyBuilder::new();
        let names: Vec<Word> = witnesses.iter().map(|witness| witness.name.clone()).collect();
        let built = builder.log(log).and_then(|()| {
            witnesses.into_iter().try_for_each(|witness| builder.witness(witness))?;
            let Some(threshold) = threshold else {
                return builder.quorum(&Word::new(super::builder::NONE)?);
            };
            let group = free_name(&names)?;
            builder.group(group.clone(), threshold, &names)?;
            builder.quorum(&group)
        });
        let policy = built.and_then(|()| builder.finish()).map_err(PolicyError::Whole)?;
        policy.check_portable()?;
        Ok(policy)
    }

    /// Checks that other tools read this policy as we do.
    ///
    /// # Errors
    /// [`PortabilityError`] names the first witness, group or word that they do not read.
    pub fn check_portable(&self) -> Result<(), PortabilityError> {
        for witness in &self.witnesses {
            let url = witness.url.as_ref().ok_or_else(|| PortabilityError::NoUrl(witness.name.clone()))?;
            check_name(&witness.name)?;
            check_hash(url.as_bytes())?;
            check_hash(witness.vkey.name().as_str().as_bytes())?;
        }
        for log in &self.logs {
            check_hash(log.vkey.name().as_str().as_bytes())?;
            log.url.as_ref().map_or(Ok(()), |url| check_hash(url.as_bytes()))?;
        }
        self.groups.iter().try_for_each(|group| check_name(&group.name))
    }
}

const KEYWORDS: [&[u8]; 7] = [b"log", b"witness", b"group", b"quorum", b"all", b"any", b"none"];

fn check_name(name: &Word) -> Result<(), PortabilityError> {
    if KEYWORDS.contains(&name.as_bytes()) {
        return Err(PortabilityError::Keyword(name.clone()));
    }
    check_hash(name.as_bytes())
}

fn check_hash(octets: &[u8]) -> Result<(), PortabilityError> {
    if octets.contains(&b'#') {
        return Err(PortabilityError::Hash(String::from_utf8_lossy(octets).into_owned()));
    }
    Ok(())
}

/// Returns `witnesses`, with as many dashes behind it as no witness has.
fn free_name(taken: &[Word]) -> Result<Word, super::PolicyFault> {
    let mut name = b"witnesses".to_vec();
    while taken.iter().any(|other| other.as_bytes() == name) {
        name.push(b'-');
    }
    Word::new(name)
}

/// Why other tools would not read a policy as we do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortabilityError {
    /// The policy is none at all.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A witness without a URL.
    #[error("witness {0} has no URL; other tools need one on every witness line")]
    NoUrl(Word),
    /// A keyword as a name.
    #[error("the name {0} is a keyword of the policy format; other tools refuse it")]
    Keyword(Word),
    /// A `#` inside a name or URL.
    #[error("{0:?} holds a '#'; other tools take the rest of the line for a comment")]
    Hash(String),
}

//! `ownership`: who answers for an identity, or for all below a path.

use super::sheet::{BuildError, Built, Seals, Sheet};

/// What a person says of an owner.
#[derive(Clone, Debug, Default)]
pub struct OwnershipFacts {
    /// A SPIFFE ID or URI, or with a `/` at its end all that begin with it.
    pub prefix: String,
    /// Who answers for it.
    pub owner: String,
    /// Roles, each with who sees to it; without a name, the owner.
    pub roles: Vec<(String, Option<String>)>,
    /// Production, staging …
    pub environment: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// When it is to be looked at again: POSIX milliseconds.
    pub review_ms: Option<u64>,
    /// When the owner leaves: POSIX milliseconds.
    pub offboard_ms: Option<u64>,
    /// The subject, where it is not the prefix.
    pub sub: Option<String>,
}

/// Builds an `ownership` record.
///
/// # Errors
///
/// As said in [`BuildError`].
pub fn ownership(facts: &OwnershipFacts, now_s: u64, seals: &mut Seals<'_>) -> Result<Built, BuildError> {
    let unfit = |why: &str| BuildError::Unfit { name: facts.prefix.clone(), why: why.to_owned() };
    if !facts.prefix.contains("://") && !facts.prefix.starts_with("urn:") {
        return Err(unfit("what is owned is a SPIFFE ID or URI, or a prefix of them that ends in /"));
    }
    let mut sheet = Sheet::new("ownership", now_s, seals);
    sheet.put(&["prefix"], facts.prefix.as_str())?;
    // A team as a rule, whose name may have spaces; a person is known by the form of an address alone.
    sheet.put(&["owner"], facts.owner.as_str())?;
    for (role, who) in &facts.roles {
        sheet.put(&["roles", role], who.as_deref().unwrap_or(&facts.owner))?;
    }
    sheet.put_some(&["environment"], facts.environment.as_deref())?;
    sheet.put_some(&["purpose"], facts.purpose.as_deref())?;
    sheet.time("review_ms", facts.review_ms)?;
    sheet.time("offboard_ms", facts.offboard_ms)?;
    if facts.prefix.ends_with('/') {
        sheet.warnings.push(format!("this covers every identity that begins with {}", facts.prefix));
    }
    sheet.finish(facts.sub.as_deref(), None)
}

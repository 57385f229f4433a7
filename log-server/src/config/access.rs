//! Who may do what.

use std::collections::BTreeSet;

use govlog_formats::digest::Digest;

/// The roles of those who talk to a log, and who has each.
///
/// A role opens the door, no more: what gives a statement authority is the signature on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Roles {
    /// Who may read tiles, checkpoints, proofs, receipts.
    pub read: Access,
    /// Who may submit statements.
    pub submit: Access,
    /// Who may use the admin listener.
    pub operate: Access,
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever connects from the same machine.
    Loopback,
    /// Whoever connects.
    Anyone,
    /// Whoever brings a bearer token with one of these SHA-256 digests, from wherever.
    Tokens(BTreeSet<Digest>),
}

impl Access {
    /// Tells whether a peer has the role. `bearer`: the token of its `Authorization` header, if it has one.
    pub fn allows(&self, from_loopback: bool, bearer: Option<&str>) -> bool {
        match self {
            Self::Loopback => from_loopback,
            Self::Anyone => true,
            Self::Tokens(digests) => bearer.is_some_and(|token| digests.contains(&Digest::sha256(token.as_bytes()))),
        }
    }
}

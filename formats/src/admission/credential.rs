//! Which key a statement must be signed with: one of its issuer's row, an operator's, or the leaf's of a certificate chain.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::statement::{SignedStatement, Signer};
use crate::x509::{Anchored, Chain, ChainError};

use super::change::{Credentials, IssuerRow};
use super::judge::Accepted;
use super::refusal::Refusal;
use super::state::{Issuer, PolicyState};

/// The key that a statement has to be signed with.
pub(super) struct Found<'a> {
    pub(super) key: Cow<'a, PublicKey>,
    pub(super) credential: Credential,
}

/// What the policy let a statement's signer in by.
///
/// Nothing in it depends on the policy: [`PolicyState::still_lists`] tells of a later one whether it would let in the same, without a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credential {
    /// The key's thumbprint.
    pub(super) key: Digest,
    /// For the key of a certificate: up to whom its chain was verified, at the statement's `iat`.
    pub(super) anchored: Option<Arc<Anchored>>,
}

/// What the policy lists for the credential that a statement names, before anything is verified.
enum Listed<'p, 's> {
    /// The key of that thumbprint.
    Key(Digest, &'p PublicKey),
    /// Anchors, for a chain to lead to.
    Anchors(&'s [Vec<u8>], &'p Issuer),
}

impl PolicyState {
    /// Returns the row that a statement is judged by; none for an operator, and for whom nobody let in.
    ///
    /// That is not the row of its `iss` alone: a row `spiffe://TD` admits the workloads of a trust domain.
    pub fn row_of(&self, statement: &SignedStatement) -> Option<&IssuerRow> {
        if statement.claims().iss == self.operator_iss() {
            return None;
        }
        self.row_for(statement).map(|issuer| &issuer.row)
    }

    /// Returns the row that an issuer's statements are judged by, signed with a certificate or with a key.
    pub fn row_by(&self, iss: &str, by_certificate: bool) -> Option<&IssuerRow> {
        self.issuer_by(iss, by_certificate).map(|issuer| &issuer.row)
    }

    /// Returns the name by which rates and quotas of a statement count: that of the row it is judged by, however many workloads the row admits; the
    /// issuer's own where there is none.
    pub fn counted_by<'a>(&'a self, statement: &'a SignedStatement) -> &'a str {
        self.row_of(statement).map_or(statement.claims().iss.as_str(), |row| row.iss.as_str())
    }

    pub(super) fn key_of(&self, statement: &SignedStatement) -> Result<Found<'_>, Refusal> {
        match self.listed(statement)? {
            Listed::Key(kid, key) => {
                Ok(Found { key: Cow::Borrowed(key), credential: Credential { key: kid, anchored: None } })
            }
            Listed::Anchors(chain, issuer) => leaf_key(statement, chain, issuer),
        }
    }

    /// Checks that the policy lists what a statement was let in by under an earlier one; `false`: that is something else, and is to be verified.
    ///
    /// # Errors
    /// As [`PolicyState::key_of`], when it lists it no longer.
    pub(super) fn still_lists(&self, statement: &SignedStatement, accepted: &Accepted) -> Result<bool, Refusal> {
        let Credential { key, anchored } = accepted.credential();
        match (self.listed(statement)?, anchored) {
            (Listed::Key(kid, _), None) => Ok(kid == *key),
            (Listed::Anchors(_, issuer), Some(anchored)) => {
                let still = anchored.check(&issuer.anchors);
                still.map(|()| true).map_err(|error| chain_refused(statement, error))
            }
            _ => Ok(false),
        }
    }

    /// Finds the row, and in it what could be the statement's key.
    fn listed<'p, 's>(&'p self, statement: &'s SignedStatement) -> Result<Listed<'p, 's>, Refusal> {
        let iss = &statement.claims().iss;
        if iss == self.operator_iss() {
            return self.operator_key_of(statement);
        }
        let Some(issuer) = self.row_for(statement) else {
            return Err(Refusal::UnknownIssuer { iss: iss.clone(), as_of: self.as_of().get() });
        };
        match (&issuer.row.credentials, statement.signer()) {
            (Credentials::Keys(_), Signer::Kid(kid)) => match issuer.keys.get(kid) {
                Some(key) => Ok(Listed::Key(*kid, key)),
                None => Err(unknown_key(iss, kid, issuer.keys.keys())),
            },
            (Credentials::X509(_), Signer::X5chain(chain)) => Ok(Listed::Anchors(chain, issuer)),
            (Credentials::Keys(_), Signer::X5chain(_)) => {
                Err(wrong_credential(iss, "keys", "a certificate chain (33)"))
            }
            (Credentials::X509(_), Signer::Kid(_)) => Err(wrong_credential(iss, "X.509 trust anchors", "a kid (4)")),
        }
    }

    fn operator_key_of<'p, 's>(&'p self, statement: &'s SignedStatement) -> Result<Listed<'p, 's>, Refusal> {
        let iss = &statement.claims().iss;
        let Signer::Kid(kid) = statement.signer() else {
            return Err(wrong_credential(iss, "keys", "a certificate chain (33)"));
        };
        match self.operator_key(kid) {
            Some(key) => Ok(Listed::Key(*kid, key)),
            None => Err(unknown_key(iss, kid, self.operators().map(|(thumbprint, _)| thumbprint))),
        }
    }
}

/// DESIGN §6: "any SPIFFE ID of that trust domain that equals the leaf's single URI SAN; the chain is validated in the order given, at `iat`".
///
/// `iat` is the one clock of it, so that a replay of the log judges as its door did; how far from now it may lie is the door's to say.
fn leaf_key(statement: &SignedStatement, chain: &[Vec<u8>], issuer: &Issuer) -> Result<Found<'static>, Refusal> {
    let (iss, iat) = (&statement.claims().iss, statement.claims().iat);
    let refused = |error| chain_refused(statement, error);
    let chain = Chain::parse(chain).map_err(refused)?;
    if chain.spiffe_id() != iss {
        return Err(Refusal::OtherSubject { iss: iss.clone(), spiffe_id: chain.spiffe_id().to_owned() });
    }
    let anchored = chain.verify(&issuer.anchors, iat).map_err(refused)?;
    let key = chain.key();
    let credential = Credential { key: key.thumbprint(), anchored: Some(Arc::new(anchored)) };
    Ok(Found { key: Cow::Owned(key.clone()), credential })
}

fn chain_refused(statement: &SignedStatement, error: ChainError) -> Refusal {
    Refusal::Chain { iss: statement.claims().iss.clone(), error }
}

fn unknown_key<'a>(iss: &str, kid: &Digest, allowed: impl Iterator<Item = &'a Digest>) -> Refusal {
    Refusal::UnknownKey { iss: iss.to_owned(), kid: *kid, allowed: allowed.map(Digest::to_string).collect() }
}

fn wrong_credential(iss: &str, registered: &'static str, found: &'static str) -> Refusal {
    Refusal::WrongCredential { iss: iss.to_owned(), registered, found }
}

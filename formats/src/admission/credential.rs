//! Which key a statement must be signed with: one of its issuer's row, an operator's, or the leaf's of a certificate chain.

use std::borrow::Cow;
use std::num::NonZeroU64;

use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::statement::{SignedStatement, Signer};
use crate::x509::Chain;

use super::change::{Credentials, IssuerRow};
use super::refusal::Refusal;
use super::state::{Issuer, PolicyState};

/// A key by its thumbprint, and the rate of its issuer's row.
pub(super) type Found<'a> = (Digest, Cow<'a, PublicKey>, Option<NonZeroU64>);

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

    pub(super) fn key_of(&self, statement: &SignedStatement) -> Result<Found<'_>, Refusal> {
        let iss = &statement.claims().iss;
        if iss == self.operator_iss() {
            return self.operator_key_of(statement);
        }
        let Some(issuer) = self.row_for(statement) else {
            return Err(Refusal::UnknownIssuer { iss: iss.clone(), as_of: self.as_of().get() });
        };
        match (&issuer.row.credentials, statement.signer()) {
            (Credentials::Keys(_), Signer::Kid(kid)) => match issuer.keys.get(kid) {
                Some(key) => Ok((*kid, Cow::Borrowed(key), issuer.row.rate)),
                None => Err(unknown_key(iss, kid, issuer.keys.keys())),
            },
            (Credentials::X509(_), Signer::X5chain(chain)) => {
                let key = leaf_key(statement, chain, issuer)?;
                Ok((key.thumbprint(), Cow::Owned(key), issuer.row.rate))
            }
            (Credentials::Keys(_), Signer::X5chain(_)) => {
                Err(wrong_credential(iss, "keys", "a certificate chain (33)"))
            }
            (Credentials::X509(_), Signer::Kid(_)) => Err(wrong_credential(iss, "X.509 trust anchors", "a kid (4)")),
        }
    }

    fn operator_key_of(&self, statement: &SignedStatement) -> Result<Found<'_>, Refusal> {
        let iss = &statement.claims().iss;
        let Signer::Kid(kid) = statement.signer() else {
            return Err(wrong_credential(iss, "keys", "a certificate chain (33)"));
        };
        match self.operator_key(kid) {
            Some(key) => Ok((*kid, Cow::Borrowed(key), None)),
            None => Err(unknown_key(iss, kid, self.operators().map(|(thumbprint, _)| thumbprint))),
        }
    }
}

/// DESIGN §6: "any SPIFFE ID of that trust domain that equals the leaf's single URI SAN; the chain is validated in the order given, at `iat`".
///
/// `iat` is the one clock of it, so that a replay of the log judges as its door did; how far from now it may lie is the door's to say.
fn leaf_key(statement: &SignedStatement, chain: &[Vec<u8>], issuer: &Issuer) -> Result<PublicKey, Refusal> {
    let (iss, iat) = (&statement.claims().iss, statement.claims().iat);
    let refused = |error| Refusal::Chain { iss: iss.clone(), error };
    let chain = Chain::parse(chain).map_err(refused)?;
    if chain.spiffe_id() != iss {
        return Err(Refusal::OtherSubject { iss: iss.clone(), spiffe_id: chain.spiffe_id().to_owned() });
    }
    chain.verify(&issuer.anchors, iat).map_err(refused)?;
    Ok(chain.key().clone())
}

fn unknown_key<'a>(iss: &str, kid: &Digest, allowed: impl Iterator<Item = &'a Digest>) -> Refusal {
    Refusal::UnknownKey { iss: iss.to_owned(), kid: *kid, allowed: allowed.map(Digest::to_string).collect() }
}

fn wrong_credential(iss: &str, registered: &'static str, found: &'static str) -> Refusal {
    Refusal::WrongCredential { iss: iss.to_owned(), registered, found }
}

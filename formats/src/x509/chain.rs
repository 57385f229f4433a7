//! A chain: a workload's certificate and those between it and a trust anchor.

use super::MAX_CERTIFICATES;
use super::certificate::{Anchor, Certificate};
use super::error::{CertificateError, ChainError};
use crate::cose::PublicKey;

/// A chain whose certificates keep the rules for their places, each signed by the next. Whether anybody trusts the last one is another question:
/// [`Chain::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    /// In the order given: the first has signed the leaf.
    authorities: Vec<Certificate>,
    spiffe_id: String,
}

impl Chain {
    /// Reads a chain in the order of label 33: "the leaf […] first" (RFC 9360 §2), each certificate signed by the next.
    ///
    /// # Errors
    ///
    /// [`ChainError`] names the certificate and the rule. Nothing in it depends on a time, or on who is trusted.
    pub fn parse(chain: &[Vec<u8>]) -> Result<Self, ChainError> {
        if !(1..=MAX_CERTIFICATES).contains(&chain.len()) {
            return Err(ChainError::Length { certificates: chain.len() });
        }
        let parse = |(index, der): (usize, &Vec<u8>)| Certificate::parse(der).map_err(at(index));
        let mut certificates = chain.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?.into_iter();
        let leaf = certificates.next().ok_or(ChainError::Length { certificates: 0 })?;
        let spiffe_id = leaf.check_leaf().map_err(at(0))?;
        let parsed = Self { leaf, authorities: certificates.collect(), spiffe_id };
        for (index, authority) in parsed.authorities.iter().enumerate() {
            parsed.check_authority(authority, index).map_err(at(index + 1))?;
        }
        parsed.check_order()?;
        Ok(parsed)
    }

    /// Checks that a trust anchor has signed the last certificate, and that each, the anchor too, is valid at a time in POSIX seconds.
    ///
    /// # Errors
    ///
    /// [`ChainError::Time`] of the chain's own certificates, [`ChainError::Anchor`] where no anchor that is valid then has signed it.
    pub fn verify(&self, anchors: &[Anchor], at: i64) -> Result<(), ChainError> {
        self.check_time(at)?;
        let last = self.authorities.last().unwrap_or(&self.leaf);
        let mut why =
            format!("its issuer is {:?}, and none of {} anchors is named so", last.issuer.to_string(), anchors.len());
        for anchor in anchors.iter().map(Anchor::certificate).filter(|anchor| anchor.subject == last.issuer) {
            match self.check_anchor(anchor, last, at) {
                Ok(()) => return Ok(()),
                Err(because) => why = format!("the anchor {:?}: {because}", anchor.subject.to_string()),
            }
        }
        Err(ChainError::Anchor { why })
    }

    /// Checks that each certificate of the chain is valid at a time in POSIX seconds.
    ///
    /// # Errors
    ///
    /// [`ChainError::Time`].
    pub fn check_time(&self, at: i64) -> Result<(), ChainError> {
        match self.certificates().zip(1..).find(|(certificate, _)| !certificate.is_valid_at(at)) {
            Some((certificate, position)) => {
                let (not_before, not_after) = certificate.validity;
                Err(ChainError::Time { position, not_before, not_after, at })
            }
            None => Ok(()),
        }
    }

    /// The SPIFFE ID of the leaf.
    #[must_use]
    pub fn spiffe_id(&self) -> &str {
        &self.spiffe_id
    }

    /// The key of the leaf.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.leaf.key
    }

    /// The first and the last second, POSIX, at which all its certificates are valid. There may be none between them.
    #[must_use]
    pub fn validity_s(&self) -> (i64, i64) {
        let each = || self.certificates().map(|certificate| certificate.validity);
        let from = each().map(|(from, _)| from).max().unwrap_or(i64::MAX);
        let until = each().map(|(_, until)| until).min().unwrap_or(i64::MIN);
        (from, until)
    }

    /// The trust domain of the leaf, `spiffe://TD`.
    fn trust_domain(&self) -> &str {
        crate::admission::trust_domain(&self.spiffe_id).unwrap_or_default()
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.authorities)
    }

    fn check_authority(&self, authority: &Certificate, below: usize) -> Result<(), CertificateError> {
        authority.check_authority(true)?;
        authority.check_domain(self.trust_domain())?;
        authority.check_path_len(self.counted(below))
    }

    fn check_order(&self) -> Result<(), ChainError> {
        for (index, (certificate, issuer)) in self.certificates().zip(&self.authorities).enumerate() {
            let checked = certificate.check_signed_by(issuer);
            checked.map_err(|why| ChainError::Order { position: index + 1, why })?;
        }
        Ok(())
    }

    fn check_anchor(&self, anchor: &Certificate, last: &Certificate, at: i64) -> Result<(), String> {
        if !anchor.is_valid_at(at) {
            let (not_before, not_after) = anchor.validity;
            return Err(format!("it is valid from {not_before} to {not_after}, and not at {at} (POSIX seconds)"));
        }
        anchor.check_domain(self.trust_domain()).map_err(|error| error.to_string())?;
        anchor.check_path_len(self.counted(self.authorities.len())).map_err(|error| error.to_string())?;
        last.check_signed_by(anchor).map_err(|_| "the signature does not verify under its key".to_owned())
    }

    /// How many of the first authorities count against a path length: RFC 5280 §6.1.4 (l).
    fn counted(&self, first: usize) -> usize {
        self.authorities.iter().take(first).filter(|authority| !authority.is_self_issued()).count()
    }
}

fn at(index: usize) -> impl Fn(CertificateError) -> ChainError {
    move |error| ChainError::Certificate { position: index + 1, error }
}

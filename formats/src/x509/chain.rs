//! A chain: a workload's certificate and those between it and a trust anchor.
//!
//! ```text
//! bytes ─▶ Chain (rules, names) ─▶ an anchor named so? ─▶ signatures, from the anchor down ─▶ Anchored
//! ```
//!
//! Whoever is not known costs no verification: signatures come last, and that of the anchor is the first of them.

use super::MAX_CERTIFICATES;
use super::anchored::{Anchored, Seat};
use super::certificate::{Anchor, Certificate};
use super::error::{CertificateError, ChainError};
use crate::cose::PublicKey;

/// A chain whose certificates keep the rules for their places, each naming the next one as its issuer. Whether those have signed, and whether
/// anybody trusts the last one, are other questions: [`Chain::check_signatures`], [`Chain::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    /// In the order given: the first has signed the leaf.
    authorities: Vec<Certificate>,
    spiffe_id: String,
}

impl Chain {
    /// Reads a chain in the order of label 33: "the leaf […] first" (RFC 9360 §2), each certificate issued by the next. No signature is looked at.
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
        parsed.check_names()?;
        Ok(parsed)
    }

    /// Checks that a trust anchor has signed the last certificate and each the one before it, and that all, the anchor too, are valid at a time in
    /// POSIX seconds.
    ///
    /// An anchor that could have signed is looked for first: a chain that leads to nobody who is trusted is refused without a verification.
    ///
    /// # Errors
    ///
    /// [`ChainError::Time`] of the chain's own certificates, [`ChainError::Anchor`] where no anchor that is valid then has signed it, then
    /// [`ChainError::Order`].
    pub fn verify(&self, anchors: &[Anchor], at: i64) -> Result<Anchored, ChainError> {
        self.check_time(at)?;
        let (last, seat) = (self.last(), self.seat(at));
        let anchor = seat.filled_by(anchors, |anchor| {
            last.check_signed_by(anchor).map_err(|_| "the signature does not verify under its key".to_owned())
        })?;
        let key = anchor.key.clone();
        self.check_signatures()?;
        Ok(Anchored::new(seat, key))
    }

    /// Checks that each certificate was signed by the next one.
    ///
    /// # Errors
    ///
    /// [`ChainError::Order`].
    pub fn check_signatures(&self) -> Result<(), ChainError> {
        self.each_with_its_issuer(Certificate::check_signed_by)
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

    fn check_names(&self) -> Result<(), ChainError> {
        self.each_with_its_issuer(Certificate::check_names_issuer)
    }

    fn each_with_its_issuer(
        &self,
        check: impl Fn(&Certificate, &Certificate) -> Result<(), &'static str>,
    ) -> Result<(), ChainError> {
        for (index, (certificate, issuer)) in self.certificates().zip(&self.authorities).enumerate() {
            check(certificate, issuer).map_err(|why| ChainError::Order { position: index + 1, why })?;
        }
        Ok(())
    }

    fn last(&self) -> &Certificate {
        self.authorities.last().unwrap_or(&self.leaf)
    }

    /// What an anchor must be like to stand over this chain.
    fn seat(&self, at: i64) -> Seat {
        Seat {
            name: self.last().issuer.clone(),
            domain: self.trust_domain().to_owned(),
            below: self.counted(self.authorities.len()),
            at,
        }
    }

    /// How many of the first authorities count against a path length: RFC 5280 §6.1.4 (l).
    fn counted(&self, first: usize) -> usize {
        self.authorities.iter().take(first).filter(|authority| !authority.is_self_issued()).count()
    }
}

fn at(index: usize) -> impl Fn(CertificateError) -> ChainError {
    move |error| ChainError::Certificate { position: index + 1, error }
}

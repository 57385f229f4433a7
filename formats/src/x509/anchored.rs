//! What stays known of a chain once its signatures were verified: enough to judge it again under other anchors, without another verification.
//!
//! A signature verifies under a key or it does not, whoever is trusted: what a change of the anchors can alter is whether one of that name and that
//! key is among them. So the writer of a log, of which there is one, judges again by comparing.

use x509_cert::name::Name;

use super::certificate::{Anchor, Certificate};
use super::error::ChainError;
use crate::cose::PublicKey;

/// A chain whose signatures verified up to the key of an anchor, at one time. Made by [`Chain::verify`](super::Chain::verify) alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    seat: Seat,
    key: PublicKey,
}

/// The place over the last certificate of a chain, which an anchor has to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Whom the last certificate names as its issuer.
    pub(super) name: Name,
    /// The trust domain of the leaf.
    pub(super) domain: String,
    /// How many authorities of the chain count against the anchor's path length.
    pub(super) below: usize,
    /// When, POSIX seconds.
    pub(super) at: i64,
}

impl Anchored {
    pub(super) fn new(seat: Seat, key: PublicKey) -> Self {
        Self { seat, key }
    }

    /// Checks that the chain is one under these anchors too, at the time it was verified at: one of them has the name and the key it was signed
    /// under, and keeps the rules for its place. It need not be the same certificate.
    ///
    /// # Errors
    ///
    /// [`ChainError::Anchor`].
    pub fn check(&self, anchors: &[Anchor]) -> Result<(), ChainError> {
        let is_key = |anchor: &Certificate| {
            if anchor.key == self.key { Ok(()) } else { Err("it is another key that has signed".to_owned()) }
        };
        self.seat.filled_by(anchors, is_key).map(drop)
    }
}

impl Seat {
    /// Finds the anchor that fills it and `has_signed`, which is asked last.
    pub(super) fn filled_by<'a>(
        &self,
        anchors: &'a [Anchor],
        has_signed: impl Fn(&Certificate) -> Result<(), String>,
    ) -> Result<&'a Certificate, ChainError> {
        let mut why =
            format!("its issuer is {:?}, and none of {} anchors is named so", self.name.to_string(), anchors.len());
        for anchor in anchors.iter().map(Anchor::certificate).filter(|anchor| anchor.subject == self.name) {
            match self.check(anchor).and_then(|()| has_signed(anchor)) {
                Ok(()) => return Ok(anchor),
                Err(because) => why = format!("the anchor {:?}: {because}", anchor.subject.to_string()),
            }
        }
        Err(ChainError::Anchor { why })
    }

    fn check(&self, anchor: &Certificate) -> Result<(), String> {
        if !anchor.is_valid_at(self.at) {
            let ((not_before, not_after), at) = (anchor.validity, self.at);
            return Err(format!("it is valid from {not_before} to {not_after}, and not at {at} (POSIX seconds)"));
        }
        anchor.check_domain(&self.domain).map_err(|error| error.to_string())?;
        anchor.check_path_len(self.below).map_err(|error| error.to_string())
    }
}

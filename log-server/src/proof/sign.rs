//! Receipts: proofs under the log's receipt key.
//!
//! "Since `sub` is signed, a receipt is one signature per (size, root, sub): made when it is asked for, by a bounded signer pool, cached."
//! (DESIGN §4)

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::receipt::{ReceiptClaims, SignedRoot};
use lru::LruCache;

use super::{Place, ProofError, proof_and_entry, subject};
use crate::blocking::{NotDone, Pool};
use crate::telemetry::{Station, Telemetry};

/// An entry and its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipted {
    /// The bytes as logged.
    pub(crate) entry: Vec<u8>,
    /// The receipt's bytes.
    pub(crate) receipt: Vec<u8>,
}

/// Makes proofs and receipts, off the async workers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Prover(Arc<Inner>);

struct Inner {
    key: SigningKey,
    kid: Digest,
    /// `https://<origin>`.
    iss: String,
    reads: Pool,
    signers: Pool,
    signed: Mutex<LruCache<Signed, SignedRoot>>,
    telemetry: Telemetry,
}

/// What one signature serves.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Signed {
    size: TreeSize,
    root: Digest,
    sub: String,
}

impl Prover {
    /// Signs with a P-256 key for a log's origin; `cores` signatures are made at a time.
    pub(crate) fn new(key: SigningKey, origin: &str, cores: NonZeroUsize, telemetry: Telemetry) -> Self {
        Self(Arc::new(Inner {
            kid: key.public().thumbprint(),
            key,
            iss: ReceiptClaims::issuer(origin),
            reads: Pool::new("the store", READERS, READS_WAITING),
            signers: Pool::new("a receipt's signature", cores.get(), SIGNATURES_WAITING),
            signed: Mutex::new(LruCache::new(CACHED)),
            telemetry,
        }))
    }

    /// Runs a reading of the store.
    ///
    /// # Errors
    /// When too many wait.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let begun = Instant::now();
        let value = self.0.reads.run(work).await;
        self.0.telemetry.passed(Station::Proof, begun);
        value
    }

    /// Makes the receipt of an entry under a place.
    ///
    /// # Errors
    /// When the entry does not lie below it, the store fails, the key is not in force, or too much waits.
    pub(crate) async fn receipt(&self, place: Place, index: LeafIndex) -> Result<Receipted, ProofError> {
        if place.policy().receipt_keys_at(place.size().get()).all(|key| key.thumbprint() != self.0.kid) {
            return Err(ProofError::KeyNotInForce(place.size()));
        }
        let read = place.clone();
        let (proof, entry, sub) = self
            .read(move || -> Result<_, ProofError> {
                let (proof, entry) = proof_and_entry(&read, index)?;
                let sub = subject(index, &entry)?;
                Ok((proof, entry, sub))
            })
            .await??;
        let signed = self.sign(&place, sub).await?;
        let receipt = signed.receipt(&proof, place.note())?;
        Ok(Receipted { entry, receipt })
    }

    async fn sign(&self, place: &Place, sub: String) -> Result<SignedRoot, ProofError> {
        let wanted = Signed { size: place.size(), root: place.root(), sub };
        if let Some(signed) = self.cache().get(&wanted) {
            return Ok(signed.clone());
        }
        let iat = i64::try_from(place.time().seconds()).unwrap_or(i64::MAX);
        let inner = Arc::clone(&self.0);
        let begun = Instant::now();
        let (wanted, signed) = self
            .0
            .signers
            .run(move || {
                let claims = ReceiptClaims { iss: inner.iss.clone(), sub: wanted.sub.clone(), iat };
                let signed = SignedRoot::sign(&inner.key, &claims, &wanted.root);
                (wanted, signed)
            })
            .await?;
        self.0.telemetry.passed(Station::Proof, begun);
        let signed = signed?;
        self.cache().put(wanted, signed.clone());
        Ok(signed)
    }

    /// No code that holds the lock can panic halfway through a change.
    fn cache(&self) -> std::sync::MutexGuard<'_, LruCache<Signed, SignedRoot>> {
        self.0.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readings of the store at a time.
const READERS: usize = 16;
/// Readings that may wait; each is a few milliseconds at most.
const READS_WAITING: usize = 512;
/// Signatures that may wait; a core makes some thousands a second.
const SIGNATURES_WAITING: usize = 1024;
/// Signatures kept: with the longest subject twice each takes 5 KiB, 10 MiB together.
const CACHED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2047);

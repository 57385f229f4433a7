//! An entry's marks: its terms and its time.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ciborium::Value;

use super::text::of_digest;
use super::walk::Walk;
use super::{Column, Term};
use crate::cbor;
use crate::digest::Digest;
use crate::merkle::leaf_hash;
use crate::record::handles::CertificateHandles;
use crate::record::tables::{ADMISSION_POLICY, KINDS};
use crate::record::{Record, default_subject, find, indexed_fields};
use crate::statement::{SignedStatement, Signer, kind_of};

/// Everything an entry is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    terms: BTreeSet<Term>,
    earliest_ms: u64,
    latest_ms: u64,
}

impl Marks {
    /// Takes them from a statement's bytes.
    #[must_use]
    pub fn of(statement: &SignedStatement) -> Self {
        let mut walk = Walk::default();
        header(&mut walk, statement);
        record(&mut walk, statement);
        Self::within(walk, statement.claims().iat)
    }

    /// Takes them of a member of a `decision-batch`: a decision as if its issuer had logged it by itself, signed as the batch is.
    #[must_use]
    pub fn of_member(batch: &SignedStatement, record: &[u8]) -> Self {
        let mut walk = Walk::default();
        let claims = batch.claims();
        walk.single(Column::ISSUER, &claims.iss);
        if let Some(position) = &claims.stream {
            walk.single(Column::STREAM, &position.stream);
        }
        signer(&mut walk, batch.signer());
        decision(&mut walk, &claims.iss, record);
        Self::within(walk, claims.iat)
    }

    /// Takes of a member what follows from its record alone: who signed its batch, and where that stands, is not among it.
    #[must_use]
    pub fn of_record_of_member(record: &[u8]) -> Self {
        let mut walk = Walk::default();
        decision(&mut walk, "", record);
        let time = walk.time.unwrap_or_default();
        Self { terms: walk.terms, earliest_ms: time.0, latest_ms: time.1 }
    }

    fn within(walk: Walk, iat: i64) -> Self {
        let signed_ms = u64::try_from(iat).unwrap_or_default().saturating_mul(1000);
        // Whoever dates an event back must have dated the signature back, too, not to be found by when it was made.
        let (earliest_ms, latest_ms) = walk.time.unwrap_or((signed_ms, signed_ms));
        Self { terms: walk.terms, earliest_ms: earliest_ms.min(signed_ms), latest_ms: latest_ms.max(signed_ms) }
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &BTreeSet<Term> {
        &self.terms
    }

    /// The earliest time it speaks of or was signed at: POSIX milliseconds, as claimed.
    #[must_use]
    pub const fn earliest_ms(&self) -> u64 {
        self.earliest_ms
    }

    /// The latest time it speaks of or was signed at: POSIX milliseconds, as claimed.
    #[must_use]
    pub const fn latest_ms(&self) -> u64 {
        self.latest_ms
    }
}

/// Names the rules by which marks are made: an index made by others is made anew.
#[must_use]
pub fn fingerprint() -> Digest {
    static FINGERPRINT: LazyLock<Digest> = LazyLock::new(|| {
        let kinds = KINDS.into_iter().map(|kind| format!("{kind}: {}\n", indexed_fields(kind).join(" ")));
        let columns = Column::all().iter().map(|column| format!("{column}\n"));
        Digest::sha256([RULES.to_owned()].into_iter().chain(kinds).chain(columns).collect::<String>().as_bytes())
    });
    *FINGERPRINT
}

/// To be counted up where the same tables give an entry other marks than before.
const RULES: &str = "govlog marks v2\n";

/// What every statement is found by, whatever its payload is.
fn header(walk: &mut Walk, statement: &SignedStatement) {
    let claims = statement.claims();
    walk.add(Column::KIND, statement.kind().to_owned());
    walk.single(Column::ISSUER, &claims.iss);
    walk.single(Column::SUBJECT, &claims.sub);
    if let Some(position) = &claims.stream {
        walk.single(Column::STREAM, &position.stream);
    }
    walk.add(Column::LEAF, of_digest(&statement.leaf_hash()));
    walk.add(Column::SIG_STRUCTURE, of_digest(&statement.sig_structure_digest()));
    signer(walk, statement.signer());
}

/// What a decision that is no entry of its own is found by.
fn decision(walk: &mut Walk, iss: &str, record: &[u8]) {
    walk.add(Column::KIND, "decision".to_owned());
    walk.add(Column::LEAF, of_digest(&leaf_hash(record)));
    walk.add(Column::PAYLOAD, of_digest(&Digest::sha256(record)));
    if let Some(subject) = Record::parse("decision", record).ok().as_ref().and_then(default_subject) {
        walk.single(Column::SUBJECT, &subject);
    }
    if let Ok(Value::Map(pairs)) = cbor::parse(record) {
        walk.record("decision", iss, &pairs);
    }
}

/// Under a certificate the key is found by every handle of the certificate, as the records of its issuance are.
fn signer(walk: &mut Walk, signer: &Signer) {
    match signer {
        Signer::Kid(kid) => {
            walk.add(Column::SIGNER, of_digest(kid));
            walk.add(Column::KEY, of_digest(kid));
        }
        Signer::X5chain(chain) => {
            let Some(leaf) = chain.first() else { return };
            walk.add(Column::SIGNER, of_digest(&Digest::sha256(leaf)));
            if let Ok(certificate) = CertificateHandles::from_der(leaf) {
                for handle in certificate.handles() {
                    walk.handle(&handle.name, &handle.value);
                    if let Some(digest) = handle.digest() {
                        walk.add(Column::SIGNER, of_digest(&digest));
                    }
                }
            }
        }
    }
}

/// What the payload says, where it is a record.
fn record(walk: &mut Walk, statement: &SignedStatement) {
    if statement.is_hash_envelope() {
        // The digest of the content stands where the content would.
        return Digest::from_slice(statement.payload())
            .into_iter()
            .for_each(|digest| walk.add(Column::PAYLOAD, of_digest(&digest)));
    }
    walk.add(Column::PAYLOAD, of_digest(&Digest::sha256(statement.payload())));
    let Some(kind) = kind_of(statement.content_type()) else { return };
    let Ok(Value::Map(pairs)) = cbor::parse(statement.payload()) else { return };
    if kind == ADMISSION_POLICY {
        return walk.time_of(find(&pairs, "event_ms"));
    }
    walk.record(kind, &statement.claims().iss, &pairs);
    // An `observation` may hold the certificate itself and none of its handles.
    let certificate = find(&pairs, "certificate").and_then(Value::as_bytes).filter(|_| kind == "observation");
    if let Some(certificate) = certificate.and_then(|der| CertificateHandles::from_der(der).ok()) {
        certificate.handles().iter().for_each(|handle| walk.handle(&handle.name, &handle.value));
    }
}

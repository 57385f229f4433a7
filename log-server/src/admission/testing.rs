//! A policy and statements that it admits, for the tests of every station.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use govlog_formats::admission::{
    Change, ChangeFields, Credentials, GenesisRequest, IssuerRow, LogRow, PolicyState, ReceiptKey, operator_statement,
};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition};
use govlog_tls::testing::Authority;

use crate::clock::{Clock, Millis};

pub(crate) const ORIGIN: &str = "log.example/test";
pub(crate) const ISSUER: &str = "spiffe://example.org/pep";
pub(crate) const DOMAIN: &str = "spiffe://example.org";
pub(crate) const NOW_S: i64 = 1_800_000_000;
/// `{"v": 1, "event_ms": 1}`
pub(crate) const PAYLOAD: &[u8] = b"\xa2\x61v\x01\x68event_ms\x01";

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows [`NOW_S`].
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NOW_S.unsigned_abs() * 1000)))
    }

    pub(crate) fn set_s(&self, seconds: u64) {
        self.0.store(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis::new(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::Ed25519, &[number; 32]).unwrap()
}

pub(crate) fn operator_key() -> SigningKey {
    key(1)
}

/// The key of [`ISSUER`].
pub(crate) fn issuer_key() -> SigningKey {
    key(2)
}

/// Entry 0 of the log [`ORIGIN`].
pub(crate) fn genesis() -> SignedStatement {
    let name = KeyName::new(ORIGIN).unwrap();
    let checkpoint = NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[9; 32]).unwrap().vkey().clone();
    let receipt = SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap().public();
    let receipts = vec![ReceiptKey { key: receipt, from: 0, below: None }];
    let request = GenesisRequest::new(LogRow { origin: ORIGIN.to_owned(), checkpoint, receipts }).unwrap();
    request.sign(&operator_key(), 1_700_000_000_000).unwrap()
}

/// The row of [`ISSUER`]: decisions about anything in its trust domain, at any rate.
pub(crate) fn row() -> IssuerRow {
    IssuerRow {
        iss: ISSUER.to_owned(),
        credentials: Credentials::Keys(vec![issuer_key().public()]),
        kinds: vec!["decision".to_owned()],
        subjects: vec!["spiffe://example.org/".to_owned()],
        rate: None,
        max_age_s: None,
    }
}

/// The change that puts rows in force.
pub(crate) fn set(rows: Vec<IssuerRow>) -> Change {
    Change::new(ChangeFields { event_ms: 1, set: rows, ..ChangeFields::default() }).unwrap()
}

/// The change that ends the row of [`ISSUER`].
pub(crate) fn retire() -> Change {
    Change::new(ChangeFields { retire: vec![ISSUER.to_owned()], ..ChangeFields::default() }).unwrap()
}

/// The operator's statement of a change, in its place after `policy`.
pub(crate) fn change_statement(policy: &PolicyState, change: &Change) -> SignedStatement {
    operator_statement(ORIGIN, change, policy.next_change(), NOW_S.unsigned_abs(), &operator_key()).unwrap()
}

/// The policy after entry 0 and a change at `index` that sets rows.
pub(crate) fn policy_with(index: u64, rows: Vec<IssuerRow>) -> PolicyState {
    let begun = PolicyState::genesis(&genesis()).unwrap();
    begun.apply(LeafIndex::new(index), &change_statement(&begun, &set(rows))).unwrap()
}

/// The policy of a log of two entries that admits [`ISSUER`].
pub(crate) fn policy() -> PolicyState {
    policy_with(1, vec![row()])
}

/// The claims of [`ISSUER`]'s statement of a number.
pub(crate) fn header(number: u64) -> StatementHeader {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: format!("spiffe://example.org/api/{number}"),
        aud: None,
        iat: NOW_S,
        stream: None,
        head: None,
    };
    StatementHeader { content: Content::Plain("application/vnd.govlog.decision+cbor".to_owned()), claims }
}

/// A statement outside every stream; different numbers make different ones.
pub(crate) fn statement(number: u64) -> SignedStatement {
    statement_with(number, |_| ())
}

/// The same with something changed before it is signed.
pub(crate) fn statement_with(number: u64, change: impl FnOnce(&mut StatementHeader)) -> SignedStatement {
    let mut header = header(number);
    change(&mut header);
    SignedStatement::sign(&header, PAYLOAD, &issuer_key()).unwrap()
}

/// A statement in a stream.
pub(crate) fn in_stream(stream: &str, seq: u64, prev: Digest) -> SignedStatement {
    statement_with(seq, |header| {
        header.claims.aud = Some(ORIGIN.to_owned());
        header.claims.stream = Some(StreamPosition { stream: stream.to_owned(), seq, prev });
    })
}

/// The policy of a log that admits every workload of [`DOMAIN`] under an authority, so many statements a second.
pub(crate) fn admits_domain(authority: &Authority, per_second: u64) -> PolicyState {
    let credentials = Credentials::X509(vec![authority.der()]);
    let rate = NonZeroU64::new(per_second);
    policy_with(1, vec![IssuerRow { iss: DOMAIN.to_owned(), credentials, rate, ..row() }])
}

/// A statement of one of those workloads, signed with its certificate.
pub(crate) fn by_workload(authority: &Authority, name: &str, number: u64) -> SignedStatement {
    let iss = format!("{DOMAIN}/{name}");
    let svid = authority.svid(&iss);
    let mut header = header(number);
    header.claims.iss = iss;
    let key = SigningKey::from_pkcs8_pem(&svid.key_pem).unwrap();
    SignedStatement::sign_x509(&header, PAYLOAD, &key, &[svid.der]).unwrap()
}

/// The same statement with a signature that does not verify.
pub(crate) fn forged(statement: &SignedStatement) -> SignedStatement {
    let mut entry = statement.entry().to_vec();
    let at = entry.len() - 32;
    entry[at] ^= 1;
    SignedStatement::parse(&entry).unwrap()
}

//! Signed statements, read as they come and signed with a key of ours.

use govlog_formats::cbor::{Value, to_deterministic};
use govlog_formats::cose::{SigningKey, sig_structure};
use govlog_formats::digest::Digest;
use govlog_formats::limits::{MAX_ENTRY_BYTES, MAX_STREAM_BYTES, MAX_SUBJECT_BYTES};
use govlog_formats::record::Record;
use govlog_formats::statement::{SignedStatement, Signer};

use super::{choice, chosen, number, world};

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 4) {
        (0, bytes) => as_it_comes(bytes).is_some(),
        (1, rest) => signed(rest, &world::ed25519(2)),
        (2, rest) => signed(rest, &world::p256(2)),
        (_, rest) => signed(rest, &world::p384(2)),
    }
}

fn as_it_comes(bytes: &[u8]) -> Option<SignedStatement> {
    let Ok(statement) = SignedStatement::parse(bytes) else {
        assert!(SignedStatement::parse_entry(bytes).is_err(), "an entry, and no statement");
        return None;
    };
    assert_eq!(SignedStatement::parse_entry(statement.entry()).as_ref(), Ok(&statement), "its entry is another");
    assert_eq!(SignedStatement::parse_entry(bytes).is_ok(), statement.entry() == bytes);
    assert!(statement.entry().len() <= MAX_ENTRY_BYTES);
    let message = sig_structure(statement.protected(), statement.payload());
    assert_eq!(statement.sig_structure_digest(), Digest::sha256(&message));
    let claims = statement.claims();
    assert!((1..=MAX_SUBJECT_BYTES).contains(&claims.iss.len()) && (1..=MAX_SUBJECT_BYTES).contains(&claims.sub.len()));
    if let Some(position) = &claims.stream {
        assert!((1..=MAX_STREAM_BYTES).contains(&position.stream.len()) && position.seq < 1 << 63);
        assert!(claims.aud.is_some(), "in a stream, and meant for no log");
    }
    if !statement.is_hash_envelope() {
        let _ = Record::parse(statement.kind(), statement.payload());
    }
    Some(statement)
}

/// Signs whatever header and payload there are. What is accepted verifies, and no longer does when one bit of it is another.
fn signed(rest: &[u8], key: &SigningKey) -> bool {
    let (length, rest) = number(rest);
    let (protected, payload) = rest.split_at(length.min(rest.len()));
    let signature = key.sign(&sig_structure(protected, payload));
    let parts = [protected, payload, &signature].map(|part| Value::Bytes(part.to_vec()));
    let [protected, payload, signature] = parts;
    let array = Value::Array(vec![protected, Value::Map(Vec::new()), payload, signature]);
    let bytes = to_deterministic(&Value::Tag(18, Box::new(array)));
    let Some(statement) = as_it_comes(&bytes) else { return false };
    if statement.signer() != &Signer::Kid(key.public().thumbprint()) || statement.algorithm().curve() != key.curve() {
        return false;
    }
    statement.verify_signature(&key.public()).unwrap();
    // Which bit: different for each input, the same for the same.
    let place = Digest::sha256(&bytes)
        .as_bytes()
        .iter()
        .fold(0, |place, byte| (place << 8 | usize::from(*byte)) % (bytes.len() * 8));
    let mut other = bytes;
    if let Some(byte) = other.get_mut(place / 8) {
        *byte ^= 1 << (place % 8);
    }
    let accepted = SignedStatement::parse(&other).is_ok_and(|other| other.verify_signature(&key.public()).is_ok());
    assert!(!accepted, "bit {place} can be another");
    true
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (position, (kind, payload)) in super::record::payloads().iter().step_by(5).enumerate() {
        for (mode, key) in [(1, world::ed25519(2)), (2, world::p256(2)), (3, world::p384(2))] {
            let statement = world::statement(kind, payload, &key, position % 2 == 0);
            seeds.push(chosen(0, statement.entry()));
            let length = u16::try_from(statement.protected().len()).unwrap().to_be_bytes();
            seeds.push(chosen(mode, [&length, statement.protected(), payload].concat()));
        }
    }
    seeds
}

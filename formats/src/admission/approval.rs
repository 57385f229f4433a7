//! An operator's word on a change: what the fold reads of an `approval` record, and what it remembers of it.
//!
//! DESIGN §6: "a threshold k is met by k−1 earlier `approval` entries of other operators over its Sig_structure digest". An operator's approvals
//! form a stream of their own, named after the key ([`approval_stream`]): whoever knows the operators' keys finds them all, and no one of them can
//! be left out of a replay unnoticed. Only the fields that count are read here, so that replaying never depends on a software version; the rest of
//! the record is judged where every record is.

use std::collections::BTreeMap;

use ciborium::Value;

use crate::cbor;
use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::SignedStatement;

use super::change::ChangeError;
use super::fields::{Fields, bytes, text};
use super::judge::Expected;
use super::names::approval_stream;
use super::refusal::Refusal;
use super::state::PolicyState;

/// How many words of one operator are remembered: the newest ones, each about another change.
pub const MAX_WORDS: usize = 64;

/// What an operator says about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It may go on.
    Approve,
    /// It may not: an earlier approval is withdrawn.
    Reject,
}

/// An operator's word on one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorApproval {
    /// When the operator decided, POSIX milliseconds (a claim).
    pub event_ms: u64,
    /// The Sig_structure digest of the change.
    pub approved: Digest,
    /// Whether it may go on.
    pub word: Word,
    /// Until when the word counts, POSIX milliseconds.
    pub expires_ms: Option<u64>,
}

/// A word that the fold remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Where it stands in the log.
    pub index: LeafIndex,
    /// What was said.
    pub approval: OperatorApproval,
}

/// What the fold knows of approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Approvals {
    /// By operator, oldest first; at most [`MAX_WORDS`], one for each change.
    words: BTreeMap<Digest, Vec<Remembered>>,
    /// Where the streams of approvals go on, those of former operators too: a key that comes back goes on where it stopped.
    next: BTreeMap<String, Expected>,
}

impl Word {
    const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

impl OperatorApproval {
    /// Reads what counts of an `approval` record that an operator signed.
    ///
    /// # Errors
    /// When the bytes are not deterministic CBOR, or a field that counts is missing or wrong; the error names it.
    pub fn parse(payload: &[u8]) -> Result<Self, ChangeError> {
        let value = cbor::parse(payload).map_err(|error| ChangeError::Cbor(error.to_string()))?;
        let mut map = Fields::open("", &value)?;
        let found = map.required_uint("v")?;
        if found != 1 {
            return Err(ChangeError::Version { found });
        }
        one_of("type", map.required("type")?, "\"change\"", |text| (text == "change").then_some(()))?;
        Ok(Self {
            event_ms: map.required_uint("event_ms")?,
            approved: approved(map.required("approved")?)?,
            word: one_of("decision", map.required("decision")?, "\"approve\" or \"reject\"", |text| {
                [Word::Approve, Word::Reject].into_iter().find(|word| word.name() == text)
            })?,
            expires_ms: map.optional_uint("expires_ms")?,
        })
    }

    /// Writes the payload of a statement; `approver` says who decided, `shown` is SHA-256 of what they saw.
    #[must_use]
    pub fn encode(&self, approver: &str, shown: Option<&Digest>) -> Vec<u8> {
        let digest = |digest: &Digest| Value::Bytes(digest.as_bytes().to_vec());
        let mut fields = vec![
            ("v", Value::from(1)),
            ("event_ms", Value::from(self.event_ms)),
            ("type", Value::from("change")),
            ("approved", Value::Map(vec![(Value::from("sig_structure"), digest(&self.approved))])),
            ("decision", Value::from(self.word.name())),
            ("approver", Value::from(approver)),
        ];
        fields.extend(shown.map(|shown| ("shown_digest", digest(shown))));
        fields.extend(self.expires_ms.map(|expires_ms| ("expires_ms", Value::from(expires_ms))));
        let pairs = fields.into_iter().map(|(name, value)| (Value::from(name), value));
        cbor::to_deterministic(&Value::Map(pairs.collect()))
    }

    /// Tells whether the word lets a change go on at a time, POSIX milliseconds.
    fn lets_go_on(&self, change: &Digest, at_ms: u64) -> bool {
        self.approved == *change && self.word == Word::Approve && self.expires_ms.is_none_or(|end| end >= at_ms)
    }
}

/// A change is named by its Sig_structure digest alone; the other digests that an `approval` may hold name other things.
fn approved(value: &Value) -> Result<Digest, ChangeError> {
    let mut map = Fields::open("approved", value)?;
    let field = map.at("sig_structure");
    let found = bytes(&field, map.required("sig_structure")?)?;
    map.end()?;
    Digest::from_slice(found).ok_or(ChangeError::WrongType { field, expected: "a byte string of 32 bytes" })
}

fn one_of<T>(
    field: &str,
    value: &Value,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ChangeError> {
    read(text(field, value)?).ok_or_else(|| ChangeError::WrongType { field: field.to_owned(), expected })
}

impl Approvals {
    /// Remembers a word: the newest one of an operator about a change is the one that counts.
    pub(super) fn remember(
        &mut self,
        kid: Digest,
        index: LeafIndex,
        statement: &SignedStatement,
        approval: OperatorApproval,
    ) {
        let words = self.words.entry(kid).or_default();
        words.retain(|word| word.approval.approved != approval.approved);
        words.push(Remembered { index, approval });
        if words.len() > MAX_WORDS {
            words.remove(0);
        }
        if let Some(position) = &statement.claims().stream {
            let next = Expected { seq: position.seq.saturating_add(1), prev: statement.sig_structure_digest() };
            self.next.insert(position.stream.clone(), next);
        }
    }

    /// Forgets what was said about a change that is in force now.
    pub(super) fn settle(&mut self, change: &Digest) {
        self.words.values_mut().for_each(|words| words.retain(|word| word.approval.approved != *change));
    }

    /// Forgets what was said by those who are no operators any more.
    pub(super) fn keep_only(&mut self, operators: &BTreeMap<Digest, PublicKey>) {
        self.words.retain(|kid, _| operators.contains_key(kid));
    }

    pub(super) fn next(&self, stream: &str) -> Expected {
        self.next.get(stream).copied().unwrap_or(Expected::START)
    }
}

impl PolicyState {
    /// Lists the words on changes that are not in force, by operator, oldest first.
    pub fn approvals(&self) -> impl Iterator<Item = (&Digest, &Remembered)> {
        self.approvals.words.iter().flat_map(|(kid, words)| words.iter().map(move |word| (kid, word)))
    }

    /// Names the streams of approvals that have entries.
    pub fn approval_streams(&self) -> impl Iterator<Item = &str> {
        self.approvals.next.keys().map(String::as_str)
    }

    /// Returns what the next approval by an operator's key must claim as its place in its stream.
    #[must_use]
    pub fn next_approval(&self, kid: &Digest) -> Expected {
        self.approvals.next(&approval_stream(kid))
    }

    /// Judges whether enough operators stand behind a change; `now`: the judge's clock in POSIX seconds.
    ///
    /// One is its signer. An approval that has an end counts until then: by the change's own `iat`, which a replay knows too, and at the door by
    /// the clock, as the age of `iat` is.
    pub(super) fn check_approved(
        &self,
        statement: &SignedStatement,
        signer: &Digest,
        now: Option<i64>,
    ) -> Result<(), Refusal> {
        let change = statement.sig_structure_digest();
        let iat = statement.claims().iat;
        let at_ms = u64::try_from(now.map_or(iat, |now| now.max(iat))).unwrap_or(0).saturating_mul(1000);
        let others = self.approvals.words.iter().filter(|(kid, _)| *kid != signer && self.operator_key(kid).is_some());
        let given =
            others.filter(|(_, words)| words.iter().any(|word| word.approval.lets_go_on(&change, at_ms))).count();
        let given = u64::try_from(given).unwrap_or(u64::MAX);
        let threshold = self.threshold();
        if given >= threshold.saturating_sub(1) {
            return Ok(());
        }
        Err(Refusal::Unapproved { change, threshold, given })
    }
}

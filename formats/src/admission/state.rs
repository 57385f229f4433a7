//! The policy in force: the fold of all changes below an index.

use std::collections::BTreeMap;

use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::{SignedStatement, Signer};
use crate::x509::Anchor;

use super::approval::{Approvals, OperatorApproval};
use super::change::{Change, ChangeError, Credentials, IssuerRow, LogRow, ReceiptKey};
use super::judge::{Expected, OperatorRecord, judge_stream};
use super::names::{ADMISSION_POLICY, OPERATOR_STREAM, is_scoped, operator_iss, shown, trust_domain};
use super::refusal::Refusal;

/// Who may submit what, as of one change: the fold of entry 0 and every later change.
///
/// A value of this type came from accepted entries alone, in order: [`PolicyState::genesis`] and [`PolicyState::apply`] are its only
/// constructors, and each judges what it folds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyState {
    as_of: LeafIndex,
    operator_iss: String,
    issuers: BTreeMap<String, Issuer>,
    operators: BTreeMap<Digest, PublicKey>,
    threshold: u64,
    pub(super) approvals: Approvals,
    log: LogRow,
    dropped_receipts: Vec<ReceiptKey>,
    next: Expected,
}

/// An issuer's row in force, its keys by thumbprint, its trust anchors read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issuer {
    pub(super) row: IssuerRow,
    pub(super) keys: BTreeMap<Digest, PublicKey>,
    /// Those that can be one. Any byte string may stand in a row: what is no certificate admits nobody.
    pub(super) anchors: Vec<Anchor>,
}

/// Why a statement can not be entry 0 of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// It is of another kind, or its record stands elsewhere.
    #[error("entry 0 is an admission-policy statement that carries its record; this one is {}", shown(kind))]
    NotAPolicy {
        /// The statement's kind.
        kind: String,
    },
    /// Its record does not follow the schema.
    #[error("entry 0, admission-policy record: {0}")]
    Change(#[from] ChangeError),
    /// It leaves out what only entry 0 can bring.
    #[error("entry 0 must set {field}")]
    Missing {
        /// `log` or `operators`.
        field: &'static str,
    },
    /// A claim is not what entry 0 must claim.
    #[error("entry 0: {claim} is {found}; it must be {expected}")]
    Claim {
        /// The claim.
        claim: &'static str,
        /// What stands there.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// It is signed by a key that it does not name as an operator.
    #[error("entry 0 is signed by {found}; it must be signed by one of the operator keys it names")]
    NotAnOperator {
        /// The kid, or what stands in its place.
        found: String,
    },
    /// A rule of every change of the policy is broken.
    #[error("entry 0: {0}")]
    Refused(#[from] Refusal),
}

impl PolicyState {
    /// Begins a policy with a log's entry 0.
    ///
    /// Whether it is the *right* entry 0 this can not say: trust in it is its pinned digest.
    ///
    /// # Errors
    /// When the statement is not one that can begin a log; the error names the field.
    pub fn genesis(statement: &SignedStatement) -> Result<Self, GenesisError> {
        if statement.content_type() != ADMISSION_POLICY || statement.is_hash_envelope() {
            return Err(GenesisError::NotAPolicy { kind: statement.content_type().to_owned() });
        }
        let change = Change::parse(statement.payload())?;
        let Some(log) = change.fields().log.clone() else {
            return Err(GenesisError::Missing { field: "log" });
        };
        if change.fields().operators.is_empty() {
            return Err(GenesisError::Missing { field: "operators" });
        }
        let empty = Self {
            as_of: LeafIndex::new(0),
            operator_iss: operator_iss(&log.origin),
            issuers: BTreeMap::new(),
            operators: BTreeMap::new(),
            threshold: 1,
            approvals: Approvals::default(),
            log,
            dropped_receipts: Vec::new(),
            next: Expected::START,
        };
        empty.check_genesis_claims(statement)?;
        empty.check_own_iss(&change)?;
        let begun = empty.fold(&change)?.advanced(LeafIndex::new(0), statement);
        begun.check_genesis_signature(statement)?;
        Ok(begun)
    }

    /// Judges a later change, or an operator's word on one, and folds it in; `index` is its leaf index.
    ///
    /// The age of `iat` is not judged: it was at the door.
    ///
    /// # Errors
    /// When the statement is not admissible under this policy, in its place in its stream.
    pub fn apply(&self, index: LeafIndex, statement: &SignedStatement) -> Result<Self, Refusal> {
        let accepted = self.judge(statement, None)?;
        match self.check_bytes(statement)? {
            None => {
                let iss = statement.claims().iss.clone();
                Err(Refusal::NotTheOperator { iss, operator: self.operator_iss.clone() })
            }
            Some(OperatorRecord::Change(change)) => {
                self.judge_place(statement, |_| self.next)?;
                Ok(self.fold(&change)?.advanced(index, statement))
            }
            Some(OperatorRecord::Approval(approval)) => {
                self.judge_place(statement, |stream| self.approvals.next(stream))?;
                Ok(self.approved(*accepted.key(), index, statement, approval))
            }
        }
    }

    fn judge_place(&self, statement: &SignedStatement, next: impl FnOnce(&str) -> Expected) -> Result<(), Refusal> {
        match &statement.claims().stream {
            None => Ok(()),
            Some(position) => Ok(judge_stream(next(&position.stream), position)?),
        }
    }

    /// Returns the leaf index of the newest entry folded in.
    pub fn as_of(&self) -> LeafIndex {
        self.as_of
    }

    /// Returns the log's origin.
    pub fn origin(&self) -> &str {
        &self.log.origin
    }

    /// Returns the `iss` of the log's operator.
    pub fn operator_iss(&self) -> &str {
        &self.operator_iss
    }

    /// Lists the rows in force, by issuer.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerRow> {
        self.issuers.values().map(|issuer| &issuer.row)
    }

    /// Returns the row of an issuer named exactly so.
    pub fn issuer(&self, iss: &str) -> Option<&IssuerRow> {
        self.issuers.get(iss).map(|issuer| &issuer.row)
    }

    /// Lists the operator keys in force, by thumbprint.
    pub fn operators(&self) -> impl Iterator<Item = (&Digest, &PublicKey)> {
        self.operators.iter()
    }

    /// Returns how many operators must agree to a change.
    pub fn threshold(&self) -> u64 {
        self.threshold
    }

    /// Returns the log's own row in force.
    pub fn log(&self) -> &LogRow {
        &self.log
    }

    /// Returns what the operator's next change must claim as its place in the stream.
    pub fn next_change(&self) -> Expected {
        self.next
    }

    /// Lists the keys that sign receipts of a tree of this size.
    pub fn receipt_keys_at(&self, size: u64) -> impl Iterator<Item = &PublicKey> {
        self.log.receipts.iter().filter(move |receipt| receipt.covers(size)).map(|receipt| &receipt.key)
    }

    /// Lists every key that ever signed receipts, those of earlier rows included, each once.
    pub fn all_receipt_keys(&self) -> impl Iterator<Item = &ReceiptKey> {
        self.log.receipts.iter().chain(&self.dropped_receipts)
    }

    /// Finds the row that admits a statement's issuer by the kind of credential the statement names.
    pub(super) fn row_for(&self, statement: &SignedStatement) -> Option<&Issuer> {
        let by_certificate = matches!(statement.signer(), Signer::X5chain(_));
        self.issuer_by(&statement.claims().iss, by_certificate)
    }

    /// DESIGN §6: "An X.509 issuer row `spiffe://TD` admits any SPIFFE ID of that trust domain". One for this SPIFFE ID alone is the nearer.
    pub(super) fn issuer_by(&self, iss: &str, by_certificate: bool) -> Option<&Issuer> {
        let exact = self.issuers.get(iss);
        let by_x509 = |issuer: &&Issuer| matches!(issuer.row.credentials, Credentials::X509(_));
        let of_domain = || trust_domain(iss).and_then(|domain| self.issuers.get(domain)).filter(by_x509);
        if by_certificate { exact.filter(by_x509).or_else(of_domain).or(exact) } else { exact.or_else(of_domain) }
    }

    /// Refuses a change that sets or retires the operator. exact.md §2: "An `iss` named twice in one change, or the operator's own: 400."
    pub(super) fn check_own_iss(&self, change: &Change) -> Result<(), Refusal> {
        let fields = change.fields();
        let refused = |field| Err(Refusal::OperatorAsIssuer { field, iss: self.operator_iss.clone() });
        if fields.set.iter().any(|row| row.iss == self.operator_iss) {
            return refused("set");
        }
        if fields.retire.contains(&self.operator_iss) {
            return refused("retire");
        }
        Ok(())
    }

    /// Makes the policy that a change leads to, or says why it can not be in force.
    pub(super) fn fold(&self, change: &Change) -> Result<Self, Refusal> {
        let fields = change.fields();
        let mut next = self.clone();
        for row in &fields.set {
            check_patterns(row)?;
            next.issuers.insert(row.iss.clone(), Issuer::new(row.clone()));
        }
        for iss in &fields.retire {
            next.issuers.remove(iss);
        }
        if !fields.operators.is_empty() {
            next.operators = by_thumbprint(&fields.operators);
            next.approvals.keep_only(&next.operators);
        }
        if let Some(log) = &fields.log {
            next.replace_log(log)?;
        }
        next.threshold = fields.threshold.unwrap_or(self.threshold);
        next.check_threshold()?;
        Ok(next)
    }

    fn replace_log(&mut self, log: &LogRow) -> Result<(), Refusal> {
        if log.origin != self.log.origin {
            return Err(Refusal::OtherOrigin { found: log.origin.clone(), expected: self.log.origin.clone() });
        }
        let earlier = std::mem::replace(&mut self.log, log.clone());
        self.dropped_receipts.extend(earlier.receipts);
        let in_row = &self.log.receipts;
        self.dropped_receipts.retain(|dropped| in_row.iter().all(|receipt| receipt.key != dropped.key));
        Ok(())
    }

    fn check_threshold(&self) -> Result<(), Refusal> {
        let (threshold, operators) = (self.threshold, self.operators.len());
        if threshold == 0 || usize::try_from(threshold).map_or(true, |threshold| threshold > operators) {
            return Err(Refusal::ThresholdOutOfReach { threshold, operators });
        }
        Ok(())
    }

    fn advanced(mut self, index: LeafIndex, statement: &SignedStatement) -> Self {
        let identity = statement.sig_structure_digest();
        self.as_of = index;
        self.next = Expected { seq: self.next.seq.saturating_add(1), prev: identity };
        self.approvals.settle(&identity);
        self
    }

    fn approved(&self, kid: Digest, index: LeafIndex, statement: &SignedStatement, approval: OperatorApproval) -> Self {
        let mut next = self.clone();
        next.as_of = index;
        next.approvals.remember(kid, index, statement, approval);
        next
    }

    /// exact.md §2: "**Entry 0**: `seq` 0, `prev` zero, signed by an operator key that it names itself".
    fn check_genesis_claims(&self, statement: &SignedStatement) -> Result<(), GenesisError> {
        let claims = statement.claims();
        let stream = claims.stream.as_ref();
        let found = [
            ("iss", Some(claims.iss.clone()), self.operator_iss.clone()),
            ("sub", Some(claims.sub.clone()), self.log.origin.clone()),
            ("aud", claims.aud.clone(), self.log.origin.clone()),
            ("stream", stream.map(|position| position.stream.clone()), OPERATOR_STREAM.to_owned()),
            ("seq", stream.map(|position| position.seq.to_string()), "0".to_owned()),
            ("prev", stream.map(|position| position.prev.to_string()), Digest::ZERO.to_string()),
        ];
        for (claim, found, expected) in found {
            if found.as_ref() != Some(&expected) {
                let found = found.as_deref().map_or_else(|| "absent".to_owned(), shown);
                return Err(GenesisError::Claim { claim, found, expected: shown(&expected) });
            }
        }
        Ok(())
    }

    fn check_genesis_signature(&self, statement: &SignedStatement) -> Result<(), GenesisError> {
        let Signer::Kid(kid) = statement.signer() else {
            return Err(GenesisError::NotAnOperator { found: "a certificate chain".to_owned() });
        };
        let Some(key) = self.operators.get(kid) else {
            return Err(GenesisError::NotAnOperator { found: format!("key {kid}") });
        };
        statement.verify_signature(key).map_err(|error| {
            GenesisError::Refused(Refusal::BadSignature {
                iss: self.operator_iss.clone(),
                kid: *kid,
                why: error.to_string(),
            })
        })
    }
}

impl PolicyState {
    pub(super) fn operator_key(&self, kid: &Digest) -> Option<&PublicKey> {
        self.operators.get(kid)
    }
}

impl Issuer {
    fn new(row: IssuerRow) -> Self {
        let (mut keys, mut anchors) = (BTreeMap::new(), Vec::new());
        match &row.credentials {
            Credentials::Keys(listed) => keys = by_thumbprint(listed),
            Credentials::X509(listed) => anchors = listed.iter().filter_map(|der| Anchor::parse(der).ok()).collect(),
        }
        Self { row, keys, anchors }
    }
}

impl ReceiptKey {
    /// Tells whether the key is in force for trees of this size.
    pub fn covers(&self, size: u64) -> bool {
        self.from <= size && self.below.is_none_or(|below| size < below)
    }
}

/// exact.md §2: "A subject pattern […] holds a `:` or a `/`, else 403 (so that no subject can pose as a stream)."
fn check_patterns(row: &IssuerRow) -> Result<(), Refusal> {
    match row.subjects.iter().find(|pattern| !is_scoped(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(Refusal::PlainPattern { iss: row.iss.clone(), pattern: pattern.clone() }),
    }
}

fn by_thumbprint(keys: &[PublicKey]) -> BTreeMap<Digest, PublicKey> {
    keys.iter().map(|key| (key.thumbprint(), key.clone())).collect()
}

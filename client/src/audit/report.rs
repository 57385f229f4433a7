//! What an audit found, check by check.

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use crate::verify::Outcome;

/// A rule that the audit holds the whole log to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// The checkpoint: the log's signature, the quorum.
    Checkpoint,
    /// The pinned head and every published one are of one history.
    Consistency,
    /// Every tile is what its entries hash to, and the root is the checkpoint's.
    Tiles,
    /// Every entry is a signed statement in canonical bytes.
    Entries,
    /// Every entry was admissible under the policy in force at its index.
    Admission,
    /// Every stream counts without gaps, each statement naming the one before it.
    Streams,
    /// No statement was logged twice.
    Duplicates,
    /// Every collision that the server names is proved by the statement itself.
    Conflicts,
}

/// Two statements that an issuer signed for one place of one stream: proved, and no fault of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The issuer.
    pub issuer: String,
    /// The stream.
    pub stream: String,
    /// The place in it.
    pub seq: u64,
    /// The entry that has the place.
    pub entry: EntryId,
    /// The statement that was logged.
    pub logged: Vec<u8>,
    /// The statement that was refused.
    pub refused: Vec<u8>,
    /// Their Sig_structure digests, the logged one first.
    pub digests: [Digest; 2],
}

impl Conflict {
    pub(super) fn of(entry: EntryId, logged: &SignedStatement, refused: &SignedStatement) -> Self {
        let claims = refused.claims();
        let position = claims.stream.as_ref();
        Self {
            issuer: claims.iss.clone(),
            stream: position.map(|position| position.stream.clone()).unwrap_or_default(),
            seq: position.map_or(0, |position| position.seq),
            entry,
            logged: logged.entry().to_vec(),
            refused: refused.entry().to_vec(),
            digests: [logged, refused].map(SignedStatement::sig_structure_digest),
        }
    }

    fn text(&self) -> String {
        let Self { seq, entry, digests: [logged, refused], .. } = self;
        let (issuer, stream) = (visible(&self.issuer), visible(&self.stream));
        format!(
            "issuer {issuer} signed two statements for position {seq} of stream {stream}: entry {entry} ({logged}) and one that was refused ({refused})"
        )
    }

    fn json(&self) -> Value {
        json!({
            "issuer": self.issuer, "stream": self.stream, "seq": self.seq, "entry": self.entry.to_string(),
            "logged": base64::encode_url(&self.logged), "refused": base64::encode_url(&self.refused),
        })
    }
}

/// One thing that is wrong, or could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub check: Check,
    /// Refuted, or not to be evaluated.
    pub outcome: Outcome,
    /// What was found, and where.
    pub what: String,
}

/// The result of an audit.
#[derive(Clone, Debug)]
pub struct Report {
    /// The origin.
    pub origin: String,
    /// The tree size that was audited.
    pub size: u64,
    /// The root hash at that size, hex.
    pub root: String,
    /// How many entries of each kind there are.
    pub kinds: Vec<(String, u64)>,
    /// How many streams there are.
    pub streams: u64,
    /// How many changes of the admission policy there are, entry 0 included.
    pub changes: u64,
    /// How many published checkpoints were compared.
    pub checkpoints: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Which issuers signed two statements for one place. It speaks against them and not against the log, so the outcome does not depend on it.
    pub conflicts: Vec<Conflict>,
    /// How many findings there were beyond those kept.
    pub more: u64,
    /// What was not checked, each with its reason.
    pub not_checked: Vec<String>,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 8] = [
        Self::Checkpoint,
        Self::Consistency,
        Self::Tiles,
        Self::Entries,
        Self::Admission,
        Self::Streams,
        Self::Duplicates,
        Self::Conflicts,
    ];

    /// The check's name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Consistency => "consistency",
            Self::Tiles => "tiles",
            Self::Entries => "entries",
            Self::Admission => "admission",
            Self::Streams => "streams",
            Self::Duplicates => "duplicates",
            Self::Conflicts => "conflicts",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Checkpoint => "signed by the log, cosigned by your quorum",
            Self::Consistency => "the pinned head and every published one are of one history",
            Self::Tiles => "every tile re-derived from the entries; the root is the checkpoint's",
            Self::Entries => "every entry is a signed statement in canonical bytes",
            Self::Admission => "every entry was admissible under the policy in force at its index",
            Self::Streams => "every stream counts without gaps, each statement naming the one before it",
            Self::Duplicates => "no statement was logged twice",
            Self::Conflicts => "every collision that the server names is proved by the statement itself",
        }
    }
}

impl Report {
    /// How the audit ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.findings.iter().any(|finding| finding.outcome == outcome);
        if has(Outcome::Refuted) {
            Outcome::Refuted
        } else if has(Outcome::CannotEvaluate) {
            Outcome::CannotEvaluate
        } else if has(Outcome::PolicyNotSatisfied) {
            Outcome::PolicyNotSatisfied
        } else {
            Outcome::Verified
        }
    }

    /// Writes the report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines =
            vec![format!("{}  {} up to size {}, root {}", self.outcome().word(), self.origin, self.size, self.root)];
        for check in Check::ALL {
            let wrong = self.findings.iter().filter(|finding| finding.check == check).count();
            let mark = if wrong == 0 { "ok" } else { "NO" };
            lines.push(format!("  {mark}  {:<12} {}", check.name(), check.says()));
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        lines.push(format!("  entries      {}", kinds.join(", ")));
        lines.push(format!(
            "  streams      {}; admission changes {}; checkpoints compared {}",
            self.streams, self.changes, self.checkpoints
        ));
        lines.extend(
            self.findings.iter().map(|finding| format!("  finding      {}: {}", finding.check.name(), finding.what)),
        );
        if self.more > 0 {
            lines.push(format!("  finding      and {} more", self.more));
        }
        lines.extend(self.conflicts.iter().map(|conflict| format!("  conflict     {}", conflict.text())));
        lines.extend(self.not_checked.iter().map(|what| format!("  not checked  {what}")));
        lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n")
    }

    /// Writes the report for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let finding = |finding: &Finding| json!({ "check": finding.check.name(), "verdict": finding.outcome.word().to_lowercase(), "what": finding.what });
        json!({
            "verdict": self.outcome().word().to_lowercase().replace(' ', "-"),
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "kinds": self.kinds.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "streams": self.streams,
            "changes": self.changes,
            "checkpoints": self.checkpoints,
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "more_findings": self.more,
            "conflicts": self.conflicts.iter().map(Conflict::json).collect::<Vec<_>>(),
            "not_checked": self.not_checked,
        })
    }
}

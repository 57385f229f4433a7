//! `govlog admission show`: the policy as its entries made it.

use std::path::PathBuf;

use clap::Args;
use govlog_formats::admission::{PolicyState, Word};
use govlog_formats::record::view;
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use crate::cli::output::Output;
use crate::cli::{Exit, trust::refuting};
use crate::operator;
use crate::time;
use crate::trust::{self, History, TrustDir};

/// `govlog admission show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Read the changes from this log, up to its newest published head, and check them
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// The trust directory; without --log it alone is shown
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
}

impl Show {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let history = match &self.log {
            None => dir.trust().history().clone(),
            Some(log) => trust::read_history(&out.source(log)?, dir.trust()).map_err(refuting)?,
        };
        let newest = &history.newest().after;
        let (mut lines, changes) = entries(&history);
        for row in newest.issuers() {
            let subjects = row.subjects.join(", ");
            let credentials = operator::credentials_in_words(&row.credentials);
            lines.push(visible(&format!(
                "in force: {} may submit {} about {subjects}, {credentials}",
                row.iss,
                row.kinds.join(", ")
            )));
        }
        let operators: Vec<String> = newest.operators().map(|(kid, _)| kid.to_string()).collect();
        let threshold = newest.threshold();
        lines.push(format!("operators: {} of {} must stand behind a change", threshold, operators.len()));
        lines.extend(operators.iter().map(|kid| format!("operator: {kid}")));
        let (words, approvals) = pending(newest);
        lines.extend(words);
        let document = json!({
            "origin": newest.origin(), "changes": changes,
            "threshold": threshold, "operators": operators, "approvals": approvals,
        });
        out.result(&lines.join("\n"), document);
        Ok(Exit::Ok)
    }
}

/// Every entry that the policy is folded from; an approval carries the number of the change before it.
fn entries(history: &History) -> (Vec<String>, Vec<Value>) {
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    for entry in history.entries() {
        let record = view::to_json(entry.statement.kind(), entry.statement.payload()).unwrap_or(Value::Null);
        if entry.is_change() {
            let number = entry.number;
            lines.push(format!("change {number}, entry 1.{}\n{record:#}", entry.index));
            documents.push(json!({ "change": number, "id": format!("1.{}", entry.index), "record": record }));
        } else {
            lines.push(format!("approval, entry 1.{}\n{record:#}", entry.index));
        }
    }
    (lines, documents)
}

/// The words on changes that are not in force.
fn pending(policy: &PolicyState) -> (Vec<String>, Vec<Value>) {
    let said = policy.approvals().map(|(kid, remembered)| {
        let (index, approval) = (remembered.index, remembered.approval);
        let word = match approval.word {
            Word::Approve => "approves",
            Word::Reject => "rejects",
        };
        let until = approval.expires_ms.map(|end| format!(", until {}", time::utc(end / 1000))).unwrap_or_default();
        let line = format!("pending: {kid} {word} change {} (entry 1.{index}){until}", approval.approved);
        let document = json!({
            "operator": kid.to_string(), "approved": approval.approved.to_string(), "word": word,
            "id": format!("1.{index}"), "expires_ms": approval.expires_ms,
        });
        (line, document)
    });
    said.unzip()
}

//! What every command that signs and submits has in common: the flags, and the report of what became of it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use govlog_formats::visible::visible;
use serde_json::{Map, Value, json};

use super::exit::Usage;
use super::output::Output;
use super::{Exit, files};
use crate::source::{Fetched, Http, Source};
use crate::submit::{Answer, Done, Sent, Wait};

/// Who signs, for which log, and what to wait for.
#[derive(Debug, Args)]
pub(crate) struct Signing {
    /// The log's address
    #[arg(long, value_name = "URL")]
    pub(crate) log: String,
    /// The issuer's private key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Who signs: the issuer's URI, as the admission policy names it
    #[arg(long, value_name = "URI")]
    pub(crate) iss: String,
    /// The stream that the records continue; `none` claims no completeness [default: a stream of this key's own]
    #[arg(long, value_name = "NAME|none")]
    pub(crate) stream: Option<String>,
    /// What to wait for
    #[arg(long, value_enum, default_value = "published")]
    pub(crate) wait: WaitFor,
    /// Write <epoch>.<index>.cose and .tlog-proof of each entry here
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `--wait`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WaitFor {
    /// Durable in the log, under a root it signed: a few milliseconds
    Committed,
    /// Under a checkpoint with the log's witness quorum: about a second
    Published,
}

impl Signing {
    /// The log's server; a folder takes no statements.
    pub(crate) fn http<'s>(&self, source: &'s Source, command: &str) -> Result<&'s Http, Usage> {
        source.http().ok_or_else(|| Usage(format!("{}: `{command}` needs a log's address", self.log)))
    }

    pub(crate) fn wait(&self) -> Wait {
        match self.wait {
            WaitFor::Committed => Wait::Committed,
            WaitFor::Published => Wait::Published,
        }
    }

    /// Makes the folder of `--out`, before anything is signed.
    pub(crate) fn make_out(&self) -> anyhow::Result<()> {
        match &self.out {
            Some(folder) => std::fs::create_dir_all(folder).with_context(|| folder.display().to_string()),
            None => Ok(()),
        }
    }

    /// Says what became of each statement, and keeps what came back. `more`: further members of the document.
    pub(crate) fn report(
        &self,
        done: &Done,
        http: &Http,
        more: Map<String, Value>,
        out: &Output,
    ) -> anyhow::Result<Exit> {
        if done.resent > 0 {
            out.notice(&format!("{} signed by an earlier run and sent again", done.resent));
        }
        let mut exits = Vec::new();
        let (mut lines, mut documents) = (Vec::new(), Vec::new());
        for sent in &done.sent {
            let (exit, line, document) = outcome(sent);
            if exit == Exit::Ok || exit == Exit::Pending {
                self.save(sent, http)?;
            }
            exits.push(exit);
            lines.push(visible(&line));
            documents.push(document);
        }
        let mut document = more;
        document.insert("entries".to_owned(), documents.into());
        out.result(&lines.join("\n"), Value::Object(document));
        Ok(Exit::worst(exits))
    }

    /// Writes what came back beside each other: the transparent statement once published, and the proof file.
    fn save(&self, sent: &Sent, http: &Http) -> anyhow::Result<()> {
        let Some(folder) = &self.out else { return Ok(()) };
        let Some(answer) = &sent.answer else { return Ok(()) };
        let Some(id) = answer.id else { return Ok(()) };
        if let Some(proof) = &answer.proof {
            files::write(&folder.join(format!("{id}.tlog-proof")), proof)?;
        }
        // Without a wait: what is not published now is fetched later with `govlog get`.
        let statement = match http.transparent_statement(id, Duration::ZERO)? {
            Fetched::Statement(bytes) => bytes,
            Fetched::NotPublished | Fetched::Absent => sent.statement.entry().to_vec(),
        };
        files::write(&folder.join(format!("{id}.cose")), &statement)
    }
}

/// What became of one statement: exit, line, document.
fn outcome(sent: &Sent) -> (Exit, String, Value) {
    let leaf = sent.statement.leaf_hash().to_string();
    let Some(answer) = &sent.answer else {
        return (
            Exit::Pending,
            format!("-  held back after a refusal  {leaf}"),
            json!({ "leaf": leaf, "status": null }),
        );
    };
    let id = answer.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let (exit, words) = match (answer.status, &sent.proof) {
        (201, Some(Ok(()))) => (Exit::Ok, "logged".to_owned()),
        (201, Some(Err(unproved))) => (Exit::Refuted, unproved.to_string()),
        (201, None) => (Exit::Refuted, "accepted without a proof".to_owned()),
        (303, _) => (Exit::Pending, "committed, not yet published: run again to ask".to_owned()),
        (429 | 503, _) => (Exit::Pending, format!("not taken now ({}): run again", refusal(answer))),
        _ => (Exit::Usage, format!("refused ({}): {}", answer.status, refusal(answer))),
    };
    let document =
        json!({ "id": answer.id.map(|id| id.to_string()), "status": answer.status, "leaf": leaf, "detail": words });
    (exit, format!("{id}  {words}  {leaf}"), document)
}

fn refusal(answer: &Answer) -> String {
    let title = answer.title.as_deref().unwrap_or_default();
    let detail = answer.detail.as_deref().unwrap_or_default();
    let place = answer.seq.map(|seq| format!("; the stream expects position {seq}")).unwrap_or_default();
    format!("{title}: {detail}{place}")
}

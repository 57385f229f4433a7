//! `govlog submit`: sign records and submit them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::limits::MAX_NOTE_BYTES;
use govlog_formats::note::Note;
use serde_json::{Value, json};

use super::exit::{Refuted, Usage};
use super::output::Output;
use super::{Exit, files};
use crate::source::{Fetched, HeadError, Http, Source};
use crate::submit::{Done, Draft, Sent, Session, StreamFile, Target, Wait};
use crate::time;
use crate::trust::TrustDir;

/// `govlog submit`
#[derive(Debug, Args)]
#[command(after_help = "\
A record is JSON in the view that formats/ documents, for example a decision:
  {\"v\":1, \"event_ms\":1795320442504, \"decision_id\":\"d-1\", \"subject\":{\"id\":\"spiffe://prod.example/pay\"},
   \"action\":{\"name\":\"read\"}, \"resource\":{\"type\":\"account\",\"id\":\"acct-5\"}, \"result\":\"permit\"}

What is signed is kept beside the key (KEY.streams) until the log proves that it has it; a run that was cut off
is simply run again, with or without new records.")]
pub(crate) struct Submit {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The issuer's private key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who signs: the issuer's URI, as the admission policy names it
    #[arg(long, value_name = "URI")]
    iss: String,
    /// The kind of the records: decision, effect or issuance
    #[arg(long, value_name = "KIND")]
    kind: String,
    /// The subject [default: the record's own: subject.id, performer or subject]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// The stream that the records continue; `none` claims no completeness [default: a stream of this key's own]
    #[arg(long, value_name = "NAME|none")]
    stream: Option<String>,
    /// What to wait for
    #[arg(long, value_enum, default_value = "published")]
    wait: WaitFor,
    /// The trust directory to judge the log's proofs by; without it only their structure is checked
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Write <epoch>.<index>.cose and .tlog-proof of each entry here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Fill in an issuance's handles, subject and validity from this certificate
    #[arg(long, value_name = "FILE.pem")]
    cert: Option<PathBuf>,
    /// The records, one JSON file each; with --cert none is needed
    #[arg(value_name = "RECORD.json")]
    records: Vec<PathBuf>,
}

/// `--wait`
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WaitFor {
    /// Durable in the log, under a root it signed: a few milliseconds
    Committed,
    /// Under a checkpoint with the log's witness quorum: about a second
    Published,
}

impl Submit {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let drafts = self.drafts()?;
        let dir = self.trust.as_deref().map(TrustDir::load).transpose()?;
        let source = Source::open(&self.log)?;
        let http = source.http().ok_or_else(|| Usage(format!("{}: `submit` needs a log's address", self.log)))?;
        let trust = dir.as_ref().map(TrustDir::trust);
        let origin = match trust {
            Some(trust) => trust.origin().to_owned(),
            None => self.origin_unchecked(&source, out)?,
        };
        if let Some(folder) = &self.out {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let wait = match self.wait {
            WaitFor::Committed => Wait::Committed,
            WaitFor::Published => Wait::Published,
        };
        let iat = i64::try_from(time::now_s()).unwrap_or(i64::MAX);
        let target = Target { origin, iss: self.iss.clone() };
        let mut session = Session::new(http, &key, trust, target, StreamFile::beside(&self.key)?);
        let done = match self.stream.as_deref() {
            Some("none") => session.submit_unordered(&drafts, iat, wait)?,
            name => session.submit(name, &drafts, iat, wait)?,
        };
        self.report(&done, http, out)
    }

    fn drafts(&self) -> anyhow::Result<Vec<Draft>> {
        let certificate = self.cert.as_deref().map(files::read).transpose()?;
        let draft = |path: Option<&Path>| -> anyhow::Result<Draft> {
            let text = match path {
                Some(path) => Some(files::read_text(path)?),
                None => {
                    Some(format!(r#"{{"v":1,"event_ms":{},"stage":"issued"}}"#, time::now_s().saturating_mul(1000)))
                }
            };
            let shown = path.map_or_else(|| "--cert".to_owned(), |path| path.display().to_string());
            Draft::new(&self.kind, text.as_deref(), certificate.as_deref(), self.sub.as_deref())
                .map_err(|error| Usage(format!("{shown}: {error}")).into())
        };
        match (self.records.as_slice(), &certificate) {
            ([], Some(_)) => Ok(vec![draft(None)?]),
            ([_, _, ..], Some(_)) => Err(Usage("--cert fills in one record; submit one at a time".to_owned()).into()),
            (records, _) => records.iter().map(|path| draft(Some(path))).collect(),
        }
    }

    /// Without a trust directory the origin is the server's word, and so is everything that comes back.
    fn origin_unchecked(&self, source: &Source, out: &Output) -> anyhow::Result<String> {
        out.notice("no --trust: the log's origin and proofs are its own word; only their structure is checked");
        let bytes = source.get("checkpoint", MAX_NOTE_BYTES)?.ok_or(HeadError::None)?;
        let note = Note::parse(&bytes).map_err(|error| Refuted(format!("the log's checkpoint: {error}")))?;
        let head = Checkpoint::of_note(&note).map_err(|error| Refuted(format!("the log's checkpoint: {error}")))?;
        Ok(head.origin.to_string())
    }

    fn report(&self, done: &Done, http: &Http, out: &Output) -> anyhow::Result<Exit> {
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
            lines.push(line);
            documents.push(document);
        }
        out.result(&lines.join("\n"), json!({ "entries": documents }));
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

fn refusal(answer: &crate::submit::Answer) -> String {
    let title = answer.title.as_deref().unwrap_or_default();
    let detail = answer.detail.as_deref().unwrap_or_default();
    let place = answer.seq.map(|seq| format!("; the stream expects position {seq}")).unwrap_or_default();
    format!("{title}: {detail}{place}")
}

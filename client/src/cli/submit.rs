//! `govlog submit`: sign records and submit them.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::limits::MAX_NOTE_BYTES;
use govlog_formats::note::Note;
use serde_json::Map;

use super::exit::{Refuted, Usage};
use super::output::Output;
use super::signing::Signing;
use super::{Exit, files};
use crate::source::{HeadError, Source};
use crate::submit::{Draft, Session, StreamFile, Target, kinds};
use crate::time;
use crate::trust::TrustDir;

/// `govlog submit`
#[derive(Debug, Args)]
#[command(after_help = "\
A record is JSON in the view that formats/ documents, for example a decision:
  {\"v\":1, \"event_ms\":1795320442504, \"decision_id\":\"d-1\",
   \"subject\":{\"id\":\"spiffe://prod.example/pay\"}, \"action\":{\"name\":\"read\"},
   \"resource\":{\"type\":\"account\",\"id\":\"acct-5\"}, \"result\":\"permit\"}

What is signed is kept beside the key (KEY.streams) until the log proves that it has it; a run that was cut off \
is simply run again, with or without new records.")]
pub(crate) struct Submit {
    #[command(flatten)]
    signing: Signing,
    #[arg(long, value_name = "KIND", help = kind_help())]
    kind: String,
    /// The subject [default: the record's own, as subject.id, performer, policy URI; approval and custody have none]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// The trust directory to judge the log's proofs by; without it only their structure is checked
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Fill in an issuance's handles, subject and validity from this certificate
    #[arg(long, value_name = "FILE.pem")]
    cert: Option<PathBuf>,
    /// The records, one JSON file each; with --cert none is needed
    #[arg(value_name = "RECORD.json")]
    records: Vec<PathBuf>,
}

fn kind_help() -> String {
    format!("The kind of the records: {}", kinds().join(", "))
}

impl Submit {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let signing = &self.signing;
        let key = files::signing_key(&signing.key)?;
        let drafts = self.drafts()?;
        let dir = self.trust.as_deref().map(TrustDir::load).transpose()?;
        let source = out.source(&signing.log)?;
        let http = signing.http(&source, "submit")?;
        let trust = dir.as_ref().map(TrustDir::trust);
        let origin = match trust {
            Some(trust) => trust.origin().to_owned(),
            None => origin_unchecked(&source, out)?,
        };
        signing.make_out()?;
        let iat = i64::try_from(time::now_s()).unwrap_or(i64::MAX);
        let target = Target { origin, iss: signing.iss.clone() };
        let mut session = Session::new(http, &key, trust, target, StreamFile::beside(&signing.key)?);
        let done = match signing.stream.as_deref() {
            Some("none") => session.submit_unordered(&drafts, iat, signing.wait())?,
            name => session.submit(name, &drafts, iat, signing.wait())?,
        };
        signing.report(&done, http, Map::new(), out)
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
}

/// Without a trust directory the origin is the server's word, and so is everything that comes back.
fn origin_unchecked(source: &Source, out: &Output) -> anyhow::Result<String> {
    out.notice("no --trust: the log's origin and proofs are its own word; only their structure is checked");
    let bytes = source.get("checkpoint", MAX_NOTE_BYTES)?.ok_or(HeadError::None)?;
    let note = Note::parse(&bytes).map_err(|error| Refuted(format!("the log's checkpoint: {error}")))?;
    let head = Checkpoint::of_note(&note).map_err(|error| Refuted(format!("the log's checkpoint: {error}")))?;
    Ok(head.origin.to_string())
}

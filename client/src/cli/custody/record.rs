//! Logging what is done with a custody file: `custody` records, and the commands that write them.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::visible::visible;
use serde_json::{Map, Value, json};

use super::export::PATIENCE;
use super::verify::judge;
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::signing::{Signing, WaitFor};
use crate::cli::{Exit, files};
use crate::custody::Custody;
use crate::source::Fetched;
use crate::submit::{Draft, Session, StreamFile, Target};
use crate::time;
use crate::trust::{Trust, TrustDir};

/// Who logs it, and where.
#[derive(Debug, Args)]
pub(crate) struct Recording {
    /// The log's address
    #[arg(long, value_name = "URL")]
    pub(super) log: String,
    /// The private key to sign with (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) key: PathBuf,
    /// Who signs: an issuer's URI that is admitted for the kind custody
    #[arg(long, value_name = "URI")]
    pub(super) iss: String,
    /// The subject to sign for [default: who signs]
    #[arg(long, value_name = "SUB")]
    pub(super) sub: Option<String>,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) op: &'static str,
    pub(super) case: Option<String>,
    pub(super) collector: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) legal_basis: Option<String>,
    pub(super) until_ms: Option<u64>,
    pub(super) query: Option<Value>,
    /// Name the entries, too.
    pub(super) names_entries: bool,
}

/// A step with a file that is there.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is verified first; what is refuted is not signed for. The record names the file by its manifest's digest, and lies beside it: \
`govlog custody verify FILE --record RECORD.cose` shows it. A record that is there is not replaced: give another --out, or --force.

A hold that is logged binds nobody by itself: `govlog redact` goes by what the keeper of an opening store holds there, with `govlog openings hold`. \
Of more than 1,000 entries none is named one by one, the manifest names them all.

For example:
  govlog custody hand-over case.zip --recipient counsel-3 --purpose 'disclosure' --log URL --trust trust \\
    --key responder.key --iss https://response.example/desk")]
pub(crate) struct StepArgs {
    /// The custody file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Who gets it, or got it; a pseudonym
    #[arg(long, value_name = "WHO")]
    recipient: Option<String>,
    /// What for; in clear in the log for ever
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// The law, contract or order it rests on; in clear in the log for ever
    #[arg(long, value_name = "TEXT")]
    basis: Option<String>,
    /// What joins the steps of one matter
    #[arg(long, value_name = "CASE")]
    case: Option<String>,
    /// When a hold ends by itself
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Where to write the record [default: beside the file, as FILE without its ending, then .<what was done>.cose]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the record if one is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    recording: Recording,
}

impl StepArgs {
    /// Verifies the file and logs what was done with it.
    pub(crate) fn run(self, op: &'static str, out: &Output) -> anyhow::Result<Exit> {
        let beside = self.out.clone().unwrap_or_else(|| self.file.with_extension(format!("{op}.cose")));
        // Before anything is signed: what is logged cannot be taken back.
        files::free(&beside, self.force)?;
        if self.force && beside.canonicalize().is_ok_and(|path| self.file.canonicalize().is_ok_and(|file| file == path))
        {
            return Err(Usage(format!("{}: that is the evidence; write the record elsewhere", beside.display())).into());
        }
        let dir = TrustDir::load(&self.trust)?;
        let verdict = judge(dir.trust(), &self.file, &[])?;
        let custody = match &verdict.result {
            Ok(custody) => custody,
            Err(failure) => {
                out.notice(&visible(&format!("{}: {}; nothing was signed", self.file.display(), failure.why)));
                return Ok(failure.outcome.into());
            }
        };
        if op == "hand-over" && self.recipient.is_none() {
            return Err(Usage("say to whom: --recipient".to_owned()).into());
        }
        let until = self.until.as_deref().map(|when| time::when_ms(when, time::now_s())).transpose();
        let step = Step {
            op,
            case: self.case.clone(),
            collector: custody.manifest.collector.clone(),
            recipient: self.recipient.clone(),
            purpose: self.purpose.clone(),
            legal_basis: self.basis.clone(),
            until_ms: until.map_err(|error| Usage(format!("--until: {error}")))?,
            query: None,
            names_entries: matches!(op, "hold" | "release"),
        };
        let exit = self.recording.log(&step, custody, dir.trust(), (&beside, self.force), Map::new(), out)?;
        said(op, custody.counts().0).iter().for_each(|notice| out.notice(notice));
        Ok(exit)
    }
}

/// What a logged hold or release does not do.
fn said(op: &str, entries: usize) -> Vec<String> {
    let what = match op {
        "hold" => "hold",
        "release" => "release",
        _ => return Vec::new(),
    };
    let mut said = vec![format!(
        "this is on record and binds nobody by itself: govlog redact goes by what is held in an opening store; whoever keeps one runs govlog \
         openings {what} there"
    )];
    if entries > MAX_NAMED {
        said.push(format!(
            "of its {entries} entries none is named one by one: the record names them by the file's manifest alone"
        ));
    }
    said
}

/// So many entries a record names one by one; those of more are named by the manifest alone.
const MAX_NAMED: usize = 1_000;

impl Recording {
    /// Signs and logs a record about a file, waits until it is published, and writes it down.
    pub(super) fn log(
        &self,
        step: &Step,
        custody: &Custody,
        trust: &Trust,
        (beside, force): (&Path, bool),
        mut more: Map<String, Value>,
        out: &Output,
    ) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let source = out.source(&self.log)?;
        let signing = Signing {
            log: self.log.clone(),
            key: self.key.clone(),
            iss: self.iss.clone(),
            stream: None,
            wait: WaitFor::Published,
            out: None,
        };
        let http = signing.http(&source, "custody")?;
        let sub = self.sub.as_deref().unwrap_or(&self.iss);
        let draft = Draft::new("custody", Some(&step.view(custody).to_string()), None, Some(sub))
            .map_err(|error| Usage(error.to_string()))?;
        let target = Target { origin: trust.origin().to_owned(), iss: self.iss.clone() };
        let mut session = Session::new(http, &key, Some(trust), target, StreamFile::beside(&self.key)?);
        let iat = i64::try_from(time::now_s()).unwrap_or(i64::MAX);
        let done = session.submit(None, &[draft], iat, signing.wait())?;
        let id = done.sent.last().and_then(|sent| sent.answer.as_ref()?.id);
        let fetched = id.map(|id| http.transparent_statement(id, PATIENCE)).transpose()?;
        if let Some(Fetched::Statement(bytes)) = fetched {
            files::put(beside, &bytes, force)?;
            more.insert("record".to_owned(), beside.display().to_string().into());
        }
        signing.report(&done, http, more, out)
    }
}

impl Step {
    /// The record, as its JSON view.
    fn view(&self, custody: &Custody) -> Value {
        let head = &custody.checkpoint;
        let mut view = json!({
            "v": 1,
            "event_ms": time::now_s().saturating_mul(1000),
            "op": self.op,
            "manifest_digest": custody.manifest_digest.to_string(),
            "checkpoint": { "origin": custody.manifest.origin, "size": head.size.get(), "root": head.root.to_string() },
        });
        let texts = [
            ("case", &self.case),
            ("collector", &self.collector),
            ("recipient", &self.recipient),
            ("purpose", &self.purpose),
            ("legal_basis", &self.legal_basis),
        ];
        if let Some(fields) = view.as_object_mut() {
            for (name, text) in texts {
                text.iter().for_each(|text| drop(fields.insert(name.to_owned(), text.as_str().into())));
            }
            self.until_ms.iter().for_each(|until| drop(fields.insert("until_ms".to_owned(), (*until).into())));
            self.query.iter().for_each(|query| drop(fields.insert("query".to_owned(), query.clone())));
            if self.names_entries && custody.counts().0 <= MAX_NAMED {
                // A member is named by its batch.
                let entries = custody.entries.iter().filter(|held| held.member.is_none());
                let leaf =
                    |held: &crate::custody::Held| json!({ "entry": held.entry.statement().leaf_hash().to_string() });
                fields.insert("entries".to_owned(), entries.map(leaf).collect::<Vec<_>>().into());
            }
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_hold_is_not_taken_for_one_that_binds() {
        let hold = said("hold", 1_000);
        assert!(hold.len() == 1 && hold[0].contains("govlog openings hold there"), "{hold:?}");
        assert!(said("release", 1_001)[1].contains("none is named one by one"));
        assert!(said("hand-over", 1_001).is_empty());
    }
}

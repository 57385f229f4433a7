//! `govlog custody report`: a page for people, made from a custody file that verifies.

use std::path::PathBuf;

use clap::Args;
use govlog_formats::digest::Digest;
use govlog_formats::visible::visible;
use serde_json::json;

use super::beside;
use super::verify::judge;
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, files};
use crate::custody;
use crate::time;
use crate::trust::TrustDir;

/// `govlog custody report`
#[derive(Debug, Args)]
#[command(after_help = "\
The file is verified first, as `govlog custody verify` does it, offline. If it is refused there is no page: what is wrong is printed, and a page of \
that name that is there already is left as it is; so it is without --force.

The page is one HTML file without scripts and without anything from elsewhere: to be read in any browser, printed on A4 or Letter, and handed on. It \
says what is not proved, who signed what and how that was proved, and draws the chain from people to effects. It proves nothing by itself: hand on \
the custody file with it. The same file, records and trust directory give the same page, byte for byte.

Exit codes: 0 written · 1 refuted · 3 cannot evaluate · 4 your policy is not satisfied; with these three nothing is written.

For example:
  govlog custody report case.zip --trust trust --out case.html")]
pub(crate) struct Report {
    /// The custody file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Where to write the page
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Replace the page if one is there; never the file or a record
    #[arg(long)]
    force: bool,
    /// A `custody` record about the file, as a transparent statement; repeatable
    #[arg(long, value_name = "RECORD.cose")]
    record: Vec<PathBuf>,
    /// Ask that the checkpoint be no older than this, seconds
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
}

impl Report {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let now_s = time::now_s();
        if self.out.extension().is_some_and(|ending| ending == "cose") {
            return Err(
                Usage(format!("{}: .cose is a record's ending; call the page otherwise", self.out.display())).into()
            );
        }
        let is_evidence = |path: &PathBuf| path.canonicalize().ok() == self.out.canonicalize().ok();
        let beside = beside(&self.file);
        if self.out.exists() && [&self.file, &beside].into_iter().chain(&self.record).any(is_evidence) {
            return Err(Usage(format!("{}: that is the evidence; write the page elsewhere", self.out.display())).into());
        }
        let mut verdict = judge(dir.trust(), &self.file, &self.record)?;
        if let Some(max_age_s) = self.max_age {
            verdict.require_age(max_age_s, now_s);
        }
        let Ok(page) = custody::report(&verdict) else {
            out.result(&format!("{}\n  no page is written", verdict.text(now_s)), verdict.json(now_s));
            return Ok(verdict.outcome().into());
        };
        files::put(&self.out, page.as_bytes(), self.force)?;
        let digest = Digest::sha256(page.as_bytes());
        let text = format!(
            "{}  {}\n  NOT PROVED   {} things, which the page says first\n  page         {}, sha256 {digest}",
            verdict.outcome().word(),
            visible(&verdict.name),
            verdict.not_proved.len(),
            visible(&self.out.display().to_string())
        );
        let mut document = verdict.json(now_s);
        if let Some(document) = document.as_object_mut() {
            document.insert(
                "page".to_owned(),
                json!({ "path": self.out.display().to_string(), "sha256": digest.to_string() }),
            );
        }
        out.result(&text, document);
        Ok(verdict.outcome().into())
    }
}

//! `govlog custody verify`: judge a custody file offline.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use govlog_formats::visible::visible;

use super::beside;
use crate::cli::output::Output;
use crate::cli::{Exit, files};
use crate::custody::{self, CustodyVerdict, MAX_FILE_BYTES};
use crate::time;
use crate::trust::{Trust, TrustDir};

/// `govlog custody verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is fetched, the trust directory is never written, and no key or policy in the file is believed. Entries of the log's admission policy that \
you do not know yet are learnt from the file for this check alone, and only as `govlog trust update` would: signed by operators you know, \
proved under your witnesses.

A `custody` record about the file is looked for beside it, in FILE with .cose in place of its ending; others are given with --record. Without one, \
collector and purpose are the file's own word.

The verdict ends with what is NOT PROVED. Exit codes: 0 verified · 1 refuted · 3 cannot evaluate · 4 your policy is not satisfied.

For example:
  govlog custody verify case.zip --trust trust
  govlog custody verify case.zip --trust trust --record handover.cose --json")]
pub(crate) struct Verify {
    /// The custody file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// A `custody` record about the file, as a transparent statement; repeatable
    #[arg(long, value_name = "RECORD.cose")]
    record: Vec<PathBuf>,
    /// Ask that the checkpoint be no older than this, seconds
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
}

impl Verify {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let now_s = time::now_s();
        let mut verdict = judge(dir.trust(), &self.file, &self.record)?;
        if let Some(max_age_s) = self.max_age {
            verdict.require_age(max_age_s, now_s);
        }
        out.result(&verdict.text(now_s), verdict.json(now_s));
        let exit = Exit::from(verdict.outcome());
        // Whoever names a record asks for it.
        let is_unjudged = |path: &PathBuf| verdict.unjudged.contains(&path.display().to_string());
        let Some(record) = self.record.iter().find(|path| is_unjudged(path)) else { return Ok(exit) };
        out.notice(&visible(&format!("{}: this record could not be judged; NOT PROVED says why", record.display())));
        Ok(Exit::worst([exit, Exit::CannotEvaluate]))
    }
}

/// Judges a file with the records named, and the one beside it.
pub(crate) fn judge(trust: &Trust, path: &Path, records: &[PathBuf]) -> anyhow::Result<CustodyVerdict> {
    let bytes = files::read_at_most(path, MAX_FILE_BYTES as u64)?;
    let beside = beside(path);
    let is_beside = beside != path && beside.is_file() && !records.contains(&beside);
    let paths = is_beside.then_some(&beside).into_iter().chain(records);
    let read = |path: &PathBuf| Ok((path.display().to_string(), files::read(path)?));
    let records = paths.map(read).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(custody::verify(trust, &path.display().to_string(), &bytes, &records))
}

/// Says whether a file begins as a custody file does.
pub(crate) fn is_custody_file(path: &Path) -> anyhow::Result<bool> {
    let mut first = Vec::new();
    files::open(path)?.take(4).read_to_end(&mut first).with_context(|| path.display().to_string())?;
    Ok(custody::is_archive(&first))
}

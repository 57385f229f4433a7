//! `govlog audit`: a whole log, entry by entry.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Refuted, Usage};
use super::output::Output;
use super::{Exit, progress};
use crate::audit::{self, AuditError};
use crate::trust::TrustDir;
use crate::verify::Outcome;

/// `govlog audit`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads every entry and every tile over the public routes, or from a folder with the same files, and believes none of \
    them: each is re-derived or verified. After an audit without findings the head is pinned in the trust directory.\n\n\
    Two statements that an issuer signed for one place of a stream (the server names them, each is proved here) are shown as conflicts: \
    they speak against the issuer, not the log, and do not change the exit code; with --json look at `conflicts`. A conflict that is \
    not proved is the server's false accusation: a finding, exit 1."
)]
pub(crate) struct Audit {
    /// The log's address, or a folder with its public files
    #[arg(long, value_name = "URL|DIR")]
    log: String,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Check bytes, proofs, admission and streams; not what the records say (for now the only audit there is)
    #[arg(long)]
    structure: bool,
}

impl Audit {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        if !self.structure {
            return Err(Usage(
                "the semantic audit does not exist yet; ask for the structural one: --structure".to_owned(),
            )
            .into());
        }
        let mut dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let bar = progress::bar(out, "entries", 0);
        let mut tick = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let (head, report) = audit::audit(&source, dir.trust(), &mut tick).map_err(refuting)?;
        bar.finish_and_clear();
        let pinned = dir.trust().pinned().map(|pinned| pinned.verified.checkpoint().size);
        if report.outcome() == Outcome::Verified && pinned.is_none_or(|size| size <= head.size()) {
            dir.pin(head.note())?;
        }
        out.result(&report.text(), report.json());
        Ok(report.outcome().into())
    }
}

fn refuting(error: AuditError) -> anyhow::Error {
    match &error {
        AuditError::Head(head) if head.refutes() => anyhow::Error::new(Refuted(error.to_string())),
        _ => anyhow::Error::new(error),
    }
}

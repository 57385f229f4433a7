//! `govlog trust`: the directory that says whom you trust.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use govlog_formats::limits::MAX_NOTE_BYTES;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tlog_policy::Policy;
use serde_json::json;

use super::exit::{Refuted, Usage};
use super::output::Output;
use super::{Exit, files};
use crate::source::{HeadError, Tree};
use crate::trust::{self, TrustDir, UpdateError};

/// `govlog trust …`
#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Make a trust directory from the log's policy and its entry 0
    Init(Init),
    /// Learn the admission policy's newer changes, each with its proof, and pin the newest head
    Update(Update),
    /// Print a digest of what everybody who trusts this log must agree on
    Fingerprint {
        /// The trust directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `govlog trust init`
#[derive(Debug, Args)]
#[command(
    after_help = "The policy, and entry 0 or its fingerprint, must come over a channel you trust. With --log, entry 0 is the \
    server's word: compare the fingerprint that is printed with one from the log's operator."
)]
pub(crate) struct Init {
    /// The policy: log keys, witnesses, quorum (the log's D/policy.txt)
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Entry 0 as the operator signed it (the log's D/genesis.cose)
    #[arg(long, value_name = "FILE", conflicts_with = "log", required_unless_present = "log")]
    genesis: Option<PathBuf>,
    /// Take entry 0 from the log itself
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// Where the trust directory goes; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// `govlog trust update`
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Trust {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Init(init) => init.run(out),
            Self::Update(update) => update.run(out),
            Self::Fingerprint { dir } => {
                let digest = TrustDir::load(&dir)?.trust().fingerprint().to_string();
                out.result(&digest, json!({ "fingerprint": digest }));
                Ok(Exit::Ok)
            }
        }
    }
}

impl Init {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let policy = files::read_text(&self.policy)?;
        let genesis = match (&self.genesis, &self.log) {
            (Some(path), _) => files::read(path)?,
            (None, Some(log)) => genesis_of(out, log, &policy)?,
            (None, None) => return Err(Usage("give --genesis FILE or --log URL".to_owned()).into()),
        };
        let dir = TrustDir::create(&self.out, &policy, &genesis)?;
        let (trust, shown) = (dir.trust(), self.out.display());
        let fingerprint = trust.fingerprint().to_string();
        if self.log.is_some() {
            out.notice("entry 0 is the server's word: compare the fingerprint with one from the log's operator");
        }
        let quorum = trust.policy().quorum().is_some();
        if !quorum {
            out.notice("this policy asks for no witness: a log that shows two histories will not be noticed");
        }
        out.result(
            &format!("{shown}: trusts {}, {} witnesses\nfingerprint {fingerprint}", trust.origin(), trust.policy().witnesses().len()),
            json!({ "origin": trust.origin(), "genesis": trust.history().genesis().to_string(), "fingerprint": fingerprint }),
        );
        Ok(Exit::Ok)
    }
}

/// Reads entry 0 from a log whose checkpoint the policy accepts.
fn genesis_of(out: &Output, log: &str, policy: &str) -> anyhow::Result<Vec<u8>> {
    let policy: Policy = policy.parse().map_err(|error| Usage(format!("the policy: {error}")))?;
    let source = out.source(log)?;
    let note = source.get("checkpoint", MAX_NOTE_BYTES)?.ok_or(HeadError::None)?;
    let head = policy
        .verify_checkpoint(&note)
        .with_context(|| format!("{log}: the checkpoint does not verify under this policy"))?;
    let size = head.checkpoint().size;
    if size == TreeSize::ZERO {
        return Err(Usage(format!("{log}: the log is empty")).into());
    }
    Ok(Tree::new(&source, size).entry(LeafIndex::new(0))?)
}

impl Update {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let source = out.source(&self.log)?;
        let mut dir = TrustDir::load(&self.dir)?;
        let updated = trust::update(&source, &mut dir).map_err(refuting)?;
        out.result(
            &format!(
                "{}: {} new, as of change {}; head pinned at size {}",
                self.dir.display(),
                changes(updated.added),
                updated.newest,
                updated.size
            ),
            json!({ "added": updated.added, "change": updated.newest, "size": updated.size.get() }),
        );
        Ok(Exit::Ok)
    }
}

fn changes(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

/// Marks the errors that prove the log wrong, so that the exit code says so.
pub(crate) fn refuting(error: UpdateError) -> anyhow::Error {
    let refutes = match &error {
        UpdateError::Head(head) => head.refutes(),
        UpdateError::NotIncluded { .. } => true,
        _ => false,
    };
    if refutes { anyhow::Error::new(Refuted(error.to_string())) } else { anyhow::Error::new(error) }
}

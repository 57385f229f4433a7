//! `govlog batch`: members of a decision-batch, from the opening store of whoever submitted it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use govlog_formats::member::{self, MemberProof};
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;
use govlog_formats::transparent::TransparentStatement;
use govlog_formats::visible::visible;
use serde_json::json;

use super::exit::{NoMembers, Refuted, Usage};
use super::output::Output;
use super::{Exit, files, open};
use crate::openings::{Folder, OpeningStore, Openings};
use crate::time;
use crate::trust::TrustDir;
use crate::verify;

/// `govlog batch`
#[derive(Debug, Subcommand)]
pub(crate) enum Batch {
    /// Take one decision out of a batch, with what proves that it is in it
    Prove(Prove),
    /// Hold a batch against all its members: root, counts, times
    Check(Check),
}

/// `govlog batch prove`
#[derive(Debug, Args)]
#[command(after_help = "\
What is written goes to whoever is to believe it, together with BATCH.cose; they run:
  govlog verify --trust DIR BATCH.cose FILE.member
The decision's sealed values stay sealed: what opens them is not written.")]
pub(crate) struct Prove {
    /// The opening store of the agent that made the batch
    #[arg(long, value_name = "DIR")]
    openings: PathBuf,
    /// The identity that opens the store, if it is encrypted
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The id of the decision
    #[arg(long, value_name = "ID", conflicts_with = "index", required_unless_present = "index")]
    decision: Option<String>,
    /// Its place in the batch, from 0
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// Where the member proof goes [default: <BATCH>.<N>.member]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The batch, as `govlog get` fetched it; with --decision several, of which one has it
    #[arg(value_name = "BATCH.cose", required = true)]
    batches: Vec<PathBuf>,
}

/// `govlog batch check`
#[derive(Debug, Args)]
#[command(after_help = "\
Only with all its members can it be seen whether a batch counts them rightly; its issuer has them in its opening store.
A batch that says what is not so is refuted (exit 1): its issuer signed that.")]
pub(crate) struct Check {
    /// The opening store of the agent that made the batches
    #[arg(long, value_name = "DIR")]
    openings: PathBuf,
    /// The identity that opens the store, if it is encrypted
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The batches, as `govlog get` fetched them
    #[arg(value_name = "BATCH.cose", required = true)]
    batches: Vec<PathBuf>,
}

impl Batch {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Prove(command) => command.run(out),
            Self::Check(command) => command.run(out),
        }
    }
}

impl Prove {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let store = store(&self.openings, self.identity.as_deref())?;
        let (path, statement, records, index) = self.find(&store)?;
        let proof =
            MemberProof::build(statement.leaf_hash(), &records, index).map_err(|error| Usage(error.to_string()))?;
        // Nothing is handed out that its reader would refuse.
        let record =
            Record::parse(statement.kind(), statement.payload()).map_err(|error| Refuted(error.to_string()))?;
        let Record::DecisionBatch(batch) = record else {
            return Err(Usage(format!("{}: no decision-batch", path.display())).into());
        };
        let (Some(count), Some(root)) = (batch.count().present(), batch.root().present()) else {
            return Err(Refuted(format!("{}: no count or no root in clear", path.display())).into());
        };
        let decision = proof
            .verify(&statement.leaf_hash(), TreeSize::new(count), &root)
            .map_err(|error| Refuted(format!("what the opening store keeps are not this batch's members: {error}")))?;
        let file = self.out.clone().unwrap_or_else(|| path.with_extension(format!("{index}.member")));
        // The record of the decision stands in it, which not even the log has.
        files::create_new(&file, 0o600, &proof.to_bytes())?;
        let id = decision.decision_id().present().unwrap_or("(sealed)");
        let (file, batch) = (file.display().to_string(), path.display().to_string());
        out.result(
            &format!("{file}: decision {}, member {index} of {count} of {batch}; to be verified with it", visible(id)),
            json!({ "file": file, "batch": batch, "decision_id": id, "member": index.get(), "count": count }),
        );
        Ok(Exit::Ok)
    }

    /// Finds the member: its batch, all members of that, and its place.
    fn find<'p>(&'p self, store: &Folder) -> anyhow::Result<(&'p Path, SignedStatement, Vec<Vec<u8>>, LeafIndex)> {
        let id = match (self.index, &self.decision, self.batches.as_slice()) {
            (Some(index), _, [path]) => {
                let statement = statement(path)?;
                let records = members(store, &self.openings, &statement)?;
                return Ok((path, statement, records, LeafIndex::new(index)));
            }
            (Some(_), ..) => return Err(Usage("--index is a place in one batch: give that one".to_owned()).into()),
            (None, id, _) => id.as_deref().unwrap_or_default(),
        };
        let mut looked_at = 0;
        for path in &self.batches {
            let statement = statement(path)?;
            let records = members(store, &self.openings, &statement)?;
            looked_at += records.len();
            if let Some(index) = place_of(&records, id)? {
                return Ok((path, statement, records, index));
            }
        }
        Err(NoMembers(format!("no decision {id} among {looked_at} members of {} batches", self.batches.len())).into())
    }
}

impl Check {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let (trust, now_s) = (dir.trust(), time::now_s());
        let store = store(&self.openings, self.identity.as_deref())?;
        let (mut exits, mut lines, mut documents) = (Vec::new(), Vec::new(), Vec::new());
        for path in &self.batches {
            let mut verdict = verify::transparent_statement(trust, &path.display().to_string(), &files::read(path)?);
            if let Ok(entry) = verdict.result.clone() {
                let records = members(&store, &self.openings, entry.statement())?;
                verdict.hold_against(&entry, &records);
            }
            exits.push(Exit::from(verdict.outcome()));
            lines.push(verdict.text(trust, now_s));
            documents.push(verdict.json(trust, now_s));
        }
        out.result(&lines.join("\n\n"), json!({ "verdicts": documents }));
        Ok(Exit::worst(exits))
    }
}

/// Opens a store that is there: a reader makes none.
fn store(folder: &Path, identity: Option<&Path>) -> anyhow::Result<Folder> {
    if !folder.is_dir() {
        return Err(Usage(format!("{}: no such folder; it is what agent.toml calls openings", folder.display())).into());
    }
    Ok(Folder::existing(folder, open::identities(identity)?)?)
}

/// Reads the statement in a file, with receipts or without.
fn statement(path: &Path) -> anyhow::Result<SignedStatement> {
    let wrong = |error: String| Usage(format!("{}: {error}", path.display()));
    let bytes = files::read(path)?;
    let statement = match TransparentStatement::parse(&bytes) {
        Ok(transparent) => transparent.statement().clone(),
        Err(_) => SignedStatement::parse(&bytes).map_err(|error| wrong(error.to_string()))?,
    };
    if statement.kind() != "decision-batch" {
        return Err(wrong(format!("an entry of kind {}; only a decision-batch has members", statement.kind())).into());
    }
    Ok(statement)
}

/// The records of a batch's members, as the opening store keeps them.
fn members(store: &Folder, folder: &Path, batch: &SignedStatement) -> anyhow::Result<Vec<Vec<u8>>> {
    let leaf = batch.leaf_hash();
    let bytes = store.get(&leaf)?.ok_or_else(|| {
        NoMembers(format!(
            "{}: no members of the batch with leaf hash {leaf}: it is another agent's store, or they were destroyed",
            folder.display()
        ))
    })?;
    let openings = Openings::decode(&bytes).map_err(|error| Usage(error.to_string()))?;
    Ok(openings.members.into_iter().map(|member| member.record).collect())
}

/// Finds a decision by its id; one that stands there twice must be named by its place.
fn place_of(records: &[Vec<u8>], id: &str) -> Result<Option<LeafIndex>, Usage> {
    let is_it =
        |record: &[u8]| member::decision(record).is_ok_and(|decision| decision.decision_id().present() == Some(id));
    let found: Vec<u64> = (0..).zip(records).filter(|(_, record)| is_it(record)).map(|(at, _)| at).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(LeafIndex::new(*one))),
        several => Err(Usage(format!(
            "decision {id} stands {} times in one batch; give that one and --index, one of {}",
            several.len(),
            several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ))),
    }
}

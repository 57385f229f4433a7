//! `init`: makes a new log, in two steps with the operator's signature between them.
//!
//! | Step | Makes | In the end |
//! |---|---|---|
//! | [`prepare`] | `checkpoint.key`, `receipt.key`, `policy.txt`, `genesis.request`, and last `log.toml` | the operator signs `genesis.request` |
//! | [`begin`] | the store with entry 0, and last the head file | `run` can start |
//! | [`demo`] | both, with an `operator.key` of its own | for trying out |
//!
//! Nothing is ever overwritten. What a crash leaves is told apart by what is made last: without `log.toml` the first step was cut short, and
//! nothing was signed with the keys that lie there; with [`MARKER`] the second was, and it is done again from the start.

mod begin;
mod prepare;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use govlog_formats::admission::{BuildError, ChangeError, GenesisError};
use govlog_formats::cose::Curve;
use govlog_formats::note::Vkey;
use govlog_formats::statement::StatementError;
use govlog_formats::tlog_policy::{PolicyFault, PortabilityError};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, OriginError};
use crate::files::{self, FileError, Readers};
use crate::head::HeadError;
use crate::keys::{self, KeyFileError};
use crate::store::StoreError;

pub use begin::{begin, check_finished};
pub use prepare::{Plan, Quorum, WitnessLine, prepare};

/// The file that names the log's configuration; made last by the first step.
pub const CONFIG: &str = "log.toml";

/// The request for entry 0 that the operator signs.
pub const REQUEST: &str = "genesis.request";

/// Stands in the log's directory while the second step is under way.
pub const MARKER: &str = "genesis.unfinished";

/// The operator's key that [`demo`] makes.
pub const DEMO_OPERATOR: &str = "operator.key";

/// Entry 0 as [`demo`] signed it.
pub const DEMO_GENESIS: &str = "genesis.cose";

/// Why a log can not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A file can not be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is a log in this directory.
    #[error(
        "{dir}: is already initialised ({CONFIG} is there), and init never overwrites; a log without entry 0 goes on with \
         init --dir {dir} --genesis FILE",
        dir = .0.display()
    )]
    Already(PathBuf),
    /// An earlier init was cut short before it had made a configuration.
    #[error(
        "{dir}: holds {found} but no {CONFIG}: an earlier init was cut short, and nothing was signed with what lies there; \
         remove the directory and run init again",
        dir = .dir.display()
    )]
    CutShort {
        /// The directory.
        dir: PathBuf,
        /// The first file found.
        found: &'static str,
    },
    /// The origin can not name a log.
    #[error("--origin: {0}")]
    Origin(#[from] OriginError),
    /// A witness is not described as it should be.
    #[error("--witness {found:?}: {why}; write 'NAME VKEY URL', as the witness printed its VKEY")]
    Witness {
        /// The option's value.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody would witness the log, and nobody said so.
    #[error(
        "no --witness is given: name witnesses, or say --quorum none; a log without them can show different people different trees"
    )]
    NoWitness,
    /// A quorum of witnesses that are not there.
    #[error("--quorum {quorum}: there are {witnesses} witnesses; give a number from 1 to {witnesses}, or none")]
    Quorum {
        /// The number asked for.
        quorum: usize,
        /// How many witnesses are named.
        witnesses: usize,
    },
    /// The witness policy would not be read by others.
    #[error("witness policy: {0}")]
    Policy(#[from] PortabilityError),
    /// A line of the witness policy is wrong.
    #[error("witness policy: {0}")]
    PolicyLine(#[from] PolicyFault),
    /// The configuration can not be read back.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log's keys can not be made or read.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The log's own row is not one a change can carry.
    #[error("{REQUEST}: {0}")]
    Request(#[from] ChangeError),
    /// Entry 0 could not be signed.
    #[error("entry 0: {0}")]
    Sign(#[from] BuildError),
    /// The file holds no signed statement.
    #[error("{path}: not a signed statement: {source}", path = .path.display())]
    Statement {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: StatementError,
    },
    /// The statement can not be entry 0 of any log.
    #[error("{path}: {source}", path = .path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GenesisError,
    },
    /// The statement is entry 0 of another log, or of this one under other keys.
    #[error("{path}: {field} is {found}; this log's is {expected}; sign the {REQUEST} of this directory", path = .path.display())]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What the statement says.
        found: String,
        /// What the log's own files say.
        expected: String,
    },
    /// The log was begun before.
    #[error("{path}: is there already; this log has its entry 0, and init never overwrites", path = .0.display())]
    Begun(PathBuf),
    /// A log was not begun, or only in part.
    #[error("{dir}: init --genesis was cut short; run it again, it starts over (runbook: init-unfinished)", dir = .0.display())]
    Unfinished(PathBuf),
    /// The store can not be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head file can not be made.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The tree refused its first entry.
    #[error("the tree: {0}")]
    Tree(String),
}

/// Makes a log for trying out: both steps at once, with an operator key that lies beside it.
///
/// # Errors
/// As [`prepare`] and [`begin`].
pub fn demo(plan: &Plan, clock: &dyn Clock) -> Result<Vkey, InitError> {
    let request = prepare::prepare_request(plan, &[DEMO_OPERATOR, DEMO_GENESIS])?;
    let operator = keys::generate(Curve::Ed25519)?;
    let statement = request.sign(&operator, clock.now().get())?;
    let genesis = plan.dir.join(DEMO_GENESIS);
    files::write_new(&plan.dir.join(DEMO_OPERATOR), operator.to_pkcs8_pem().as_bytes(), Readers::Owner)?;
    let public = plan.dir.join(format!("{DEMO_OPERATOR}.pub"));
    files::write_new(&public, operator.public().to_spki_pem().as_bytes(), Readers::Everybody)?;
    files::write_new(&genesis, statement.entry(), Readers::Everybody)?;
    files::sync_dir(&plan.dir)?;
    begin(&plan.dir, &genesis, clock)
}

fn load_config(dir: &Path) -> Result<Config, InitError> {
    Ok(Config::load(&dir.join(CONFIG))?)
}

//! What can be typed, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, DEFAULT_ADMIN, DEFAULT_LISTEN};

/// Orders signed statements into an append-only Merkle tree and publishes checkpoints that witnesses cosign.
#[derive(Debug, Parser)]
#[command(name = "govlog-server", version, max_term_width = 120, after_help = LIFE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const LIFE: &str = "\
The life of a log:
  1. keys, configuration and D/genesis.request, which says what the operator is to sign:
       govlog-server init --dir D --origin log.example.org --witness 'w1 VKEY URL' …
  2. the operator signs entry 0, on another machine:
       govlog admission init --request D/genesis.request --key operator.key --out genesis.cose
  3. store and head file, with entry 0:
       govlog-server init --dir D --genesis genesis.cose
  4. from then on:
       govlog-server run --config D/log.toml

The running log describes its routes at /openapi.json.

Set GOVLOG_LOG=debug for more on stderr.";

/// What `govlog-server` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a new log; never overwrites anything.
    Init(InitArgs),
    /// Runs a log until it is told to stop (SIGTERM, SIGINT).
    #[command(after_long_help = config::describe())]
    Run(RunArgs),
    /// Builds the search index anew from the store, while the log does not run.
    #[command(after_long_help = INDEX)]
    RebuildIndex(RunArgs),
}

/// Options of `init`.
#[derive(Debug, Args)]
#[command(after_long_help = FORMS)]
pub struct InitArgs {
    /// Directory of the log; made if it is not there.
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,

    /// Name of the log, for its whole life: a URL without scheme, such as log.example.org/2026. First line of every checkpoint.
    #[arg(long, value_name = "O", required_unless_present = "genesis")]
    pub origin: Option<String>,

    /// Address of the public routes; port 0 takes a free one.
    #[arg(long, value_name = "A", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// Address of /healthz, /readyz and /metrics; never the public one.
    #[arg(long, value_name = "A", default_value_t = DEFAULT_ADMIN)]
    pub admin: SocketAddr,

    /// A witness: its name in the policy, its vkey, its URL. May be given several times.
    #[arg(long, value_name = "'NAME VKEY URL'")]
    pub witness: Vec<String>,

    /// How many witnesses must cosign a checkpoint before it is published. Default: more than half of them. "none" is needed when no witness
    /// is named: checkpoints are then published on the log's word alone.
    #[arg(long, value_name = "K|none")]
    pub quorum: Option<QuorumArg>,

    /// Entry 0 as signed by the operator: makes the store and the head file. The keys and the configuration are there from the first step.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["origin", "listen", "admin", "witness", "quorum", "demo"])]
    pub genesis: Option<PathBuf>,

    /// Makes the whole log at once, with a new operator key in D/operator.key. For trying out only: who controls the log's machine then also
    /// says who may submit.
    #[arg(long)]
    pub demo: bool,
}

const FORMS: &str = "\
Two steps, so that the operator's key never comes near the log:
  1. init --dir D --origin O …       makes D/checkpoint.key and D/receipt.key (mode 0600), D/log.toml,
                                     D/policy.txt (C2SP tlog-policy) and D/genesis.request, a JSON file that
                                     shows the operator what will be signed
  2. init --dir D --genesis FILE     makes D/store and D/head with entry 0, the first admission policy
An init that was cut short says so: the first step is begun again in an empty directory, the second is simply run again. \
On success stdout is one line, the log's vkey. Everything else goes to stderr.";

const INDEX: &str = "\
The index (files.index in log.toml) is derived from the store and trusted with nothing. A running log that finds it missing or wrong builds \
it anew by itself, in the background, and answers searches with 503 until that is done; deleting its directory is safe at any time, also \
under a running log. This command does the same at full speed before the log is started, and says how long it took.";

/// Options of `run` and `rebuild-index`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration that `init` made.
    #[arg(long, value_name = "D/log.toml")]
    pub config: PathBuf,
}

/// A number of witnesses, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuorumArg {
    /// No witness is needed.
    None,
    /// This many are.
    AtLeast(usize),
}

impl FromStr for QuorumArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self::AtLeast(number)),
            _ => Err("give a number of witnesses from 1 on, or none".to_owned()),
        }
    }
}

//! The command line.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use govlog_daemon::{logging, open_files, stop};
use govlog_formats::note::{KeyName, Vkey};

use crate::{
    Listeners,
    clock::Clock,
    config::{Config, DEFAULT_ADMIN, DEFAULT_LISTEN},
    init::{CONFIG_FILE, init},
    key, logs, serve_witness,
    witness::Witness,
};

/// A witness for transparency logs: remembers the last checkpoint of each log it knows, and cosigns the next one only when it is
/// consistent with that.
///
/// What it cosigned, no log can take back or tell otherwise to someone else. It sees no entries, and whoever runs it should not be the one who runs
/// the log. Speaks C2SP tlog-witness.
#[derive(Debug, Parser)]
#[command(name = "govlog-witness", version, arg_required_else_help = true, after_long_help = EXAMPLE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a witness: key, configuration, empty list of logs. Prints its vkey, which goes into the policies of those who trust it.
    Init {
        /// The folder to make it in.
        #[arg(long, value_name = "W")]
        dir: PathBuf,
        /// The witness's name, like a URL without scheme: no spaces, no '+'. It stands in every cosignature and cannot be changed later.
        #[arg(long, value_name = "N")]
        name: KeyName,
        /// Where logs and monitors reach it; port 0 takes a free port at each start.
        #[arg(long, value_name = "ADDRESS:PORT", default_value_t = DEFAULT_LISTEN)]
        listen: SocketAddr,
        /// Where health and metrics are; keep it to yourself.
        #[arg(long, value_name = "ADDRESS:PORT", default_value_t = DEFAULT_ADMIN)]
        admin: SocketAddr,
    },
    /// Adds a log to the list of those cosigned for. A running witness needs no restart.
    ///
    /// To remove one, delete its line from logs.txt.
    AddLog {
        /// The witness's folder.
        #[arg(long, value_name = "W")]
        dir: PathBuf,
        /// The log's vkey, as `govlog-server init` printed it; its name is the log's origin.
        vkey: Vkey,
    },
    /// Runs the witness until SIGTERM or Ctrl-C. Prints the addresses it listens on.
    Run {
        /// The configuration, W/witness.toml.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// Says what is wrong, for people.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Init { dir, name, listen, admin } => say(&init(&dir, name, listen, admin)?.to_string()),
            Command::AddLog { dir, vkey } => add_log(&dir.join(CONFIG_FILE), &vkey),
            Command::Run { config } => run(&config),
        }
    }
}

fn add_log(config: &std::path::Path, vkey: &Vkey) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let signer = key::load(&config.key)?;
    let new = logs::add(&config.logs, signer.vkey(), vkey)?;
    let what = if new { "added" } else { "is there already" };
    writeln!(io::stderr(), "{}: {what} in {}", vkey.name(), config.logs.display())?;
    Ok(())
}

fn run(config: &std::path::Path) -> anyhow::Result<()> {
    logging::to_stderr();
    let config = Config::load(config)?;
    open_files::allow(config.limits.connections);
    let witness = Arc::new(Witness::open(&config, Clock::system())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        // Before anybody hears that it runs, and may tell it to end.
        let told_to_end = stop::told_to_end()?;
        let listeners = Listeners::bind(&config).await?;
        say(&format!(
            "listening on {scheme}://{}\nadmin on {scheme}://{}",
            listeners.public_address()?,
            listeners.admin_address()?,
            scheme = config.tls.scheme(),
        ))?;
        serve_witness(witness, &config, listeners, told_to_end).await;
        anyhow::Ok(())
    });
    // Connections were drained; what may remain is a write whose client has gone, and it is whole or not at all.
    runtime.shutdown_timeout(Duration::from_secs(2));
    ended
}

/// Prints what the caller of the program waits for, and nothing else, to stdout.
fn say(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// Work waits for signatures (microseconds) and for the disk (milliseconds, one at a time for each log).
const BLOCKING_THREADS: usize = 16;

const EXAMPLE: &str = "\
Example:
  govlog-witness init --dir W --name witness.example.org/w1 --listen 127.0.0.1:7471
  govlog-witness add-log --dir W 'log.example.org+1a2b3c4d+AQ…'
  govlog-witness run --config W/witness.toml

Files in W:
  witness.key     back it up, show it to nobody
  witness.toml    the configuration
  logs.txt        the vkeys of the logs that are cosigned for
  state           what was cosigned last; never restore it from a backup: an older state lets a log tell a second story
  evidence        signed checkpoints that speak against their log

Set GOVLOG_LOG=debug for more on stderr.";

//! The command line.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use govlog_daemon::{logging, open_files, stop};
use govlog_formats::visible::visible;

use crate::check::{self, Finding};
use crate::config::Config;
use crate::doctor::{self, Others};
use crate::{Agent, EXIT_POISONED, Listeners, RunError};

/// Stands beside an enforcement point and makes provable log entries of what it already emits.
///
/// Takes decision-log and status uploads of OPA, answers when they are durable, signs a record for each decision, and keeps it until a receipt
/// under the log's witness quorum is verified.
#[derive(Debug, Parser)]
#[command(name = "govlog-agent", version, arg_required_else_help = true, after_long_help = HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the agent until SIGTERM or Ctrl-C. Prints the addresses it listens on.
    Run {
        /// The configuration, agent.toml.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Says what is wrong before the agent starts: configuration, key, trust, admission, folders, addresses, log. Signs and sends nothing.
    Check {
        /// The configuration, agent.toml.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Says what is misconfigured on either side: all that `check` tries, and then what OPA, Envoy and SPIRE's log say of themselves.
    #[command(after_help = DOCTOR)]
    Doctor {
        /// The configuration, agent.toml.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// An OPA whose decisions come here, as http://127.0.0.1:8181; several times for several.
        #[arg(long, value_name = "URL")]
        opa: Vec<String>,
        /// The admin interface of an Envoy whose access log is read here, as http://127.0.0.1:9901; several times for several.
        #[arg(long, value_name = "URL")]
        envoy: Vec<String>,
    },
}

/// Runs a command line, the program's own name first, to its end.
#[must_use]
pub fn run_from<A: Into<OsString> + Clone>(command_line: impl IntoIterator<Item = A>) -> ExitCode {
    let ended = match Cli::parse_from(command_line).command {
        Command::Run { config } => run(&config).map(|()| ExitCode::SUCCESS),
        Command::Check { config } => report(&check::check(&config)),
        Command::Doctor { config, opa, envoy } => report(&doctor::doctor(&config, &Others { opa, envoy })),
    };
    ended.unwrap_or_else(|error| {
        let poisoned = error.downcast_ref::<RunError>().is_some_and(RunError::is_poisoned);
        // Where stderr is gone as well, the exit code has to do.
        writeln!(io::stderr(), "govlog-agent: {error:#}").unwrap_or_default();
        ExitCode::from(if poisoned { EXIT_POISONED } else { 1 })
    })
}

fn run(config: &std::path::Path) -> anyhow::Result<()> {
    logging::to_stderr();
    #[cfg(feature = "failpoints")]
    let _armed = crate::failpoints::from_environment();
    let config = Config::load(config)?;
    open_files::allow(config.connections.connections);
    let agent = Agent::open(config.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let shutdown = stop::told_to_end()?;
        let listeners = Listeners::bind(&config).await?;
        let (public, admin) = listeners.addresses()?;
        let mut out = io::stdout();
        let scheme = config.tls.scheme();
        writeln!(out, "listening on {scheme}://{public}\nadmin on {scheme}://{admin}").and_then(|()| out.flush())?;
        agent.serve(listeners, shutdown).await?;
        anyhow::Ok(())
    });
    // What still blocks is a write that is whole or not there.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Prints what was found; a line for each, what is wrong last.
fn report(findings: &[Finding]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let (good, bad): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| finding.wrong.is_none());
    for finding in good {
        writeln!(out, "ok     {}: {}", finding.what, visible(&finding.found))?;
    }
    for finding in &bad {
        writeln!(out, "WRONG  {}: {}", finding.what, visible(finding.wrong.as_deref().unwrap_or_default()))?;
    }
    Ok(if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Uploads are unpacked and written two at a time; the rest is short.
const BLOCKING_THREADS: usize = 16;

const DOCTOR: &str = "Nothing is changed, and nothing sent but questions: GET /v1/config to an OPA, GET /config_dump to an Envoy. Of a SPIRE server the end \
    of its log is looked at. A line for each thing that was tried; the exit code is 1 if any is WRONG.";

const HELP: &str = include_str!("help.txt");

//! `govlog-server`: the command line as a whole, from arguments to exit code.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use govlog_daemon::{logging, open_files, stop};

use super::{Cli, Command, RunArgs, index, init};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::sequencer::EXIT_POISONED;
use crate::{Listeners, Log, OpenError, RunError};

/// Runs a command line, the program's own name first, to its end.
#[must_use]
pub fn run_from<A: Into<OsString> + Clone>(command_line: impl IntoIterator<Item = A>) -> ExitCode {
    let ended = match Cli::parse_from(command_line).command {
        Command::Init(args) => init(&args, &SystemClock, &mut io::stdout(), &mut io::stderr()).map_err(Into::into),
        Command::Run(args) => start(&args),
        Command::RebuildIndex(args) => index::rebuild(&args, &mut io::stderr()),
    };
    let Err(error) = ended else { return ExitCode::SUCCESS };
    // Not so when a start is refused: it would be refused again.
    let poisoned =
        matches!(error.downcast_ref(), Some(RunError::Poisoned(_) | RunError::Open(OpenError::Sequencer(_))));
    // Where stderr is gone as well, the exit code has to do.
    writeln!(io::stderr(), "govlog-server: {error:#}").unwrap_or_default();
    ExitCode::from(if poisoned { EXIT_POISONED } else { 1 })
}

fn start(args: &RunArgs) -> anyhow::Result<()> {
    logging::to_stderr();
    #[cfg(feature = "failpoints")]
    let _armed = crate::failpoints::from_environment();
    let config = Config::load(&args.config)?;
    open_files::allow(config.limits.connections.get());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let ended = runtime.block_on(run(config));
    // What still blocks is abandoned: after a poisoning it may be a disk that does not answer.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn run(config: Config) -> anyhow::Result<()> {
    // Before the start, which no signal is to cut short.
    let told_to_end = stop::told_to_end()?;
    let listeners = Listeners::bind(&config).await?;
    let (public, admin) = listeners.addresses()?;
    let scheme = config.tls.scheme();
    let log = Log::open(config).await.map_err(RunError::from)?;
    let mut out = io::stdout();
    writeln!(out, "listening on {scheme}://{public}\nadmin on {scheme}://{admin}").and_then(|()| out.flush())?;
    Ok(log.serve(listeners, told_to_end).await?)
}

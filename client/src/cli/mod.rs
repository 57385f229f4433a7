//! The `govlog` command: one file per subcommand, each arguments → library → output.
//!
//! This is the only place of the crate that prints. Results go to stdout, progress and notices to stderr; with `--json`
//! stdout holds one versioned document and nothing else.

mod admission;
mod audit;
mod batch;
mod confirm;
mod custody;
mod doctor;
mod exit;
mod files;
mod get;
mod key;
mod open;
mod openings;
mod output;
mod people;
mod progress;
mod query;
mod redact;
mod show;
mod signing;
mod submit;
mod trust;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::source::Outbound;

pub use exit::Exit;

/// The command line as typed.
#[derive(Debug, Parser)]
#[command(name = "govlog", version, about = ABOUT, after_help = AFTER, max_term_width = 110)]
struct Cli {
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    servers: Servers,
    #[command(subcommand)]
    command: Command,
}

/// How servers are reached over https://
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options for https:// servers")]
struct Servers {
    /// Authorities that servers' certificates are verified against (PEM) [default: those of the system]
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// Certificate to show to servers, leaf first (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM, mode 0600)
    #[arg(long, value_name = "FILE", global = true)]
    tls_key: Option<PathBuf>,
    /// File with one line, a bearer token to show to servers (mode 0600); never on the command line, where others can read it
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

impl From<Servers> for Outbound {
    fn from(Servers { ca, tls_cert, tls_key, token_file }: Servers) -> Self {
        Self { ca, cert: tls_cert, cert_key: tls_key, token_file }
    }
}

const ABOUT: &str = "Submits signed records to a govlog, and checks what comes back without trusting the server.";

const AFTER: &str = "\
Exit codes: 0 verified or done · 1 refuted · 2 usage · 3 cannot evaluate or reach · 4 your policy is not satisfied
            5 nothing found · 6 pending

A first round, given the log's D/policy.txt and D/genesis.cose from a channel you trust:
  govlog trust init --policy policy.txt --genesis genesis.cose --out trust
  govlog get --log http://127.0.0.1:8080 1.5 --out operation.cose
  govlog trust update --log http://127.0.0.1:8080 trust
  govlog verify --trust trust operation.cose";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make signing keys
    #[command(subcommand)]
    Key(key::Key),
    /// Make and keep the directory that says whom you trust
    #[command(subcommand)]
    Trust(trust::Trust),
    /// Say who may submit what (the operator's commands)
    #[command(subcommand)]
    Admission(admission::Admission),
    /// Sign records and submit them
    Submit(submit::Submit),
    /// Approve or reject an entry, a record or an operation
    Approve(Box<people::Approve>),
    /// Say who answers for an identity, or for all below a path
    Own(Box<people::Own>),
    /// Revoke a credential, a key, a delegation, an agent, a policy …
    Revoke(Box<people::Revoke>),
    /// Let somebody act in another's name, for a while and within limits
    Delegate(Box<people::Delegate>),
    /// Record an AI agent: what it is, and who stands behind it
    Agent(Box<people::Agent>),
    /// Fetch entries as transparent statements
    Get(get::Get),
    /// Find entries by what they say, each of them verified
    Query(Box<query::Query>),
    /// Show one thing in hand and everything that hangs together with it, from human to effect
    Show(show::Show),
    /// Take decisions out of batches, and check batches against their members
    #[command(subcommand)]
    Batch(batch::Batch),
    /// Check transparent statements, proofs and custody files, offline
    Verify(verify::Verify),
    /// Open sealed values of entries, from an opening store, offline
    Open(open::Open),
    /// Destroy openings of entries, and log that and why
    Redact(redact::Redact),
    /// Look at an opening store; forbid and allow destruction
    #[command(subcommand)]
    Openings(openings::Command),
    /// Export a matter as one file that stands alone, and check such files
    #[command(subcommand)]
    Custody(custody::Custody),
    /// Check a whole log, entry by entry
    Audit(audit::Audit),
    /// Say what is misconfigured at an agent, and at the systems whose events come to it
    Doctor(doctor::Doctor),
}

/// Returns the tree of commands, for whoever describes it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    run_from(std::env::args_os())
}

/// Runs a command line, the command's own name first.
#[must_use]
pub fn run_from<A: Into<OsString> + Clone>(command_line: impl IntoIterator<Item = A>) -> ExitCode {
    let cli = Cli::parse_from(command_line);
    let out = output::Output::new(cli.json, cli.servers.into());
    let done = match cli.command {
        Command::Key(command) => command.run(&out),
        Command::Trust(command) => command.run(&out),
        Command::Admission(command) => command.run(&out),
        Command::Submit(command) => command.run(&out),
        Command::Approve(command) => command.run(&out),
        Command::Own(command) => command.run(&out),
        Command::Revoke(command) => command.run(&out),
        Command::Delegate(command) => command.run(&out),
        Command::Agent(command) => command.run(&out),
        Command::Get(command) => command.run(&out),
        Command::Query(command) => command.run(&out),
        Command::Show(command) => command.run(&out),
        Command::Batch(command) => command.run(&out),
        Command::Verify(command) => command.run(&out),
        Command::Open(command) => command.run(&out),
        Command::Redact(command) => command.run(&out),
        Command::Openings(command) => command.run(&out),
        Command::Custody(command) => command.run(&out),
        Command::Audit(command) => command.run(&out),
        Command::Doctor(command) => command.run(),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            out.error(&error);
            Exit::of(&error).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap checks its own tree (names, conflicts, defaults) only when asked to.
    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }
}

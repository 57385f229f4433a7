//! One of the real programs, chosen by the first argument: `node server …`, `node witness …`, `node agent …`,
//! `node govlog …`.
//!
//! Each is the program's own command line, so that a test that ends this process has ended the real one, at a path that Cargo
//! tells. Fail points are armed by the environment variable `FAILPOINTS`.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A fail point ends the process by an abort; nobody wants to read the memory of thousands of them.
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    if rustix::process::setrlimit(rustix::process::Resource::Core, no_core).is_err() {
        return usage("cannot forbid core files");
    }
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else { return usage("no program is named") };
    // What a program calls itself stands in front, as it would in its own process.
    let command_line = |name: &str| -> Vec<OsString> { [name.into()].into_iter().chain(arguments).collect() };
    match program.to_str() {
        Some("server") => govlog_server::cli::run_from(command_line("govlog-server")),
        Some("witness") => witness(command_line("govlog-witness")),
        Some("agent") => govlog_agent::cli::run_from(command_line("govlog-agent")),
        Some("govlog") => govlog_client::cli::run_from(command_line("govlog")),
        _ => usage("the first argument is server, witness, agent or govlog"),
    }
}

fn witness(command_line: Vec<OsString>) -> ExitCode {
    match govlog_witness::cli::Cli::parse_from(command_line).execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage(&format!("{error:#}")),
    }
}

fn usage(why: &str) -> ExitCode {
    // Without stderr the exit code has to do.
    writeln!(io::stderr(), "node: {why}").ok();
    ExitCode::FAILURE
}

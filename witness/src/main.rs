//! `govlog-witness`: see [`govlog_witness::cli`].

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use govlog_witness::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if stderr is gone too: the exit code tells.
            writeln!(io::stderr(), "govlog-witness: {error:#}").map_or(ExitCode::FAILURE, |()| ExitCode::FAILURE)
        }
    }
}

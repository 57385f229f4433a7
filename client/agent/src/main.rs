//! `govlog-agent`: see [`govlog_agent::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    govlog_agent::cli::run_from(std::env::args_os())
}

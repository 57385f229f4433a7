//! `govlog-server`: see [`govlog_server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    govlog_server::cli::run_from(std::env::args_os())
}

//! The `govlog` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    govlog_client::cli::run()
}

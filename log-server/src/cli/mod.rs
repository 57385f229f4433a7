//! The command line of `govlog-server`.

mod args;
mod index;
mod init;
mod program;

#[cfg(test)]
mod tests;

pub use args::{Cli, Command, InitArgs, QuorumArg, RunArgs};
pub use init::{CliError, init};
pub use program::run_from;

//! The command line of `govlog-server`.

mod args;
mod init;

#[cfg(test)]
mod tests;

pub use args::{Cli, Command, InitArgs, QuorumArg, RunArgs};
pub use init::{CliError, init};

//! `govlog custody`: export a matter as one file that stands alone, and check such files.

mod diff;
mod verify;

use clap::Subcommand;

use super::Exit;
use super::output::Output;

pub(super) use verify::{is_custody_file, judge};

/// `govlog custody`
#[derive(Debug, Subcommand)]
pub(crate) enum Custody {
    /// Check a custody file, offline
    Verify(verify::Verify),
    /// Say what one custody file has that another has not
    Diff(diff::Diff),
}

impl Custody {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Verify(command) => command.run(out),
            Self::Diff(command) => command.run(out),
        }
    }
}

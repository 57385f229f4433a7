//! `govlog custody`: export a matter as one file that stands alone, check such files, and log what is done with them.

mod diff;
mod export;
mod query;
mod record;
mod report;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Exit;
use super::output::Output;

pub(super) use verify::{is_custody_file, judge};

/// `govlog custody`
#[derive(Debug, Subcommand)]
pub(crate) enum Custody {
    /// Collect a matter from a log, as one file
    Export(Box<export::Export>),
    /// Check a custody file, offline
    Verify(verify::Verify),
    /// Write a page for people, from a custody file that verifies
    Report(report::Report),
    /// Say what one custody file has that another has not
    Diff(diff::Diff),
    /// Log that a custody file is given to somebody
    HandOver(Box<record::StepArgs>),
    /// Log that a custody file was got
    Acknowledge(Box<record::StepArgs>),
    /// Log that what a custody file holds must not be destroyed
    Hold(Box<record::StepArgs>),
    /// Log that it may be destroyed again
    Release(Box<record::StepArgs>),
}

impl Custody {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Export(command) => command.run(out),
            Self::Verify(command) => command.run(out),
            Self::Report(command) => command.run(out),
            Self::Diff(command) => command.run(out),
            Self::HandOver(command) => command.run("hand-over", out),
            Self::Acknowledge(command) => command.run("acknowledge", out),
            Self::Hold(command) => command.run("hold", out),
            Self::Release(command) => command.run("release", out),
        }
    }
}

/// Where the record of a file's export lies.
fn beside(file: &Path) -> PathBuf {
    file.with_extension("cose")
}

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
    /// Log that what a custody file holds must not be destroyed; what keeps it is `govlog openings hold`
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

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;
    use crate::source::Outbound;
    use crate::testing::{TestLog, decision};

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Custody,
    }

    /// Runs `govlog custody` with these words; gives its exit, or what it says of the way it was called.
    fn run(words: &[&str]) -> Result<Exit, String> {
        let cli = Cli::try_parse_from([&["custody"], words].concat()).map_err(|error| error.to_string())?;
        cli.command.run(&Output::new(false, Outbound::default())).map_err(|error| format!("{error:#}"))
    }

    /// What somebody relies on is not replaced in silence: neither a file, nor what lies beside it, nor a page.
    #[test]
    fn evidence_is_replaced_only_by_force() {
        let (dir, mut log) = (tempfile::tempdir().unwrap(), TestLog::new());
        log.add("decision", &decision("d-1"));
        drop(log.trusted_in(&dir.path().join("trust")));
        log.write_to(&dir.path().join("log"), &log.note_of(log.size(), &[0, 1]));
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (folder, trust, file) = (path("log"), path("trust"), path("case.zip"));
        let (record, page) = (path("case.cose"), path("case.html"));
        let export = |more: &[&str]| {
            let words =
                ["export", "--log", &folder, "--complete", "--trust", &trust, "--decision", "d-1", "--out", &file];
            run(&[&words, more].concat())
        };
        assert_eq!(export(&[]), Ok(Exit::Ok));
        let first = fs::read(&file).unwrap();
        let refused = export(&["--purpose", "another"]).unwrap_err();
        assert!(refused.contains("case.zip: that is there already") && refused.ends_with("--force"), "{refused}");
        assert!(first == fs::read(&file).unwrap());

        // A record of the file that is gone would be taken for one of this file, and refute it.
        fs::remove_file(&file).unwrap();
        fs::write(&record, "a record").unwrap();
        let refused = export(&[]).unwrap_err();
        assert!(refused.contains("case.cose: that is there already"), "{refused}");
        assert!(!Path::new(&file).exists() && fs::read(&record).unwrap() == b"a record");
        assert_eq!(export(&["--purpose", "another", "--force"]), Ok(Exit::Ok));
        assert!(first != fs::read(&file).unwrap() && !Path::new(&record).exists());
        assert_eq!(run(&["verify", &file, "--trust", &trust]), Ok(Exit::Ok));

        let report =
            |out: &str, more: &[&str]| run(&[&["report", &file, "--trust", &trust, "--out", out], more].concat());
        assert_eq!(report(&page, &[]), Ok(Exit::Ok));
        assert!(report(&page, &[]).unwrap_err().ends_with("--force"));
        assert_eq!(report(&page, &["--force"]), Ok(Exit::Ok));
        let whole = fs::read(&file).unwrap();
        fs::write(&record, "a record").unwrap();
        for evidence in [&file, &record] {
            let refused = report(evidence, &["--force"]).unwrap_err();
            assert!(refused.contains("that is the evidence"), "{refused}");
        }
        assert!(whole == fs::read(&file).unwrap() && fs::read(&record).unwrap() == b"a record");
        fs::remove_file(&record).unwrap();

        // Refused before anything is signed: there is no log here, and no key.
        let handed = path("case.hand-over.cose");
        fs::write(&handed, "the first").unwrap();
        let step = ["hand-over", &file, "--trust", &trust, "--recipient", "counsel-3", "--log", "http://127.0.0.1:9"];
        let step = [&step[..], &["--key", "none.key", "--iss", "https://desk.example"]].concat();
        let refused = run(&step).unwrap_err();
        assert!(refused.contains("case.hand-over.cose: that is there already"), "{refused}");
        let over = run(&[&step[..], &["--out", &file, "--force"]].concat()).unwrap_err();
        assert!(over.contains("that is the evidence"), "{over}");
        assert!(fs::read(&handed).unwrap() == b"the first" && whole == fs::read(&file).unwrap());
    }
}

//! A log with its witnesses, in a directory that is removed at the end.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::Launch;
use crate::{Faults, Log, witness::Witness};

/// What a network is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    node: PathBuf,
    witnesses: usize,
    others: Vec<String>,
    quorum: String,
    settings: String,
}

/// A log and its witnesses.
#[derive(Debug)]
pub struct Network {
    /// The log.
    pub log: Log,
    /// Its witnesses.
    pub witnesses: Vec<Witness>,
    node: PathBuf,
    // Dropped last: the processes are gone by then.
    dir: TempDir,
}

impl Plan {
    /// A log without witnesses, which publishes what it has committed as fast as it can.
    #[must_use]
    pub fn new(node: impl Into<PathBuf>) -> Self {
        Self { node: node.into(), witnesses: 0, others: Vec::new(), quorum: "none".into(), settings: FAST.into() }
    }

    /// Adds witnesses, of which so many are needed.
    #[must_use]
    pub fn witnesses(mut self, count: usize, quorum: usize) -> Self {
        (self.witnesses, self.quorum) = (count, quorum.to_string());
        self
    }

    /// Adds a witness that is not ours, as the option `--witness` takes it.
    #[must_use]
    pub fn other(mut self, line: String) -> Self {
        self.others.push(line);
        self
    }

    /// Asks for so many of the witnesses.
    #[must_use]
    pub fn quorum(mut self, quorum: usize) -> Self {
        self.quorum = quorum.to_string();
        self
    }

    /// Replaces all settings of `log.toml` but origin and addresses.
    #[must_use]
    pub fn settings(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    /// Makes the network; the witnesses run, the log does not yet.
    #[must_use]
    pub fn build(self) -> Network {
        let dir = tempfile::tempdir().unwrap();
        let mut witnesses: Vec<Witness> = (0..self.witnesses)
            .map(|number| Witness::create(&self.node, dir.path().join(format!("w{number}")), number))
            .collect();
        witnesses.iter_mut().for_each(Witness::start);
        let lines: Vec<String> = witnesses.iter().map(Witness::line).chain(self.others).collect();
        let log = Log::create(&self.node, dir.path().join("log"), &lines, &self.quorum, &self.settings);
        witnesses.iter().for_each(|witness| witness.add_log(&log.vkey));
        Network { log, witnesses, node: self.node, dir }
    }

    /// Makes the network and starts the log.
    #[must_use]
    pub fn start(self) -> Network {
        let mut network = self.build();
        network.log.start(&Faults::none());
        network.log.ready();
        network
    }
}

impl Network {
    /// A directory of the network that nobody else uses.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command `govlog`.
    #[must_use]
    pub fn govlog(&self) -> Launch {
        Launch::new(&self.node, "govlog")
    }
}

/// Copies a directory with all that is in it, modes too.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
}

/// Puts a copy of a directory in the place of another.
pub fn replace_dir(place: &Path, by: &Path) {
    std::fs::remove_dir_all(place).unwrap();
    copy_dir(by, place);
}

/// Rounds of publication follow each other closely, and the free space of the machine is nobody's business.
pub const FAST: &str = "[publication]\ninterval_ms = 10\n[store]\nreserve_mib = 1\nreserve_percent = 0\n";

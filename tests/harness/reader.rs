//! The command `govlog` as somebody uses it who trusts a log: a trust directory, an issuer's key, and commands.

use std::path::{Path, PathBuf};

use crate::network::Network;
use crate::process::{Ended, Launch};

/// A person with a trust directory.
#[derive(Clone, Debug)]
pub struct Reader {
    govlog: Launch,
    /// The trust directory.
    pub trust: PathBuf,
}

impl Reader {
    /// Makes a trust directory from the log's own policy and entry 0.
    #[must_use]
    pub fn of(network: &Network, name: &str) -> Self {
        let policy = std::fs::read_to_string(network.log.dir.join("policy.txt")).unwrap();
        Self::with_policy(network, name, &policy)
    }

    /// Makes a trust directory from a policy of the reader's own.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn with_policy(network: &Network, name: &str, policy: &str) -> Self {
        let reader = Self { govlog: network.govlog(), trust: network.path(name) };
        let file = network.path(&format!("{name}.policy"));
        std::fs::write(&file, policy).unwrap();
        let init = reader.govlog.clone().args(["trust", "init", "--policy"]).arg(file).arg("--genesis");
        drop(init.arg(network.log.dir.join("genesis.cose")).arg("--out").arg(&reader.trust).output());
        reader
    }

    /// A command with its arguments.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.govlog.clone().args(arguments).finish()
    }

    /// A command with its arguments and the trust directory.
    #[must_use]
    pub fn trusting(&self, arguments: &[&str]) -> Ended {
        self.govlog.clone().args(arguments).arg("--trust").arg(&self.trust).finish()
    }

    /// Judges files offline.
    #[must_use]
    pub fn verify<P: AsRef<Path>>(&self, files: &[P]) -> Ended {
        let paths = files.iter().map(AsRef::as_ref);
        self.govlog.clone().args(["verify", "--trust"]).arg(&self.trust).args(paths).finish()
    }

    /// Learns the newest changes of the admission policy.
    #[must_use]
    pub fn update(&self, log: &str) -> Ended {
        self.govlog.clone().args(["trust", "update", "--log", log]).arg(&self.trust).finish()
    }
}

/// A key of an issuer, made by `govlog key new`.
///
/// # Panics
/// When the command fails.
#[must_use]
pub fn new_key(network: &Network, name: &str, algorithm: &str) -> PathBuf {
    let path = network.path(name);
    drop(network.govlog().args(["key", "new", "--alg", algorithm, "--out"]).arg(&path).output());
    path
}

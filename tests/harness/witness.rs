//! A witness: its directory, and the process that serves it.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use govlog_formats::note::Vkey;

use crate::process::Launch;
use crate::served::Served;

/// A witness, running or not.
#[derive(Debug)]
pub struct Witness {
    node: PathBuf,
    dir: PathBuf,
    name: String,
    vkey: String,
    served: Served,
}

impl Deref for Witness {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl DerefMut for Witness {
    fn deref_mut(&mut self) -> &mut Served {
        &mut self.served
    }
}

impl Witness {
    /// Makes a witness.
    #[must_use]
    pub fn create(node: &Path, dir: PathBuf, number: usize) -> Self {
        let name = format!("w{number}");
        let vkey = Launch::new(node, "witness")
            .args(["init", "--name", &format!("witness.example/{name}"), "--listen", "127.0.0.1:0"])
            .args(["--admin", "127.0.0.1:0", "--dir"])
            .arg(&dir)
            .output();
        Self { node: node.to_owned(), dir, name, vkey: vkey.trim().to_owned(), served: Served::default() }
    }

    /// Starts it; from the second time on at the address of the first, which logs know it by.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self) {
        let config = self.dir.join("witness.toml");
        let is_first = self.served.public.is_none();
        self.served.try_launch(&Launch::new(&self.node, "witness").args(["run", "--config"]).arg(&config)).unwrap();
        if is_first {
            let text = std::fs::read_to_string(&config).unwrap();
            std::fs::write(&config, text.replacen("127.0.0.1:0", &self.address().to_string(), 1)).unwrap();
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if self.is_running() {
            self.served.kill();
        }
    }

    /// Makes it cosign for a log.
    pub fn add_log(&self, vkey: &Vkey) {
        let text = Launch::new(&self.node, "witness").args(["add-log", &vkey.to_string(), "--dir"]).arg(&self.dir);
        drop(text.output());
    }

    /// What the log's option `--witness` takes.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} http://{}", self.name, self.vkey, self.address())
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

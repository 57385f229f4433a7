//! What is wrong on either side before a server is read: its log and how that is written, its socket, what the agent may say of it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::api::snapshot::FILES;
use super::{Polled, Settings};
use crate::check::Finding;
use crate::doctor::judge_spire;

impl Settings {
    /// Tries what is configured; says what was found, or what is wrong and what to do.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = self.log.as_deref().map(log).unwrap_or_default();
        findings.extend(self.polled.as_ref().map(polled));
        findings
    }

    /// Whom records of this server are about: somebody of the trust domain, or the domain itself.
    #[must_use]
    pub fn subjects(&self) -> [String; 2] {
        [self.issuer(), format!("{}/", self.issuer())]
    }
}

fn log(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    match end(path) {
        Ok(end) => judge_spire(&shown.to_string(), &end),
        Err(error) => {
            vec![wrong(format!("{shown}: {error}; the agent's user must be able to read it, and to list its folder"))]
        }
    }
}

/// Reads the last bytes of a file.
fn end(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
    }
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES)))?;
    let mut end = Vec::new();
    file.take(END_BYTES).read_to_end(&mut end)?;
    Ok(end)
}

fn polled(polled: &Polled) -> Finding {
    match polled {
        Polled::Socket(path) => match UnixStream::connect(path) {
            Ok(_) => ok(format!("{} answers", path.display())),
            Err(error) => wrong(format!(
                "{}: {error}; is the server running, and may this user use its socket? Without it, set snapshots",
                path.display()
            )),
        },
        Polled::Folder(path) => {
            let is_there = |name: &&str| path.join(name).is_file();
            let there: Vec<&str> = FILES.iter().map(|(name, _)| *name).filter(is_there).collect();
            if there.is_empty() {
                return wrong(format!(
                    "{}: neither entries.json nor another answer of spire-server is in it",
                    path.display()
                ));
            }
            ok(format!("{} has {}", path.display(), there.join(", ")))
        }
    }
}

fn ok(found: String) -> Finding {
    Finding { what: WHAT, found, wrong: None }
}

fn wrong(why: String) -> Finding {
    Finding { what: WHAT, found: String::new(), wrong: Some(why) }
}

const WHAT: &str = "SPIRE server";
/// A few hundred lines: an agent calls every five seconds.
const END_BYTES: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spire::tests::{captured, settings};

    fn wrong_of(log: Option<&Path>, folder: Option<&Path>) -> Vec<String> {
        settings(log, folder).check().into_iter().filter_map(|finding| finding.wrong).collect()
    }

    #[test]
    fn what_is_configured_is_tried() {
        let findings = settings(Some(&captured().join("server.log")), Some(&captured())).check();
        assert_eq!((findings.len(), findings.iter().find(|finding| finding.wrong.is_some())), (2, None));
        assert!(findings[1].found.contains("entries.json, agents.json"), "{findings:?}");
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("server.log");
        assert!(wrong_of(Some(&log), None)[0].contains("must be able to read it"));
        assert!(wrong_of(None, Some(dir.path()))[0].contains("entries.json"));
        std::fs::write(&log, "time=\"x\" level=info msg=\"y\"\n").unwrap();
        assert!(wrong_of(Some(&log), None)[0].contains("log_format"));
    }
}

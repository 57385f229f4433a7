//! `[[spire]]` tables: as typed, and as meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// A `[[spire]]` table of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSpire {
    /// Which server this is: `source.instance` of its records.
    pub name: String,
    /// The trust domain that it issues for.
    pub trust_domain: String,
    /// Its log.
    pub log: Option<PathBuf>,
    /// The socket of its interfaces.
    pub socket: Option<PathBuf>,
    /// How often these are asked, seconds.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// A folder of their recorded answers.
    pub snapshots: Option<PathBuf>,
}

/// One SPIRE server, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) name: String,
    pub(super) route: String,
    pub(super) trust_domain: String,
    pub(super) log: Option<PathBuf>,
    pub(super) polled: Option<Polled>,
    pub(super) poll: Duration,
}

/// Where it is learned what a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// From its interfaces, on a socket.
    Socket(PathBuf),
    /// From a folder of their recorded answers.
    Folder(PathBuf),
}

/// What is wrong with a `[[spire]]` table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The name is none.
    #[error("name = {0:?} should be 1 to 64 letters, digits, '.', '_' or '-'")]
    Name(String),
    /// The trust domain is none.
    #[error("trust_domain = {0:?} should be its name, as prod.example, without spiffe://")]
    TrustDomain(String),
    /// Nothing is read.
    #[error("{0}: nothing says what is read; set log, and socket or snapshots")]
    Nothing(String),
    /// Two things are polled.
    #[error("{0}: socket and snapshots: what the server has is asked of it, or read of a folder; leave one out")]
    Both(String),
    /// The time between two polls is out of range.
    #[error("{name}: poll_s = {found} is not between 1 and 3600")]
    Poll {
        /// The table's name.
        name: String,
        /// What was found.
        found: u64,
    },
    /// This program was built without gRPC.
    #[error("{0}: socket: this govlog-agent is built without the feature spiffe; use snapshots, or one that has it")]
    NoGrpc(String),
}

impl RawSpire {
    /// Checks the table; paths are joined to a folder.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the key that is wrong.
    pub fn check(self, folder: &Path) -> Result<Settings, SettingsError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err(SettingsError::Name(self.name));
        }
        // SPIFFE-ID §2.1: "lowercase letters, digits, dots, dashes and underscores", at most 255 bytes.
        if !govlog_formats::record::handles::is_spiffe_id(&format!("spiffe://{}/x", self.trust_domain))
            || self.trust_domain.contains('/')
        {
            return Err(SettingsError::TrustDomain(self.trust_domain));
        }
        if !(1..=3_600).contains(&self.poll_s) {
            return Err(SettingsError::Poll { name: self.name, found: self.poll_s });
        }
        let log = self.log.map(|log| folder.join(log));
        let polled = match (self.socket, self.snapshots) {
            (Some(_), Some(_)) => return Err(SettingsError::Both(self.name)),
            (Some(_), None) if !HAS_GRPC => return Err(SettingsError::NoGrpc(self.name)),
            (Some(socket), None) => Some(Polled::Socket(folder.join(socket))),
            (None, Some(snapshots)) => Some(Polled::Folder(folder.join(snapshots))),
            (None, None) => None,
        };
        if log.is_none() && polled.is_none() {
            return Err(SettingsError::Nothing(self.name));
        }
        let (route, poll) = (format!("spire:{}", self.name), Duration::from_secs(self.poll_s));
        Ok(Settings { name: self.name, route, trust_domain: self.trust_domain, log, polled, poll })
    }
}

impl Settings {
    /// Which server this is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SPIFFE ID of its trust domain: who issues, and whom records without another subject are about.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("spiffe://{}", self.trust_domain)
    }

    /// Who judges the evidence of nodes.
    #[must_use]
    pub fn verifier(&self) -> String {
        format!("spiffe://{}/spire/server", self.trust_domain)
    }

    /// Whether this is the SPIFFE ID of somebody in the trust domain.
    pub(super) fn is_member(&self, id: &str) -> bool {
        let path = id.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(&*self.trust_domain));
        path.is_some_and(|path| path.starts_with('/')) && govlog_formats::record::handles::is_spiffe_id(id)
    }
}

const fn poll_s() -> u64 {
    5
}

const HAS_GRPC: bool = cfg!(any(test, feature = "spiffe"));

#[cfg(test)]
mod tests {
    use super::*;

    fn table(more: &str) -> Result<Settings, SettingsError> {
        let text = format!("name = \"s-0\"\ntrust_domain = \"prod.example\"\n{more}");
        toml::from_str::<RawSpire>(&text).unwrap().check(Path::new("/etc/govlog"))
    }

    #[test]
    fn a_log_or_a_place_to_ask_is_enough() {
        let settings = table("log = \"server.log\"").unwrap();
        assert_eq!(settings.log.as_deref(), Some(Path::new("/etc/govlog/server.log")));
        assert_eq!((settings.polled.clone(), settings.poll), (None, Duration::from_secs(5)));
        assert_eq!((settings.route.as_str(), settings.issuer().as_str()), ("spire:s-0", "spiffe://prod.example"));
        assert_eq!(table("socket = \"/s\"").unwrap().polled, Some(Polled::Socket("/s".into())));
        assert_eq!(table("snapshots = \"s\"").unwrap().polled, Some(Polled::Folder("/etc/govlog/s".into())));
        assert!(settings.is_member("spiffe://prod.example/pay"));
        for other in ["spiffe://prod.example", "spiffe://prod.example.org/pay", "spiffe://prod.example/../x", "x"] {
            assert!(!settings.is_member(other), "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(table(""), Err(SettingsError::Nothing("s-0".into())));
        assert_eq!(table("socket = \"s\"\nsnapshots = \"f\""), Err(SettingsError::Both("s-0".into())));
        assert!(matches!(table("log = \"l\"\npoll_s = 0"), Err(SettingsError::Poll { .. })));
        let raw = |name: &str, domain: &str| RawSpire {
            name: name.into(),
            trust_domain: domain.into(),
            log: Some("l".into()),
            socket: None,
            poll_s: 5,
            snapshots: None,
        };
        for (name, domain) in
            [("", "a"), ("a/b", "a"), ("a:b", "a"), ("a", ""), ("a", "spiffe://a"), ("a", "A"), ("a", "a/b")]
        {
            assert!(raw(name, domain).check(Path::new("/")).is_err(), "{name} {domain}");
        }
    }
}

//! The section `[tls]` of every program's configuration: as typed, and as meant.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::access::{Access, is_loopback};

/// `[tls]` as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    spiffe: Option<String>,
    plaintext: Option<bool>,
}

/// What each key of `[tls]` is for: every program describes them in the same words.
pub mod about {
    /// `cert`
    pub const CERT: &str = "certificate chain of both listeners, leaf first, PEM; with it they speak TLS 1.3 alone. Read again when it changes";
    /// `key`
    pub const KEY: &str = "its private key, PEM, mode 0600; likewise";
    /// `client_ca`
    pub const CLIENT_CA: &str = "authorities of clients' certificates, PEM: who shows one is who its SPIFFE ID says; who shows none is \
                                 known by a token or not at all";
    /// `spiffe`
    pub const SPIFFE: &str = "a SPIFFE Workload API instead of files, such as \"unix:///run/spire/sockets/agent.sock\": certificate and \
                              authorities come from it and are replaced as it says; a client is verified by its own trust domain's";
    /// `plaintext`; `false` by default
    pub const PLAINTEXT: &str = "true: no TLS although others can reach an address; whoever is on the way reads and changes what passes, \
                                 tokens too";
}

/// What listeners are protected by, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where certificates come from; without one there is no TLS.
    pub source: Option<Source>,
    /// Others may be served without TLS.
    pub plaintext: bool,
}

/// Where a listener's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files, read again when they change.
    Files(Paths),
    /// A SPIFFE Workload API, where it is.
    Workload(String),
}

/// The files of a listener's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of clients' certificates.
    pub client_ca: Option<PathBuf>,
}

/// What is wrong in `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A key needs another.
    #[error("tls.{found} needs tls.{missing} beside it")]
    Alone {
        /// The key.
        found: &'static str,
        /// The one that is not there.
        missing: &'static str,
    },
    /// Two ways are set of which one can be.
    #[error("tls.{0} and tls.{1} can not both be set")]
    Both(&'static str, &'static str),
    /// What is set is not where a Workload API can be.
    #[error("tls.spiffe is {0:?}; it must be the address of a socket, such as unix:///run/spire/sockets/agent.sock")]
    Endpoint(String),
}

/// An address that others can reach, and should not yet, or that none of those can use who should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExposureError {
    /// Whatever passes could be read and changed on the way.
    #[error(
        "{key} is {address}, which others can reach, and there is no TLS: set tls.cert and tls.key (or tls.spiffe), or tls.plaintext = true if nobody \
         on the way can read or change what passes"
    )]
    Plaintext {
        /// `listen` or `admin`.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Nobody outside may do anything.
    #[error(
        "{key} is {address}, which others can reach, but access allows this machine alone: give {roles} under [access] to SPIFFE IDs, \
         token digests or \"anyone\", or listen on a loopback address"
    )]
    Closed {
        /// `listen` or `admin`.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The roles that have to do with it.
        roles: &'static str,
    },
    /// A role is given to those who prove who they are, and nobody can.
    #[error(
        "access gives {roles} to {grant:?}, which only a certificate proves, and no client is asked for one: set tls.client_ca beside tls.cert and \
         tls.key (or tls.spiffe instead of all three), or give {roles} to token digests"
    )]
    Unprovable {
        /// The role, or the roles one of which it is.
        roles: &'static str,
        /// The SPIFFE ID, or the prefix of some.
        grant: String,
    },
}

impl RawTls {
    /// Takes relative paths from the configuration's folder.
    ///
    /// # Errors
    /// [`SettingsError`] names the keys.
    pub fn check(self, folder: &Path) -> Result<Settings, SettingsError> {
        let Self { cert, key, client_ca, spiffe, plaintext } = self;
        let plaintext = plaintext.unwrap_or(false);
        if let Some(endpoint) = spiffe {
            let others = [("cert", cert.is_some()), ("key", key.is_some()), ("client_ca", client_ca.is_some())];
            if let Some((other, _)) = others.into_iter().chain([("plaintext", plaintext)]).find(|(_, is_set)| *is_set) {
                return Err(SettingsError::Both("spiffe", other));
            }
            if !endpoint.starts_with("unix:/") {
                return Err(SettingsError::Endpoint(endpoint));
            }
            return Ok(Settings { source: Some(Source::Workload(endpoint)), plaintext });
        }
        let alone = |found, missing| Err(SettingsError::Alone { found, missing });
        let source = match (cert, key) {
            (Some(_), Some(_)) if plaintext => return Err(SettingsError::Both("cert", "plaintext")),
            (Some(cert), Some(key)) => Some(Source::Files(Paths {
                cert: folder.join(cert),
                key: folder.join(key),
                client_ca: client_ca.map(|path| folder.join(path)),
            })),
            (Some(_), None) => return alone("cert", "key"),
            (None, Some(_)) => return alone("key", "cert"),
            (None, None) if client_ca.is_some() => return alone("client_ca", "cert"),
            (None, None) => None,
        };
        Ok(Settings { source, plaintext })
    }
}

impl Settings {
    /// How the listeners' addresses are written before the colon.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.source.is_some() { "https" } else { "http" }
    }

    /// Whether a client can prove its SPIFFE ID.
    fn ask_for_certificates(&self) -> bool {
        match &self.source {
            None => false,
            Some(Source::Files(paths)) => paths.client_ca.is_some(),
            Some(Source::Workload(_)) => true,
        }
    }

    /// Refuses a role that is given to SPIFFE IDs while nobody can prove one: whoever gave it thinks that they are let in.
    ///
    /// # Errors
    /// [`ExposureError::Unprovable`] says what to set.
    pub fn check_provable(&self, roles: &'static str, role: &Access) -> Result<(), ExposureError> {
        match role.identity().filter(|_| !self.ask_for_certificates()) {
            Some(grant) => Err(ExposureError::Unprovable { roles, grant: grant.to_owned() }),
            None => Ok(()),
        }
    }

    /// Refuses an address that others can reach where that is certainly a mistake: without TLS, or with roles that let none of them in. And, on
    /// whatever address, roles for those who can not prove that they are meant.
    ///
    /// # Errors
    /// [`ExposureError`] says what to set.
    pub fn check_reach(
        &self,
        key: &'static str,
        address: SocketAddr,
        roles: &[&Access],
        names: &'static str,
    ) -> Result<(), ExposureError> {
        roles.iter().try_for_each(|role| self.check_provable(names, role))?;
        let ip: IpAddr = address.ip();
        if is_loopback(ip) {
            return Ok(());
        }
        if self.source.is_none() && !self.plaintext {
            return Err(ExposureError::Plaintext { key, address });
        }
        if roles.iter().all(|role| role.is_local()) {
            return Err(ExposureError::Closed { key, address, roles: names });
        }
        if self.source.is_none() {
            tracing::warn!(%address, "{key} serves others without TLS, as tls.plaintext says: what passes, tokens too, is open");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::RawAccess;

    fn check(text: &str) -> Result<Settings, SettingsError> {
        toml::from_str::<RawTls>(text).unwrap().check(Path::new("/etc/govlog"))
    }

    #[test]
    fn files_are_taken_from_the_folder_and_come_in_pairs() {
        assert_eq!(check("").unwrap(), Settings::default());
        let settings = check("cert = \"a.pem\"\nkey = \"/keys/a\"\nclient_ca = \"ca.pem\"").unwrap();
        let paths = Paths {
            cert: "/etc/govlog/a.pem".into(),
            key: "/keys/a".into(),
            client_ca: Some("/etc/govlog/ca.pem".into()),
        };
        assert_eq!(settings.source, Some(Source::Files(paths)));
        assert_eq!(settings.scheme(), "https");
        for (half, missing) in [("cert = \"a\"", "key"), ("key = \"a\"", "cert"), ("client_ca = \"a\"", "cert")] {
            let error = check(half).unwrap_err();
            assert!(matches!(error, SettingsError::Alone { missing: found, .. } if found == missing), "{error}");
        }
        assert!(check("cert = \"a\"\nkey = \"b\"\nplaintext = true").is_err());
    }

    #[test]
    fn a_workload_api_stands_for_all_files_and_beside_none() {
        let settings = check("spiffe = \"unix:///run/api.sock\"").unwrap();
        assert_eq!(settings.source, Some(Source::Workload("unix:///run/api.sock".to_owned())));
        for other in ["cert = \"a\"", "key = \"a\"", "client_ca = \"a\"", "plaintext = true"] {
            let both = check(&format!("spiffe = \"unix:///run/api.sock\"\n{other}"));
            assert!(matches!(both, Err(SettingsError::Both("spiffe", _))), "{other}");
        }
        for wrong in ["", "/run/api.sock", "http://127.0.0.1"] {
            assert!(check(&format!("spiffe = {wrong:?}")).unwrap_err().to_string().contains("unix:///"), "{wrong}");
        }
    }

    #[test]
    fn a_role_for_spiffe_ids_needs_a_way_to_prove_one_on_whatever_address() {
        let access = |grants: &[&str]| {
            let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
            Access::parse(Some(RawAccess::Several(grants))).unwrap()
        };
        let without = ["", "plaintext = true", "cert = \"a\"\nkey = \"b\""];
        let with = ["cert = \"a\"\nkey = \"b\"\nclient_ca = \"c\"", "spiffe = \"unix:///run/api.sock\""];
        for address in ["127.0.0.1:1", "192.0.2.1:1"] {
            for grant in ["spiffe://prod.example/pay", "spiffe://prod.example/"] {
                let role = access(&["loopback", grant]);
                let reach = |text: &str| {
                    check(text).unwrap().check_reach("listen", address.parse().unwrap(), &[&role], "submit")
                };
                for text in without {
                    let error = reach(text).unwrap_err();
                    // Without TLS at all an address outside is refused for that or for this: both have to be mended.
                    assert!(matches!(error, ExposureError::Unprovable { .. }), "{text}: {error}");
                    for named in ["submit", grant, "tls.client_ca", "tls.spiffe"] {
                        assert!(error.to_string().contains(named), "{error}");
                    }
                }
                with.iter().for_each(|text| reach(text).unwrap());
            }
        }
        let token = access(&[&"0".repeat(64), "loopback"]);
        check("").unwrap().check_reach("listen", "127.0.0.1:1".parse().unwrap(), &[&token], "submit").unwrap();
    }

    #[test]
    fn an_address_that_others_can_reach_needs_tls_or_a_word_and_somebody_who_may_use_it() {
        let (open, local) = (Access::anyone(), Access::loopback());
        let with_tls = check("cert = \"a\"\nkey = \"b\"").unwrap();
        let plain = Settings::default();
        let by_name = check("plaintext = true").unwrap();
        for outside in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            let reach =
                |settings: &Settings, role| settings.check_reach("listen", outside.parse().unwrap(), &[role], "r");
            assert!(matches!(reach(&plain, &open), Err(ExposureError::Plaintext { .. })), "{outside}");
            assert!(matches!(reach(&by_name, &local), Err(ExposureError::Closed { .. })), "{outside}");
            assert!(matches!(reach(&with_tls, &local), Err(ExposureError::Closed { .. })), "{outside}");
            reach(&with_tls, &open).unwrap();
            reach(&by_name, &open).unwrap();
        }
        for own in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            plain.check_reach("listen", own.parse().unwrap(), &[&local], "r").unwrap();
        }
    }
}

//! `witness.toml`: as typed, and as meant.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use govlog_daemon::{
    access::{Access, NoGrant, RawAccess},
    routes::Roles,
    serve::Limits,
    tls::{ExposureError, RawTls, Settings, SettingsError, about},
};
use serde::Deserialize;

/// A witness's configuration, checked: paths are joined to the folder of the configuration file, addresses are addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The witness's folder, which is locked while it runs.
    pub folder: PathBuf,
    /// The signing key.
    pub key: PathBuf,
    /// The list of logs.
    pub logs: PathBuf,
    /// The folder of state.
    pub state: PathBuf,
    /// The folder of evidence.
    pub evidence: PathBuf,
    /// Where the public interface listens.
    pub listen: SocketAddr,
    /// Where the admin interface listens.
    pub admin: SocketAddr,
    /// What both listeners are protected by.
    pub tls: Settings,
    /// Who may do what: read is for the monitoring route, submit for `add-checkpoint`.
    pub access: Roles,
    /// What connections may take.
    pub limits: Limits,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] names the key that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(|error| ConfigError::Content { path: path.to_owned(), error })
    }

    /// Returns the configuration of a folder that `init` made, on whichever free local ports there are: what tests run with.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let raw = Raw { listen: any, admin: any, ..Raw::default() };
        Self::meant(raw, folder, Settings::default(), Roles::default())
    }

    /// Refuses addresses that others can reach where that is certainly a mistake, and roles for those who can not prove that they have them.
    ///
    /// # Errors
    /// [`ExposureError`] says what to set.
    pub fn check_reach(&self) -> Result<(), ExposureError> {
        let Roles { read, submit, operate, .. } = &self.access;
        for (name, role) in [("read", read), ("submit", submit), ("operate", operate)] {
            self.tls.check_provable(name, role)?;
        }
        self.tls.check_reach("listen", self.listen, &[read, submit], "read or submit")?;
        self.tls.check_reach("admin", self.admin, &[operate], "operate")
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, ContentError> {
        let mut raw: Raw = toml::from_str(text).map_err(|error| ContentError::Toml(Box::new(error)))?;
        if !(1..=MAX_CONNECTIONS).contains(&raw.connections) {
            return Err(ContentError::Connections { found: raw.connections });
        }
        let times = [
            ("header_timeout_s", raw.header_timeout_s),
            ("body_timeout_s", raw.body_timeout_s),
            ("idle_timeout_s", raw.idle_timeout_s),
        ];
        if let Some((key, found)) = times.into_iter().find(|(_, seconds)| !(1..=MAX_TIMEOUT_S).contains(seconds)) {
            return Err(ContentError::Timeout { key, found });
        }
        let tls = std::mem::take(&mut raw.tls).check(folder)?;
        let access = std::mem::take(&mut raw.access).check()?;
        Ok(Self::meant(raw, folder, tls, access))
    }

    fn meant(raw: Raw, folder: &Path, tls: Settings, access: Roles) -> Self {
        let limits = Limits {
            connections: raw.connections,
            header: Duration::from_secs(raw.header_timeout_s),
            body: Duration::from_secs(raw.body_timeout_s),
            idle: Duration::from_secs(raw.idle_timeout_s),
            ..Limits::default()
        };
        Self {
            folder: folder.to_owned(),
            key: folder.join(raw.key),
            logs: folder.join(raw.logs),
            state: folder.join(raw.state),
            evidence: folder.join(raw.evidence),
            listen: raw.listen,
            admin: raw.admin,
            tls,
            access,
            limits,
        }
    }
}

/// `[access]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    read: Option<RawAccess>,
    submit: Option<RawAccess>,
    operate: Option<RawAccess>,
}

impl RawRoles {
    fn check(self) -> Result<Roles, ContentError> {
        let role = |key, typed| Access::parse(typed).map_err(|error| ContentError::Access { key, error });
        Ok(Roles {
            read: role("read", self.read)?,
            submit: role("submit", self.submit)?,
            operate: role("operate", self.operate)?,
            ..Roles::default()
        })
    }
}

/// The file as typed. Every key has a default; unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    listen: SocketAddr,
    admin: SocketAddr,
    key: PathBuf,
    logs: PathBuf,
    state: PathBuf,
    evidence: PathBuf,
    connections: usize,
    header_timeout_s: u64,
    body_timeout_s: u64,
    idle_timeout_s: u64,
    tls: RawTls,
    access: RawRoles,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            admin: DEFAULT_ADMIN,
            key: "witness.key".into(),
            logs: "logs.txt".into(),
            state: "state".into(),
            evidence: "evidence".into(),
            connections: 512,
            header_timeout_s: 10,
            body_timeout_s: 30,
            idle_timeout_s: 60,
            tls: RawTls::default(),
            access: RawRoles::default(),
        }
    }
}

/// Writes the file that `init` leaves: every key with what it means.
pub(crate) fn template(listen: SocketAddr, admin: SocketAddr) -> String {
    format!(
        r#"# Configuration of a govlog witness. Paths are relative to this file. Every key may be left out; what is shown is its default, but for the
# two addresses. Port 0 takes a free one; the program prints the addresses it got.

listen = "{listen}"        # the public interface: add-checkpoint, and what was cosigned last
admin = "{admin}"         # health, readiness, metrics; keep it to yourself

key = "witness.key"              # the signing key, mode 0600; back it up, and nothing else
logs = "logs.txt"                # the logs cosigned for, one vkey a line; read again whenever it changes
state = "state"                  # what was cosigned last, for each log; never restore it from a backup
evidence = "evidence"            # signed checkpoints that speak against their log

connections = 512                # served at once; each may hold a body of 132 KiB in memory
header_timeout_s = 10            # from the first byte of a request's head to the last
body_timeout_s = 30              # for a request's body
idle_timeout_s = 60              # for a connection with no request under way

[tls]
# cert = "tls.pem"               # {cert}
# key = "tls.key"                # {key}
# client_ca = "clients.pem"      # {client_ca}
# spiffe = "unix:///run/spire/sockets/agent.sock"    # {spiffe}
plaintext = false                # {plaintext}

[access]                         # "loopback", "anyone", the SHA-256 of a bearer token in hex, a SPIFFE ID, a prefix of SPIFFE IDs that ends
                                 # in '/', such as "spiffe://prod.example/", or a list of these; an empty list is nobody
read = "loopback"                # who may ask what was cosigned last; monitors come from everywhere: "anyone"
submit = "loopback"              # who may ask for cosignatures: the logs
operate = "loopback"             # who may use the admin listener
"#,
        cert = about::CERT,
        key = about::KEY,
        client_ca = about::CLIENT_CA,
        spiffe = about::SPIFFE,
        plaintext = about::PLAINTEXT,
    )
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content is wrong.
    #[error("{}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ContentError,
    },
}

/// What is wrong in a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Not TOML, an unknown key, or a value of another type.
    #[error(transparent)]
    Toml(Box<toml::de::Error>),
    /// The section `[tls]` is wrong.
    #[error(transparent)]
    Tls(#[from] SettingsError),
    /// A role is given to what nobody can be.
    #[error("access.{key} is {error}")]
    Access {
        /// The key.
        key: &'static str,
        /// What is wrong.
        error: NoGrant,
    },
    /// The number of connections is out of range.
    #[error("connections = {found} is not between 1 and {MAX_CONNECTIONS}")]
    Connections {
        /// The number found.
        found: usize,
    },
    /// A time is out of range.
    #[error("{key} = {found} is not between 1 and {MAX_TIMEOUT_S} seconds")]
    Timeout {
        /// The key.
        key: &'static str,
        /// The number found.
        found: u64,
    },
}

/// Where the public interface listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 7471));
/// Where the admin interface listens unless told otherwise.
pub(crate) const DEFAULT_ADMIN: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 7472));

const MAX_CONNECTIONS: usize = 65_536;
const MAX_TIMEOUT_S: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ContentError> {
        Config::parse(text, Path::new("/w"))
    }

    #[test]
    fn an_empty_file_means_the_defaults_and_so_does_the_template() {
        let empty = parse("").unwrap();
        let seconds = Duration::from_secs;
        let expected = Limits {
            connections: 512,
            head_bytes: 16_384,
            header: seconds(10),
            body: seconds(30),
            idle: seconds(60),
            stall: seconds(30),
            drain: seconds(5),
        };
        assert_eq!(empty.limits, expected);
        assert_eq!(empty.key, Path::new("/w/witness.key"));
        assert!(empty.listen.ip().is_loopback() && empty.admin.ip().is_loopback());
        assert_ne!(empty.listen, empty.admin);
        assert_eq!(parse(&template(DEFAULT_LISTEN, DEFAULT_ADMIN)).unwrap(), empty);
    }

    #[test]
    fn keys_are_taken_over() {
        let config =
            parse("listen = \"[::1]:0\"\nkey = \"/keys/k\"\nstate = \"s\"\nconnections = 7\nidle_timeout_s = 3")
                .unwrap();
        assert_eq!(config.listen.to_string(), "[::1]:0");
        assert_eq!((config.key.as_path(), config.state.as_path()), (Path::new("/keys/k"), Path::new("/w/s")));
        assert_eq!((config.limits.connections, config.limits.idle), (7, Duration::from_secs(3)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("lissen = 1", "lissen"),
            ("listen = \"nowhere\"", "listen"),
            ("listen = \"localhost:1\"", "listen"),
            ("connections = 0", "connections"),
            ("connections = -1", "connections"),
            ("header_timeout_s = 0", "header_timeout_s"),
            ("body_timeout_s = 3601", "body_timeout_s"),
            ("idle_timeout_s = \"60\"", "idle_timeout_s"),
            ("listen", "listen"),
            ("[access]\nread = \"everybody\"", "access.read"),
            ("[access]\nserach = \"anyone\"", "serach"),
            ("[tls]\ncert = \"c\"", "tls.key"),
            ("[tls]\nplain = true", "plain"),
        ];
        for (text, named) in wrong {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_that_others_can_reach_needs_tls_or_a_word_and_somebody_who_may_use_it() {
        let refused = |text: &str| parse(text).unwrap().check_reach().unwrap_err().to_string();
        assert!(refused("listen = \"0.0.0.0:1\"\n[access]\nread = \"anyone\"").contains("tls.plaintext"));
        assert!(refused("listen = \"0.0.0.0:1\"\n[tls]\nplaintext = true").contains("read or submit"));
        assert!(refused("admin = \"0.0.0.0:1\"\n[tls]\nplaintext = true").contains("operate"));
        let open = "listen = \"0.0.0.0:1\"\n[tls]\ncert = \"c\"\nkey = \"k\"\n[access]\nread = \"anyone\"";
        parse(open).unwrap().check_reach().unwrap();
        parse("").unwrap().check_reach().unwrap();
    }

    #[test]
    fn a_role_for_spiffe_ids_needs_authorities_to_prove_them_by() {
        for role in ["read", "submit", "operate"] {
            let given = format!("[access]\n{role} = [\"loopback\", \"spiffe://prod.example/\"]");
            let refused = parse(&given).unwrap().check_reach().unwrap_err().to_string();
            assert!(refused.contains(&format!("access gives {role} to")) && refused.contains("client_ca"), "{refused}");
            let with = format!("[tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n{given}");
            parse(&with).unwrap().check_reach().unwrap();
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Path::new("/nonexistent/witness.toml")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/witness.toml"), "{error}");
    }
}

//! Every key of `log.toml`, described once.

use std::fmt::Write as _;
use std::net::SocketAddr;

use govlog_daemon::tls::about;

/// One key of `log.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The section, empty at the top.
    pub section: &'static str,
    /// The name within the section.
    pub name: &'static str,
    /// The default as TOML; empty where there is none, or where it depends on the machine.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

const fn key(section: &'static str, name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { section, name, default, about }
}

/// All keys, in the order of the file.
pub const KEYS: &[Key] = &[
    key(
        "",
        "origin",
        "",
        "the log's name and first line of its checkpoints; required, and fixed for the life of the log",
    ),
    key("", "listen", "\"127.0.0.1:8080\"", "address of the public routes; port 0 takes a free one"),
    key("", "admin", "\"127.0.0.1:8081\"", "address of /healthz, /readyz and /metrics; never the public one"),
    key("files", "policy", "\"policy.txt\"", "log key, witnesses and quorum (C2SP tlog-policy)"),
    key("files", "checkpoint_key", "\"checkpoint.key\"", "private key that signs checkpoints; mode 0600"),
    key("files", "receipt_key", "\"receipt.key\"", "private key that signs receipts; mode 0600"),
    key("files", "store", "\"store\"", "directory of the store"),
    key(
        "files",
        "index",
        "\"index\"",
        "directory of the search index, and of nothing else; derived from the store, so it may be deleted at any time",
    ),
    key(
        "files",
        "head",
        "\"head\"",
        "directory of the head file; put it on another disk if you can, and never restore it from a backup",
    ),
    key("tls", "cert", "", about::CERT),
    key("tls", "key", "", about::KEY),
    key("tls", "client_ca", "", about::CLIENT_CA),
    key("tls", "spiffe", "", about::SPIFFE),
    key("tls", "plaintext", "false", about::PLAINTEXT),
    key(
        "access",
        "read",
        "\"loopback\"",
        "who may read what is published: \"loopback\", \"anyone\", the SHA-256 of a bearer token in hex, a SPIFFE ID, a prefix of SPIFFE IDs \
         that ends in '/' such as \"spiffe://prod.example/\", or a list of these; an empty list is nobody",
    ),
    key("access", "search", "\"loopback\"", "who may search the records; likewise"),
    key("access", "submit", "\"loopback\"", "who may submit; likewise"),
    key("access", "operate", "\"loopback\"", "who may use the admin listener; likewise"),
    key(
        "client",
        "ca",
        "",
        "authorities that witnesses' certificates are verified against, PEM; default: those of the system",
    ),
    key(
        "client",
        "cert",
        "",
        "certificate that the log shows to witnesses, leaf first, PEM; read again at every connection",
    ),
    key("client", "cert_key", "", "its private key, PEM, mode 0600"),
    key(
        "client",
        "token_files",
        "{}",
        "by the name of a witness in the policy, a file of mode 0600 with the bearer token that this witness wants",
    ),
    key("limits", "connections", "1024", "connections at a time"),
    key("limits", "address_rate", "", "requests per second and address (429 beyond it); default: none"),
    key("limits", "verify_threads", "", "threads that verify signatures; default: one per core"),
    key("limits", "in_flight_mib", "64", "statements between admission and commit (503 beyond it)"),
    key("publication", "interval_ms", "200", "least time between two rounds of asking the witnesses"),
    key("publication", "stragglers_ms", "100", "how long a round that has its quorum waits for the other witnesses"),
    key("publication", "republish_s", "60", "how often an idle head is cosigned again"),
    key("publication", "witness_timeout_ms", "5000", "how long one witness may take to answer"),
    key("store", "memtables_mib", "96", "memory for memtables"),
    key("store", "block_cache_mib", "80", "memory for block caches"),
    key("store", "tile_cache_mib", "64", "memory for tiles and entry bundles"),
    key("store", "wal_mib", "256", "disk for the write-ahead log"),
    key("store", "reserve_mib", "2048", "least free disk with which entries are taken (503 below it)"),
    key(
        "store",
        "reserve_percent",
        "5",
        "least free share of the disk with which entries are taken; the larger of the two counts",
    ),
];

/// Describes every key of `log.toml`, for `--help`.
pub fn describe() -> String {
    let mut text = String::from("Keys of log.toml (files are relative to it; a key that is not known is an error):\n");
    for key in KEYS {
        let full = if key.section.is_empty() { key.name.to_owned() } else { format!("{}.{}", key.section, key.name) };
        let default = if key.default.is_empty() { String::new() } else { format!(" [default: {}]", key.default) };
        // Writing to a `String` cannot fail.
        writeln!(text, "  {full}\n          {}{default}", key.about).unwrap_or_default();
    }
    text
}

/// Writes the `log.toml` of a new log: what was chosen, and every other key commented out with its default.
pub(crate) fn template(origin: &str, listen: SocketAddr, admin: SocketAddr) -> String {
    let mut text = String::from("# Configuration of a govlog log. A key that is commented out has the value shown.\n");
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            writeln!(text, "\n[{section}]").unwrap_or_default();
        }
        let chosen = match key.name {
            "origin" if section.is_empty() => Some(toml::Value::from(origin).to_string()),
            "listen" if section.is_empty() => Some(format!("\"{listen}\"")),
            "admin" if section.is_empty() => Some(format!("\"{admin}\"")),
            _ => None,
        };
        let line = match (&chosen, key.default) {
            (Some(chosen), _) => format!("{} = {chosen}", key.name),
            (None, "") => format!("# {} =", key.name),
            (None, default) => format!("# {} = {default}", key.name),
        };
        writeln!(text, "\n# {}\n{line}", key.about).unwrap_or_default();
    }
    text
}

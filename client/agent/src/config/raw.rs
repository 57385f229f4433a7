//! `agent.toml` as typed.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use govlog_client::source::Outbound;
use govlog_daemon::access::RawAccess;
use govlog_daemon::tls::RawTls;
use serde::Deserialize;

use crate::credentials::RawWatched;
use crate::envoy::RawEnvoy;
use crate::opa::RawGroup;
use crate::spire::RawSpire;

/// The file. Unknown keys are refused; a key without a default is one that only the operator can know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) iss: String,
    pub(super) log: String,
    pub(super) key: Option<PathBuf>,
    pub(super) x509: Option<RawX509>,
    #[serde(default = "trust")]
    pub(super) trust: PathBuf,
    #[serde(default = "outbox")]
    pub(super) outbox: PathBuf,
    #[serde(default)]
    pub(super) openings: Openings,
    #[serde(default = "listen")]
    pub(super) listen: SocketAddr,
    #[serde(default = "admin")]
    pub(super) admin: SocketAddr,
    #[serde(default)]
    pub(super) tls: RawTls,
    #[serde(default)]
    pub(super) access: RawRoles,
    #[serde(default)]
    pub(super) client: Outbound,
    #[serde(default)]
    pub(super) streams: Streams,
    #[serde(default)]
    pub(super) sending: Sending,
    #[serde(default)]
    pub(super) capture: Capture,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) opa: Vec<RawGroup>,
    #[serde(default)]
    pub(super) envoy: Vec<RawEnvoy>,
    #[serde(default)]
    pub(super) credentials: Vec<RawWatched>,
    #[serde(default)]
    pub(super) spire: Vec<RawSpire>,
}

/// `[x509]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawX509 {
    pub(super) svid: Option<PathBuf>,
    pub(super) svid_key: Option<PathBuf>,
    pub(super) spiffe: Option<String>,
}

/// `[access]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoles {
    pub(super) submit: Option<RawAccess>,
    pub(super) operate: Option<RawAccess>,
}

/// `[openings]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Openings {
    pub(super) folder: PathBuf,
    pub(super) recipients: Vec<String>,
    pub(super) plaintext: bool,
    pub(super) retention_days: Option<u32>,
}

/// `[streams]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Streams {
    pub(super) heartbeat_s: u64,
    pub(super) idle_close_s: u64,
    pub(super) most: u64,
}

/// `[sending]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sending {
    pub(super) max_age_s: Option<u64>,
    pub(super) retry_max_ms: u64,
    pub(super) remember_days: u64,
}

/// `[capture]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Capture {
    pub(super) batch: String,
    pub(super) window_ms: u64,
    pub(super) members: usize,
    pub(super) kib: u64,
    pub(super) alone_subjects: Vec<String>,
    pub(super) alone_policies: Vec<String>,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) outbox_mib: u64,
    pub(super) upload_mib: u64,
    pub(super) unpacked_mib: u64,
    pub(super) event_mib: u64,
    pub(super) events: usize,
    pub(super) uploads_mib: u64,
    pub(super) connections: usize,
    pub(super) body_timeout_s: u64,
}

impl Default for Openings {
    fn default() -> Self {
        Self { folder: "openings".into(), recipients: Vec::new(), plaintext: false, retention_days: None }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self { heartbeat_s: 60, idle_close_s: 3_600, most: 1_024 }
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self { max_age_s: None, retry_max_ms: 30_000, remember_days: 7 }
    }
}

impl Default for Capture {
    fn default() -> Self {
        let (alone_subjects, alone_policies) = (Vec::new(), Vec::new());
        Self {
            batch: "permits".to_owned(),
            window_ms: 1_000,
            members: 1_024,
            kib: 4_096,
            alone_subjects,
            alone_policies,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outbox_mib: 2_048,
            upload_mib: 16,
            unpacked_mib: 64,
            event_mib: 8,
            events: 50_000,
            uploads_mib: 64,
            connections: 256,
            body_timeout_s: 30,
        }
    }
}

fn trust() -> PathBuf {
    "trust".into()
}

fn outbox() -> PathBuf {
    "outbox".into()
}

const fn listen() -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7481))
}

const fn admin() -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7482))
}

//! The adapter over what a real SPIRE 1.15.3 server logged and answered, byte for byte; and over what it never would.

mod both;
mod capture;
mod cuts;
mod found;
mod generations;
mod hostile;
mod lines;
mod portions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use govlog_formats::record::{Record, view};
use serde_json::{Value as Json, json};

use super::{RawSpire, Server, Settings, feeds};
use crate::adapter::{Adapter, Kept};
use crate::feed::Feed;
use crate::outbox::{Arrival, Content};
use crate::seal::{Draft, Sealer};

pub(super) const NOW_MS: u64 = 1_795_320_500_000;
pub(super) const NAME: &str = "spire-server-0";

pub(super) fn captured() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture/spire")
}

pub(super) fn settings(log: Option<&Path>, snapshots: Option<&Path>) -> Arc<Settings> {
    let raw = RawSpire {
        name: NAME.to_owned(),
        trust_domain: "prod.example".to_owned(),
        log: log.map(Path::to_owned),
        socket: None,
        poll_s: 5,
        snapshots: snapshots.map(Path::to_owned),
    };
    Arc::new(raw.check(Path::new("/")).unwrap())
}

/// Reads feeds, one after the other, until all that waits for another poll has had it.
pub(super) fn read_all(feeds: &mut [Box<dyn Feed>]) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for _ in 0..5 {
        for feed in feeds.iter_mut() {
            loop {
                let found = feed.read(NOW_MS).unwrap();
                arrivals.extend(found.arrivals);
                if !found.more {
                    break;
                }
            }
        }
    }
    arrivals
}

/// A record with its kind and subject, and what is sealed in it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) kind: &'static str,
    pub(super) sub: Option<String>,
    pub(super) view: Json,
    pub(super) openings: usize,
}

pub(super) fn draft(settings: &Arc<Settings>, arrival: &Arrival) -> Result<Draft, String> {
    let (form, bytes) = arrival.content.event().ok_or("it is no event")?;
    let mut random = || [7; 32];
    let event = Kept { instance: &arrival.instance, form, received_ms: NOW_MS, bytes };
    Server::new(Arc::clone(settings), "spiffe://prod.example/govlog-agent").draft(&event, Sealer::new(&mut random))
}

pub(super) fn make(settings: &Arc<Settings>, arrival: &Arrival) -> Result<Made, String> {
    let draft = draft(settings, arrival)?;
    Record::parse(draft.kind, &draft.payload).unwrap();
    let view = view::to_json(draft.kind, &draft.payload).unwrap();
    Ok(Made { kind: draft.kind, sub: draft.sub, view, openings: draft.openings.len() })
}

/// All records of arrivals; none may be a quarantine.
pub(super) fn made(settings: &Arc<Settings>, arrivals: &[Arrival]) -> Vec<Made> {
    arrivals
        .iter()
        .map(|arrival| make(settings, arrival).unwrap_or_else(|error| panic!("{error}: {arrival:?}")))
        .collect()
}

/// Reads lines of a log that nothing is known about.
pub(super) fn read_lines(lines: &[String]) -> (Arc<Settings>, Vec<Arrival>) {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("server.log");
    std::fs::write(&log, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let settings = settings(Some(&log), None);
    let mut feeds = feeds(&settings);
    let mut arrivals = read_all(&mut feeds);
    // Long after: what waits for its other half waits no more.
    arrivals.extend(feeds.iter_mut().flat_map(|feed| feed.read(NOW_MS + 600_000).unwrap().arrivals));
    (settings, arrivals)
}

/// The captured line of an issuance, with other members.
pub(super) fn audit(changes: &[(&str, Json)]) -> String {
    let mut line = json!({
        "authorized_as": "agent", "authorized_via": "datastore", "caller_addr": "127.0.0.1:58194",
        "caller_id": "spiffe://prod.example/spire/agent/x509pop/1",
        "csr": "82d247beb93fcf5e47b846e99df205b104d77951b0209d701f5bc5729f89b4d2",
        "entry_id": "bce6c7ff-9342-4c53-83af-38a705a64a90", "expires_at": 1_795_322_265, "level": "info",
        "method": "BatchNewX509SVID", "msg": "API accessed", "request_id": "e7f97532-7cc8-4cad-b2ea-2ecf1221aa20",
        "service": "svid.v1.SVID", "spiffe_id": "spiffe://prod.example/pay", "status": "success",
        "subsystem_name": "api", "time": "2026-11-22T04:07:45.334215226Z", "type": "audit",
    });
    for (name, value) in changes {
        line[*name] = value.clone();
    }
    line.to_string()
}

/// The line that says that it was signed.
pub(super) fn signed(changes: &[(&str, Json)]) -> String {
    let mut line = json!({
        "authorized_as": "agent", "caller_id": "spiffe://prod.example/spire/agent/x509pop/1",
        "entry_id": "bce6c7ff-9342-4c53-83af-38a705a64a90", "expiration": "2026-11-22T04:37:45Z", "level": "debug",
        "method": "BatchNewX509SVID", "msg": "Signed X509 SVID", "request_id": "e7f97532-7cc8-4cad-b2ea-2ecf1221aa20",
        "revision_number": 1, "serial_num": "72091423699071402799699827608080717905", "service": "svid.v1.SVID",
        "spiffe_id": "spiffe://prod.example/pay", "subsystem_name": "api", "time": "2026-11-22T04:07:45.33413085Z",
    });
    for (name, value) in changes {
        line[*name] = value.clone();
    }
    line.to_string()
}

pub(super) fn is_input(arrival: &Arrival) -> bool {
    matches!(arrival.content, Content::Input { .. } | Content::Digest { .. })
}

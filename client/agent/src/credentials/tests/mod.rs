//! The certificates and tokens of a real SPIRE, and files that nobody should write.

mod folder;
mod hostile;
mod own;
mod records;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use govlog_formats::record::{Observation, Record};

use super::*;
use crate::adapter::{Adapter, Kept};
use crate::outbox::Arrival;
use crate::seal::{Draft, Sealer};

const ISS: &str = "spiffe://prod.example/govlog/agent";
const NOW: u64 = 1_795_320_500_000;

fn capture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture/spire").join(name)).unwrap()
}

fn watched(folder: &Path) -> Arc<Watched> {
    let raw = RawWatched {
        name: "pay".into(),
        folder: Some(PathBuf::from(folder)),
        workload_api: None,
        audiences: Vec::new(),
        own: false,
        observer: None,
    };
    Arc::new(Watched::new(raw, Path::new("/")).unwrap())
}

pub(super) fn draft(arrival: &Arrival) -> Result<Draft, String> {
    let (form, bytes) = arrival.content.event().unwrap();
    let kept = Kept { instance: &arrival.instance, form, received_ms: NOW, bytes };
    let mut random = || [1; 32];
    Observations::new(watched(Path::new("/x")), ISS).draft(&kept, Sealer::new(&mut random))
}

fn record(draft: &Draft) -> Observation {
    match Record::parse(draft.kind, &draft.payload).unwrap() {
        Record::Observation(observation) => observation,
        other => panic!("{other:?}"),
    }
}

/// All that an agent keeps or signs of an arrival.
pub(super) fn kept(arrival: &Arrival) -> Vec<u8> {
    let draft = draft(arrival).unwrap();
    [arrival.content.event().unwrap().1, &draft.payload].concat()
}

pub(super) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part == needle)
}

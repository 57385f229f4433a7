//! A real log beside the real uploads of the OPAs behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::record::effect::Outcome;

use super::*;
use crate::adapter::{Adapter, Kept};
use crate::feed::Feed;
use crate::names::Fresh;
use crate::opa::{Element, Group, Limits};
use crate::outbox::{self, Arrival, Content, Decisions, Finds, Joining, Outbox, idempotency_key};

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture")
}

/// The OPAs behind this Envoy, which believe what it says of its clients.
fn group() -> Group {
    crate::testing::captured_group("/opa")
}

/// An outbox that took the uploads, knowing that effects will be joined to them.
fn after_the_uploads(folder: &Path) -> Outbox {
    let outbox = Outbox::open(folder, "log.example/2026", ISS).unwrap();
    let finders = vec![("/opa".to_owned(), Arc::new(group()) as Arc<dyn Finds>)];
    let (keep, late_after) = (Duration::from_secs(900), Duration::from_secs(15));
    outbox.join(Joining { finders, readers: Vec::new(), keep, late_after }, 1_795_320_500_000).unwrap();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(capture().join("opa/uploads")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().ends_with("-logs.body"));
    paths.sort();
    for path in paths {
        let body = std::fs::read(path).unwrap();
        let unpacked = crate::opa::unpack(Some("gzip"), &body, &Limits::default()).unwrap();
        let upload = crate::opa::read(&unpacked, &Limits::default()).unwrap();
        let arrivals: Vec<Arrival> = upload.elements.iter().map(arrival).collect();
        let fresh = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
        let hold = outbox::Limits { bytes: 1 << 30, streams: 8 };
        outbox.receive("/opa", &arrivals, hold, 1_795_320_500_000, &fresh).unwrap();
    }
    outbox
}

fn arrival(element: &Element<'_>) -> Arrival {
    let Element::Event(event) = element else { panic!("an upload has more than events") };
    Arrival {
        instance: event.instance.clone(),
        key: idempotency_key("opa", &event.instance, &event.native_id),
        semantic: event.semantic,
        content: Content::Event(event.bytes.to_vec()),
    }
}

#[test]
fn of_601_calls_591_are_joined_to_their_decision_and_the_others_asked_for_health() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Arc::new(after_the_uploads(&folder.path().join("outbox")));
    let mut envoy = envoy("").beside(&[group()]).unwrap();
    envoy.log = capture().join("envoy/access.jsonl");
    let envoy = Arc::new(envoy);
    let mut feed = AccessLog::new(envoy.clone());
    feed.meet(Arc::clone(&outbox) as Arc<dyn Decisions>);
    feed.resume(None).unwrap();
    let found = feed.read(1_795_320_600_000).unwrap();
    assert_eq!((found.arrivals.len(), found.more), (601, false), "nothing waits: all decisions are known");
    let effects = Effects::new(envoy, ISS);
    let (mut outcomes, mut callers, mut decisions, mut without) =
        (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), Vec::new());
    for arrival in &found.arrivals {
        let (form, bytes) = arrival.content.event().unwrap();
        let kept = Kept { instance: &arrival.instance, form, received_ms: 0, bytes };
        let mut random = || [1; 32];
        let draft = effects.draft(&kept, Sealer::new(&mut random)).unwrap();
        let effect = record_of(&draft);
        *outcomes.entry(effect.outcome().present().unwrap().as_str()).or_insert(0) += 1;
        match effect.decision_id().present() {
            Some(id) => assert!(decisions.insert(id.to_owned()), "{id} was carried out twice"),
            None => without.push(effect.body().text(&["resource", "id"]).present().unwrap().to_owned()),
        }
        *callers.entry(links(&effect)[0].clone()).or_insert(0) += 1;
    }
    assert_eq!(decisions.len(), 591);
    assert_eq!(without, ["opa.prod.example:18443/v1/data/ledger/health"; 10]);
    assert_eq!(outcomes, BTreeMap::from([(Outcome::Failed.as_str(), 9), (Outcome::Performed.as_str(), 592)]));
    assert_eq!(callers.into_values().collect::<BTreeSet<_>>(), BTreeSet::from([157, 160, 145, 139]));
    let keys: BTreeSet<[u8; 32]> = found.arrivals.iter().map(|arrival| arrival.key).collect();
    assert_eq!(keys.len(), 601, "none is the same as another");
    let heard = feed.settle(1_795_320_600_000).unwrap().heard;
    assert_eq!(heard[0].1["effects with their decision"], "591");
    assert!(!heard[0].1.contains_key("effects without a decision"));
}

#[test]
fn decisions_are_forgotten_after_their_time_and_without_envoy_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = after_the_uploads(&folder.path().join("outbox"));
    let request = "df1990ab-9f9b-45e6-a986-749eb5997849";
    assert_eq!(outbox.decisions_of(&[request, "other"]).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    let fresh = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
    let hold = outbox::Limits { bytes: 1 << 30, streams: 8 };
    let empty = |ms| outbox.receive("/opa", &[], hold, ms, &fresh).unwrap();
    for _ in 0..20 {
        empty(1_795_320_500_000 + 900_000);
    }
    assert_eq!(outbox.decisions_of(&[request]).unwrap()[0].len(), 1, "its time is not over");
    for _ in 0..20 {
        empty(1_795_320_500_000 + 900_001);
    }
    assert!(outbox.decisions_of(&[request]).unwrap()[0].is_empty());
    drop(outbox);
    let plain = Outbox::open(&folder.path().join("plain"), "log.example/2026", ISS).unwrap();
    let event = serde_json::to_vec(&crate::testing::event("d")).unwrap();
    assert!(group().find(&event).is_none(), "a decision without a request");
    plain.receive("/opa", &[crate::testing::arrival(&crate::testing::event("d"))], hold, 0, &fresh).unwrap();
    assert!(plain.decisions_of(&[request]).unwrap()[0].is_empty());
}

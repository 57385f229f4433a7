//! Statuses compared, the captured ones first.

use govlog_formats::record::{Record, view};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::adapter::{Adapter as _, Kept};
use crate::opa::{Group, Loaded, OpaAdapter, RawGroup};
use crate::seal::Sealer;
use crate::testing::{INSTANCE, ROUTE};

const MINUTE: u64 = 60_000;
const BEGAN: u64 = 1_795_320_000_000;
const TERMS: Terms = Terms { activations: true, silent_after: Duration::from_secs(900) };

/// An instance whose statuses are compared one behind the other, and what was told of it.
struct Instance {
    memory: Option<Memory>,
    now: Now,
    terms: Terms,
}

impl Instance {
    fn new() -> Self {
        let now = Now { ms: BEGAN + MINUTE, event_ms: Some(BEGAN), unnamed_ms: None, began_ms: BEGAN };
        Self { memory: None, now, terms: TERMS }
    }

    fn hears(&mut self, status: &Status) -> Vec<Told> {
        let (memory, told) = Memory::next(self.memory.as_ref(), status, self.now, self.terms);
        // As it is kept.
        self.memory = Some(Memory::read(&memory.write().unwrap()).unwrap());
        assert_eq!(self.memory.as_ref(), Some(&memory));
        told
    }

    /// The next status, some time later.
    fn later(&mut self, minutes: u64, status: &Status) -> Vec<Told> {
        self.now.ms += minutes * MINUTE;
        self.hears(status)
    }

    fn decides(&mut self) {
        self.now.event_ms = Some(self.now.ms);
    }
}

fn status(counters: &[(&str, u64)], bundles: &[(&str, &str, &str)], asked: Option<u64>) -> Status {
    let loaded = |revision: &str, activated: &str| Loaded {
        revision: revision.to_owned(),
        activated: Some(activated.to_owned()),
        trouble: None,
    };
    Status {
        instance: INSTANCE.to_owned(),
        version: Some("1.22.2".to_owned()),
        counters: counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        bundles: bundles.iter().map(|(name, revision, at)| ((*name).to_owned(), loaded(revision, at))).collect(),
        asked,
        code: None,
        message: None,
        http_code: None,
    }
}

fn idle() -> Status {
    status(&[], &[], Some(0))
}

/// The record of what was told, as people see it, and its kind.
fn record(told: &Told) -> (&'static str, Option<String>, Value) {
    let group = RawGroup { pdp: None, ..RawGroup::at(ROUTE) };
    let adapter = OpaAdapter::new(Group::try_from(group).unwrap(), std::sync::Arc::default());
    let arrival = told.arrival().unwrap();
    let (form, bytes) = arrival.content.event().unwrap();
    let kept = Kept { instance: &arrival.instance, form, received_ms: 5, bytes };
    let mut random = || [7; 32];
    let draft = adapter.draft(&kept, Sealer::new(&mut random)).unwrap();
    Record::parse(draft.kind, &draft.payload).unwrap();
    (draft.kind, draft.sub, view::to_json(draft.kind, &draft.payload).unwrap())
}

#[test]
fn the_captured_statuses_tell_one_activation_and_one_change() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture/opa/statuses");
    let mut instance = Instance::new();
    let mut told = Vec::new();
    // The last one comes again, as after an acknowledgement that got lost.
    for name in ["0001-a", "0002-a", "0042-a", "0078-a", "0106-a", "0106-a"] {
        let bytes = std::fs::read(folder.join(format!("{name}-status.body"))).unwrap();
        told.extend(instance.later(1, &crate::opa::status(&bytes).unwrap()));
    }
    // r1 was loaded again meanwhile, and r2 too: that is no change.
    let records: Vec<_> = told.iter().map(record).collect();
    let said: Vec<_> = records
        .iter()
        .map(|(kind, sub, view)| {
            let text = |name: &str| view[name].as_str().unwrap().to_owned();
            (
                *kind,
                sub.as_deref().unwrap(),
                text("op"),
                text("revision"),
                view["from_ms"].as_i64(),
                view["to_ms"].as_i64(),
            )
        })
        .collect();
    let (r1, r2) = (Some(1_795_320_441_642), Some(1_795_320_459_513));
    assert_eq!(
        said,
        [
            ("activation", "policy:authz", "activate".into(), "r1".into(), r1, None),
            ("activation", "policy:authz", "retire".into(), "r1".into(), r1, r2),
            ("activation", "policy:authz", "activate".into(), "r2".into(), r2, None),
        ]
    );
    let (_, _, view) = &records[0];
    assert_eq!(view["pdp"], json!(format!("opa/{INSTANCE}")));
    assert_eq!((&view["learned"], &view["source"]["version"]), (&json!("status"), &json!("1.22.2")));
    assert_eq!((view.get("policy_digest"), view.get("errors"), view.get("uri")), (None, None, None));
    let keys: std::collections::BTreeSet<[u8; 32]> = told.iter().map(|told| told.arrival().unwrap().key).collect();
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_revision_that_comes_back_is_another_activation_and_an_overtaken_status_is_none() {
    let mut instance = Instance::new();
    let at = |revision: &str, minute: u32| {
        status(&[], &[("authz", revision, &format!("2026-11-22T04:{minute:02}:00Z"))], None)
    };
    assert_eq!(instance.hears(&at("r1", 1)).len(), 1);
    assert_eq!(instance.hears(&at("r2", 2)).len(), 2);
    assert_eq!(instance.hears(&at("r1", 1)), [], "it was overtaken");
    let back = instance.hears(&at("r1", 3));
    assert_eq!(back.len(), 2);
    let (_, _, view) = record(&back[1]);
    assert_eq!((&view["op"], &view["revision"]), (&json!("activate"), &json!("r1")));
    // Nothing active, a bundle that is gone, no time: nothing is known to have changed.
    assert_eq!(instance.hears(&idle()), []);
    assert_eq!(instance.hears(&status(&[], &[("authz", "r9", "0001-01-01T00:00:00Z")], None)), []);
    assert_eq!(instance.hears(&status(&[], &[("authz", "r9", "tomorrow")], None)), []);
    instance.terms.activations = false;
    assert_eq!(instance.hears(&at("r4", 4)), []);
}

#[test]
fn what_went_wrong_with_a_bundle_is_sealed() {
    let mut instance = Instance::new();
    let mut status = status(&[], &[("authz", "r1", "2026-11-22T04:01:00Z")], None);
    status.bundles.get_mut("authz").unwrap().trouble = Some("{\"code\":\"bundle_error\"}".to_owned());
    let (_, _, view) = record(&instance.hears(&status)[0]);
    assert!(view["errors"]["$sealed"].is_string(), "{view}");
}

#[test]
fn dropped_decisions_are_declared_once_with_their_number() {
    const RATE: &str = "counter_decision_logs_dropped_rate_limit_exceeded";
    const EVENTS: &str = "counter_decision_logs_dropped_buffer_size_limit_exceeded";
    const BYTES: &str = "counter_decision_logs_dropped_buffer_size_limit_bytes_exceeded";
    const CACHE: &str = "counter_decision_logs_nd_builtin_cache_dropped";
    const ENCODING: &str = "counter_decision_logs_encoding_failure";
    const SENT: &str = "counter_decision_logs_chunks_uploaded";
    let mut instance = Instance::new();
    let mut told = |counters: &[(&str, u64)]| {
        let told = instance.later(1, &status(counters, &[], None));
        let views = told.iter().map(|told| {
            assert!(told.alarm().is_some());
            let (kind, sub, view) = record(told);
            assert_eq!((kind, sub), ("gap", None));
            assert_eq!(told.arrival().unwrap().instance, INSTANCE, "it is about the instance's own stream");
            (
                view["cause"].as_str().unwrap().to_owned(),
                view["count"].as_u64(),
                view["from_ms"].as_u64(),
                view["to_ms"].as_u64().unwrap(),
            )
        });
        views.collect::<Vec<_>>()
    };
    let at = |minute: u64| BEGAN + MINUTE + minute * MINUTE;
    assert_eq!(told(&[(SENT, 5), (RATE, 3)]), [("rate-limited".into(), Some(3), None, at(1))]);
    assert_eq!(told(&[(SENT, 6), (RATE, 3)]), []);
    assert_eq!(told(&[(SENT, 6), (RATE, 3), (CACHE, 9)]), [], "an event without its cache is no event lost");
    assert_eq!(
        told(&[(SENT, 6), (RATE, 5), (CACHE, 9), (ENCODING, 1), (EVENTS, 7)]),
        [
            ("buffer-full".into(), Some(7), Some(at(3)), at(4)),
            ("rate-limited".into(), Some(2), Some(at(3)), at(4)),
            ("source-dropped".into(), Some(1), Some(at(3)), at(4)),
        ]
    );
    // The process began anew: all it counts is new, though one counter is not less than before.
    assert_eq!(told(&[(SENT, 1), (RATE, 6)]), [("rate-limited".into(), Some(6), Some(at(4)), at(5))]);
    // A buffer of bytes counts how often it overflowed, twice: how many events that were is not known.
    assert_eq!(
        told(&[(SENT, 1), (RATE, 6), (EVENTS, 2), (BYTES, 2)]),
        [("buffer-full".into(), None, Some(at(5)), at(6))]
    );
}

#[test]
fn counters_that_return_after_a_restart_are_another_gap() {
    let drops = |count| status(&[("counter_decision_logs_dropped_rate_limit_exceeded", count)], &[], None);
    let mut instance = Instance::new();
    let keys: Vec<[u8; 32]> = [3, 0, 3]
        .into_iter()
        .flat_map(|count| instance.later(1, &drops(count)))
        .map(|told| told.arrival().unwrap().key)
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn an_instance_that_answers_and_sends_nothing_is_found_once_and_when_it_speaks_again() {
    let asked = |count| status(&[], &[], Some(count));
    let mut instance = Instance::new();
    assert_eq!(instance.hears(&asked(10)), []);
    // Asked nothing for a day: it has nothing to log.
    assert_eq!(instance.later(24 * 60, &asked(10)), []);
    assert_eq!(instance.later(1, &asked(14)), [], "it may come with the next upload");
    assert_eq!(instance.later(14, &asked(20)), []);
    let told = instance.later(1, &asked(25));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].alarm().map(|(kind, _)| kind), Some("silent"));
    let (kind, sub, view) = record(&told[0]);
    assert_eq!((kind, sub), ("finding", Some(format!("opa/{INSTANCE}"))));
    assert_eq!((&view["check"], &view["verdict"]), (&json!("opa-silent-stream"), &json!("fail")));
    assert_eq!(view["details"], json!({ "instance": INSTANCE, "silent_since_ms": BEGAN, "answered_since": 15 }));
    assert_eq!(instance.later(60, &asked(99)), [], "once");
    instance.now.ms += MINUTE;
    instance.decides();
    let told = instance.later(1, &asked(100));
    let (_, _, view) = record(&told[0]);
    assert_eq!((told.len(), &view["verdict"], told[0].alarm()), (1, &json!("pass"), None));
    assert_eq!(view["details"]["silent_since_ms"], json!(BEGAN));
    assert_eq!(instance.later(14, &asked(101)), []);
    assert_eq!(instance.later(14, &asked(101)), []);
    assert_eq!(instance.later(2, &asked(101)).len(), 1, "another episode");
}

#[test]
fn uploads_of_nobody_knows_whom_put_a_silence_off_once() {
    let asked = |count| status(&[], &[], Some(count));
    let mut instance = Instance::new();
    assert_eq!(instance.hears(&asked(10)), []);
    // Another of its group uploads what cannot be read, all the time.
    let mut told = Vec::new();
    for minute in 1..=18 {
        instance.now.unnamed_ms = Some(instance.now.ms);
        told = instance.later(1, &asked(10 + minute));
        assert!(told.is_empty() || minute >= 17, "{minute}");
        if !told.is_empty() {
            break;
        }
    }
    assert_eq!(told.first().and_then(Told::alarm).map(|(kind, _)| kind), Some("silent"));
    instance.now.ms += MINUTE;
    instance.decides();
    assert_eq!(instance.later(1, &asked(40)).len(), 1, "it speaks");
    instance.now.unnamed_ms = Some(instance.now.ms);
    assert_eq!(instance.later(1, &asked(41)), []);
    assert_eq!(instance.later(1, &asked(42)), []);
    assert_eq!(instance.later(14, &asked(43)), [], "once more since it spoke");
    assert_eq!(instance.later(1, &asked(44)).len(), 1);
}

#[test]
fn where_nobody_can_tell_it_says_so_and_nobody_is_woken() {
    let unknown = status(&[], &[], None);
    let mut instance = Instance::new();
    assert_eq!(instance.hears(&unknown), []);
    assert_eq!(instance.later(10, &unknown), []);
    let told = instance.later(5, &unknown);
    let (_, _, view) = record(&told[0]);
    assert_eq!((told.len(), &view["verdict"], told[0].alarm()), (1, &json!("unverifiable"), None));
    // Decisions come although nothing is asked over HTTP: asked in another way, which its metrics do not count.
    let mut instance = Instance::new();
    assert_eq!(instance.hears(&idle()), []);
    assert_eq!(instance.later(16, &idle()).len(), 1);
    instance.terms.silent_after = Duration::ZERO;
    instance.decides();
    assert_eq!(instance.later(1, &idle()).len(), 1, "the end of what was told is told");
    assert_eq!(instance.later(600, &idle()), [], "and nothing more: it is off");
}

#[test]
fn another_process_does_not_take_what_it_did_not_hear_for_silence() {
    let asked = |count| status(&[], &[], Some(count));
    let mut instance = Instance::new();
    instance.hears(&asked(1));
    instance.later(1, &asked(2));
    // The agent was away for an hour and OPA's uploads wait for it.
    instance.now.ms += 60 * MINUTE;
    instance.now.began_ms = instance.now.ms;
    instance.now.event_ms = None;
    assert_eq!(instance.hears(&asked(50)), []);
    assert_eq!(instance.later(1, &asked(51)), []);
    // A clock that was set back makes no silence.
    instance.now.ms -= 120 * MINUTE;
    assert_eq!(instance.hears(&asked(52)), []);
    assert_eq!(Memory::read(b"{}"), None);
}

proptest! {
    /// Whatever is counted, what gaps declare is what the counter grew by, and nothing is declared twice.
    #[test]
    fn gaps_add_up(counts in prop::collection::vec(0..50_u64, 1..20)) {
        let mut instance = Instance::new();
        instance.terms.silent_after = Duration::ZERO;
        let (mut expected, mut declared, mut before) = (0, 0, 0);
        let mut keys = std::collections::BTreeSet::new();
        for count in counts {
            expected += if count >= before { count - before } else { count };
            before = count;
            for told in instance.later(1, &status(&[("counter_decision_logs_dropped_rate_limit_exceeded", count)], &[], None)) {
                prop_assert!(keys.insert(told.arrival().unwrap().key));
                let Told::Gap(gap) = told else { panic!("{told:?}") };
                declared += gap.count.unwrap();
            }
        }
        prop_assert_eq!(declared, expected);
    }
}

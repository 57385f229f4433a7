//! How long a line waits: as long as its decision may be under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::follow::{Lab, NOW};
use super::*;
use crate::feed::{Feed as _, Found};
use crate::opa::{Group, RawGroup};
use crate::outbox::{Decisions, Finds, HowFar, Joining, Limits, ReceiveError, Report};
use crate::testing::{INSTANCE, ROUTE};
use crate::world::World as _;

#[test]
fn a_line_waits_while_its_decision_may_come_but_not_for_ever() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    lab.requests(&["a", "b"]);
    for now_ms in [NOW, NOW + 15_000, NOW + 299_999] {
        assert!(lab.read(now_ms).0.is_empty());
    }
    lab.told.tell("a", "d-a");
    assert_eq!(lab.read(NOW + 299_999).0, ["d-a"]);
    let (shown, found) = lab.read(NOW + 300_000);
    assert_eq!(shown, ["none"]);
    assert!(found.alarms[0].what.contains("1 waited settle_most_s = 300"), "{}", found.alarms[0].what);
    lab.requests(&["c"]);
    assert!(lab.read(NOW + 300_001).0.is_empty());
    lab.told.is_awaited.store(false, Ordering::Relaxed);
    let (shown, found) = lab.read(NOW + 315_001);
    assert_eq!(shown, ["none"], "nobody may have it any more");
    assert!(!found.alarms[0].what.contains("settle_most_s"), "{}", found.alarms[0].what);
    assert_eq!(found.heard[0].1["effects said before OPA was heard"], "1");
}

#[test]
fn what_comes_between_the_look_and_the_end_of_the_wait_is_found() {
    let mut lab = Lab::new();
    lab.requests(&["a"]);
    assert!(lab.read(NOW).0.is_empty());
    *lab.told.late.lock().unwrap() =
        Some(("a".to_owned(), crate::outbox::Decided { id: "d-a".to_owned(), ..Default::default() }));
    assert_eq!(lab.read(NOW + 15_000).0, ["d-a"]);
}

#[test]
fn where_no_opa_decides_nothing_waits() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    for more in ["decided_by = []", "settle_s = 0"] {
        let mut envoy = envoy(more);
        envoy.log = lab.envoy.log.clone();
        lab.envoy = Arc::new(envoy);
        lab.restart(None);
        lab.requests(&[more]);
        assert_eq!(lab.read(NOW).0.pop().as_deref(), Some("none"), "{more}");
    }
}

#[test]
fn a_log_was_come_to_the_end_of_only_when_all_of_it_was_read_and_handed_on() {
    let mut lab = Lab::new();
    let ids: Vec<String> = (0..1_200).map(|number| format!("r-{number}")).collect();
    lab.requests(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let reached_ms = |lab: &Lab| *lab.told.reached_ms.lock().unwrap();
    assert!(lab.read(NOW).1.more);
    assert_eq!(reached_ms(&lab), None, "not all of it is read");
    lab.read(NOW + 1_000);
    assert_eq!(reached_ms(&lab), Some(NOW), "the first lines wait for decisions that came since then");
    while lab.read(NOW + 16_000).1.more {}
    lab.read(NOW + 17_000);
    assert_eq!(reached_ms(&lab), Some(NOW + 17_000));
}

#[test]
fn a_log_that_is_not_there_holds_back_nothing_that_others_could_forget() {
    let mut lab = Lab::new();
    let reached_ms = |lab: &Lab| lab.told.reached_ms.lock().unwrap().take();
    lab.feed.read(NOW).unwrap_err();
    assert_eq!(reached_ms(&lab), Some(NOW));
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    lab.requests(&["a"]);
    lab.read(NOW + 1);
    std::fs::remove_file(lab.folder.path().join("access.jsonl")).unwrap();
    while lab.feed.read(NOW + 2).is_ok() {}
    lab.feed.read(NOW + 3).unwrap_err();
    assert_eq!(reached_ms(&lab), Some(NOW + 1), "but what its lines wait for");
}

#[test]
fn nothing_is_forgotten_while_a_decision_may_be_known_of_what_waits() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    let ids: Vec<String> = (0..1_001).map(|number| format!("r-{number}")).collect();
    lab.requests(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    lab.read(NOW);
    let place = lab.read(NOW).1.place;
    let reached_ms = |lab: &Lab| lab.told.reached_ms.lock().unwrap().take();
    assert_eq!(reached_ms(&lab), Some(NOW));
    lab.restart(place.as_deref());
    for round in 1..3 {
        lab.read(NOW + round);
        assert_eq!(reached_ms(&lab), None, "a thousand are looked at in a round");
    }
    lab.read(NOW + 3);
    assert_eq!(reached_ms(&lab), Some(NOW + 1));
    // What is read while nothing can be looked up may have a decision as well, of which nobody will tell.
    lab.told.tell("known", "d");
    lab.settle(NOW + 4);
    lab.told.is_broken.store(true, Ordering::Relaxed);
    lab.requests(&["known"]);
    let found = lab.feed.read(NOW + 5).unwrap();
    lab.keep(&found);
    assert_eq!((found.held.len(), reached_ms(&lab)), (1, None));
    lab.feed.settle(NOW + 5).unwrap_err();
    lab.told.is_broken.store(false, Ordering::Relaxed);
    let shown = [lab.read(NOW + 6).0, lab.read(NOW + 7).0].concat();
    assert_eq!(shown, ["d"]);
    lab.read(NOW + 8);
    assert_eq!(reached_ms(&lab), Some(NOW + 1));
}

/// A log that is followed beside a real outbox, to which an OPA uploads.
struct Site {
    lab: Lab,
    bench: crate::testing::Bench,
}

impl Site {
    /// An agent that was away: somebody uploaded to it before.
    fn after_an_outage() -> Self {
        let bench = crate::testing::Bench::new();
        bench.receive(&[crate::testing::event("before")]);
        bench.sign();
        let mut site = Self { lab: Lab::new(), bench };
        let group = Group::try_from(RawGroup::at(ROUTE)).unwrap();
        let envoy = Envoy::clone(&site.lab.envoy).beside(std::slice::from_ref(&group)).unwrap();
        let finders = vec![(ROUTE.to_owned(), Arc::new(group) as Arc<dyn Finds>)];
        let (keep, late_after) = (Duration::from_secs(900), envoy.settle);
        let joining = Joining { finders, readers: vec![envoy.route.clone()], keep, late_after };
        site.bench.shared.outbox.join(joining, site.bench.world.now_ms()).unwrap();
        site.lab.envoy = Arc::new(envoy);
        site.lab.feed = AccessLog::new(site.lab.envoy.clone());
        site.lab.feed.meet(Arc::clone(&site.bench.shared.outbox) as Arc<dyn Decisions>);
        site.lab.feed.resume(None).unwrap();
        site
    }

    /// OPA uploads the decision of a request, made some seconds ago; says whether it is kept.
    fn uploads(&self, request: &str, ago_s: u64, bytes: u64) -> bool {
        let mut event = crate::testing::event(&format!("d-{request}"));
        event["request_context"]["http"]["headers"] = json!({ "x-request-id": [request] });
        let time =
            jiff::Timestamp::from_millisecond((self.bench.world.now_ms() - ago_s * 1_000).try_into().unwrap()).unwrap();
        event["timestamp"] = time.to_string().into();
        event["path"] = "ledger/authz/decision".into();
        let fresh = |instance: &str| crate::names::Fresh { name: instance.to_owned(), predecessor: None };
        let (arrivals, limits) = ([crate::testing::arrival(&event)], Limits { bytes, streams: 8 });
        let taken = self.bench.shared.outbox.receive(ROUTE, &arrivals, limits, self.bench.world.now_ms(), &fresh);
        match taken {
            Ok(_) => true,
            Err(ReceiveError::Full { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn status(&self) {
        let fresh = |instance: &str| crate::names::Fresh { name: instance.to_owned(), predecessor: None };
        let counters = std::collections::BTreeMap::new();
        let report = Report { instance: INSTANCE, counters: &counters, arrivals: &[], memory: b"{}" };
        let limits = Limits { bytes: 1 << 30, streams: 8 };
        self.bench.shared.outbox.report(ROUTE, &report, limits, self.bench.world.now_ms(), &fresh).unwrap();
    }

    fn reads(&mut self) -> (Vec<String>, usize) {
        let now_ms = self.bench.world.now_ms();
        let found = self.lab.feed.read(now_ms).unwrap();
        self.keep(&found);
        let settled = self.lab.feed.settle(now_ms).unwrap();
        self.keep(&settled);
        let arrivals = [found.arrivals, settled.arrivals].concat();
        (self.lab.shown(&arrivals), found.alarms.len() + settled.alarms.len())
    }

    /// Keeps what waits.
    fn keep(&self, found: &Found) {
        let fresh = |instance: &str| crate::names::Fresh { name: instance.to_owned(), predecessor: None };
        let how_far = HowFar { of: "log", place: None, notes_of: "log", notes: &[], held: &found.held };
        let (route, limits) = (&self.lab.envoy.route, Limits { bytes: ROOM, streams: 8 });
        self.bench.shared.outbox.receive_read(route, &[], Some(how_far), limits, 0, &fresh).unwrap();
    }

    fn wind(&self, seconds: u64) {
        self.bench.world.wind(Duration::from_secs(seconds));
    }
}

const ROOM: u64 = 1 << 30;

#[test]
fn after_an_outage_of_the_agent_no_effect_is_said_before_opa_has_come_through() {
    let mut site = Site::after_an_outage();
    site.lab.requests(&["a", "bypass"]);
    assert_eq!(site.reads(), (vec![], 0));
    // OPA tries again after a while: longer than a decision takes as a rule.
    site.wind(60);
    assert_eq!(site.reads(), (vec![], 0), "nobody was heard yet");
    assert!(site.uploads("a", 60, ROOM));
    assert_eq!(site.reads(), (vec!["d-a".to_owned()], 0));
    site.wind(14);
    site.status();
    assert_eq!(site.reads(), (vec![], 0), "it brought an old decision and may have more of them");
    site.wind(1);
    site.status();
    assert_eq!(site.reads(), (vec!["none".to_owned()], 1), "it was in touch, and has brought none for a while");
}

#[test]
fn while_uploads_are_refused_nothing_is_said_that_they_would_belie() {
    let mut site = Site::after_an_outage();
    site.wind(60);
    assert!(site.uploads("early", 1, ROOM));
    site.lab.requests(&["a", "bypass"]);
    assert_eq!(site.reads(), (vec![], 0));
    for _ in 0..4 {
        site.wind(20);
        assert!(!site.uploads("a", 20, 0), "there is no room");
        site.status();
        assert_eq!(site.reads(), (vec![], 0), "its statuses do not say that it has come through");
    }
    site.wind(20);
    assert!(site.uploads("a", 100, ROOM));
    assert_eq!(site.reads(), (vec!["d-a".to_owned()], 0));
    site.wind(16);
    site.status();
    assert_eq!(site.reads(), (vec!["none".to_owned()], 1));
}

#[test]
fn an_opa_that_is_gone_is_waited_for_once() {
    let mut site = Site::after_an_outage();
    site.lab.requests(&["a"]);
    assert_eq!(site.reads(), (vec![], 0));
    site.wind(299);
    assert_eq!(site.reads(), (vec![], 0));
    site.wind(1);
    assert_eq!(site.reads(), (vec!["none".to_owned()], 1));
    site.lab.requests(&["b"]);
    assert_eq!(site.reads(), (vec![], 0));
    site.wind(15);
    assert_eq!(site.reads(), (vec!["none".to_owned()], 1), "it gave no sign of life");
}

#[test]
fn decisions_are_kept_until_the_log_was_read_up_to_them() {
    let mut site = Site::after_an_outage();
    assert!(site.uploads("a", 1, ROOM));
    // The log is full of other lines, or cannot be read, for longer than decisions are kept.
    site.wind(3_600);
    for number in 0..10 {
        assert!(site.uploads(&format!("other-{number}"), 1, ROOM));
    }
    site.lab.requests(&["a"]);
    assert_eq!(site.reads(), (vec!["d-a".to_owned()], 0));
    for number in 10..20 {
        assert!(site.uploads(&format!("other-{number}"), 1, ROOM));
    }
    let known = site.bench.shared.outbox.decisions_of(&["a"]).unwrap();
    assert!(known[0].is_empty(), "everything was looked at since");
}

//! Lines of the same bytes: each is an effect, and each is one.

use std::collections::BTreeSet;

use govlog_formats::digest::Digest;

use super::follow::{Lab, NOW};
use super::*;
use crate::outbox::Arrival;

/// Lines as they stand in a log in which some are the same: `a a b a c b`, then more than are remembered.
fn pieces() -> Vec<Vec<u8>> {
    let of = |id: &str| [line(&json!({"request_id": id})), b"\n".to_vec()].concat();
    let others = (0..20).map(|number| of(&format!("other-{number}")));
    ["a", "a", "b", "a", "c", "b", "-", "-"]
        .into_iter()
        .map(of)
        .chain(others)
        .chain(["a", "other-19"].map(of))
        .collect()
}

/// Makes every decision known, so that nothing waits.
fn decide(lab: &Lab) {
    for id in ["a", "b", "c"].map(str::to_owned).into_iter().chain((0..20).map(|number| format!("other-{number}"))) {
        lab.told.tell(&id, &format!("d-{id}"));
    }
}

fn named(lab: &Lab, arrivals: &[Arrival]) -> Vec<(String, [u8; 32])> {
    let name = |arrival: &Arrival| match lab.record(arrival) {
        Record::Effect(effect) => effect.body().text(&["source", "native_id"]).present().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    arrivals.iter().map(|arrival| (name(arrival), arrival.key)).collect()
}

#[test]
fn lines_of_the_same_bytes_are_as_many_effects_however_often_the_reading_is_cut() {
    let whole = {
        let mut lab = Lab::new();
        decide(&lab);
        lab.write(&pieces().concat());
        let found = lab.read(NOW).1;
        named(&lab, &found.arrivals)
    };
    assert_eq!(whole.len(), pieces().len());
    let names: Vec<&str> = whole.iter().map(|(name, _)| name.rsplit('/').next().unwrap()).collect();
    assert_eq!((names[1], names[3], names[5], names[7]), ("2", "3", "2", "2"));
    assert_eq!(whole.iter().map(|(_, key)| key).collect::<BTreeSet<_>>().len(), whole.len() - 1, "each is its own");
    assert_eq!(whole[0], whole[whole.len() - 2], "but for one that came again after all that is remembered");
    assert!(names[whole.len() - 1] == "2");
    // The same in another file, line by line, with a new process after each, and rotated in between.
    let (mut lab, mut cut) = (Lab::new(), Vec::new());
    decide(&lab);
    for (number, piece) in pieces().iter().enumerate() {
        if number == 3 {
            let path = lab.folder.path().join("access.jsonl");
            std::fs::rename(&path, path.with_extension("jsonl.1")).unwrap();
        }
        lab.write(piece);
        let found = lab.read(NOW).1;
        // A process that ends before what it found is kept changes nothing: the next one finds the same.
        cut.extend(named(&lab, &found.arrivals));
        lab.restart(found.place.as_deref());
    }
    assert_eq!(cut, whole);
}

#[test]
fn a_log_that_is_read_anew_gives_the_same_effects() {
    let mut lab = Lab::new();
    decide(&lab);
    lab.write(&pieces().concat());
    let first = lab.read(NOW).1;
    lab.restart(None);
    assert_eq!(lab.read(NOW).1.arrivals, first.arrivals, "its place is not known any more");
    // Another file of the same name with the same lines in it: what was read is gone, and these may be the same.
    lab.restart(first.place.as_deref());
    let path = lab.folder.path().join("access.jsonl");
    std::fs::write(path.with_extension("new"), pieces().concat()).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
    let found = lab.read(NOW).1;
    assert_eq!(lab.shown(&found.arrivals[..1]), ["gap"]);
    assert_eq!(found.arrivals[1..], first.arrivals[..]);
}

#[test]
fn what_an_older_version_held_keeps_its_name() {
    let old: Known = serde_json::from_str(r#"{"decisions":[],"at":"7:300"}"#).unwrap();
    let bytes = line(&json!({"request_id": null}));
    let envoy = envoy("");
    let read = crate::envoy::line::Line::read(&bytes, &envoy.names).unwrap();
    assert!(old.native_id(&read, &Digest::sha256(&bytes)).starts_with("7:300/"));
    let new = Known { at: None, ..old };
    assert_eq!(serde_json::to_string(&new).unwrap(), r#"{"decisions":[]}"#);
}

//! Uploads that are damaged, huge, or never end: each is kept as a quarantine, honest uploads go on, and memory stays bounded.

use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::agent::{QUICK, captured_groups};
use harness::http::{connect, read_answer};
use harness::network::Plan;
use harness::opa::Heard;
use harness::upload::{Upload, captured, pack};
use harness::wait::{SOON, until};
use harness::{Client, Opa};

use super::{Scene, one_source};
use crate::NODE;

/// What the agent may take at the most, whatever comes, in KiB.
const MOST_KIB: u64 = 400 * 1024;

/// The longest that an honest upload may take while others misbehave.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is no event and never will be.
struct Hostile {
    what: &'static str,
    body: Vec<u8>,
    /// What the opening store must have of it; nothing of what is longer than anybody keeps.
    kept: Option<Vec<u8>>,
}

/// Bodies of which no element can be read.
fn whole() -> Vec<Hostile> {
    let honest = captured("a").remove(4);
    let text = honest.text();
    let mut twisted = honest.body.clone();
    let middle = twisted.len() / 2;
    twisted[middle] ^= 0x55;
    let bodies = [
        ("cut off", honest.body[..honest.body.len() / 2].to_vec()),
        ("twisted", twisted),
        // Members of 16 MiB each: a gibibyte.
        ("a bomb", pack(&vec![b' '; 16 << 20]).repeat(64)),
        ("followed by something", [honest.body.as_slice(), b"more"].concat()),
        ("a million elements", pack(array_of(1_000_000, "0").as_bytes())),
        ("a million events", pack(array_of(1_000_000, "{}").as_bytes())),
        ("deep", pack("[".repeat(4_000_000).as_bytes())),
        ("a control character", pack(text.replacen("ledger", "l\u{7}dger", 1).as_bytes())),
        ("not UTF-8", pack(&[text.as_bytes(), b"\xff"].concat())),
        ("not packed", b"decision=allow".to_vec()),
        ("no array", pack(b"{}")),
        ("two arrays", pack(b"[][]")),
        ("nothing", Vec::new()),
    ];
    bodies.into_iter().map(|(what, body)| Hostile { what, kept: Some(body.clone()), body }).collect()
}

/// Uploads of one event that cannot be read.
fn of_one_event() -> Vec<Hostile> {
    let values: Vec<_> = captured("a")[4].derived(1_000).events().into_iter().map(|event| event.value).collect();
    let event = serde_json::to_string(&values[0]).unwrap();
    let with = |inside: &str| event.replacen("\"path\":", &format!("\"x\":{inside},\"path\":"), 1);
    let events = [
        ("a deep event", with(&format!("{}{}", "[".repeat(100), "]".repeat(100)))),
        ("a long event", with(&format!("\"{}\"", "x".repeat(10_000_000)))),
        ("an event without an id", event.replacen("decision_id", "decision", 1)),
        ("half a pair", with("\"\\ud800\"")),
        ("a member twice", event.replacen("\"path\":", "\"path\":\"other\",\"path\":", 1)),
    ];
    let hostile = |(what, event): (_, String)| {
        let body = pack(format!("[{event}]").as_bytes());
        Hostile { what, body, kept: Some(event.into_bytes()) }
    };
    events.into_iter().map(hostile).collect()
}

fn array_of(count: usize, element: &str) -> String {
    format!("[{}]", vec![element; count].join(","))
}

/// An honest upload, which nobody keeps waiting.
fn serve(scene: &Scene, opa: &mut Opa) {
    let begun = Instant::now();
    let heard = opa.step(&mut scene.agent.client().patient_for(PATIENCE)).unwrap();
    assert_eq!(heard, Heard::Taken, "an honest source was not heard after {:?}", begun.elapsed());
}

/// The agent is well, and never took more than it may.
fn unharmed(mut scene: Scene, peak_before: u64) {
    let peak = scene.agent.process().peak_kib();
    assert!(peak < MOST_KIB, "{peak_before} KiB were taken before, {peak} KiB since");
    scene.agent.stop();
}

#[test]
fn what_cannot_be_read_is_kept_and_honest_uploads_go_on() {
    let mut scene = Scene::new(Plan::new(NODE));
    scene.start();
    let mut sources = one_source(13);
    scene.upload(&mut sources, 3);
    let before = scene.agent.process().peak_kib();
    let mut hostile: Vec<Hostile> = whole().into_iter().chain(of_one_event()).collect();
    hostile.push(Hostile { what: "longer than what is kept", body: vec![b'['; 20 << 20], kept: None });
    let headers = captured("a").remove(0).headers;

    let (next, agent) = (AtomicUsize::new(0), scene.agent.address());
    let attack = || {
        // Each of them twice.
        while let Some(one) = hostile.get(next.fetch_add(1, Ordering::Relaxed) / 2) {
            let upload = Upload { path: "/a/v1/logs".into(), headers: headers.clone(), body: one.body.clone() };
            let answer = upload.post(&mut Client::new(agent)).unwrap();
            // Anything else, and OPA would send it for ever.
            assert_eq!(answer.status, 200, "{}: {}", one.what, answer.text());
        }
    };
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..3).map(|_| scope.spawn(attack)).collect();
        while attackers.iter().any(|attacker| !attacker.is_finished()) {
            serve(&scene, &mut sources.0[0]);
        }
    });
    sources.0[0].settle(&mut scene.agent.client()).unwrap();

    let recorded = scene.all_logged(&sources);
    let quarantined = recorded.quarantined(&scene.openings()).unwrap();
    for one in &hostile {
        let found = quarantined.iter().filter(|(_, kept)| *kept == one.kept).count();
        assert_eq!(found, 1, "{}", one.what);
    }
    assert_eq!(quarantined.len(), hostile.len());
    unharmed(scene, before);
}

/// Bodies that come a byte at a time are given up; that is no upload, and nothing is kept of it.
#[test]
fn dribbled_bodies_are_given_up() {
    let tables = format!("{QUICK}{}[limits]\nbody_timeout_s = 2\n", captured_groups());
    let mut scene = Scene::with(Plan::new(NODE), &tables);
    scene.start();
    let mut sources = one_source(14);
    scene.upload(&mut sources, 3);
    let before = scene.agent.process().peak_kib();
    let mut slow: Vec<_> = (0..60).map(|_| connect(scene.agent.address(), SOON).unwrap()).collect();
    for connection in &mut slow {
        let head = "POST /a/v1/logs HTTP/1.1\r\nhost: agent\r\ncontent-length: 1000000\r\n\r\n";
        connection.get_mut().write_all(head.as_bytes()).unwrap();
    }
    let (begun, mut answers) = (Instant::now(), Vec::new());
    until("dribbled bodies to be given up", SOON, || {
        serve(&scene, &mut sources.0[0]);
        slow.retain_mut(|connection| {
            // One byte at a time, each a little after the last, until there is an answer.
            let stream = connection.get_mut();
            let is_open = stream.write_all(b"[").is_ok();
            stream.set_nonblocking(true).unwrap();
            let is_silent = stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            stream.set_nonblocking(false).unwrap();
            let goes_on = is_open && is_silent;
            if !goes_on {
                answers.push(read_answer(connection, false).map(|answer| answer.status));
            }
            goes_on
        });
        slow.is_empty().then_some(())
    });
    assert!(begun.elapsed() >= Duration::from_secs(1), "they were given no time");
    // A reset may have overtaken the answer.
    assert!(answers.iter().all(|answer| !matches!(answer, Ok(status) if *status != 408)), "{answers:?}");
    sources.0[0].settle(&mut scene.agent.client()).unwrap();
    assert!(scene.all_logged(&sources).quarantines.is_empty());
    unharmed(scene, before);
}

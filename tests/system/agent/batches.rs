//! Permits in batches: few entries, every decision still provable by itself, offline, to somebody who has no opening store.

use std::os::unix::fs::MetadataExt as _;

use govlog_formats::digest::Digest;
use harness::agent::{QUICK, QUICK_BATCHED, captured_groups};
use harness::network::Plan;
use harness::opa::Sources;
use harness::upload::{Upload, captured};
use harness::wait::SOON;
use serde_json::Value;

use super::{Scene, one_source};
use crate::NODE;

fn batched(tables: &str) -> Scene {
    Scene::with(Plan::new(NODE).witnesses(3, 2), &(tables.to_owned() + &captured_groups()))
}

/// Fetches the entry with this leaf hash.
fn fetch(scene: &Scene, leaf: &Digest) -> std::path::PathBuf {
    let checked = harness::check::log(&scene.network.log, &harness::Ledger::default()).unwrap();
    let index = checked.entries.iter().position(|entry| govlog_formats::merkle::leaf_hash(entry) == *leaf).unwrap();
    let file = scene.agent.dir.join(format!("1.{index}.cose"));
    let got = scene.agent.reader.run(&[
        "get",
        "--log",
        &scene.network.log.url(),
        &format!("1.{index}"),
        "--out",
        file.to_str().unwrap(),
    ]);
    got.expect(0);
    scene.agent.reader.update(&scene.network.log.url()).expect(0);
    file
}

#[test]
fn the_capture_becomes_fewer_entries_and_every_decision_is_recorded_once() {
    let mut scene = batched(QUICK_BATCHED);
    scene.start();
    let mut sources = Sources::captured(1);
    scene.upload_capture(&mut sources);
    let recorded = scene.all_logged(&sources);
    assert_eq!(recorded.decisions.len(), 591);
    let (members, alone): (Vec<_>, Vec<_>) = recorded.decisions.values().flatten().partition(|entry| entry.is_member());
    assert!(members.iter().all(|entry| entry.record.result().present().unwrap().as_str() == "permit"));
    let others = alone.iter().filter(|entry| entry.record.result().present().unwrap().as_str() != "permit").count();
    assert_eq!(others, 234 + 12 + 9, "every deny, error and not-evaluated is an entry of its own");
    assert!(
        members.len() > 100 && recorded.batches.len() < members.len() / 2,
        "{} in {}",
        members.len(),
        recorded.batches.len()
    );
    // A rule in each stream that has batches, and no stream says it twice.
    let mut streams: Vec<&str> = recorded.rules.iter().map(|rule| rule.stream.as_str()).collect();
    streams.sort_unstable();
    streams.dedup();
    assert_eq!(streams.len(), recorded.rules.len());
    scene.agent.reader.trusting(&["audit", "--structure", "--log", &scene.network.log.url()]).expect(0);
    scene.agent.stop();
}

#[test]
fn any_decision_of_a_batch_is_proved_offline_and_a_changed_one_is_not() {
    let mut scene = batched(QUICK_BATCHED);
    scene.start();
    let mut sources = one_source(1);
    scene.upload(&mut sources, 3);
    let recorded = scene.all_logged(&sources);
    let (id, entry) = recorded.decisions.iter().find(|(_, found)| found[0].is_member()).unwrap();
    let batch = fetch(&scene, &entry[0].leaf);
    let openings = scene.openings();
    let member = scene.agent.dir.join("one.member");
    let identity = scene.agent.dir.join("openings.key");
    let (reader, store, identity) = (&scene.agent.reader, openings.to_str().unwrap(), identity.to_str().unwrap());
    let prove = |arguments: &[&str]| {
        let fixed = ["batch", "prove", "--openings", store, "--identity", identity, "--out", member.to_str().unwrap()];
        reader.run(&[&fixed[..], &[batch.to_str().unwrap()], arguments].concat())
    };
    prove(&["--decision", "no-such-decision"]).expect(5);
    prove(&["--index", "99999"]).expect(2);
    prove(&["--decision", &id.1]).expect(0);
    // The decision stands in it, which not even the log has.
    assert_eq!(std::fs::metadata(&member).unwrap().mode() & 0o777, 0o600);
    let check = ["batch", "check", "--openings", store, "--identity", identity, batch.to_str().unwrap()];
    reader.trusting(&check).expect(0);
    scene.agent.stop();
    scene.network.log.kill();
    // From here on only the two files and the trust directory: nobody else is there.
    std::fs::rename(&openings, scene.agent.dir.join("gone")).unwrap();
    let judged = scene.agent.reader.verify(&[&member, &batch]);
    judged.expect(0);
    assert!(judged.stdout.contains("VERIFIED") && judged.stdout.contains("in the decision-batch"), "{}", judged.stdout);
    assert!(judged.stdout.contains(&id.1) && judged.stdout.contains("of 3 witnesses cosigned"), "{}", judged.stdout);
    scene.agent.reader.verify(&[&member]).expect(3);
    let good = std::fs::read(&member).unwrap();
    for at in (0..good.len()).step_by(37) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&member, bad).unwrap();
        let judged = scene.agent.reader.verify(&[&member, &batch]);
        // What names another batch cannot be judged; everything else is refuted.
        assert!(matches!(judged.code(), Some(1 | 3)), "byte {at}: {}", judged.stdout);
    }
}

#[test]
fn a_decision_in_a_batch_belongs_to_its_matter_where_what_opens_it_is_at_hand() {
    let mut scene = batched(QUICK_BATCHED);
    scene.start();
    let mut sources = one_source(1);
    scene.upload(&mut sources, 3);
    let recorded = scene.all_logged(&sources);
    let (id, _) = recorded.decisions.iter().find(|(_, found)| found[0].is_member()).unwrap();
    let (log, openings) = (scene.network.log.url(), scene.openings());
    let identity = scene.agent.dir.join("openings.key");
    let (reader, dir) = (scene.agent.reader.clone(), scene.agent.dir.clone());
    reader.update(&log).expect(0);
    let file = |name: &str| dir.join(name).display().to_string();
    let export = |out: &str, more: &[&str]| {
        let fixed = ["custody", "export", "--log", &log, "--decision", &id.1, "--out", out];
        reader.trusting(&[&fixed[..], more].concat())
    };
    let with = ["--openings", openings.to_str().unwrap(), "--identity", identity.to_str().unwrap()];
    export(&file("none.zip"), &[]).expect(5);
    export(&file("index.zip"), &with).expect(0);
    export(&file("scan.zip"), &[&with[..], &["--complete"]].concat()).expect(0);
    scene.agent.stop();
    scene.network.log.kill();
    std::fs::rename(&openings, dir.join("gone")).unwrap();
    for name in ["index.zip", "scan.zip"] {
        let judged = reader.trusting(&["--json", "custody", "verify", &file(name)]);
        judged.expect(0);
        let judged: Value = serde_json::from_str(&judged.stdout).unwrap();
        let start = judged["starts"][0].as_str().unwrap();
        let entries = judged["entries"].as_array().unwrap();
        let member = entries.iter().find(|entry| entry["id"] == start).unwrap();
        assert!(start.contains('#') && member["kind"] == "decision", "{member}");
        assert!(entries.iter().any(|entry| entry["id"] == member["batch"]), "its batch is there, too");
    }
    let entries = |name: &str| {
        let bytes = std::fs::read(file(name)).unwrap();
        govlog_client::custody::diff(&bytes, &std::fs::read(file("index.zip")).unwrap()).unwrap()
    };
    assert!(
        entries("scan.zip").added.is_empty() && entries("scan.zip").removed.is_empty(),
        "an index leads to the same"
    );
}

/// An upload of so many permits: one of the capture's, under other ids.
fn permits(round: u64, count: usize) -> Upload {
    let model = &captured("a")[0];
    let permit = captured("a")
        .iter()
        .flat_map(Upload::events)
        .find(|event| event.value["result"]["allow"] == true)
        .unwrap()
        .value;
    let events: Vec<Value> = (0..count)
        .map(|n| {
            let mut event = permit.clone();
            event["decision_id"] = format!("{round:08}-0000-4000-8000-{n:012}").into();
            event
        })
        .collect();
    Upload::of_values(&model.path, &events)
}

/// What a second's permits come to: one entry, whoever many they are.
#[test]
fn many_permits_become_few_entries() {
    let mut scene = batched(&QUICK.replace("batch = \"none\"", "window_ms = 500"));
    scene.start();
    let (uploads, each) = (8, 250);
    let mut client = scene.agent.client();
    for round in 0..uploads {
        let answer = permits(round, each).post(&mut client).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    scene.agent.drained(3 * SOON);
    let recorded = scene.recorded();
    assert_eq!(recorded.decisions.len(), 8 * each);
    assert!(recorded.batches.len() <= 40, "{} batches", recorded.batches.len());
    assert!(recorded.decisions.values().all(|found| found.len() == 1 && found[0].is_member()));
    assert_eq!(scene.agent.metric("govlog_agent_published_events_total"), u64::try_from(8 * each).unwrap());
    scene.agent.stop();
}

//! What sources may say, and what the agent makes of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::agent::{ENVOY, QUICK, alarm, captured_groups, group};
use harness::network::Plan;
use harness::opa::Sources;
use harness::process::Ended;
use harness::reader::Reader;
use harness::upload::{Event, Upload, captured};
use harness::wait::SOON;
use serde_json::Value;

use super::Scene;
use crate::NODE;

const XFCC: &str = "x-forwarded-client-cert";

fn post(scene: &Scene, upload: &Upload) {
    let answer = upload.post(&mut scene.agent.client()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// An upload of another round, with all of its proxy headers replaced.
fn forged(upload: &Upload, round: u64, header: &str) -> Upload {
    let mut events: Vec<Value> = upload.derived(round).events().into_iter().map(|event| event.value).collect();
    for event in &mut events {
        let values = &mut event["request_context"]["http"]["headers"][XFCC];
        assert!(values.is_array(), "the capture has no such header");
        *values = Value::from(vec![header]);
    }
    Upload::of_values(&upload.path, &events)
}

/// The header is believed where the operator said whose, and nowhere else; the decision is recorded in any case.
#[test]
fn only_the_named_proxys_header_links_a_decision() {
    let other = "spiffe://prod.example/pep/other";
    let groups = group("/trusted", &[ENVOY]) + &group("/nobody", &[]) + &group("/other", &[other]);
    let mut scene = Scene::with(Plan::new(NODE), &(QUICK.to_owned() + &groups));
    scene.start();
    let upload = &captured("a")[3];
    let header = |by: &str| format!("By={by};Hash={};URI=spiffe://prod.example/pay", "ab".repeat(32));
    let uploads = [
        ("trusted", upload.derived(1), true),
        ("nobody", upload.derived(2), false),
        ("other", upload.derived(4), false),
        // Through the right door, but nobody's header that is believed there; and one where only the last element counts.
        ("trusted", forged(upload, 5, &header(other)), false),
        ("trusted", forged(upload, 7, &format!("{},{}", header(ENVOY), header(other))), false),
        ("trusted", forged(upload, 8, &format!("{},{}", header(other), header(ENVOY))), true),
        ("trusted", forged(upload, 10, "By=;Hash=;;"), false),
    ];
    for (prefix, upload, _) in &uploads {
        post(&scene, &upload.to(&format!("/{prefix}/logs")));
    }
    scene.agent.drained(SOON);
    let recorded = scene.recorded();
    for (prefix, upload, is_linked) in &uploads {
        for Event { id, .. } in upload.events() {
            let [entry] = recorded.decisions[&id].as_slice() else { panic!("{id:?} is logged more than once") };
            let links = entry.record.body().links();
            assert_eq!(links.len(), usize::from(*is_linked), "{prefix}: {links:?}");
            assert_eq!(entry.record.credential().present().is_some(), *is_linked, "{prefix}");
        }
    }
    let events = upload.events().len() as u64;
    let ignored = |why: &str| scene.agent.metric(&format!("govlog_agent_headers_ignored_total{{why=\"{why}\"}}"));
    assert_eq!(ignored("not-trusted"), 3 * events);
    assert_eq!(ignored("malformed"), events);
    scene.agent.stop();
}

/// The same id with other content: somebody changed an event, or two instances share an id. Both are kept, and somebody is told.
#[test]
fn other_content_under_a_known_id_is_kept_and_told() {
    let mut scene = Scene::new(Plan::new(NODE));
    scene.start();
    let upload = captured("b").remove(2);
    let events = upload.events();
    post(&scene, &upload);
    // As it was: no conflict, whether it is published by now or not.
    post(&scene, &upload);
    let mut changed = events[0].value.clone();
    changed["result"]["allow"] = Value::Bool(!changed["result"]["allow"].as_bool().unwrap());
    let conflicting = Upload::of_values(&upload.path, std::slice::from_ref(&changed));
    post(&scene, &conflicting);
    assert_eq!(scene.agent.metric(&alarm("conflict")), 1);
    // Kept once, too.
    post(&scene, &conflicting);
    scene.agent.drained(SOON);
    post(&scene, &conflicting);
    assert_eq!(scene.agent.metric(&alarm("conflict")), 1);

    let sent = events.iter().map(|event| (event.id.clone(), event.value.clone())).collect();
    scene.agent.drained(SOON);
    let recorded = scene.recorded();
    recorded.is_exactly(&sent).unwrap();
    recorded.open(&scene.openings(), &sent).unwrap();
    let quarantined = recorded.quarantined(&scene.openings()).unwrap();
    let [(reason, Some(input))] = quarantined.as_slice() else { panic!("{quarantined:?}") };
    assert!(reason.contains("other content"), "{reason}");
    assert_eq!(serde_json::from_slice::<Value>(input).unwrap(), changed);
    scene.agent.stop();
}

/// What was refused names itself.
fn wrong(ended: &Ended, what: &str) {
    ended.expect(1);
    let line = ended.stdout.lines().find(|line| line.starts_with("WRONG"));
    assert!(line.is_some_and(|line| line.contains(what)), "{what} is not named: {}", ended.stdout);
}

#[test]
fn the_check_finds_what_is_wrong() {
    let mut scene = Scene::unadmitted(Plan::new(NODE).witnesses(1, 1), &(QUICK.to_owned() + &captured_groups()));
    let url = scene.network.log.url();
    wrong(&scene.agent.check(), "admission:");
    scene.admit();
    // Admitted, but the trust directory has not heard of it.
    wrong(&scene.agent.check(), "admission:");
    scene.agent.reader.update(&url).expect(0);
    let well = scene.agent.check();
    well.expect(0);
    assert!(!well.stdout.contains("WRONG"), "{}", well.stdout);
    assert!(!scene.outbox().exists() && !scene.openings().exists(), "a check changes nothing");

    let key = scene.agent.dir.join("agent.key");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&key, 0o644);
    wrong(&scene.agent.check(), "key:");
    mode(&key, 0o600);

    let trust = scene.agent.dir.join("trust");
    let away = scene.agent.dir.join("away");
    std::fs::rename(&trust, &away).unwrap();
    wrong(&scene.agent.check(), "trust:");
    // That of another log of the same name.
    let other = Plan::new(NODE).start();
    harness::network::copy_dir(&Reader::of(&other, "trust").trust, &trust);
    let ended = scene.agent.check();
    ended.expect(1);
    assert!(ended.stdout.contains("\nWRONG  log:"), "{}", ended.stdout);
    std::fs::remove_dir_all(&trust).unwrap();
    std::fs::rename(&away, &trust).unwrap();
    scene.agent.check().expect(0);

    // One that runs holds its outbox, which is well.
    scene.start();
    let mut sources = Sources::captured(9);
    scene.upload(&mut sources, 1);
    scene.all_logged(&sources);
    scene.agent.check().expect(0);
    mode(&scene.openings(), 0o755);
    wrong(&scene.agent.check(), "opening store:");
    mode(&scene.openings(), 0o700);
    scene.agent.stop();
    scene.network.log.kill();
    wrong(&scene.agent.check(), "log:");
}

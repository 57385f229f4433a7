//! A step fails and the process lives: it says that it does not know what is on disk and ends, or turns the source away.

use std::time::Duration;

use harness::network::Plan;
use harness::opa::{Heard, Sources};
use harness::wait::SOON;
use harness::{Faults, Opa};

use super::Scene;
use super::kill::POINTS;
use crate::NODE;

/// What the agent exits with when a start must find out what is on disk.
const POISONED: i32 = 70;

fn scene() -> (Scene, Sources) {
    (Scene::new(Plan::new(NODE)), Sources::captured(15))
}

/// Everything is as if the step had not failed.
fn recovers(mut scene: Scene, mut sources: Sources) {
    scene.start();
    sources.settle(scene.agent.address()).unwrap();
    scene.upload(&mut sources, 2);
    scene.all_logged(&sources);
    scene.agent.stop();
}

/// An upload that was not kept, or was and nobody knows, comes again: the agent goes on.
#[test]
fn an_upload_that_fails_comes_again() {
    for point in &POINTS[..2] {
        let (mut scene, mut sources) = scene();
        scene.agent.start(&Faults::none().and(point, "2*off->3*return(error)->off"));
        let mut turned_away = 0;
        let opa: &mut Opa = &mut sources.0[0];
        while opa.begun() < 8 {
            let heard = opa.step(&mut scene.agent.client()).unwrap();
            assert_ne!(heard, Heard::Silence, "{point}");
            turned_away += usize::from(heard == Heard::Busy);
        }
        assert_eq!(turned_away, 3, "{point}");
        opa.settle(&mut scene.agent.client()).unwrap();
        scene.all_logged(&sources);
        scene.agent.stop();
        recovers(scene, sources);
    }
}

/// A station that fails ends the agent, which says where.
#[test]
fn a_station_that_fails_ends_the_agent() {
    for point in &POINTS[2..] {
        let (mut scene, mut sources) = scene();
        scene.agent.start(&Faults::error(point, 2));
        let uploaded = sources.upload(scene.agent.address(), || scene.agent.is_running());
        uploaded.unwrap();
        let ended = scene.agent.ended(SOON);
        assert_eq!(ended.code(), Some(POISONED), "{point}: {} {}", ended.status, ended.stderr);
        assert!(ended.stderr.contains(point), "the message does not name the step: {}", ended.stderr);
        recovers(scene, sources);
    }
}

/// Two agents on one outbox would sign two histories.
#[test]
fn a_second_agent_on_the_same_outbox_is_refused() {
    let (mut scene, mut sources) = scene();
    scene.start();
    let second = scene.agent.launch(&Faults::none()).start().ended(Duration::from_secs(10));
    assert_eq!(second.code(), Some(1), "{} {}", second.status, second.stderr);
    assert!(second.stderr.contains("another govlog-agent is using it"), "{}", second.stderr);
    scene.upload(&mut sources, 2);
    scene.all_logged(&sources);
    scene.agent.stop();
}

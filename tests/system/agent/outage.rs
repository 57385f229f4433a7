//! The log is away, or cannot publish, or refuses: sources are answered all the same, and nothing is let go of.

use std::net::TcpListener;
use std::time::Duration;

use harness::agent::{COMMITTED, PUBLISHED, QUICK, SIGNED, WAITING, alarm, captured_groups};
use harness::network::Plan;
use harness::opa::{Heard, Sources};
use harness::wait::{SOON, until};
use harness::witness::Witness;
use harness::{Faults, Opa};

use super::{Scene, one_source};
use crate::NODE;

/// What was captured: events that are not the same.
const CAPTURED: u64 = 591;

#[test]
fn uploads_are_taken_while_the_log_is_down() {
    let mut scene = Scene::new(Plan::new(NODE));
    scene.network.log.kill();
    scene.start();
    let mut sources = Sources::captured(2);
    scene.upload_capture(&mut sources);
    // All of it, and what the streams say of themselves.
    let streams = 2;
    scene.agent.metric_until(SIGNED, SOON, |signed| signed == CAPTURED + streams);
    assert_eq!(scene.agent.metric(WAITING), 0);
    scene.agent.metric_until("govlog_agent_log_unreachable_total", SOON, |times| times >= 2);
    assert_eq!(scene.agent.metric(COMMITTED), 0);
    scene.agent.ready();

    // A start in the outage finds all of it again.
    scene.agent.kill();
    scene.start();
    assert_eq!(scene.agent.depth(), (0, CAPTURED + streams));
    scene.start_log();
    let recorded = scene.all_logged(&sources);
    assert_eq!(recorded.decisions.len() as u64, CAPTURED);
    assert_eq!(scene.agent.metric(PUBLISHED), CAPTURED + streams);
    scene.agent.stop();
}

/// What is committed can still be lost with the log's disk: until witnesses vouch for it the outbox keeps it.
#[test]
fn nothing_is_deleted_before_it_is_published() {
    let mut scene = Scene::new(Plan::new(NODE).witnesses(3, 2));
    scene.start();
    scene.network.witnesses[..2].iter_mut().for_each(Witness::kill);
    let mut sources = Sources::captured(3);
    scene.upload_capture(&mut sources);
    let all = CAPTURED + 2;
    scene.agent.metric_until(COMMITTED, SOON, |committed| committed == all);
    assert_eq!(scene.agent.depth(), (0, all));
    assert_eq!(scene.agent.metric(PUBLISHED), 0);
    let stored: Vec<_> = std::fs::read_dir(scene.openings()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(stored, ["store.toml"], "openings are stored before their time");

    // Neither does a start make it forget.
    scene.agent.kill();
    scene.start();
    scene.agent.metric_until(COMMITTED, SOON, |committed| committed == all);
    assert_eq!(scene.agent.depth(), (0, all));
    scene.network.witnesses[..2].iter_mut().for_each(Witness::start);
    scene.all_logged(&sources);
    assert_eq!(scene.agent.metric(PUBLISHED), all);
    scene.agent.stop();
}

#[test]
fn a_full_outbox_turns_sources_away_until_it_is_drained() {
    let tables = format!("{QUICK}{}[limits]\noutbox_mib = 1\nunpacked_mib = 1\nevent_mib = 1\n", captured_groups());
    let mut scene = Scene::with(Plan::new(NODE), &tables);
    scene.network.log.kill();
    scene.start();
    let mut sources = one_source(4);
    let opa: &mut Opa = &mut sources.0[0];
    let mut client = scene.agent.client();
    let turned_away = until("a full outbox", SOON, || match opa.step(&mut client).unwrap() {
        Heard::Busy => Some(opa.begun()),
        Heard::Taken => None,
        Heard::Silence => panic!("the agent did not answer"),
    });
    // It stays full, and says so, and the source keeps what it has.
    assert!(scene.agent.metric("govlog_agent_outbox_bytes") > 1 << 19);
    assert_eq!(opa.step(&mut client).unwrap(), Heard::Busy);
    assert_eq!(opa.begun(), turned_away);
    assert!(scene.agent.metric("govlog_agent_uploads_total{route=\"/a/v1\",status=\"503\"}") >= 2);

    scene.start_log();
    opa.settle(&mut client).unwrap();
    scene.upload(&mut sources, 3);
    scene.all_logged(&sources);
    scene.agent.stop();
}

/// A 403 can be mended: the stream is held, somebody is told, and it goes on by itself when the issuer is admitted.
#[test]
fn an_agent_that_is_not_admitted_waits_for_it() {
    let tables = QUICK.to_owned() + &captured_groups();
    let mut scene = Scene::unadmitted(Plan::new(NODE), &tables);
    scene.start();
    let mut sources = Sources::captured(5);
    scene.upload_capture(&mut sources);
    scene.agent.metric_until(&alarm("forbidden"), SOON, |times| times >= 2);
    scene.agent.metric_until("govlog_agent_streams_held", SOON, |held| held == 2);
    scene.agent.metric_until(SIGNED, SOON, |signed| signed == CAPTURED + 2);
    assert_eq!(scene.agent.metric(COMMITTED), 0);
    assert!(scene.recorded().decisions.is_empty());

    scene.admit();
    let recorded = scene.all_logged(&sources);
    assert!(recorded.quarantines.is_empty(), "what was refused for a while is no quarantine");
    assert_eq!(scene.agent.metric("govlog_agent_streams_held"), 0);
    scene.agent.stop();
}

/// With default settings, which wait longer: a log that is away keeps nobody from ending.
#[test]
fn sigterm_ends_it_while_the_log_is_away() {
    let mut scene = Scene::with(Plan::new(NODE), &captured_groups());
    scene.network.log.kill();
    scene.start();
    let mut sources = one_source(6);
    scene.upload(&mut sources, 5);
    scene.agent.metric_until("govlog_agent_log_unreachable_total", SOON, |times| times >= 2);
    // Within 10 s, and well.
    scene.agent.stop();
    scene.start_log();
    scene.start();
    scene.all_logged(&sources);
    scene.agent.stop();
}

/// Worse than a log that is away is one that takes connections and never answers.
#[test]
fn sigterm_ends_it_while_the_log_is_silent() {
    let mut scene = Scene::with(Plan::new(NODE), &captured_groups());
    scene.network.log.kill();
    let silent = TcpListener::bind(scene.network.log.address()).unwrap();
    scene.start();
    let mut sources = one_source(7);
    scene.upload(&mut sources, 5);
    silent.set_nonblocking(true).unwrap();
    let connection = until("the agent to turn to the log", SOON, || silent.accept().ok());
    scene.agent.stop();
    drop((connection, silent));
    scene.start_log();
    scene.start();
    scene.all_logged(&sources);
    scene.agent.stop();
}

/// What a start meets that is killed over and over is found whole by the last one: nothing but starts, and a backlog.
#[test]
fn a_backlog_survives_starts_that_die() {
    let mut scene = Scene::new(Plan::new(NODE));
    scene.network.log.kill();
    scene.start();
    let mut sources = one_source(8);
    scene.upload(&mut sources, 10);
    scene.agent.kill();
    for milliseconds in (0..60).step_by(4) {
        scene.agent.kill_while_starting(Duration::from_millis(milliseconds));
    }
    scene.agent.start(&Faults::none());
    scene.start_log();
    scene.all_logged(&sources);
    scene.agent.stop();
}

//! The agent's memory is lost, or is an old one: it goes on in a new stream, and nothing that is newer is lost.

use std::path::Path;

use harness::Faults;
use harness::agent::{SIGNED, alarm};
use harness::network::{Plan, copy_dir, replace_dir};
use harness::wait::SOON;

use super::{Scene, one_source};
use crate::NODE;

/// Which stream carried the events last is kept beside the key as well.
#[test]
fn without_its_outbox_it_begins_a_new_stream_that_names_the_old_one() {
    let (scene, first) = without_outbox(false);
    let recorded = scene.recorded();
    let opened = recorded.opened_streams();
    let [(_, one, None), (_, other, Some(predecessor))] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!((one, predecessor), (other, &first));
}

#[test]
fn without_anything_but_its_key_it_begins_a_new_stream() {
    let (scene, first) = without_outbox(true);
    let recorded = scene.recorded();
    let opened = recorded.opened_streams();
    let [(_, one, None), (second, other, None)] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!(one, other);
    assert_ne!(*second, first);
}

/// An agent that has lost its outbox, and what it kept beside its key too, and has worked since; and its first stream.
fn without_outbox(nor_names: bool) -> (Scene, String) {
    let mut scene = Scene::new(Plan::new(NODE).witnesses(1, 1));
    scene.start();
    let mut sources = one_source(10);
    scene.upload(&mut sources, 6);
    let first = scene.all_logged(&sources).opened_streams().remove(0).0;
    scene.agent.stop();
    std::fs::remove_dir_all(scene.outbox()).unwrap();
    let names = scene.agent.dir.join("agent.key.agent-streams");
    if nor_names {
        std::fs::remove_file(names).unwrap();
    } else {
        refuses_damaged(&mut scene, &names);
    }
    scene.start();
    // What was acknowledged before is not known any more; a source that sent it again would be believed.
    sources.0[0].forget_acknowledged();
    scene.upload(&mut sources, 6);
    scene.all_logged(&sources);
    scene.agent.stop();
    (scene, first)
}

/// What is kept beside the key is not guessed at: the file is named, and what to do.
fn refuses_damaged(scene: &mut Scene, names: &Path) {
    let whole = std::fs::read(names).unwrap();
    std::fs::write(names, &whole[..whole.len() / 2]).unwrap();
    let ended = scene.agent.try_start(&Faults::none()).unwrap_err();
    ended.expect(1);
    assert!(ended.stderr.contains("agent.key.agent-streams") && ended.stderr.contains("removed"), "{}", ended.stderr);
    std::fs::write(names, whole).unwrap();
}

#[test]
fn with_an_older_outbox_it_goes_on_in_a_new_stream_that_names_the_old_one() {
    let mut scene = Scene::new(Plan::new(NODE).witnesses(1, 1));
    scene.start();
    let mut sources = one_source(11);
    scene.upload(&mut sources, 6);
    scene.all_logged(&sources);
    scene.agent.stop();
    let copy = scene.agent.dir.join("copy");
    copy_dir(&scene.outbox(), &copy);

    scene.start();
    scene.upload(&mut sources, 6);
    scene.all_logged(&sources);
    scene.agent.stop();
    replace_dir(&scene.outbox(), &copy);

    // The stream has gone on in the log, the agent does not know how.
    scene.start();
    sources.0[0].forget_acknowledged();
    scene.upload(&mut sources, 6);
    let recorded = scene.all_logged(&sources);
    assert_eq!(scene.agent.metric(&alarm("forked")), 1);
    let opened = recorded.opened_streams();
    let [(first, one, None), (_, other, Some(predecessor))] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!((predecessor, one), (first, other));
    // And it stays in the new one.
    scene.agent.kill();
    scene.start();
    scene.upload(&mut sources, 4);
    assert_eq!(scene.all_logged(&sources).opened_streams(), opened);
    scene.agent.stop();
}

/// The copy holds statements that were sent after it was made. Sent again they are known, by their very bytes; only what is newer forks.
#[test]
fn what_an_older_outbox_holds_and_the_log_has_is_not_logged_again() {
    let mut scene = Scene::new(Plan::new(NODE));
    scene.network.log.kill();
    scene.start();
    let mut sources = one_source(12);
    scene.upload(&mut sources, 6);
    // What is signed is known again by its bytes; what waits would be signed again, for nobody can know that it was.
    let all = sources.sent().len() as u64 + 1;
    scene.agent.metric_until(SIGNED, SOON, |signed| signed == all);
    scene.agent.stop();
    let copy = scene.agent.dir.join("copy");
    copy_dir(&scene.outbox(), &copy);

    scene.start_log();
    scene.start();
    scene.upload(&mut sources, 6);
    scene.all_logged(&sources);
    scene.agent.stop();
    replace_dir(&scene.outbox(), &copy);

    // Whoever lets go of what is published is slow: all of it is still in the outbox when the stream forks.
    scene.agent.start(&Faults::pause("confirm::after_answer", 0));
    sources.0[0].forget_acknowledged();
    scene.upload(&mut sources, 6);
    scene.agent.metric_until(&alarm("forked"), SOON, |times| times == 1);
    scene.agent.kill();
    scene.start();
    let recorded = scene.all_logged(&sources);
    let opened = recorded.opened_streams();
    let [(first, _, None), (_, _, Some(predecessor))] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!(predecessor, first);
    scene.agent.stop();
}

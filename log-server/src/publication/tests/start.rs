//! Starts: statements are taken only when enough witnesses have accepted the head.

use std::collections::BTreeSet;

use super::*;
use crate::publication::round::confirmed;
use crate::refusal::{Refusal, Unavailable};

fn unconfirmed(live: &Live) -> bool {
    matches!(live.sequencer.check(), Err(Refusal::Unavailable { why: Unavailable::Unconfirmed, .. }))
}

/// "enough must accept that the rest cannot form a quorum, otherwise reads only, retried every second and lifted by itself" (DESIGN §7.4)
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_held_off_until_the_rest_can_form_no_quorum() {
    let witnesses = FakeWitness::start_all(3).await;
    for witness in &witnesses {
        witness.turn(Mode::Status(503));
    }
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
    for witness in &witnesses {
        witness.until_asked(|asked| asked.len() >= 2).await;
    }
    assert!(unconfirmed(&live));
    // One of three: the other two could have cosigned something else.
    witnesses[0].turn(Mode::Honest);
    witnesses[0].until_cosigned(1).await;
    let count = witnesses[1].asked().len();
    witnesses[1].until_asked(|asked| asked.len() > count).await;
    assert!(unconfirmed(&live));
    assert!(live.publisher.published().borrow().is_none());
    // Two of three: it lifts by itself.
    witnesses[1].turn(Mode::Honest);
    live.writable().await;
    live.grow("taken").await;
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_shows_at_once_what_was_published_before_and_goes_on_from_what_each_witness_has() {
    let witnesses = FakeWitness::start_all(2).await;
    let disk = Disk::fresh();
    let live = Live::start(&disk, policy_of(&witnesses, Some(2)), settings());
    live.published_size(1).await;
    live.writable().await;
    for number in 0..3 {
        let size = live.grow(&format!("entry {number}")).await;
        live.published_size(size).await;
    }
    let before = live.published_size(4).await;
    live.stop().await;

    for witness in &witnesses {
        witness.turn(Mode::Status(503));
    }
    let live = Live::start(&disk, policy_of(&witnesses, Some(2)), settings());
    let shown = live.publisher.published().borrow().clone().unwrap();
    assert_eq!((shown.size(), shown.root()), (before.size(), before.root()));
    assert_eq!(shown.archived(), before.archived());
    assert!(unconfirmed(&live));
    let counts: Vec<usize> = witnesses.iter().map(|witness| witness.asked().len()).collect();
    for witness in &witnesses {
        witness.turn(Mode::Honest);
    }
    live.writable().await;
    // "409 with a size up to our head is routine: resend from that size." (DESIGN §7.4)
    for (witness, count) in witnesses.iter().zip(counts) {
        let asked = witness.until_asked(|asked| asked.len() >= count + 2).await;
        let accepted = asked.iter().rev().find(|asked| asked.old == 4).expect("it was asked again from 4");
        assert_eq!((accepted.size, accepted.proof), (4, 0));
    }
    let size = live.grow("after the start").await;
    live.published_size(size).await;
    live.stop().await;
}

/// A size committed but not published before a crash is published by the next start, from a witness that is behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_publishes_what_was_committed() {
    let witnesses = FakeWitness::start_all(2).await;
    let disk = Disk::fresh();
    let live = Live::start(&disk, policy_of(&witnesses, Some(2)), settings());
    live.published_size(1).await;
    live.writable().await;
    for witness in &witnesses {
        witness.turn(Mode::Status(500));
    }
    for number in 0..9 {
        live.grow(&format!("entry {number}")).await;
    }
    live.stop().await;
    for witness in &witnesses {
        witness.turn(Mode::Honest);
    }
    let live = Live::start(&disk, policy_of(&witnesses, Some(2)), settings());
    let published = live.published_size(10).await;
    assert_eq!(cosigners(&live, published.served()), ["w1", "w2"]);
    for witness in &witnesses {
        let last = witness.asked().last().cloned().unwrap();
        assert_eq!((last.old, last.size), (1, 10));
        assert!(last.proof > 0);
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_this_logs_key_is_refused_at_start() {
    let disk = Disk::fresh();
    let live = Live::start(&disk, policy_of(&[], None), settings());
    let mut text = policy_of(&[], None).to_string();
    text = text.replace("log.example/test", "other.example/test");
    let policy = Policy::parse(text.as_bytes());
    // Another name means another key ID: such a line can not even be read.
    assert!(policy.is_err());
    let name = govlog_formats::note::KeyName::new("log.example/test").unwrap();
    let other =
        govlog_formats::note::NoteSigner::from_seed(name, govlog_formats::note::SignatureAlgorithm::Ed25519, &[77; 32]);
    let policy = Policy::parse(format!("log {}\nquorum none\n", other.unwrap().vkey()).as_bytes()).unwrap();
    let parts = Parts {
        policy,
        log: World::get().note.vkey().clone(),
        settings: settings(),
        sequencer: live.sequencer.clone(),
        telemetry: live.telemetry.clone(),
    };
    assert!(matches!(Publisher::start(parts), Err(PublicationError::ForeignPolicy(_))));
    live.stop().await;
}

/// The rule itself, for every set of witnesses: those who have not accepted must not be able to form a quorum.
#[tokio::test]
async fn enough_is_when_the_rest_can_form_no_quorum() {
    let witnesses = FakeWitness::start_all(5).await;
    for quorum in 1..=5 {
        let policy = policy_of(&witnesses, Some(quorum));
        for set in 0u8..32 {
            let accepted: BTreeSet<usize> = (0..5).filter(|at| set & (1 << at) != 0).collect();
            assert_eq!(confirmed(&policy, &accepted), 5 - accepted.len() < quorum, "{quorum} {accepted:?}");
        }
    }
    assert!(confirmed(&policy_of(&witnesses, None), &BTreeSet::new()), "no quorum: nobody to wait for");
    assert!(confirmed(&policy_of(&[], None), &BTreeSet::new()));
}

//! Rounds: whom is asked what, and when something is published.

use super::*;

fn archived(live: &Live, size: u64) -> Vec<u8> {
    let head = live.sequencer.committed().borrow().clone();
    let found = head.tree().store().archived(TreeSize::new(size), TreeSize::new(size), 1).unwrap();
    found.first().unwrap_or_else(|| panic!("size {size} is archived")).note.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn size_1_is_published_at_start_and_archived_before_it_is_seen() {
    let witnesses = FakeWitness::start_all(3).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
    let published = live.published_size(1).await;
    assert_eq!(published.size().get(), 1);
    assert_eq!(archived(&live, 1), published.archived().note);
    assert_eq!(published.served(), &published.archived().note);
    let verified = live.verify(published.served());
    assert!(verified.quorum().met());
    assert_eq!(verified.checkpoint().root, published.root());
    live.stop().await;
}

/// "First contact: `old 0` and no proof. Remember what each accepted" and "Send the note with the log's own line alone" (exact.md §5).
#[tokio::test(flavor = "multi_thread")]
async fn each_witness_is_asked_from_what_it_accepted_with_the_right_proof() {
    let witnesses = FakeWitness::start_all(3).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(3)), settings());
    live.published_size(1).await;
    for number in 0..6u64 {
        let size = live.grow(&format!("entry {number}")).await;
        assert_eq!(live.published_size(size).await.size().get(), size);
    }
    for witness in &witnesses {
        assert_eq!(witness.size(), 7, "an honest witness accepts nothing without the right proof");
        let asked = witness.asked();
        assert_eq!((asked[0].old, asked[0].size, asked[0].proof), (0, 1, 0));
        assert!(asked.iter().all(|asked| asked.lines == 1));
        for pair in asked.windows(2) {
            assert_eq!(pair[1].old, pair[0].size, "{asked:?}");
        }
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_alive() {
    let witnesses = FakeWitness::start_all(1).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), settings());
    live.published_size(1).await;
    for number in 0..5 {
        let size = live.grow(&format!("entry {number}")).await;
        live.published_size(size).await;
    }
    assert!(witnesses[0].asked().len() >= 6);
    assert_eq!(witnesses[0].connections(), 1);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_witnesses_published_is_committed() {
    let live = Live::start(&Disk::fresh(), policy_of(&[], None), settings());
    live.writable().await;
    let size = live.grow("entry").await;
    let published = live.published_size(size).await;
    let verified = live.verify(published.served());
    assert!(!verified.quorum().required() && verified.cosigned().is_empty());
    live.stop().await;
}

/// "publish at the quorum plus at most 100 ms for stragglers, who finish in the background" (DESIGN §7); "cancelling them makes a slow witness
/// fall behind for good" (exact.md §5).
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_witness_holds_nobody_up_and_finishes_in_the_background() {
    let witnesses = FakeWitness::start_all(3).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
    live.published(|published| published.size().get() == 1).await;
    witnesses[2].until_asked(|asked| !asked.is_empty()).await;
    live.writable().await;
    witnesses[2].turn(Mode::Hold);
    let mut size = 1;
    for number in 0..4 {
        size = live.grow(&format!("entry {number}")).await;
        let published = live.published_size(size).await;
        assert_eq!(cosigners(&live, published.served()), ["w1", "w2"]);
    }
    let held = witnesses[2].until_asked(|asked| asked.len() >= 2).await;
    assert_eq!(held.len(), 2, "one request is under way, and no other beside it");
    witnesses[2].turn(Mode::Honest);
    let asked = witnesses[2].until_asked(|asked| asked.len() >= 3).await;
    assert_eq!(
        (asked[2].old, asked[2].size),
        (asked[1].size, size),
        "it goes on from what it finished, at the newest head"
    );
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_answer_in_time_are_in_the_note_in_the_policys_order() {
    let witnesses = FakeWitness::start_all(3).await;
    let patient = config::Publication { stragglers: PATIENCE, ..settings() };
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), patient);
    let published = live.published_size(1).await;
    assert_eq!(cosigners(&live, published.served()), ["w1", "w2", "w3"]);
    let note = Note::parse(published.served()).unwrap();
    let names: Vec<&str> = note.lines().iter().map(|line| line.name().as_str()).collect();
    assert_eq!(names, ["log.example/test", "witness.example/w1", "witness.example/w2", "witness.example/w3"]);
    live.stop().await;
}

/// "429 and 5xx mean *later*, never a refutation" (exact.md §5); "The log goes on committing while witnesses are away" (DESIGN §7).
#[tokio::test(flavor = "multi_thread")]
async fn witnesses_that_are_away_stop_publication_but_not_commits_and_are_asked_again() {
    for status in [429, 500, 503] {
        let witnesses = FakeWitness::start_all(2).await;
        let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
        live.published_size(1).await;
        live.writable().await;
        witnesses[1].turn(Mode::Status(status));
        let size = live.grow("committed all the same").await;
        witnesses[1].until_asked(|asked| asked.last().is_some_and(|asked| asked.size == size)).await;
        assert_eq!(live.publisher.published().borrow().as_ref().unwrap().size().get(), 1);
        let size = live.grow("this as well").await;
        witnesses[1].turn(Mode::Honest);
        let published = live.published_size(size).await;
        assert_eq!(cosigners(&live, published.served()), ["w1", "w2"]);
        live.stop().await;
    }
}

/// A witness that cosigned a head is not asked for it again because another one is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_cosignature_at_hand_is_not_asked_for_again() {
    let witnesses = FakeWitness::start_all(2).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
    live.published_size(1).await;
    live.writable().await;
    witnesses[1].turn(Mode::Status(503));
    let size = live.grow("waits").await;
    witnesses[1].until_asked(|asked| asked.iter().filter(|asked| asked.size == size).count() >= 4).await;
    let asked = witnesses[0].asked();
    assert_eq!(asked.iter().filter(|asked| asked.size == size).count(), 1, "{asked:?}");
    witnesses[1].turn(Mode::Honest);
    live.published_size(size).await;
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cosignature_that_does_not_verify_counts_for_nothing() {
    let garbage = Mode::Body(vec![0xff; 300]);
    let long = Mode::Body(vec![b'x'; 200_000]);
    for wrong in [Mode::WrongSignature, Mode::Stranger, garbage, long, Mode::Body(Vec::new()), Mode::ConflictWithOld] {
        let witnesses = FakeWitness::start_all(2).await;
        witnesses[1].turn(wrong.clone());
        let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
        witnesses[1].until_asked(|asked| asked.len() >= 2).await;
        assert!(live.publisher.published().borrow().is_none(), "{wrong:?}");
        witnesses[1].turn(Mode::Honest);
        let published = live.published_size(1).await;
        assert_eq!(cosigners(&live, published.served()), ["w1", "w2"]);
        live.stop().await;
    }
}

/// "While the tree does not grow, the head is cosigned again […] and `/checkpoint` serves the freshest note"; "A published size's first note is
/// archived […], never changes" (DESIGN §4).
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_head_is_cosigned_again_and_the_archived_note_stays() {
    let witnesses = FakeWitness::start_all(2).await;
    let eager = config::Publication { republish: Duration::from_millis(20), ..settings() };
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), eager);
    let first = live.published_size(1).await;
    let fresh = live.published(|published| published.served() != first.served()).await;
    assert_eq!(fresh.archived(), first.archived());
    assert_eq!(archived(&live, 1), first.archived().note);
    let (old, new) = (live.verify(first.served()), live.verify(fresh.served()));
    assert_eq!(old.checkpoint(), new.checkpoint());
    assert!(new.lower_time() > old.upper_time(), "every cosignature is newer");
    live.stop().await;
}

/// "A fresh note replaces the served one only when it meets the quorum again." (exact.md §3)
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_note_below_the_quorum_replaces_nothing() {
    let witnesses = FakeWitness::start_all(2).await;
    let eager = config::Publication { republish: Duration::from_millis(20), ..settings() };
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), eager);
    live.published_size(1).await;
    witnesses[1].turn(Mode::Status(503));
    let before = witnesses[1].asked().len();
    witnesses[1].until_asked(|asked| asked.len() > before).await;
    let stale = live.publisher.published().borrow().clone().unwrap();
    let count = witnesses[0].asked().len();
    witnesses[0].until_asked(|asked| asked.len() >= count + 3).await;
    let still = live.publisher.published().borrow().clone().unwrap();
    assert_eq!(still.served(), stale.served());
    witnesses[1].turn(Mode::Honest);
    live.published(|published| published.served() != stale.served()).await;
    live.stop().await;
}

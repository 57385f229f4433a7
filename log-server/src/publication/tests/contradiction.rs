//! Witnesses that hold, or say they hold, what this log can not have signed.

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::digest::Digest;
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};

use super::*;
use crate::tree::testing::ORIGIN;

fn note_by(key: &NoteSigner, origin: &str, size: u64, root: &[u8]) -> Vec<u8> {
    let checkpoint = Checkpoint::new(Origin::new(origin).unwrap(), TreeSize::new(size), Digest::sha256(root));
    let text = checkpoint.to_string();
    Note::with_lines(&text, &[key.sign(&text, None).unwrap()]).unwrap().to_bytes()
}

/// "Only a note with this log's own signature proves a larger or different tree; such a note, at any time, poisons the sequencer."
#[tokio::test(flavor = "multi_thread")]
async fn a_larger_size_with_this_logs_own_signature_poisons() {
    let witnesses = FakeWitness::start_all(1).await;
    witnesses[0].turn(Mode::Conflict(100));
    witnesses[0].show(note_by(&World::get().note, ORIGIN, 100, b"larger"));
    let mut live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), settings());
    let alarm = alarm(&mut live).await;
    assert!(alarm.contains("w1") && alarm.contains("size 100") && alarm.contains("head-rolled-back"), "{alarm}");
    assert!(live.sequencer.poisoned().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_at_a_size_with_this_logs_own_signature_poisons_also_later() {
    let witnesses = FakeWitness::start_all(1).await;
    let mut live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), settings());
    live.published_size(1).await;
    live.writable().await;
    witnesses[0].turn(Mode::Status(422));
    witnesses[0].show(note_by(&World::get().note, ORIGIN, 1, b"another"));
    live.grow("entry").await;
    let alarm = alarm(&mut live).await;
    assert!(alarm.contains("at size 1"), "{alarm}");
}

/// "Without one the witness is marked unreliable." "Some have no monitoring route: a larger 409 from such a one ends in "unreliable", nothing
/// worse." (exact.md §5)
#[tokio::test(flavor = "multi_thread")]
async fn a_larger_size_without_proof_marks_the_witness_unreliable_and_nothing_worse() {
    let stranger = |name: &str| {
        NoteSigner::from_seed(KeyName::new(name).unwrap(), SignatureAlgorithm::Ed25519, &[66; 32]).unwrap()
    };
    let shown = [
        None,
        Some(b"no note at all".to_vec()),
        // The log's name, another key.
        Some(note_by(&stranger(ORIGIN), ORIGIN, 100, b"larger")),
        Some(note_by(&stranger("other.example"), "other.example", 100, b"larger")),
        Some(vec![b'x'; 200_000]),
    ];
    for note in shown {
        let witnesses = FakeWitness::start_all(3).await;
        witnesses[2].turn(Mode::Conflict(100));
        if let Some(note) = &note {
            witnesses[2].show(note.clone());
        }
        let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(2)), settings());
        live.published_size(1).await;
        live.writable().await;
        witnesses[2].until_asked(|asked| asked.len() >= 2).await;
        let size = live.grow("the others go on").await;
        let published = live.published_size(size).await;
        assert_eq!(cosigners(&live, published.served()), ["w1", "w2"]);
        let metrics = live.telemetry.render();
        assert!(metrics.contains(r#"govlog_witness_state{witness="w3",state="unreliable"} 1"#), "{metrics}");
        assert!(metrics.contains(r#"govlog_witness_state{witness="w1",state="accepting"} 1"#), "{metrics}");
        live.stop().await;
    }
}

/// A note under the log's key but of another origin is none of this tree's.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_another_origin_under_the_logs_key_proves_nothing() {
    let witnesses = FakeWitness::start_all(2).await;
    witnesses[1].turn(Mode::Conflict(100));
    witnesses[1].show(note_by(&World::get().note, "other.example", 100, b"larger"));
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), settings());
    live.published_size(1).await;
    witnesses[1].until_asked(|asked| asked.len() >= 2).await;
    live.stop().await;
}

/// A witness that names a size without end is asked a bounded number of times for each head.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_names_ever_other_sizes_is_given_up_for_a_while() {
    let witnesses = FakeWitness::start_all(2).await;
    let live = Live::start(&Disk::fresh(), policy_of(&witnesses, Some(1)), settings());
    live.published_size(1).await;
    live.writable().await;
    for number in 0..3 {
        live.grow(&format!("entry {number}")).await;
    }
    live.published_size(4).await;
    witnesses[1].turn(Mode::Conflict(2));
    let before = witnesses[1].asked().len();
    live.grow("more").await;
    witnesses[1].until_asked(|asked| asked.len() >= before + 2).await;
    // From 4, from 2, and then it contradicts itself: 409 for the size it named.
    let asked = witnesses[1].asked();
    let last: Vec<u64> = asked.iter().skip(before).take(2).map(|asked| asked.old).collect();
    assert_eq!(last, [4, 2], "{asked:?}");
    live.stop().await;
}

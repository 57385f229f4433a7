//! The captured log written piece by piece, and read by processes that end anywhere: the same events, each once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::names::Fresh;
use crate::outbox::{HowFar, Limits, Outbox};

/// What the outbox holds: contents by key.
pub(super) type Kept = BTreeMap<[u8; 32], Content>;

pub(super) const ROOM: Limits = Limits { bytes: 1 << 30, streams: 8 };

/// A process reads once what is there; it may end between two of its writes.
pub(super) fn read(settings: &Arc<Settings>, outbox: &Outbox, rounds: usize) {
    let mut feeds = feeds(settings);
    let name = |_: &str| Fresh { name: "spire-1".into(), predecessor: None };
    for feed in &mut feeds {
        let place = outbox.place(feed.route(), feed.reads()).unwrap();
        feed.resume(place.as_deref()).unwrap();
        feed.recall(outbox.notes(feed.route(), feed.remembers()).unwrap()).unwrap();
    }
    for _ in 0..rounds {
        for feed in &mut feeds {
            let Ok(found) = feed.read(NOW_MS) else { continue };
            let (place, notes) = (found.place.as_deref(), found.notes.as_slice());
            let how_far = HowFar { of: feed.reads(), place, notes_of: feed.remembers(), notes, held: &found.held };
            let taken = outbox.receive_read(feed.route(), &found.arrivals, Some(how_far), ROOM, NOW_MS, &name).unwrap();
            assert_eq!(taken.conflicting, 0);
        }
    }
}

pub(super) fn kept(outbox: &Outbox) -> Kept {
    let streams = outbox.streams().unwrap();
    let waiting = streams.iter().flat_map(|(number, _)| outbox.waiting(*number, usize::MAX, u64::MAX).unwrap());
    waiting.map(|waiting| (waiting.key, waiting.content)).collect()
}

/// The log, cut at these bytes; after each piece a process reads so many rounds.
fn write(pieces: &[(usize, usize)], rotates: Option<usize>) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let (log, all) = (dir.path().join("server.log"), std::fs::read(captured().join("server.log")).unwrap());
    let settings = settings(Some(&log), Some(&captured()));
    let outbox = Outbox::open(&dir.path().join("outbox"), "log.example.org", "spiffe://prod.example/agent").unwrap();
    let mut from = 0;
    let last = [(all.len(), 6)];
    for (number, (to, rounds)) in pieces.iter().chain(&last).enumerate() {
        if Some(number) == rotates && log.exists() {
            std::fs::rename(&log, dir.path().join("server.log.1")).unwrap();
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        file.write_all(&all[from..*to]).unwrap();
        from = *to;
        read(&settings, &outbox, *rounds);
    }
    kept(&outbox)
}

fn whole() -> &'static Kept {
    static WHOLE: std::sync::LazyLock<Kept> = std::sync::LazyLock::new(|| write(&[], None));
    &WHOLE
}

#[test]
fn all_at_once_there_are_so_many() {
    // 24 of the log; four entries, an agent, a bundle and an authority as found.
    assert_eq!(whole().len(), 24 + 7);
}

#[test]
fn the_same_log_again_in_another_file_gives_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("server.log");
    let settings = settings(Some(&log), Some(&captured()));
    let outbox = Outbox::open(&dir.path().join("outbox"), "log.example.org", "spiffe://prod.example/agent").unwrap();
    for _ in 0..2 {
        let _ = std::fs::remove_file(&log);
        std::fs::copy(captured().join("server.log"), &log).unwrap();
        read(&settings, &outbox, 6);
    }
    let mut kept = kept(&outbox);
    // That the first file is gone is said, unless the second one got its inode.
    kept.retain(|_, content| content.event().is_none_or(|(form, _)| form != "gap"));
    assert_eq!(&kept, whole());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whole lines at a time, so that a file may be rotated between any two.
    #[test]
    fn restarts_and_rotations_lose_and_repeat_nothing(
        cuts in prop::collection::btree_set(1_usize..110, 0..8),
        rounds in prop::collection::vec(1_usize..4, 8),
        rotates in 0_usize..10,
    ) {
        let all = std::fs::read(captured().join("server.log")).unwrap();
        let ends: Vec<usize> = (0..all.len()).filter(|at| all[*at] == b'\n').map(|at| at + 1).collect();
        let pieces: Vec<(usize, usize)> = cuts.iter().map(|cut| ends[*cut - 1]).zip(rounds).collect();
        prop_assert_eq!(&write(&pieces, Some(rotates)), whole());
    }

    /// Anywhere in a line.
    #[test]
    fn lines_that_are_cut_are_waited_for(
        cuts in prop::collection::btree_set(1_usize..40_000, 0..10),
        rounds in prop::collection::vec(1_usize..4, 10),
    ) {
        let pieces: Vec<(usize, usize)> = cuts.into_iter().zip(rounds).collect();
        prop_assert_eq!(&write(&pieces, None), whole());
    }
}

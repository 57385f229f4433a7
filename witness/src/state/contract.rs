//! What every [`StateStore`] must do.

use std::sync::{Arc, Barrier};

use super::{OriginHash, StateStore, Swap};

fn hash(n: u8) -> OriginHash {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

/// Runs the suite on fresh, empty stores.
pub(super) fn check(fresh: impl Fn() -> Arc<dyn StateStore>) {
    starts_empty(&*fresh());
    keeps_what_was_swapped_in(&*fresh());
    refuses_a_wrong_expectation(&*fresh());
    keeps_origins_apart(&*fresh());
    lets_one_of_many_racing_swaps_through(&fresh());
    loses_no_step_of_a_chain(&fresh());
}

fn starts_empty(store: &dyn StateStore) {
    assert_eq!(store.load(&hash(1)).unwrap(), None);
    assert_eq!(store.origins(), []);
    assert_eq!(store.troubles(), []);
}

fn keeps_what_was_swapped_in(store: &dyn StateStore) {
    assert_eq!(store.swap(&hash(1), None, b"one").unwrap(), Swap::Done);
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(store.swap(&hash(1), Some(b"one"), b"two").unwrap(), Swap::Done);
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.origins(), [hash(1)]);
}

fn refuses_a_wrong_expectation(store: &dyn StateStore) {
    assert_eq!(store.swap(&hash(1), Some(b"one"), b"two").unwrap(), Swap::Stale);
    assert_eq!(store.load(&hash(1)).unwrap(), None);
    assert_eq!(store.origins(), []);
    assert_eq!(store.swap(&hash(1), None, b"one").unwrap(), Swap::Done);
    for expected in [None, Some(&b""[..]), Some(b"on"), Some(b"one ")] {
        assert_eq!(store.swap(&hash(1), expected, b"two").unwrap(), Swap::Stale, "{expected:?}");
        assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"one"[..]));
    }
}

fn keeps_origins_apart(store: &dyn StateStore) {
    assert_eq!(store.swap(&hash(2), None, b"two").unwrap(), Swap::Done);
    assert_eq!(store.swap(&hash(1), None, b"one").unwrap(), Swap::Done);
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(store.load(&hash(2)).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.origins(), [hash(1), hash(2)]);
}

fn lets_one_of_many_racing_swaps_through(store: &Arc<dyn StateStore>) {
    const RACERS: usize = 16;
    let start = Barrier::new(RACERS);
    let done: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (start, store) = (&start, store);
                scope.spawn(move || {
                    start.wait();
                    store.swap(&hash(1), None, format!("racer {racer}").as_bytes()).unwrap() == Swap::Done
                })
            })
            .collect();
        racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
    });
    assert_eq!(done, 1);
    assert!(store.load(&hash(1)).unwrap().unwrap().starts_with(b"racer "));
}

/// Every thread adds one to a stored number until all have done so: a lost update would show in the sum.
fn loses_no_step_of_a_chain(store: &Arc<dyn StateStore>) {
    const THREADS: usize = 8;
    const STEPS: usize = 10;
    let step = || loop {
        let current = store.load(&hash(1)).unwrap();
        let number: usize = current.as_deref().map_or(0, |bytes| std::str::from_utf8(bytes).unwrap().parse().unwrap());
        if store.swap(&hash(1), current.as_deref(), (number + 1).to_string().as_bytes()).unwrap() == Swap::Done {
            return;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..STEPS).for_each(|_| step()));
        }
    });
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some((THREADS * STEPS).to_string().as_bytes()));
}

#[test]
fn memory_store_keeps_the_contract() {
    check(|| Arc::new(super::MemoryStore::default()));
}

//! What every opening store must do, whatever it is made of.

use govlog_formats::digest::Digest;

use super::OpeningStore;

/// Checks a store that has nothing of the leaves 1 to 3.
///
/// # Panics
///
/// When it does not keep its promise.
#[expect(clippy::unwrap_used, reason = "for tests")]
pub fn check(store: &dyn OpeningStore) {
    let [one, two, three] = [b"1", b"2", b"3"].map(|text| Digest::sha256(text));
    let get = |leaf: &Digest| store.get(leaf).unwrap();
    let large = vec![7; 300_000];

    assert_eq!(get(&one), None);
    store.put(&[]).unwrap();
    store.put(&[(one, b"first"), (two, large.as_slice())]).unwrap();
    store.put(&[(one, b"first")]).unwrap();
    assert_eq!(get(&one).as_deref(), Some(b"first".as_slice()));
    assert_eq!(get(&two), Some(large), "larger than one chunk of whatever it is written in");
    assert_eq!(get(&three), None);

    let count = |leaf: &Digest| store.leaves().unwrap().iter().filter(|stored| *stored == leaf).count();
    assert_eq!([&one, &two, &three].map(count), [1, 1, 0], "every entry that has openings, once");

    assert!(store.leaves().unwrap().is_sorted(), "in order");

    // Shorter and longer: nothing of what was there before may be left.
    for other in [b"less".as_slice(), b"", b"more than there was before"] {
        store.replace(&two, other).unwrap();
        assert_eq!(get(&two).as_deref(), Some(other));
    }
    store.put(&[(one, b"1")]).unwrap();
    assert_eq!(get(&one).as_deref(), Some(b"1".as_slice()), "a shorter one put over it");

    assert_eq!(store.remove(&[]).unwrap(), 0);
    assert_eq!(store.remove(&[one, three, one]).unwrap(), 1, "what was there, once");
    assert_eq!((get(&one), get(&two).is_some()), (None, true), "and no other");
    assert_eq!([&one, &two].map(count), [0, 1]);
    assert_eq!(store.remove(&[one, two]).unwrap(), 1);
    assert_eq!(get(&two), None);
}

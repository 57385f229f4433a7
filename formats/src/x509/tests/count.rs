//! How many signatures of certificates were verified on this thread: what is not known is to cost none.

use std::cell::Cell;

thread_local!(static VERIFICATIONS: Cell<usize> = const { Cell::new(0) });

pub(crate) fn verification() {
    VERIFICATIONS.set(VERIFICATIONS.get() + 1);
}

/// Does something, and says how many verifications it took.
pub(crate) fn counted<T>(something: impl FnOnce() -> T) -> (T, usize) {
    let before = VERIFICATIONS.get();
    let done = something();
    (done, VERIFICATIONS.get() - before)
}

//! What a fuzz target is, and how it takes its input apart.

/// A parser, or a few that belong together, under test.
pub(crate) struct Target {
    /// The name of the fuzz target, and of the folder of its regressions.
    pub(crate) name: &'static str,
    /// Panics when the property is broken; says whether the bytes were accepted, so that a test can tell that its seeds reach what they are
    /// for.
    pub(crate) check: fn(&[u8]) -> bool,
    /// Inputs to begin with, all of them accepted.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// Takes the byte that chooses what the rest is read as.
pub(crate) fn choice(data: &[u8], among: usize) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first) % among, rest))
}

/// Puts the byte in front that makes [`choice`] give a number.
pub(crate) fn chosen(number: usize, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&[u8::try_from(number).unwrap()], bytes.as_ref()].concat()
}

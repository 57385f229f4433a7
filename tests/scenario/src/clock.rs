//! Chance and time of a scenario: both follow from its seed.

use govlog_client::testing;
use govlog_formats::digest::Digest;

/// Chance that is the same in every run.
#[derive(Clone, Debug)]
pub(super) struct Random(testing::Random);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // It never leaves 0.
        Self(testing::Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below a bound.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.number() % bound
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    pub(super) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.0.number().to_be_bytes()));
        bytes
    }

    /// 32 bytes, hex.
    pub(super) fn digest(&mut self) -> String {
        Digest::from_bytes(self.bytes()).to_string()
    }

    /// So many hex digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        self.digest()[..digits].to_owned()
    }
}

/// A second, a minute, in milliseconds.
pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;

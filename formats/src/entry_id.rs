//! Entry ids: `<epoch>.<leaf index>`.

use core::fmt;
use core::str::FromStr;

use crate::merkle::LeafIndex;

/// Where an entry is: the epoch (one tree under one origin, from 1) and the leaf index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The epoch, from 1.
    pub epoch: u64,
    /// The position in that epoch's tree.
    pub index: LeafIndex,
}

/// Why a text is not an entry id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an entry id: an epoch from 1 and a leaf index, decimal without leading zeros, as in 1.42")]
pub struct EntryIdError(pub String);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.index)
    }
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Both numbers follow the rules of a leaf index, so the one strict reader serves for both.
        let read = |part: &str| part.parse::<LeafIndex>().ok();
        let id = text
            .split_once('.')
            .and_then(|(epoch, index)| Some(Self { epoch: read(epoch)?.get(), index: read(index)? }));
        id.filter(|id| id.epoch > 0).ok_or_else(|| EntryIdError(text.to_owned()))
    }
}

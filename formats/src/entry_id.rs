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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_an_epoch_from_1_and_a_leaf_index() {
        let id: EntryId = "1.345".parse().unwrap();
        assert_eq!(id, EntryId { epoch: 1, index: LeafIndex::new(345) });
        assert_eq!(id.to_string(), "1.345");
        assert_eq!("1.0".parse::<EntryId>().unwrap().index, LeafIndex::new(0));
    }

    #[test]
    fn every_other_text_is_refused() {
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "0.1",
            "01.1",
            "1.01",
            "1.00",
            "+1.1",
            "1.+1",
            "-1.1",
            "1.-1",
            "1.1.",
            "1.1.1",
            "1,1",
            " 1.1",
            "1.1 ",
            "1.1\n",
            "1.0x1",
            "1.1e3",
            "1.١",
            "1.99999999999999999999",
            "99999999999999999999.1",
        ] {
            assert_eq!(text.parse::<EntryId>(), Err(EntryIdError(text.to_owned())), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(epoch in 1..1u64 << 61, index in 0..1u64 << 61, text in "\\PC{0,12}") {
            let id = EntryId { epoch, index: LeafIndex::new(index) };
            prop_assert_eq!(id.to_string().parse::<EntryId>(), Ok(id));
            if let Ok(id) = text.parse::<EntryId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}

//! Where a record stands: it is an entry of the log, or a member of the `decision-batch` that is one.

use std::fmt;
use std::str::FromStr;

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;

use crate::trust::EPOCH;

/// An entry, or a member of the batch that is an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The entry's leaf index.
    pub index: LeafIndex,
    /// Of a member of that batch: its place in it, from 0.
    pub member: Option<LeafIndex>,
}

impl Spot {
    /// A member of a batch.
    #[must_use]
    pub const fn of_member(batch: LeafIndex, member: LeafIndex) -> Self {
        Self { index: batch, member: Some(member) }
    }
}

impl From<LeafIndex> for Spot {
    fn from(index: LeafIndex) -> Self {
        Self { index, member: None }
    }
}

/// `1.57`, or of a member of that batch `1.57#3`.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", EntryId { epoch: EPOCH, index: self.index })?;
        self.member.map_or(Ok(()), |member| write!(f, "#{member}"))
    }
}

/// Why a text is no [`Spot`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no entry id of this log, such as 1.57, and no member of a batch in it, such as 1.57#3")]
pub struct SpotError(String);

impl FromStr for Spot {
    type Err = SpotError;

    fn from_str(text: &str) -> Result<Self, SpotError> {
        let (entry, member) = match text.split_once('#') {
            Some((entry, member)) => (entry, Some(member)),
            None => (text, None),
        };
        let read = || {
            let index = entry.parse::<EntryId>().ok().filter(|id| id.epoch == EPOCH)?.index;
            let member = match member {
                None => None,
                Some(member) => Some(member.parse::<LeafIndex>().ok()?),
            };
            Some(Self { index, member }).filter(|spot| spot.to_string() == text)
        };
        read().ok_or_else(|| SpotError(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_has_one_spelling() {
        let entry = Spot::from(LeafIndex::new(57));
        let member = Spot::of_member(entry.index, LeafIndex::new(3));
        assert_eq!((entry.to_string(), member.to_string()), ("1.57".to_owned(), "1.57#3".to_owned()));
        assert_eq!(("1.57".parse(), "1.57#3".parse()), (Ok(entry), Ok(member)));
        assert!(entry < member && member < Spot::from(LeafIndex::new(58)));
        for wrong in ["", "57", "2.57", "1.057", "1.57#", "1.57#03", "1.57#+3", "1.57#3#4", "#3"] {
            assert!(wrong.parse::<Spot>().is_err(), "{wrong:?}");
        }
    }
}

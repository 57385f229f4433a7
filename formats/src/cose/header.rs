//! Header and claim maps: labels and what stands under them.

use core::fmt;

use crate::cbor::Item;

/// A label of a header, of a key or of a claim: "label = int / tstr" (RFC 9052 §1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A number.
    Int(i128),
    /// A text.
    Text(String),
}

/// Why a map is no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The item is not a map.
    #[error("offset {0}: must be a map of labels")]
    NotMap(usize),
    /// A key of the map is neither an integer nor text.
    #[error("offset {0}: a label must be an integer or text")]
    Label(usize),
}

/// A map of labels that the walker has passed, so that each label stands once.
#[derive(Clone, Debug)]
pub(crate) struct HeaderMap<'a> {
    entries: Vec<(Label, Item<'a>)>,
}

impl<'a> HeaderMap<'a> {
    pub(crate) fn read(item: &Item<'a>) -> Result<Self, HeaderError> {
        let entries = item.as_map().ok_or(HeaderError::NotMap(item.offset()))?;
        let read = |key: &Item<'_>| Label::read(key).ok_or(HeaderError::Label(key.offset()));
        let entries: Result<_, _> = entries.iter().map(|entry| Ok((read(&entry.key)?, entry.value))).collect();
        Ok(Self { entries: entries? })
    }

    /// Finds what stands under a number.
    pub(crate) fn get(&self, label: i64) -> Option<Item<'a>> {
        self.find(|found| *found == Label::from(label))
    }

    /// Finds what stands under a text.
    pub(crate) fn get_text(&self, label: &str) -> Option<Item<'a>> {
        self.find(|found| matches!(found, Label::Text(text) if text == label))
    }

    pub(crate) fn has(&self, label: &Label) -> bool {
        self.find(|found| found == label).is_some()
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &Label> {
        self.entries.iter().map(|(label, _)| label)
    }

    fn find(&self, wanted: impl Fn(&Label) -> bool) -> Option<Item<'a>> {
        self.entries.iter().find(|(label, _)| wanted(label)).map(|(_, item)| *item)
    }
}

impl Label {
    fn read(key: &Item<'_>) -> Option<Self> {
        key.as_int().map(Self::Int).or_else(|| key.as_text().map(|text| Self::Text(text.to_owned())))
    }
}

impl From<i64> for Label {
    fn from(label: i64) -> Self {
        Self::Int(label.into())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(label) => write!(f, "{label}"),
            Self::Text(label) => write!(f, "{label:?}"),
        }
    }
}

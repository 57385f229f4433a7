//! The paths of tiles and bundles: `tile/0/x001/x234/067.p/5`, `tile/entries/000`.

use core::fmt;
use core::str::FromStr;

use super::TileId;

/// A tile or a bundle at a width, as a path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TilePath {
    /// A hash tile.
    Hash {
        /// Which tile.
        id: TileId,
        /// How many hashes: 1 to 256, where 256 is a full tile.
        width: u16,
    },
    /// An entry bundle.
    Entries {
        /// The position among the bundles, counted from 0.
        n: u64,
        /// How many entries: 1 to 256, where 256 is a full bundle.
        width: u16,
    },
}

/// Why a text is not the path of a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path is not of the form `tile/<level>/<n>[.p/<width>]`, in canonical spelling.
    #[error("{0:?} is not the canonical path of a tile")]
    NotCanonical(String),
}

impl fmt::Display for TilePath {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

impl FromStr for TilePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Err(PathError::NotCanonical(text.to_owned()))
    }
}

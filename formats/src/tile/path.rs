//! The paths of tiles and bundles: `tile/0/x001/x234/067.p/5`, `tile/entries/000`.

use core::fmt;
use core::str::FromStr;

use super::{FULL, TileId, WIDTH};
use crate::merkle::TreeSize;

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
    /// The path is not of the form `tile/<level>/<n>[.p/<width>]`.
    #[error("{0:?} is not of the form tile/<level>/<n>[.p/<width>]")]
    Form(String),
    /// The level is neither `entries` nor a number from 0 to 63.
    #[error("{0:?} is not a tile level")]
    Level(String),
    /// The position is not written in groups of three digits, or is above that of any tile.
    #[error("{0:?} is not the number of a tile")]
    Number(String),
    /// The width of a partial tile is not a number from 1 to 255.
    #[error("{0:?} is not the width of a partial tile")]
    Width(String),
    /// The path has another, shorter spelling.
    #[error("the canonical spelling is {0}")]
    NotCanonical(TilePath),
}

/// The largest level a path may name: C2SP tlog-tiles, "an integer between 0 and 63".
const MAX_LEVEL: u8 = 63;

impl TilePath {
    /// Tells whether the tile or bundle is full, and so will never change.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.width() >= FULL
    }

    /// Returns how many hashes or entries there are.
    #[must_use]
    pub const fn width(self) -> u16 {
        match self {
            Self::Hash { width, .. } | Self::Entries { width, .. } => width,
        }
    }
}

/// Writes the path without a leading slash.
impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hash { id, .. } => {
                write!(f, "tile/{}/", id.level)?;
                write_number(f, id.n)?;
            }
            Self::Entries { n, .. } => {
                f.write_str("tile/entries/")?;
                write_number(f, n)?;
            }
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width()) }
    }
}

/// Reads a path in its one canonical spelling, without a leading slash.
impl FromStr for TilePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let path = parse(text)?;
        // What is not written as it was read was not canonical: one comparison instead of a rule for every spelling.
        if path.to_string() == text { Ok(path) } else { Err(PathError::NotCanonical(path)) }
    }
}

/// Reads a path, its spelling not yet judged.
fn parse(text: &str) -> Result<TilePath, PathError> {
    let form = || PathError::Form(text.to_owned());
    let (level, rest) = text.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or_else(form)?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, parse_width(width)?),
        None => (rest, FULL),
    };
    let n = parse_number(number).ok_or_else(|| PathError::Number(number.to_owned()))?;
    if level == "entries" {
        return Ok(TilePath::Entries { n, width });
    }
    let level =
        level.parse().ok().filter(|level| *level <= MAX_LEVEL).ok_or_else(|| PathError::Level(level.to_owned()))?;
    Ok(TilePath::Hash { id: TileId { level, n }, width })
}

/// Reads the width of a partial tile.
fn parse_width(text: &str) -> Result<u16, PathError> {
    text.parse().ok().filter(|width| (1..FULL).contains(width)).ok_or_else(|| PathError::Width(text.to_owned()))
}

/// Reads a position written in groups of three digits.
fn parse_number(text: &str) -> Option<u64> {
    text.split('/')
        .try_fold(0_u64, |n, group| {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let value: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
            (digits.len() == 3).then(|| n.checked_mul(1000)?.checked_add(value))?
        })
        .filter(|n| *n < TreeSize::MAX.get() / WIDTH)
}

/// Writes a position in groups of three digits, every group but the last behind an `x`.
fn write_number(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    write_leading(f, n / 1000)?;
    write!(f, "{:03}", n % 1000)
}

/// Writes the groups before the last.
fn write_leading(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    if n == 0 {
        return Ok(());
    }
    write_leading(f, n / 1000)?;
    write!(f, "x{:03}/", n % 1000)
}

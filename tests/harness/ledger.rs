//! What the log has promised, and every head it has signed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use govlog_formats::digest::Digest;

/// A promise of the log that it did not keep, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// All acknowledgements and all heads that anybody got.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Pages>);

/// The pages of a ledger.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// Leaf hash by acknowledged leaf index.
    pub entries: BTreeMap<u64, Digest>,
    /// Acknowledged leaf index by leaf hash.
    pub places: BTreeMap<Digest, u64>,
    /// Root hash by tree size, of every head seen under the log's signature.
    pub heads: BTreeMap<u64, Digest>,
}

impl Ledger {
    /// Writes down that an entry was acknowledged.
    ///
    /// # Errors
    /// When its index was given to another entry, or it was given another index.
    pub fn acknowledged(&self, index: u64, leaf: Digest) -> Result<(), Broken> {
        let mut pages = self.0.lock().unwrap();
        let before = *pages.entries.entry(index).or_insert(leaf);
        if before != leaf {
            return Err(Broken(format!("index {index} was acknowledged for {before} and again for {leaf}")));
        }
        let place = *pages.places.entry(leaf).or_insert(index);
        if place != index {
            return Err(Broken(format!("entry {leaf} was acknowledged at {place} and again at {index}")));
        }
        Ok(())
    }

    /// Writes down a head that the log has signed.
    ///
    /// # Errors
    /// When there was another head of this size.
    pub fn signed(&self, size: u64, root: Digest) -> Result<(), Broken> {
        let before = *self.0.lock().unwrap().heads.entry(size).or_insert(root);
        if before == root {
            return Ok(());
        }
        Err(Broken(format!("two heads of size {size} were signed: {before} and {root}")))
    }

    /// How many entries were acknowledged.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().entries.len()
    }

    /// The least tree size that covers all that was acknowledged.
    #[must_use]
    pub fn covering_size(&self) -> u64 {
        self.0.lock().unwrap().entries.last_key_value().map_or(0, |(index, _)| index + 1)
    }

    /// Copies the pages.
    #[must_use]
    pub fn pages(&self) -> Pages {
        self.0.lock().unwrap().clone()
    }
}

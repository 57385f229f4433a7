//! What other runs redacted while this one planned and asked: the store is not locked then, and what they did is not to be signed for again.

use std::collections::{HashMap, HashSet};

use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::RedactionExtent;

use crate::cli::output::Output;
use crate::openings::{Folder, Journaled, Planned, StoreError};

/// The redactions that this run knows of, by their leaf hashes.
#[derive(Default)]
pub(super) struct Seen(HashSet<Digest>);

impl Seen {
    /// Reads those that it does not know yet; from then on it does.
    pub(super) fn anew(&mut self, store: &Folder) -> Result<Vec<Journaled>, StoreError> {
        let mut found = store.redactions()?;
        found.retain(|redaction| self.0.insert(redaction.statement.leaf_hash()));
        Ok(found)
    }
}

/// What redactions name of one entry.
#[derive(Default)]
struct Named {
    is_all: bool,
    fields: HashSet<Digest>,
}

/// Leaves of what was planned what nobody else has redacted meanwhile, and says what is left out. `is_stored` tells whether anything is there for an entry.
pub(super) fn left(
    planned: Vec<Planned>,
    others: &[Journaled],
    is_stored: impl Fn(&Digest) -> bool,
    out: &Output,
) -> Vec<Planned> {
    let mut named: HashMap<Digest, Named> = HashMap::new();
    for (leaf, target) in others.iter().flat_map(Journaled::targets) {
        let named = named.entry(leaf).or_default();
        named.is_all |= target.extent == RedactionExtent::All;
        named.fields.extend(target.digests);
    }
    let before = planned.len();
    let left: Vec<_> = planned
        .into_iter()
        .filter_map(|planned| without(planned, &named).filter(|planned| is_stored(&planned.leaf)))
        .collect();
    if left.len() < before {
        let gone = before - left.len();
        out.notice(&format!(
            "of {gone} entries another run has redacted that meanwhile; nothing is signed for them again"
        ));
    }
    left
}

fn without(mut planned: Planned, named: &HashMap<Digest, Named>) -> Option<Planned> {
    let Some(named) = named.get(&planned.leaf) else { return Some(planned) };
    if named.is_all {
        return None;
    }
    // Where all of it was planned, what others left of it is all.
    if let Some(fields) = &mut planned.fields {
        fields.retain(|(_, digest)| !named.fields.contains(digest));
        if fields.is_empty() {
            return None;
        }
    }
    Some(planned)
}

//! What a custody file holds, one by one: an entry, or a member of a batch that is one; and what follows from all of them together.

use std::collections::BTreeMap;
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize, leaf_hash};
use govlog_formats::record::{Record, default_subject};
use govlog_formats::search::Marks;
use govlog_formats::statement::SignedStatement;

use super::super::matter::Role;
use super::super::relations::{Node, Spot};
use crate::openings::Field;
use crate::verify::{self, Bracket, Redacted, VerifiedEntry};

/// An entry of the file, or a member of one.
#[derive(Clone, Debug)]
pub struct Held {
    /// The entry, verified under the file's checkpoint; of a member, its batch.
    pub entry: Arc<VerifiedEntry>,
    /// The member, proved under its batch's root.
    pub member: Option<HeldMember>,
    /// Why it belongs to the matter; `None`: nothing leads to it, as to what streams say of themselves.
    pub role: Option<Role>,
    /// The tightest time bounds that the file's notes prove.
    pub bracket: Bracket,
    /// Whether it carries a receipt by a key in force that you know, for SCITT tools.
    pub has_receipt: bool,
    /// Its sealed values, opened or not.
    pub fields: Vec<Field>,
}

/// The entries, each verified, and whether it carries a receipt by a key in force.
pub(super) type Verified = BTreeMap<LeafIndex, (Arc<VerifiedEntry>, bool)>;

/// A decision that is a member of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldMember {
    /// Its place in the batch, from 0.
    pub at: LeafIndex,
    /// How many members the batch has.
    pub of: TreeSize,
    /// Its record, as its leaf in the batch's tree is made of.
    pub record: Vec<u8>,
}

impl Held {
    /// Where it stands.
    #[must_use]
    pub fn spot(&self) -> Spot {
        Spot { index: self.entry.included().index, member: self.member.as_ref().map(|member| member.at) }
    }

    /// Its id, `1.57`, or of a member `1.57#3`.
    #[must_use]
    pub fn id(&self) -> String {
        self.spot().to_string()
    }

    /// Its kind, or content type.
    #[must_use]
    pub fn kind(&self) -> &str {
        if self.member.is_some() { "decision" } else { self.entry.statement().kind() }
    }

    /// The bytes of its record, or whatever its payload is.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.member.as_ref().map_or_else(|| self.entry.statement().payload(), |member| &member.record)
    }

    /// What it says, where it is a record.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        match &self.member {
            Some(member) => Record::parse("decision", &member.record).ok(),
            None => self.entry.record(),
        }
    }

    /// Its leaf hash; of a member, that in the batch's tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        self.member.as_ref().map_or_else(|| self.entry.statement().leaf_hash(), |member| leaf_hash(&member.record))
    }

    /// What it is about, in what may be another's words.
    #[must_use]
    pub fn subject(&self) -> String {
        let own = self.member.as_ref().and_then(|_| self.record().as_ref().and_then(default_subject));
        own.unwrap_or_else(|| self.entry.statement().claims().sub.clone())
    }

    /// What it is found by.
    #[must_use]
    pub fn marks(&self) -> Marks {
        match &self.member {
            Some(member) => Marks::of_member(self.entry.statement(), &member.record),
            None => Marks::of(self.entry.statement()),
        }
    }

    /// The same as far as relations go.
    #[must_use]
    pub fn node(&self) -> Node {
        match &self.member {
            Some(member) => Node::of_member(self.spot(), self.entry.statement(), &member.record),
            None => Node::new(self.entry.included().index, self.entry.statement()),
        }
    }
}

/// What redactions say of entries; positions are those in the list with members between.
pub(super) fn redactions(held: &[Held]) -> Vec<Redacted> {
    let entries: Vec<(usize, &SignedStatement)> = held
        .iter()
        .enumerate()
        .filter(|(_, held)| held.member.is_none())
        .map(|(at, held)| (at, held.entry.statement()))
        .collect();
    let statements: Vec<&SignedStatement> = entries.iter().map(|(_, statement)| *statement).collect();
    let at = |position: usize| entries.get(position).map_or(position, |(at, _)| *at);
    let redactions = verify::redactions(&statements).into_iter();
    redactions.map(|redacted| Redacted { entry: at(redacted.entry), by: at(redacted.by), ..redacted }).collect()
}

//! What follows from everything that was proved: each entry's time bounds and role, the checkpoint, and when streams last spoke.

use std::collections::BTreeMap;
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::member::MemberProof;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tlog_policy::VerifiedCheckpoint;

use super::super::file::{Place, Places, StreamSeen, bounded};
use super::super::find::Members;
use super::super::matter::Role;
use super::super::relations::Spot;
use super::found::{self, Head};
use super::held::{Held, HeldMember, Verified};
use crate::openings::{self, Openings};
use crate::trust::Trust;
use crate::verify::{self, Bracket, VerifiedEntry};

/// The file's notes, by their sizes, each of the same history.
pub(super) type Notes = BTreeMap<TreeSize, VerifiedCheckpoint>;

/// Everything that was proved, with what was found out of each.
pub(super) fn held(
    (places, notes): (&Places<'_>, &Notes),
    verified: &Verified,
    members: Members,
    disclosed: &BTreeMap<Digest, Openings>,
    roles: &BTreeMap<Spot, Role>,
) -> Vec<Held> {
    let lower = lower_bounds(places, notes, verified);
    let hold = |index: LeafIndex, entry: &Arc<VerifiedEntry>, has_receipt: bool, member: Option<HeldMember>| {
        let covering = notes.range(TreeSize::new(index.get() + 1)..).map(|(_, note)| note);
        let bracket = Bracket {
            lower_s: lower.get(&index).copied(),
            upper_s: covering.filter(|note| note.quorum().met()).filter_map(VerifiedCheckpoint::upper_time).min(),
        };
        let mut held = Held { role: None, bracket, has_receipt, fields: Vec::new(), entry: entry.clone(), member };
        let openings = disclosed.get(&held.leaf()).map_or(&[][..], |found| &found.fields);
        let opened = held.record().and_then(|_| openings::open(held.payload(), openings).ok());
        held.fields = opened.map(|opened| opened.fields).unwrap_or_default();
        held
    };
    let member = |(spot, proof): (Spot, MemberProof)| {
        let (entry, has_receipt) = verified.get(&spot.index)?;
        let member = HeldMember { at: proof.index, of: proof.size, record: proof.record };
        Some(hold(spot.index, entry, *has_receipt, Some(member)))
    };
    let entries = verified.iter().map(|(index, (entry, has_receipt))| hold(*index, entry, *has_receipt, None));
    let mut held: Vec<Held> = entries.chain(members.into_iter().filter_map(member)).collect();
    held.sort_by_key(Held::spot);
    held.iter_mut().for_each(|held| held.role = roles.get(&held.spot()).copied());
    held
}

/// "only if the statement, or an earlier one in its `prev` chain, carries `head`" (records.md §5), as far as that chain is in the file.
fn lower_bounds(places: &Places<'_>, notes: &Notes, verified: &Verified) -> BTreeMap<LeafIndex, u64> {
    let named: BTreeMap<Digest, &VerifiedCheckpoint> = places
        .iter()
        .filter_map(|(place, bytes)| match place {
            Place::Note(size) => Some((Digest::sha256(bytes), notes.get(size)?)),
            _ => None,
        })
        .collect();
    let (mut bounds, mut by_statement) = (BTreeMap::new(), BTreeMap::<Digest, u64>::new());
    for (index, (entry, _)) in verified {
        let claims = entry.statement().claims();
        let note = claims.head.and_then(|head| named.get(&head));
        // A note that covers the entry was not there when it was signed: then the claim is wrong, and bounds nothing.
        let own = note.filter(|note| !note.checkpoint().size.covers(*index)).and_then(|note| note.lower_time());
        let before = claims.stream.as_ref().and_then(|position| by_statement.get(&position.prev).copied());
        if let Some(bound) = own.max(before) {
            bounds.insert(*index, bound);
            by_statement.insert(entry.statement().sig_structure_digest(), bound);
        }
    }
    bounds
}

/// The file's checkpoint, and who saw it.
pub(super) fn head(trust: &Trust, head: &VerifiedCheckpoint, notes: &Notes, remarks: &mut Vec<String>) -> Head {
    let size = head.checkpoint().size;
    Head {
        size,
        root: head.checkpoint().root,
        known_witnesses: trust.policy().witnesses().len(),
        asks_for_witnesses: trust.policy().quorum().is_some(),
        time_s: head.lower_time(),
        witnesses: verify::seen(trust, head, remarks),
        earlier: notes.keys().copied().filter(|earlier| *earlier < size).collect(),
    }
}

/// The streams, each with by when its last word was there.
pub(super) fn streams(said: &[StreamSeen], held: &[Held]) -> Vec<StreamSeen> {
    let by_s = |id: &str| {
        let held = found::at(held, id.parse().ok()?)?;
        let signed_s = u64::try_from(held.entry.statement().claims().iat).unwrap_or_default();
        Some(held.bracket.upper_s.map_or(signed_s, |upper| upper.min(signed_s)))
    };
    bounded(said, by_s)
}

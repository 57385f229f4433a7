//! What a file holds besides proofs: the openings of what it discloses, and what is written by rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;

use super::super::file::missing::{Claimed, not_found, survey};
use super::super::file::{Manifest, NotFound, OPENING_STORE_TEXT, Place, Places, VERIFY_TEXT, timeline};
use super::super::find::Members;
use super::super::matter::Survey;
use super::super::relations::Spot;
use super::held::Verified;
use crate::openings::{self, Openings, State};
use crate::verify::{Failure, VerifiedEntry};

/// What is disclosed: each opening opens what it says, and nothing else is there.
pub(super) fn openings(
    places: &Places<'_>,
    verified: &Verified,
    members: &Members,
) -> Result<BTreeMap<Digest, Openings>, Failure> {
    // Hashed once, and not for every member: a hostile file has as many of each as there may be.
    let entry = |(entry, _): &'_ (Arc<VerifiedEntry>, bool)| entry.statement().leaf_hash();
    let entries =
        verified.values().map(|held| (entry(held), (held.0.statement().kind(), held.0.statement().payload())));
    let members = members.values().map(|proof| (proof.leaf(), ("decision", proof.record.as_slice())));
    let records: BTreeMap<Digest, (&str, &[u8])> = entries.chain(members).collect();
    let mut found = BTreeMap::new();
    for (place, bytes) in places {
        let Place::Openings(leaf) = place else { continue };
        let fail = |why: String| Failure::refuted(format!("{}: {why}", place.name()));
        let (kind, record) =
            *records.get(leaf).ok_or_else(|| fail("the file has no such entry or member".to_owned()))?;
        let openings = Openings::decode(bytes).map_err(|error| fail(error.to_string()))?;
        if openings.kind != kind || openings.refused.is_some() || !openings.members.is_empty() {
            return Err(fail("it is not openings of fields of that entry".to_owned()));
        }
        if openings.fields.is_empty() || openings.clone().encode().ok().as_deref() != Some(*bytes) {
            return Err(fail("it opens nothing, or is not written as openings are".to_owned()));
        }
        let opened = openings::open(record, &openings.fields).map_err(|error| fail(error.to_string()))?;
        let opens = opened.fields.iter().filter(|field| matches!(field.state, State::Opened(_))).count();
        if opens != openings.fields.len() || !opened.stray.is_empty() {
            return Err(fail("the entry is sealed for something else".to_owned()));
        }
        found.insert(*leaf, openings);
    }
    let store = places.get(&Place::OpeningStore);
    let right = (!found.is_empty()).then_some(OPENING_STORE_TEXT.as_bytes());
    if store.copied() == right { Ok(found) } else { Err(Failure::refuted("openings/store.toml: not as it is written")) }
}

/// What is written by rule must be what the rule gives; gives what follows from the entries.
pub(super) fn rendered(
    places: &Places<'_>,
    verified: &Verified,
    members: &Members,
    disclosed: &BTreeMap<Digest, Openings>,
    manifest: &Manifest,
    starts: &BTreeSet<Spot>,
) -> Result<Survey, Failure> {
    let statements = verified.iter().map(|(index, (entry, _))| (*index, entry.statement().clone())).collect();
    let survey = survey(&statements, members, starts);
    let claimed = {
        let NotFound { cut_at, batches, ref refused, .. } = manifest.not_found;
        Claimed { cut_at, batches, refused: refused.clone() }
    };
    if not_found(&statements, members, &survey, disclosed, claimed) != manifest.not_found {
        return Err(Failure::refuted("manifest.json: not_found: not what the entries give"));
    }
    let timeline = timeline(&statements, members, disclosed);
    for (place, right) in [(Place::Timeline, timeline.as_slice()), (Place::Verify, VERIFY_TEXT.as_bytes())] {
        if places.get(&place) != Some(&right) {
            return Err(Failure::refuted(format!("{}: not what the entries give", place.name())));
        }
    }
    Ok(survey)
}

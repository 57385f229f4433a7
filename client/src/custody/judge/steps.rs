//! Judging a custody file against a trust directory. Pure: nothing is fetched, no clock is read, no enclosed key or policy is believed.
//!
//! In this order: the archive's bytes, the manifest and the digest of each member, the checkpoint, every earlier note with its consistency, the
//! admission policy's entries, every entry with its proof and its receipts, what is disclosed, and at last what follows from all of these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::member::MemberProof;
use govlog_formats::merkle::{ConsistencyProof, LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::VerifiedCheckpoint;
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::transparent::{self, TransparentError, TransparentStatement};
use govlog_formats::wire::add_checkpoint::AddCheckpoint;

use super::super::file::{MANIFEST, Manifest, ManifestError, Place, Places, archive, statement_of, streams};
use super::super::find::Members;
use super::super::relations::Spot;
use super::conclude::Notes;
use super::found::{Changes, Custody};
use super::held::{Verified, redactions};
use super::{claims, conclude, disclosed};
use crate::trust::{Trust, TrustError};
use crate::verify::{self, Failure};

/// Judges a file; gives your trust with what the file taught it, too. What was left unjudged is added to `remarks`.
pub(super) fn judge(trust: &Trust, bytes: &[u8], remarks: &mut Vec<String>) -> Result<(Custody, Trust), Failure> {
    let members = archive::read(bytes).map_err(|error| refuted(&error))?;
    let manifest_bytes = *members.get(MANIFEST).ok_or_else(|| Failure::refuted("it has no manifest.json"))?;
    let manifest = Manifest::parse(manifest_bytes).map_err(|error| match error {
        ManifestError::Version { .. } => Failure::unknown(error.to_string()),
        error => Failure::refuted(error.to_string()),
    })?;
    let places = places(&members, &manifest)?;
    let head = head(trust, &manifest, &places)?;
    let notes = notes(trust, &head, &places)?;
    let mut file =
        File { trust: trust.clone(), places, head, notes, remarks, short_receipts: 0, unplaced: BTreeSet::new() };
    file.pinned()?;
    let changes = file.changes()?;
    let verified = file.entries()?;
    file.say_receipts();
    let members = file.members(&verified)?;
    let disclosed = disclosed::openings(&file.places, &verified, &members)?;
    let starts = claims::answers(&manifest, &verified, &members, file.remarks)?;
    let survey = disclosed::rendered(&file.places, &verified, &members, &disclosed, &manifest, &starts)?;
    let seen = streams(verified.iter().map(|(index, (entry, _))| (*index, entry.statement())));
    if seen != manifest.streams {
        return Err(Failure::refuted("manifest.json: streams: not what the entries give"));
    }
    let entries = conclude::held((&file.places, &file.notes), &verified, members, &disclosed, &survey.roles);
    let custody = Custody {
        manifest_digest: Digest::sha256(manifest_bytes),
        file_digest: Digest::sha256(bytes),
        fingerprint: file.trust.fingerprint(),
        checkpoint: conclude::head(&file.trust, &file.head, &file.notes, file.remarks),
        changes,
        redactions: redactions(&entries),
        streams: conclude::streams(&manifest.streams, &entries),
        entries,
        edges: survey.edges,
        dead_links: survey.dead,
        records: Vec::new(),
        manifest,
    };
    Ok((custody, file.trust))
}

fn refuted(error: &dyn std::error::Error) -> Failure {
    Failure::refuted(error.to_string())
}

/// Says which member a failure is about.
fn within(name: String) -> impl FnOnce(Failure) -> Failure {
    move |failure| Failure { why: format!("{name}: {}", failure.why), ..failure }
}

/// Holds every member against the manifest's digest of it, and finds what each is.
fn places<'b>(members: &BTreeMap<&str, &'b [u8]>, manifest: &Manifest) -> Result<Places<'b>, Failure> {
    let mut places = BTreeMap::new();
    for (name, bytes) in members {
        let place =
            Place::of(name).ok_or_else(|| Failure::refuted(format!("{name}: no custody file has such a member")))?;
        if place != Place::Manifest {
            let said = manifest.files.get(*name);
            let said = said.ok_or_else(|| Failure::refuted(format!("{name}: the manifest does not list it")))?;
            let found = Digest::sha256(bytes).to_string();
            if found != *said {
                return Err(Failure::refuted(format!("{name}: hashes to {found}; the manifest says {said}")));
            }
        }
        places.insert(place, *bytes);
    }
    match manifest.files.keys().find(|name| !members.contains_key(name.as_str()) || *name == MANIFEST) {
        Some(name) => Err(Failure::refuted(format!("{name}: the manifest lists it, and it is not there"))),
        None => Ok(places),
    }
}

/// The one checkpoint: the log's signature, your quorum, and what the manifest says of it.
fn head(trust: &Trust, manifest: &Manifest, places: &Places<'_>) -> Result<VerifiedCheckpoint, Failure> {
    let place = Place::Note(TreeSize::new(manifest.checkpoint.size));
    let note = places.get(&place).ok_or_else(|| Failure::refuted(format!("{}: missing", place.name())))?;
    let head = verify::checkpoint(trust, note).map_err(within(place.name()))?;
    let (found, said) = (head.checkpoint(), &manifest.checkpoint);
    let is_said = found.size.get() == said.size
        && found.root.to_string() == said.root
        && found.origin.as_str() == manifest.origin;
    if !is_said {
        let why = format!("the manifest speaks of another checkpoint than {}", place.name());
        return Err(Failure::refuted(why));
    }
    if !head.quorum().met() {
        return Err(Failure::policy(format!("the checkpoint of size {}: {}", found.size, head.quorum())));
    }
    Ok(head)
}

/// Every note, by its size, with proof that the checkpoint continues it.
fn notes(trust: &Trust, head: &VerifiedCheckpoint, places: &Places<'_>) -> Result<Notes, Failure> {
    let newest = head.checkpoint();
    let mut notes = BTreeMap::from([(newest.size, head.clone())]);
    for (place, bytes) in places {
        match *place {
            Place::Note(size) if size < newest.size => {
                let note = verify::checkpoint(trust, bytes).map_err(within(place.name()))?;
                if note.checkpoint().size != size {
                    let why = format!("{}: it is of size {}", place.name(), note.checkpoint().size);
                    return Err(Failure::refuted(why));
                }
                consistent(head, &note, places).map_err(within(Place::Consistency(size).name()))?;
                notes.insert(size, note);
            }
            Place::Note(size) if size > newest.size => {
                return Err(Failure::refuted(format!("{}: larger than the file's checkpoint", place.name())));
            }
            Place::Consistency(size) if size >= newest.size || !places.contains_key(&Place::Note(size)) => {
                return Err(Failure::refuted(format!("{}: there is no note for it", place.name())));
            }
            _ => {}
        }
    }
    Ok(notes)
}

fn consistent(head: &VerifiedCheckpoint, note: &VerifiedCheckpoint, places: &Places<'_>) -> Result<(), Failure> {
    let (old, new) = (note.checkpoint(), head.checkpoint());
    let bytes = places.get(&Place::Consistency(old.size)).ok_or_else(|| Failure::refuted("missing"))?;
    let proof = AddCheckpoint::parse(bytes).map_err(|error| refuted(&error))?;
    if proof.old != old.size
        || places.get(&Place::Note(new.size)) != Some(&proof.note.as_slice())
        || proof.encode() != *bytes
    {
        return Err(Failure::refuted("not a proof from this size to the file's checkpoint"));
    }
    let proof = ConsistencyProof { old: old.size, new: new.size, path: proof.proof };
    proof.verify(&old.root, &new.root).map_err(|error| {
        Failure::refuted(format!(
            "split view: the checkpoint of size {} (root {}) does not continue the one of size {} (root {}): {error}; keep both notes",
            new.size, new.root, old.size, old.root
        ))
    })
}

struct File<'f> {
    /// Yours, with the admission policy's later entries as far as the file proves them to you.
    trust: Trust,
    places: Places<'f>,
    head: VerifiedCheckpoint,
    notes: Notes,
    remarks: &'f mut Vec<String>,
    /// How many receipts are by notes with fewer witnesses than you ask for.
    short_receipts: usize,
    /// How many members have receipts, and none by a key in force that you know.
    unplaced: BTreeSet<String>,
}

impl<'f> File<'f> {
    /// One size with two roots is proof of a split view; where the file has the pinned size, the checkpoint continues the pin.
    fn pinned(&mut self) -> Result<(), Failure> {
        let Some(pinned) = self.trust.pinned().map(|pinned| pinned.verified.checkpoint().clone()) else {
            self.remarks.push("whether other heads of this log agree: none is pinned yet".to_owned());
            return Ok(());
        };
        match self.notes.get(&pinned.size).map(VerifiedCheckpoint::checkpoint) {
            Some(found) if found.root == pinned.root => Ok(()),
            Some(found) => Err(Failure::refuted(format!(
                "split view: your pinned head of size {} has root {}, the file's has {}; keep both, they prove it",
                pinned.size, pinned.root, found.root
            ))),
            None => {
                self.remarks.push(format!(
                    "whether the file's checkpoint of size {} and your pinned head of size {} are of one history: ask for a file with \
                     --pin, or run govlog audit",
                    self.head.checkpoint().size,
                    pinned.size
                ));
                Ok(())
            }
        }
    }

    /// A member, and the proof beside it, which must lead to the file's checkpoint and be written as proofs are.
    fn proved(&self, place: Place, beside: Place) -> Result<(&'f [u8], TlogProof), Failure> {
        let fail = |why: &str| Failure::refuted(format!("{}: {why}", beside.name()));
        let bytes = self.places.get(&place).ok_or_else(|| Failure::refuted(format!("{}: missing", place.name())))?;
        let proof_bytes = self.places.get(&beside).ok_or_else(|| fail("missing"))?;
        let proof = TlogProof::parse(proof_bytes).map_err(|error| fail(&error.to_string()))?;
        // Nothing signs it.
        if proof.extra.is_some() {
            return Err(fail("it carries data besides the proof, which nothing proves"));
        }
        let index = match place {
            Place::Entry(index) | Place::Change(index) => index,
            _ => return Err(fail("it proves nothing")),
        };
        let note = self.places.get(&Place::Note(self.head.checkpoint().size));
        if note != Some(&proof.checkpoint.as_slice()) || proof.index != index || proof.to_bytes() != *proof_bytes {
            return Err(fail("not a proof for this index at the file's checkpoint"));
        }
        Ok((bytes, proof))
    }

    /// Learns what follows the admission policy as you know it, each change as `trust update` would; what you know must be the same.
    fn changes(&mut self) -> Result<Changes, Failure> {
        let indexes: BTreeSet<LeafIndex> = self
            .places
            .keys()
            .filter_map(|place| match place {
                Place::Change(index) | Place::ChangeProof(index) => Some(*index),
                _ => None,
            })
            .collect();
        let known = self.trust.history().newest_number();
        let mut enclosed = Vec::new();
        for index in indexes.iter().copied() {
            let place = Place::Change(index);
            let (bytes, proof) = self.proved(place, Place::ChangeProof(index))?;
            let statement =
                SignedStatement::parse(bytes).map_err(|error| refuted(&error)).map_err(within(place.name()))?;
            if index > self.trust.history().newest().index {
                let learnt = self.trust.learn(index, statement.entry(), &proof.to_bytes());
                learnt
                    .map_err(|error| match error {
                        TrustError::Unproved { why, .. } => Failure::refuted(why),
                        error => Failure::refuted(error.to_string()),
                    })
                    .map_err(within(place.name()))?;
            }
            verify::judge_under(&self.trust, &self.head, &proof, statement, &mut Vec::new())
                .map_err(within(place.name()))?;
            enclosed.push((place, bytes, index));
        }
        // The key of a receipt may be of a later change than the one that it is for.
        for (place, bytes, index) in enclosed {
            self.receipts(place, bytes, index)?;
        }
        let more = claims::changes(self.trust.history(), self.head.checkpoint().size, &indexes)?;
        let policy = self.places.get(&Place::Policy).ok_or_else(|| Failure::refuted("policy/policy.txt: missing"))?;
        // The text, for whoever reads it: a comment can say anything.
        let is_same_policy = *policy == self.trust.policy().to_string().as_bytes();
        let as_of = self.trust.history().newest_number();
        Ok(Changes { enclosed: indexes.len(), learnt: as_of - known, more, as_of, is_same_policy })
    }

    /// Every entry: its proof under the checkpoint, its issuer's right, its receipts.
    fn entries(&mut self) -> Result<Verified, Failure> {
        let mut found = BTreeMap::new();
        let places: Vec<Place> = self.places.keys().copied().collect();
        for place in places {
            let index = match place {
                Place::Entry(index) => index,
                Place::Proof(index) if self.places.contains_key(&Place::Entry(index)) => continue,
                Place::Proof(_) => return Err(Failure::refuted(format!("{}: there is no entry for it", place.name()))),
                _ => continue,
            };
            let (bytes, proof) = self.proved(place, Place::Proof(index))?;
            let statement = statement_of(bytes).map_err(|error| refuted(&error)).map_err(within(place.name()))?;
            let mut remarks = Vec::new();
            let entry = verify::judge_under(&self.trust, &self.head, &proof, statement, &mut remarks);
            let entry = entry.map_err(within(place.name()))?;
            let has_receipt = self.receipts(place, bytes, index)?;
            found.insert(index, (Arc::new(entry), has_receipt));
        }
        Ok(found)
    }

    /// Every member of a batch: its proof under the root that its batch's entry signs, and what that issuer may log.
    fn members(&self, verified: &Verified) -> Result<Members, Failure> {
        let mut found = Members::new();
        for (place, bytes) in &self.places {
            let Place::Member(batch, at) = *place else { continue };
            let fail = |why: String| Failure::refuted(format!("{}: {why}", place.name()));
            let proof = MemberProof::parse(bytes).map_err(|error| fail(error.to_string()))?;
            let entry = verified.get(&batch).ok_or_else(|| fail("the file has no such batch".to_owned()))?;
            if proof.index != at || proof.to_bytes() != *bytes {
                return Err(fail("not a proof for this place, or not written as proofs are".to_owned()));
            }
            if proof.batch != entry.0.statement().leaf_hash() {
                return Err(fail("it is a member of another batch".to_owned()));
            }
            verify::judge_member(&entry.0, &proof).map_err(within(place.name()))?;
            found.insert(Spot::of_member(batch, at), proof);
        }
        Ok(found)
    }

    fn say_receipts(&mut self) {
        if self.short_receipts > 0 {
            let count = self.short_receipts;
            self.remarks.push(format!(
                "the times of {count} receipts: fewer witnesses cosigned their notes than your policy asks for"
            ));
        }
        let count = self.unplaced.len();
        if count > 0 {
            let some: Vec<&str> = self.unplaced.iter().take(SAID).map(String::as_str).collect();
            let more = if count > SAID { ", …" } else { "" };
            self.remarks.push(format!(
                "the receipts of {count} members ({}{more}): none is by a receipt key in force that you know; govlog trust update asks the log",
                some.join(", ")
            ));
        }
    }

    /// Judges the receipts that a member carries, each by its note, which the file has judged already; says whether it has one by a key in force.
    ///
    /// The entry is proved by its own leaf and path: receipts that nobody can judge take nothing away.
    fn receipts(&mut self, place: Place, bytes: &[u8], index: LeafIndex) -> Result<bool, Failure> {
        let refuse = |why: String| Failure::refuted(format!("{}: {why}", place.name()));
        let transparent = match TransparentStatement::parse(bytes) {
            Ok(transparent) => transparent,
            Err(TransparentError::NoReceipts) => {
                return SignedStatement::parse_entry(bytes).map(|_| false).map_err(|error| refuse(error.to_string()));
            }
            Err(error) => return Err(refuse(error.to_string())),
        };
        // No signature covers what else an unprotected header holds.
        let receipts: Vec<Vec<u8>> = transparent.receipts().iter().map(|receipt| receipt.bytes().to_vec()).collect();
        let assembled = transparent::assemble(transparent.statement().entry(), &receipts);
        if assembled.ok().as_deref() != Some(bytes) {
            return Err(refuse("it is more than the statement and its receipts".to_owned()));
        }
        let (mut remarks, mut is_placed) = (Vec::new(), false);
        for attached in transparent.receipts() {
            if !self.trust.history().knows_receipt_key(attached.kid()) {
                remarks.push(verify::unknown_key(attached.kid()));
                continue;
            }
            let receipt = attached.parse().map_err(|error| refuse(error.to_string()))?;
            let note = Place::Note(receipt.size());
            let head = self.notes.get(&receipt.size()).filter(|_| self.places.get(&note) == Some(&receipt.note()));
            let head = head.ok_or_else(|| refuse(format!("its receipt's checkpoint is not {}", note.name())))?;
            // A receipt by fewer witnesses than you ask for adds nothing, and takes nothing away.
            if !head.quorum().met() {
                self.short_receipts += 1;
            }
            let placed = verify::place(&self.trust, transparent.statement(), &receipt, head, &mut remarks);
            match placed.map_err(within(place.name()))? {
                Some(found) if found != index => return Err(refuse(format!("its receipt is for index {found}"))),
                placed => is_placed |= placed.is_some(),
            }
        }
        if is_placed {
            self.remarks.extend(remarks.into_iter().map(|remark| format!("{} of {}", remark, place.name())));
        } else {
            self.unplaced.insert(place.name());
        }
        Ok(is_placed)
    }
}

/// So many members are told by name.
const SAID: usize = 8;

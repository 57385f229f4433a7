//! Which member of a custody file is what, by its name.

use std::collections::BTreeMap;

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};

use super::archive;
use crate::trust::EPOCH;

pub(in crate::custody) const MANIFEST: &str = "manifest.json";
pub(super) const TIMELINE: &str = "timeline.jsonl";
pub(super) const VERIFY: &str = archive::VERIFY;
pub(super) const POLICY: &str = "policy/policy.txt";
/// What `govlog open` wants to see in an opening store's folder.
pub(super) const OPENING_STORE: &str = "openings/store.toml";
pub(in crate::custody) const OPENING_STORE_TEXT: &str = "version = 1\nplaintext = true\nrecipients = []\n";

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::custody) enum Place {
    Manifest,
    Timeline,
    Verify,
    Policy,
    OpeningStore,
    /// A transparent statement.
    Entry(LeafIndex),
    /// Its proof.
    Proof(LeafIndex),
    /// An entry that the admission policy is folded from.
    Change(LeafIndex),
    /// Its proof.
    ChangeProof(LeafIndex),
    /// A published note.
    Note(TreeSize),
    /// That the file's checkpoint continues the note of this size.
    Consistency(TreeSize),
    /// That a decision is a member of a batch: which batch, and its place in it.
    Member(LeafIndex, LeafIndex),
    /// What opens sealed values of the entry, or the member, with this leaf hash.
    Openings(Digest),
}

/// The members of a file, by what they are.
pub(in crate::custody) type Places<'b> = BTreeMap<Place, &'b [u8]>;

impl Place {
    /// The member's name.
    pub(in crate::custody) fn name(self) -> String {
        let id = |index| EntryId { epoch: EPOCH, index };
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Timeline => TIMELINE.to_owned(),
            Self::Verify => VERIFY.to_owned(),
            Self::Policy => POLICY.to_owned(),
            Self::OpeningStore => OPENING_STORE.to_owned(),
            Self::Entry(index) => format!("entries/{}.cose", id(index)),
            Self::Proof(index) => format!("proofs/{}.tlog-proof", id(index)),
            Self::Change(index) => format!("policy/{}.cose", id(index)),
            Self::ChangeProof(index) => format!("policy/{}.tlog-proof", id(index)),
            Self::Note(size) => format!("checkpoints/{size}.note"),
            Self::Consistency(size) => format!("proofs/{size}.consistency"),
            Self::Member(batch, at) => format!("members/{}.{at}.member", id(batch)),
            Self::Openings(leaf) => {
                let leaf = leaf.to_string();
                format!("openings/{}/{leaf}.cbor", leaf.get(..2).unwrap_or_default())
            }
        }
    }

    /// What a name stands for; `None`: nothing of that name belongs into a custody file.
    pub(in crate::custody) fn of(name: &str) -> Option<Self> {
        let single = [Self::Manifest, Self::Timeline, Self::Verify, Self::Policy, Self::OpeningStore];
        if let Some(place) = single.into_iter().find(|place| place.name() == name) {
            return Some(place);
        }
        let (folder, rest) = name.split_once('/')?;
        let (stem, ending) = rest.rsplit_once('.')?;
        let id = || stem.parse::<EntryId>().ok().map(|id| id.index);
        let size = || stem.parse::<TreeSize>().ok();
        let place = match (folder, ending) {
            ("entries", "cose") => Self::Entry(id()?),
            ("proofs", "tlog-proof") => Self::Proof(id()?),
            ("proofs", "consistency") => Self::Consistency(size()?),
            ("policy", "cose") => Self::Change(id()?),
            ("policy", "tlog-proof") => Self::ChangeProof(id()?),
            ("checkpoints", "note") => Self::Note(size()?),
            ("members", "member") => {
                let (batch, at) = stem.rsplit_once('.')?;
                Self::Member(batch.parse::<EntryId>().ok()?.index, at.parse().ok()?)
            }
            ("openings", "cbor") => Self::Openings(Digest::from_hex_lenient(stem.split_once('/')?.1).ok()?),
            _ => return None,
        };
        // Another epoch, another spelling of a number or a digest: no name that is written here.
        (place.name() == name).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_one_name() {
        let (index, size, leaf) = (LeafIndex::new(57), TreeSize::new(60), Digest::sha256(b"x"));
        let places = [
            Place::Manifest,
            Place::Timeline,
            Place::Verify,
            Place::Policy,
            Place::OpeningStore,
            Place::Entry(index),
            Place::Proof(index),
            Place::Change(index),
            Place::ChangeProof(index),
            Place::Note(size),
            Place::Consistency(size),
            Place::Member(index, LeafIndex::new(3)),
            Place::Openings(leaf),
        ];
        for place in places {
            assert_eq!(Place::of(&place.name()), Some(place), "{}", place.name());
        }
        for name in [
            "",
            "entries/1.57.txt",
            "entries/2.57.cose",
            "entries/1.057.cose",
            "entries/57.cose",
            "checkpoints/060.note",
            "members/1.57.03.member",
            "members/1.57.member",
        ] {
            assert_eq!(Place::of(name), None, "{name:?}");
        }
        let leaf = leaf.to_string();
        assert_eq!(Place::of(&format!("openings/00/{leaf}.cbor")), None);
        assert_eq!(Place::of(&format!("openings/{leaf}.cbor")), None);
    }

    /// The folder must be one that `govlog open` takes.
    #[test]
    fn the_openings_are_an_opening_store() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(dir.path().join("store.toml"), OPENING_STORE_TEXT).unwrap();
        let store = crate::openings::Folder::existing(dir.path(), crate::openings::Identities::default()).unwrap();
        assert_eq!(store.settings().protection, crate::openings::Protection::Plaintext);
    }
}

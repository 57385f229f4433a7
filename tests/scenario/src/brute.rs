//! What belongs to a matter, by brute force: every relation between all entries, and then along them until nothing changes.
//!
//! Written from `formats/RECORDS.md` (handles, links) and the table of directions that heads the client's relations, on the records' JSON view: it
//! shares no code with the client's custody files, so that both are wrong in the same way only if both understood the text wrongly.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use govlog_formats::statement::SignedStatement;

use super::Entry;
use super::said::{Said, Target};

/// Why an entry belongs to a matter; a later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Somebody's word about another one.
    Word,
    /// What another one rests on.
    Cause,
    /// What came of what was asked for.
    Effect,
    /// What was asked for.
    Start,
}

/// All relations between the entries of a log.
#[derive(Debug)]
pub struct Brute {
    edges: Vec<Edge>,
    /// The relations of each entry, from it and to it.
    touching: Vec<Vec<usize>>,
    /// How many relations there are of each name, and how many lead to nobody.
    counts: BTreeMap<String, [usize; 2]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Causal,
    Owner,
    About,
    /// A revocation of what something rests on; never back.
    Bearing,
    Newer,
    Seen,
    /// Of a decision, the batch that it is in; never back.
    Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: usize,
    to: usize,
    way: Way,
    /// The entry with the certificate that has both names.
    through: Option<usize>,
}

/// The entries, by what they are called.
struct Log {
    all: Vec<Said>,
    holders: HashMap<String, Vec<usize>>,
    certificates: HashMap<String, Vec<usize>>,
}

/// An entry that a relation leads to, and the one with the certificate through which.
type Led = (usize, Option<usize>);

impl Log {
    fn new(all: Vec<Said>) -> Self {
        let (mut holders, mut certificates) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, one) in all.iter().enumerate() {
            one.names.iter().for_each(|name| holders.entry(name.clone()).or_default().push(at));
            one.certificate.iter().for_each(|name| certificates.entry(name.text.clone()).or_default().push(at));
        }
        Self { all, holders, certificates }
    }

    /// Which entries a relation leads to; nothing leads to itself.
    fn led(&self, from: usize, rel: &str, target: &Target) -> Vec<Led> {
        let mut found: BTreeMap<usize, Option<usize>> =
            self.meant(from, rel, target).into_iter().map(|to| (to, None)).collect();
        let is_certificate = target.is_one_of(&CERTIFICATE);
        // By its key or any of its names a credential is revoked, whoever else bears them; otherwise what is named itself comes first.
        let is_tied = match rel {
            "revokes" => is_certificate || target.is_one_of(&KEY),
            _ => is_certificate && found.is_empty(),
        };
        // Who logged the certificate whole ties its names, for what it issued itself.
        for through in self.certificates.get(&target.text).into_iter().flatten().filter(|_| is_tied) {
            let seen = &self.all[*through];
            for other in seen.certificate.iter().filter(|other| *other != target && other.is_one_of(&CERTIFICATE)) {
                for to in self.meant(from, rel, other).into_iter().filter(|to| self.all[*to].iss == seen.iss) {
                    found.entry(to).or_insert(Some(*through));
                }
            }
        }
        found.into_iter().filter(|(to, _)| *to != from).collect()
    }

    /// Which entries are called so, and can be meant.
    fn meant(&self, from: usize, rel: &str, target: &Target) -> Vec<usize> {
        let held = self.holders.get(&target.text).into_iter().flatten();
        held.copied().filter(|to| fits(rel, target, &self.all[from], &self.all[*to])).collect()
    }

    /// The names by which something is revoked that an entry rests on and that has no entry, or stands under.
    fn grounds(&self, at: usize) -> Vec<(Target, Option<usize>)> {
        let one = &self.all[at];
        let (mut grounds, mut rests_on) = (Vec::new(), Vec::new());
        for (rel, target) in one.points.iter().filter(|(rel, _)| way(rel) == Some(Way::Causal)) {
            let led = self.led(at, rel, target);
            if led.is_empty() && target.handle.is_some() {
                grounds.push((target.clone(), None));
                grounds.extend(target.id_alone().map(|id| (id, None)));
                // By the hash of a certificate its other names are certain, whoever logged it.
                let seen = self.certificates.get(&target.text).and_then(|seen| seen.first());
                for through in seen.into_iter().filter(|_| target.is_one_of(&CERTIFICATE[..2])) {
                    let others = self.all[*through].certificate.iter().filter(|other| *other != target);
                    grounds.extend(others.map(|other| (other.clone(), Some(*through))));
                }
            }
            rests_on.extend(led.into_iter().map(|(to, _)| &self.all[to]));
        }
        let is_known =
            |name: &Target| rests_on.iter().any(|to| to.names.contains(&name.text) || to.under.contains(name));
        grounds.extend(one.under.iter().filter(|name| !is_known(name)).map(|name| (name.clone(), None)));
        grounds
    }
}

/// The names of a certificate, the hashes first, and those of its key.
const CERTIFICATE: [&str; 3] = ["cert_s256", "tbs_s256", "serial_aki"];
const KEY: [&str; 2] = ["spki_s256", "jkt"];

impl Brute {
    /// Looks for every relation. Entries stand at the position they have here.
    #[must_use]
    pub fn new<'s>(statements: impl IntoIterator<Item = &'s SignedStatement>) -> Self {
        Self::of(statements.into_iter().map(Said::read).collect())
    }

    /// The same with the members of batches, which stand behind all entries, in the order of their batches.
    #[must_use]
    pub fn with_members(entries: &[Entry]) -> Self {
        let members = entries
            .iter()
            .flat_map(|batch| batch.members.iter().map(|member| Said::of_member(&batch.statement, member)));
        Self::of(entries.iter().map(|entry| Said::read(&entry.statement)).chain(members).collect())
    }

    fn of(all: Vec<Said>) -> Self {
        let log = Log::new(all);
        let (mut edges, mut counts) = (BTreeSet::new(), BTreeMap::<String, [usize; 2]>::new());
        let mut revoked: HashMap<&str, Vec<usize>> = HashMap::new();
        for (from, one) in log.all.iter().enumerate() {
            for (rel, target) in &one.points {
                let Some(way) = way(rel) else { continue };
                let led = log.led(from, rel, target);
                counts.entry(rel.clone()).or_default()[usize::from(led.is_empty())] += led.len().max(1);
                edges.extend(led.into_iter().map(|(to, through)| Edge { from, to, way, through }));
                if rel == "revokes" && one.kind == "revocation" {
                    revoked.entry(&target.text).or_default().push(from);
                }
            }
        }
        for to in 0..log.all.len() {
            for (ground, through) in log.grounds(to) {
                let by = revoked.get(ground.text.as_str()).into_iter().flatten().filter(|from| **from != to);
                let bearing: Vec<Edge> = by.map(|from| Edge { from: *from, to, way: Way::Bearing, through }).collect();
                counts.entry("bears_on".to_owned()).or_default()[0] += bearing.len();
                edges.extend(bearing);
            }
        }
        let edges: Vec<Edge> = edges.into_iter().collect();
        let mut touching = vec![Vec::new(); log.all.len()];
        for (number, edge) in edges.iter().enumerate() {
            touching[edge.from].push(number);
            touching[edge.to].push(number);
        }
        Self { edges, touching, counts }
    }

    /// Everything that belongs to these entries.
    #[must_use]
    pub fn closure(&self, starts: &BTreeSet<usize>) -> BTreeMap<usize, Part> {
        let mut parts = vec![None; self.touching.len()];
        let mut changed: BTreeSet<usize> = starts.clone();
        starts.iter().for_each(|at| parts[*at] = Some(Part::Start));
        while !changed.is_empty() {
            // Over all relations would be the same: those that touch nothing new give nothing new.
            for at in std::mem::take(&mut changed) {
                for edge in self.touching[at].iter().map(|edge| &self.edges[*edge]) {
                    let (to, from) = (along(parts[edge.from], edge.way), against(parts[edge.to], edge.way));
                    let through = to.or(from).and(edge.through).map(|at| (at, Some(Part::Word)));
                    for (at, part) in [(edge.to, to), (edge.from, from)].into_iter().chain(through) {
                        if part > parts[at] {
                            parts[at] = part;
                            changed.insert(at);
                        }
                    }
                }
            }
        }
        parts.into_iter().enumerate().filter_map(|(at, part)| Some((at, part?))).collect()
    }

    /// How many relations of this name lead to an entry, and how many to none by what is named itself.
    #[must_use]
    pub fn count(&self, rel: &str) -> [usize; 2] {
        self.counts.get(rel).copied().unwrap_or_default()
    }

    /// How many relations are tied by a certificate that somebody logged whole.
    #[must_use]
    pub fn tied(&self) -> usize {
        self.edges.iter().filter(|edge| edge.through.is_some()).count()
    }
}

/// What an entry named by one of this part is.
fn along(part: Option<Part>, way: Way) -> Option<Part> {
    match (way, part?) {
        (Way::Causal | Way::Part, Part::Word) => Some(Part::Word),
        (Way::Causal | Way::Owner | Way::Part, Part::Cause | Part::Effect | Part::Start) => Some(Part::Cause),
        // "back from a word that was asked for"
        (Way::About | Way::Newer | Way::Seen, Part::Start) => Some(Part::Cause),
        _ => None,
    }
}

/// What an entry is that names one of this part.
fn against(part: Option<Part>, way: Way) -> Option<Part> {
    match (way, part?) {
        (Way::Causal, Part::Effect | Part::Start) => Some(Part::Effect),
        // "to the word from everything"
        (Way::About | Way::Bearing, _) => Some(Part::Word),
        // "to the newer, one step"
        (Way::Newer, Part::Cause | Part::Effect | Part::Start) => Some(Part::Word),
        (Way::Seen, Part::Effect | Part::Start) => Some(Part::Word),
        _ => None,
    }
}

fn way(rel: &str) -> Option<Way> {
    Some(match rel {
        "owned_by" => Way::Owner,
        "revokes" | "redacts" | "about" | "ends" => Way::About,
        "supersedes" => Way::Newer,
        "member_of" => Way::Part,
        "observes" => Way::Seen,
        "governed_by" | "authenticated_by" | "registered_as" | "attested_by" | "signed_by" | "anchored_in"
        | "on_behalf_of" | "derived_from" | "authorised_by" | "enforces" | "caused_by" | "acted_as" => Way::Causal,
        _ => return None,
    })
}

/// Which kinds a relation leads to, by `formats/RECORDS.md` §4, where it is by handle.
const BY_REL: [(&str, &str); 11] = [
    ("authenticated_by", "issuance"),
    ("governed_by", "activation policy issuance"),
    ("registered_as", "registration"),
    ("attested_by", "attestation"),
    ("signed_by", "signing-key"),
    ("anchored_in", "federation"),
    ("on_behalf_of", "delegation"),
    ("derived_from", "delegation"),
    ("enforces", "decision"),
    ("owned_by", "ownership"),
    ("acted_as", "agent"),
];

/// Which kinds a handle names.
const BY_NAME: [(&str, &str); 24] = [
    ("cert_s256", "issuance"),
    ("tbs_s256", "issuance"),
    ("serial_aki", "issuance"),
    ("tok_s256", "issuance delegation"),
    ("jws_input_s256", "issuance delegation"),
    ("jti_iss", "issuance delegation"),
    ("spki_s256", "issuance signing-key"),
    ("jkt", "issuance signing-key"),
    ("policy_digest", "policy activation"),
    ("bundle_digest", "policy activation federation"),
    ("entry_digest", "registration"),
    ("registry", "registration"),
    ("dec", "decision"),
    ("op_digest", "decision"),
    ("attested", "attestation"),
    ("key_iss", "signing-key"),
    ("prefix", "ownership"),
    ("id", "registration signing-key federation agent policy"),
    ("issued to", "issuance"),
    ("registered for", "registration"),
    ("runs as", "agent attestation"),
    ("delegated to", "delegation"),
    ("keys of", "signing-key"),
    ("domain", "federation"),
];

/// Whether a relation that names `to` means it.
fn fits(rel: &str, target: &Target, from: &Said, to: &Said) -> bool {
    let Some(name) = &target.handle else { return rel != "supersedes" || from.kind == to.kind };
    let kinds = |table: &'static [(&str, &str)], key: &str| -> Option<Vec<&'static str>> {
        table.iter().find(|(known, _)| *known == key).map(|(_, kinds)| kinds.split(' ').collect())
    };
    let by_rel = match (rel, from.kind.as_str()) {
        // What takes the place of another names it itself.
        ("supersedes", _) => return false,
        // "decision → activation → policy": an activation rests on its policy, and not on another activation.
        ("governed_by", "activation") => Some(vec!["policy"]),
        _ => kinds(&BY_REL, rel),
    };
    let is_one = |kinds: &Vec<&str>| kinds.contains(&to.kind.as_str());
    match (by_rel, kinds(&BY_NAME, name)) {
        (Some(by_rel), Some(by_name)) if by_rel.iter().any(|kind| by_name.contains(kind)) => {
            is_one(&by_rel) && is_one(&by_name)
        }
        (Some(by_rel), _) => is_one(&by_rel),
        (None, Some(by_name)) => is_one(&by_name),
        (None, None) => true,
    }
}

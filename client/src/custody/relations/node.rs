//! An entry as far as relations go: what it is called, what it names and what it stands under.

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::record::handles::CertificateHandles;
use govlog_formats::record::{Handle, LinkTarget, Record, Recorded};
use govlog_formats::statement::SignedStatement;

use super::handles::{
    DELEGATED_TO, DOMAIN, ISSUED_TO, LOCAL_NAMES, OWNED, REGISTERED, REGISTRY_ENTRY, RUNS_AS, digest_handle, distinct,
    domain_alone, handle_maps, key_iss, local, named, pair,
};
use super::points::points;
use super::revoking::under;
use super::spot::Spot;
use super::table::{Class, MEMBER_OF, Point, class, meant_kinds};
use crate::verify::join;

/// An entry, or a member of a batch, as far as relations go.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub spot: Spot,
    /// Its kind.
    pub kind: String,
    /// Who signed it.
    pub iss: String,
    /// Its leaf hash; of a member, that in the batch's own tree.
    pub leaf: Digest,
    /// What it is called: the handles it bears, and what follows from its signed bytes.
    pub names: Vec<Handle>,
    /// What it names.
    pub points: Vec<Point>,
    /// The names of the certificate that it holds whole, and those of its key, taken from the certificate's bytes.
    pub certificate: Vec<Handle>,
    /// What else it stands under: whoever revokes that bears on it, and is not led back to it.
    pub under: Vec<Handle>,
}

impl Node {
    /// Reads an entry.
    #[must_use]
    pub fn new(index: LeafIndex, statement: &SignedStatement) -> Self {
        let iss = statement.claims().iss.clone();
        let is_record = !statement.is_hash_envelope();
        let record = Record::parse(statement.kind(), statement.payload()).ok().filter(|_| is_record);
        let mut node = Self {
            spot: index.into(),
            kind: statement.kind().to_owned(),
            leaf: statement.leaf_hash(),
            names: names(record.as_ref(), &iss),
            points: record.as_ref().map(|record| points(record, &iss)).unwrap_or_default(),
            certificate: record.as_ref().map(certificate).unwrap_or_default(),
            under: record.as_ref().map(under).unwrap_or_default(),
            iss,
        };
        node.names.push(Handle::of_digest(join::SIG_STRUCTURE, &statement.sig_structure_digest()));
        node.names.push(Handle::of_digest(join::PAYLOAD, &Digest::sha256(statement.payload())));
        node
    }

    /// Reads a member of a batch: a decision as if its issuer had logged it by itself, which rests on the batch besides.
    #[must_use]
    pub fn of_member(spot: Spot, batch: &SignedStatement, record: &[u8]) -> Self {
        let mut node = Self::of_decision(spot, &batch.claims().iss, record);
        node.points.push(Point { rel: MEMBER_OF.to_owned(), target: LinkTarget::Entry(batch.leaf_hash()) });
        node
    }

    /// The same without its batch.
    pub(in crate::custody) fn of_decision(spot: Spot, iss: &str, bytes: &[u8]) -> Self {
        let record = Record::parse("decision", bytes).ok();
        let mut names = names(record.as_ref(), iss);
        names.push(Handle::of_digest(join::PAYLOAD, &Digest::sha256(bytes)));
        Self {
            spot,
            kind: "decision".to_owned(),
            iss: iss.to_owned(),
            leaf: leaf_hash(bytes),
            names,
            points: record.as_ref().map(|record| points(record, iss)).unwrap_or_default(),
            certificate: Vec::new(),
            under: record.as_ref().map(under).unwrap_or_default(),
        }
    }

    /// Everything that another entry can name it by.
    pub(in crate::custody) fn targets(&self) -> impl Iterator<Item = LinkTarget> + '_ {
        std::iter::once(LinkTarget::Entry(self.leaf)).chain(self.names.iter().cloned().map(LinkTarget::Handle))
    }

    /// Says whether it is what a relation of an entry of this kind leads to. (Nothing leads to itself, but that is for the caller to see.)
    #[must_use]
    pub fn is_meant(&self, rel: &str, target: &LinkTarget, from: &str) -> bool {
        let kinds = meant_kinds(rel, target, from);
        // What takes the place of another is of its kind, and names it itself.
        if class(rel) == Class::Newer && (matches!(target, LinkTarget::Handle(_)) || self.kind != from) {
            return false;
        }
        self.is_called(target) && (kinds.is_empty() || kinds.contains(&self.kind.as_str()))
    }

    /// Says whether this is one of its names.
    pub(in crate::custody) fn is_called(&self, target: &LinkTarget) -> bool {
        match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => self.leaf == *leaf,
            LinkTarget::Handle(handle) => self.names.contains(handle),
        }
    }
}

/// What a record is called; `iss`: who signed it.
fn names(record: Option<&Record>, iss: &str) -> Vec<Handle> {
    let Some((record, body)) = record.and_then(|record| Some((record, record.body()?))) else { return Vec::new() };
    // An entry bears what its issuer writes; by these names it would pose as another statement, or as another issuer's decision.
    let is_free = |handle: &Handle| {
        let name = handle.name.as_str();
        !join::OWN_NAMES.contains(&name) && !LOCAL_NAMES.contains(&name)
    };
    let mut names: Vec<Handle> = body.handles().into_iter().filter(is_free).collect();
    names.extend(join::own_handles(record, iss));
    let text = |path: &[&str]| body.text(path).present();
    match record {
        Record::Registration(_) => {
            names.extend(text(&["entry_id"]).map(|id| pair(REGISTRY_ENTRY, iss, id)));
            names.extend(text(&["entry_id"]).map(named));
            names.extend(text(&["subject"]).map(|id| local(REGISTERED, id)));
        }
        Record::Issuance(_) => names.extend(text(&["subject"]).map(|id| local(ISSUED_TO, id))),
        Record::Attestation(_) => names.extend(text(&["subject"]).map(|id| local(RUNS_AS, id))),
        Record::SigningKey(_) => {
            if let (Recorded::Present(id), Some(issuer)) = (body.at(&["key_id"]), text(&["issuer"])) {
                names.push(key_iss(id.clone(), issuer));
            }
            names.extend(text(&["key_id"]).map(named));
        }
        Record::Federation(_) => {
            names.extend(digest_handle(body, "bundle_digest"));
            names.extend(text(&["domain"]).map(named));
            names.extend(text(&["domain"]).and_then(domain_alone).map(|domain| local(DOMAIN, domain)));
        }
        Record::Agent(agent) => {
            names.extend(text(&["agent_id"]).map(named));
            names.extend(agent.runs_as().present().unwrap_or_default().into_iter().map(|id| local(RUNS_AS, id)));
        }
        Record::Policy(_) => names.extend([text(&["uri"]), text(&["name"])].into_iter().flatten().map(named)),
        Record::Ownership(_) => names.extend(text(&["prefix"]).map(|prefix| local(OWNED, prefix))),
        Record::Delegation(delegation) => {
            names.extend(handle_maps(body, "tokens_out"));
            names.extend(delegation.delegate().present().map(|id| local(DELEGATED_TO, id)));
        }
        _ => {}
    }
    distinct(names)
}

/// The names of the certificate that an observation holds, and those of its key. Signatures in it are not looked at: what ties it to others is who logged it.
fn certificate(record: &Record) -> Vec<Handle> {
    let Record::Observation(observation) = record else { return Vec::new() };
    let Recorded::Present(der) = observation.certificate() else { return Vec::new() };
    CertificateHandles::from_der(der).map(|certificate| certificate.handles()).unwrap_or_default()
}

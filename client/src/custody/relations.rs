//! What an entry is called and what it names, and which of these relations a custody file follows.
//!
//! One table says the direction of each relation, and so what belongs to a matter:
//!
//! | relation | from → to | followed |
//! |---|---|---|
//! | `governed_by`, `authenticated_by`, `registered_as`, `attested_by`, `signed_by`, `anchored_in`, `on_behalf_of`, `derived_from`, `authorised_by`, `enforces`, `caused_by`, and by fields alone `owned_by`, `acted_as` | what happened → what it rests on | to the cause from everything; back to what rests on it from what was asked for and from what came of that |
//! | `revokes`, `redacts`, `about` | a word → what it is about | to the word from everything; back from a word that was asked for |
//! | `supersedes` | newer → older | to the newer, one step |
//! | `observes` | seen in use → the credential | to the observation from what was asked for and what came of it; and through the certificate that it holds |
//! | `external_log` | to another log | not: it is named as leading out of this one |
//!
//! So a decision brings its credential, its policy, who stands behind them and what was said of any of these, and its effects; but not the
//! other decisions under that credential or policy, for through those everything hangs together and the matter would be the log. Whoever wants
//! them starts from the credential or the policy.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::handles::CertificateHandles;
use govlog_formats::record::revocation::RevocationTarget;
use govlog_formats::record::{Body, Handle, LinkTarget, Record, Recorded, SchemeDigest};
use govlog_formats::statement::SignedStatement;

use crate::verify::join;

/// An entry as far as relations go.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its leaf index.
    pub index: LeafIndex,
    /// Its kind.
    pub kind: String,
    /// Who signed it.
    pub iss: String,
    /// Its leaf hash.
    pub leaf: Digest,
    /// What it is called: the handles it bears, and what follows from its signed bytes.
    pub names: Vec<Handle>,
    /// What it names.
    pub points: Vec<Point>,
    /// The names of the certificate that it holds whole, taken from the certificate's bytes.
    pub certificate: Vec<Handle>,
}

/// One thing that an entry names.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The relation.
    pub rel: String,
    /// What is named.
    pub target: LinkTarget,
}

/// How a relation is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// From what happened to what it rests on.
    Causal,
    /// From a word to what it is about.
    About,
    /// From the newer to the older.
    Newer,
    /// From who saw a credential to that credential.
    Seen,
    /// Out of this log, or unknown.
    Other,
}

/// The class of a relation.
#[must_use]
pub fn class(rel: &str) -> Class {
    match rel {
        "governed_by" | "authenticated_by" | "registered_as" | "attested_by" | "signed_by" | "anchored_in"
        | "on_behalf_of" | "derived_from" | "authorised_by" | "enforces" | "caused_by" | OWNED_BY | ACTED_AS => {
            Class::Causal
        }
        "revokes" | "redacts" | "about" => Class::About,
        "supersedes" => Class::Newer,
        "observes" => Class::Seen,
        _ => Class::Other,
    }
}

/// The kinds that speak about others: what is looked for about everything.
pub const WORDS: [&str; 5] = ["revocation", "approval", "finding", "redaction", "custody"];

/// The kinds that can be revoked.
pub const REVOCABLE: [&str; 7] =
    ["issuance", "signing-key", "registration", "delegation", "agent", "policy", "federation"];

/// By an identity's SPIFFE ID: who answers for it.
const OWNED_BY: &str = "owned_by";
/// By a decision's agent: what that agent is.
const ACTED_AS: &str = "acted_as";
/// Names that are only used here: a registration by its registry's id, an ownership by its prefix, and whatever a revocation names by an id.
pub(super) const REGISTRY_ENTRY: &str = "registry_entry";
pub(super) const OWNED: &str = "owned";
pub(super) const NAMED: &str = "id";
const LOCAL_NAMES: [&str; 3] = [REGISTRY_ENTRY, OWNED, NAMED];

impl Node {
    /// Reads an entry.
    #[must_use]
    pub fn new(index: LeafIndex, statement: &SignedStatement) -> Self {
        let iss = statement.claims().iss.clone();
        let is_record = !statement.is_hash_envelope();
        let record = Record::parse(statement.kind(), statement.payload()).ok().filter(|_| is_record);
        let mut node = Self {
            index,
            kind: statement.kind().to_owned(),
            leaf: statement.leaf_hash(),
            names: names(record.as_ref(), &iss),
            points: record.as_ref().map(|record| points(record, &iss)).unwrap_or_default(),
            certificate: record.as_ref().map(certificate).unwrap_or_default(),
            iss,
        };
        node.names.push(Handle::of_digest(join::SIG_STRUCTURE, &statement.sig_structure_digest()));
        node.names.push(Handle::of_digest(join::PAYLOAD, &Digest::sha256(statement.payload())));
        node
    }

    /// Everything that another entry can name it by.
    pub(super) fn targets(&self) -> impl Iterator<Item = LinkTarget> + '_ {
        std::iter::once(LinkTarget::Entry(self.leaf)).chain(self.names.iter().cloned().map(LinkTarget::Handle))
    }

    /// Says whether it is what a relation of an entry of this kind leads to. (Nothing leads to itself, but that is for the caller to see.)
    #[must_use]
    pub fn is_meant(&self, rel: &str, target: &LinkTarget, from: &str) -> bool {
        match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => self.leaf == *leaf,
            LinkTarget::Handle(handle) => self.names.contains(handle) && self.fits(rel, from),
        }
    }

    /// Says whether it can be what a relation by handle leads to: a revocation bears the handles of a credential, and issued none.
    fn fits(&self, rel: &str, from: &str) -> bool {
        match rel {
            "authenticated_by" => self.kind == "issuance",
            // An activation and its policy bear the same digest, and so does every other activation of it.
            "governed_by" if from == "activation" => self.kind == "policy",
            "governed_by" => matches!(self.kind.as_str(), "activation" | "policy" | "issuance"),
            "registered_as" => self.kind == "registration",
            "attested_by" => self.kind == "attestation",
            "signed_by" => self.kind == "signing-key",
            "anchored_in" => self.kind == "federation",
            "on_behalf_of" | "derived_from" => self.kind == "delegation",
            "enforces" => self.kind == "decision",
            OWNED_BY => self.kind == "ownership",
            ACTED_AS => self.kind == "agent",
            // Neither words about a credential nor those who saw it are that credential.
            "revokes" | "about" | "observes" | "redacts" => {
                !WORDS.contains(&self.kind.as_str()) && self.kind != "observation"
            }
            _ => true,
        }
    }
}

/// A handle's canonical bytes, for look-ups.
pub(super) fn key(handle: &Handle) -> Vec<u8> {
    to_deterministic(&handle.to_value())
}

/// What is named, in a word or two.
pub(super) fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => format!("leaf {leaf}"),
        LinkTarget::Handle(handle) => match &handle.value {
            Value::Array(parts) if parts.iter().any(Value::is_array) => {
                let inner = parts.iter().filter_map(Value::as_array).flatten().cloned().collect();
                Handle { name: handle.name.clone(), value: Value::Array(inner) }.to_string()
            }
            _ => handle.to_string(),
        },
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
        }
        Record::SigningKey(_) => {
            if let (Recorded::Present(id), Some(issuer)) = (body.at(&["key_id"]), text(&["issuer"])) {
                names.push(key_iss(id.clone(), issuer));
            }
            names.extend(text(&["key_id"]).map(named));
        }
        Record::Federation(_) => {
            names.extend(digest_handle(body, "bundle_digest"));
            names.extend(text(&["domain"]).map(named));
        }
        Record::Agent(_) => names.extend(text(&["agent_id"]).map(named)),
        Record::Policy(_) => names.extend([text(&["uri"]), text(&["name"])].into_iter().flatten().map(named)),
        Record::Ownership(_) => names.extend(text(&["prefix"]).map(owned)),
        Record::Delegation(_) => names.extend(handle_maps(body, "tokens_out")),
        _ => {}
    }
    distinct(names)
}

/// What a record names; `iss`: who signed it.
fn points(record: &Record, iss: &str) -> Vec<Point> {
    let mut found: Vec<Point> =
        join::targets(record, iss).into_iter().map(|(rel, target)| Point { rel, target }).collect();
    let Some(body) = record.body() else { return found };
    let mut add = |rel: &str, target: LinkTarget| {
        // An explicit link to the same thing says it already, perhaps in another word.
        if !found.iter().any(|known| known.target == target) {
            found.push(Point { rel: rel.to_owned(), target });
        }
    };
    let text = |path: &[&str]| body.text(path).present();
    let handle = LinkTarget::Handle;
    match record {
        Record::Decision(decision) => {
            decision.policies().iter().flat_map(digests).for_each(|digest| add("governed_by", handle(digest)));
            body.link_target(&["agent", "link"]).present().into_iter().for_each(|target| add(ACTED_AS, target));
        }
        Record::DecisionBatch(_) => {
            named_digest(body, &["capture"], "policy_digest")
                .into_iter()
                .for_each(|name| add("governed_by", handle(name)));
        }
        Record::Activation(_) | Record::Attestation(_) => {
            for name in ["policy_digest", "bundle_digest"] {
                digest_handle(body, name).into_iter().for_each(|digest| add("governed_by", handle(digest)));
            }
        }
        Record::Issuance(issuance) => {
            match (issuance.entry_digest().present(), text(&["entry_id"])) {
                (Some(digest), _) => add("registered_as", handle(Handle::of_digest("entry_digest", &digest))),
                (None, Some(id)) => add("registered_as", handle(pair(REGISTRY_ENTRY, iss, id))),
                (None, None) => {}
            }
            if let (Recorded::Present(id), Some(issuer)) = (body.at(&["issuer_key_id"]), text(&["issuer"])) {
                add("signed_by", handle(key_iss(id.clone(), issuer)));
            }
            let digest = named_digest(body, &["governance", "policy_digest"], "policy_digest");
            digest.into_iter().for_each(|digest| add("governed_by", handle(digest)));
            owners(text(&["subject"])).for_each(|owner| add(OWNED_BY, owner));
        }
        Record::Registration(_) => owners(text(&["subject"])).for_each(|owner| add(OWNED_BY, owner)),
        Record::Agent(agent) => {
            let runs_as = agent.runs_as().present().unwrap_or_default();
            runs_as.into_iter().flat_map(|id| owners(Some(id))).for_each(|owner| add(OWNED_BY, owner));
        }
        Record::Delegation(_) => {
            handle_maps(body, "tokens_in").into_iter().for_each(|token| add("derived_from", handle(token)));
            for party in ["delegator", "delegate"] {
                let credential = body.handle(&[party, "credential", "handle"]).present();
                credential.into_iter().for_each(|credential| add("authenticated_by", handle(credential)));
            }
        }
        Record::Approval(approval) => {
            approval.credential().present().into_iter().for_each(|known| add("authenticated_by", handle(known)));
        }
        Record::Revocation(revocation) => {
            if let Some(RevocationTarget::Id(id)) = revocation.target().present() {
                add("revokes", handle(named(&id)));
            }
        }
        Record::Redaction(redaction) => {
            redaction.targets().into_iter().for_each(|target| add("redacts", target.target))
        }
        Record::Finding(finding) => finding.entries().into_iter().for_each(|target| add("about", target)),
        Record::Custody(custody) => custody.entries().into_iter().for_each(|target| add("about", target)),
        _ => {}
    }
    found
}

/// The names of the certificate that an observation holds. Signatures in it are not looked at: what ties it to others is who logged it.
fn certificate(record: &Record) -> Vec<Handle> {
    let Record::Observation(observation) = record else { return Vec::new() };
    let Recorded::Present(der) = observation.certificate() else { return Vec::new() };
    let handles = CertificateHandles::from_der(der).map(|certificate| certificate.handles()).unwrap_or_default();
    handles.into_iter().filter(|handle| join::NAMES.contains(&handle.name.as_str())).collect()
}

/// An ownership names one SPIFFE ID, or with a `/` at its end all that begin with it.
fn owners(subject: Option<&str>) -> impl Iterator<Item = LinkTarget> {
    let subject = subject.filter(|subject| subject.starts_with("spiffe://")).unwrap_or_default().to_owned();
    let ends: Vec<usize> = subject.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1).collect();
    let prefixes: Vec<String> = ends
        .into_iter()
        .filter(|end| *end > "spiffe://".len())
        .filter_map(|end| subject.get(..end).map(str::to_owned))
        .collect();
    let exact = (!subject.is_empty()).then_some(subject);
    prefixes.into_iter().chain(exact).map(|prefix| LinkTarget::Handle(owned(&prefix)))
}

fn digests(policy: &govlog_formats::record::decision::PolicyRef) -> Vec<Handle> {
    let handle = |name: &str, digest: &Option<SchemeDigest>| {
        digest.as_ref().map(|digest| Handle { name: name.to_owned(), value: digest.to_value() })
    };
    [handle("policy_digest", &policy.policy_digest), handle("bundle_digest", &policy.bundle_digest)]
        .into_iter()
        .flatten()
        .collect()
}

fn digest_handle(body: &Body, name: &str) -> Option<Handle> {
    named_digest(body, &[name], name)
}

fn named_digest(body: &Body, path: &[&str], name: &str) -> Option<Handle> {
    let value = body.scheme_digest(path).present()?.to_value();
    Some(Handle { name: name.to_owned(), value })
}

/// The handles of a list of maps of handles.
fn handle_maps(body: &Body, field: &str) -> Vec<Handle> {
    let Recorded::Present(Value::Array(maps)) = body.at(&[field]) else { return Vec::new() };
    let pairs = maps.iter().filter_map(Value::as_map).flatten();
    pairs.filter_map(|(name, value)| Handle::from_value(&Value::Array(vec![name.clone(), value.clone()]))).collect()
}

fn key_iss(key_id: Value, issuer: &str) -> Handle {
    Handle { name: "key_iss".to_owned(), value: Value::Array(vec![key_id, issuer.into()]) }
}

fn pair(name: &str, one: &str, other: &str) -> Handle {
    Handle { name: name.to_owned(), value: Value::Array(vec![one.into(), other.into()]) }
}

fn owned(prefix: &str) -> Handle {
    Handle { name: OWNED.to_owned(), value: prefix.into() }
}

fn named(id: &str) -> Handle {
    Handle { name: NAMED.to_owned(), value: id.into() }
}

fn distinct(handles: Vec<Handle>) -> Vec<Handle> {
    let mut known = Vec::new();
    for handle in handles {
        if !known.contains(&handle) {
            known.push(handle);
        }
    }
    known
}

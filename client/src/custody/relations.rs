//! What an entry is called and what it names, and which of these relations a custody file follows.
//!
//! One table says the direction of each relation, and so what belongs to a matter:
//!
//! | relation | from → to | followed |
//! |---|---|---|
//! | `governed_by`, `authenticated_by`, `registered_as`, `attested_by`, `signed_by`, `anchored_in`, `on_behalf_of`, `derived_from`, `authorised_by`, `enforces`, `caused_by`, and by a field alone `acted_as` | what happened → what it rests on | to the cause from everything; back to what rests on it from what was asked for and from what came of that |
//! | `owned_by`, by an identity's SPIFFE ID alone | an identity → who answers for it | to the owner from everything but words; never back to all that somebody owns |
//! | `revokes`, `redacts`, `about` | a word → what it is about | to the word from everything; back from a word that was asked for |
//! | `bears_on`, by what something rests on or stands under alone | a `revocation` → what rests on what it revokes | to the revocation from everything; never back |
//! | `ends`, by a registry's id alone | the end of a registration → the registration | as these |
//! | `supersedes` | newer → older of its kind, by leaf hash | to the newer from everything but words, one step; back from what was asked for |
//! | `member_of`, by the batch's proof alone | a decision → the `decision-batch` that it is a member of | to the batch from everything; never back to a batch's other members |
//! | `observes` | seen in use → the credential | to the observation from what was asked for and what came of it; back from one that was asked for; and through the certificate that it holds |
//! | `external_log` | to another log | not: it is named as leading out of this one |
//!
//! What a `revocation` revokes it says in `target`, in links, and by those of its `handles` that its `target_type` is about; what several of these
//! name is revoked by each:
//!
//! | `target_type` | handles | `{id}` |
//! |---|---|---|
//! | `credential` | `cert_s256`, `tbs_s256`, `serial_aki`, `tok_s256`, `jws_input_s256`, `jti_iss` | the `subject` of issuances |
//! | `key` | `spki_s256`, `jkt` | the `subject` of issuances |
//! | `entry` | `entry_digest` | the `subject` of registrations |
//! | `agent` | `attested` | the `subject` of attestations, what an `agent` runs as |
//! | `delegation` | as `credential` | the `delegate` |
//! | `policy` | `policy_digest` | |
//! | `issuer-key` | `spki_s256`, `jkt`, `key_iss` | the `issuer` of signing keys, one way |
//! | `trust-domain` | | the `domain` of federations, with and without `spiffe://`; and one way every issuance, registration, attestation, signing key and decision of it |
//!
//! An `{id}` is of any type also what calls itself so: `entry_id`, `key_id`, `agent_id`, `domain`, the `uri` or `name` of a policy. By key a
//! credential is found through a certificate that its issuer logged whole, too. One way it `bears_on` an entry that is not what was revoked and
//! rests on it: what is named by a handle that leads to no entry here (with the other names that a certificate has whose hash that handle is), and
//! the workload and the trust domain of a decision whose credential was not logged.
//!
//! So a decision brings its credential, its policy, who stands behind them and what was said of any of these, and its effects; but not the
//! other decisions under that credential or policy, for through those everything hangs together and the matter would be the log. Whoever wants
//! them starts from the credential or the policy.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::record::handles::CertificateHandles;
use govlog_formats::record::registration::RegistrationOp;
use govlog_formats::record::revocation::{Revocation, RevocationTarget, TargetType};
use govlog_formats::record::{Body, Handle, LinkTarget, Record, Recorded, SchemeDigest};
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;

use super::spot::Spot;
use crate::resolve::OF_CREDENTIALS;
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
    /// From an identity to who answers for it.
    Owner,
    /// From a word to what it is about.
    About,
    /// From the newer to the older.
    Newer,
    /// From who saw a credential to that credential.
    Seen,
    /// From a decision to the batch that holds it.
    Part,
    /// Out of this log, or unknown.
    Other,
}

/// The class of a relation.
#[must_use]
pub fn class(rel: &str) -> Class {
    match rel {
        "governed_by" | "authenticated_by" | "registered_as" | "attested_by" | "signed_by" | "anchored_in"
        | "on_behalf_of" | "derived_from" | "authorised_by" | "enforces" | "caused_by" | ACTED_AS => Class::Causal,
        OWNED_BY => Class::Owner,
        REVOKES | BEARS_ON | "redacts" | "about" | ENDS => Class::About,
        "supersedes" => Class::Newer,
        "observes" => Class::Seen,
        MEMBER_OF => Class::Part,
        _ => Class::Other,
    }
}

/// The kinds that speak about others: what is looked for about everything.
pub const WORDS: [&str; 5] = ["revocation", "approval", "finding", "redaction", "custody"];

/// The kinds that can be revoked.
pub const REVOCABLE: [&str; 7] =
    ["issuance", "signing-key", "registration", "delegation", "agent", "policy", "federation"];

/// From a revocation to what it revokes.
pub(super) const REVOKES: &str = "revokes";
/// From a revocation to what rests on what it revokes.
pub(super) const BEARS_ON: &str = "bears_on";
/// By an identity's SPIFFE ID: who answers for it.
const OWNED_BY: &str = "owned_by";
/// By a registry's id of it: which registration is no more.
const ENDS: &str = "ends";
/// By a decision's agent: what that agent is.
const ACTED_AS: &str = "acted_as";
/// By the proof that a decision is a member of it: the batch.
const MEMBER_OF: &str = "member_of";
/// Names that are only used here: a registration by its registry's id, an ownership by its prefix, and whatever a revocation names by an id.
pub(super) const REGISTRY_ENTRY: &str = "registry_entry";
pub(super) const OWNED: &str = "owned";
pub(super) const NAMED: &str = "id";
/// And by whose it is: an issuance, a registration, an attestation or agent, a delegation; a signing key by its issuer.
pub(super) const ISSUED_TO: &str = "issued_to";
pub(super) const REGISTERED: &str = "registered";
pub(super) const RUNS_AS: &str = "runs_as";
pub(super) const DELEGATED_TO: &str = "delegated_to";
pub(super) const KEYS_OF: &str = "keys_of";
/// A trust domain, without `spiffe://`.
pub(super) const DOMAIN: &str = "trust_domain";
const LOCAL_NAMES: [&str; 9] =
    [REGISTRY_ENTRY, OWNED, NAMED, ISSUED_TO, REGISTERED, RUNS_AS, DELEGATED_TO, KEYS_OF, DOMAIN];

/// By which of its handles a revocation names what it revokes, and what an id is of besides; by what the target is.
const REVOKED_BY: [(TargetType, &[&str], &str); 8] = [
    (TargetType::Credential, &OF_CREDENTIALS, ISSUED_TO),
    (TargetType::Key, &["spki_s256", "jkt"], ISSUED_TO),
    (TargetType::Entry, &["entry_digest"], REGISTERED),
    (TargetType::Agent, &["attested"], RUNS_AS),
    (TargetType::Delegation, &OF_CREDENTIALS, DELEGATED_TO),
    (TargetType::Policy, &["policy_digest"], NAMED),
    (TargetType::IssuerKey, &["spki_s256", "jkt", "key_iss"], KEYS_OF),
    (TargetType::TrustDomain, &[], DOMAIN),
];

/// Says whether a relation of an entry of this kind says that the other one is revoked: nobody's word but a revocation's.
pub(crate) fn is_revoking(rel: &str, from: &str) -> bool {
    matches!(rel, REVOKES | BEARS_ON) && from == "revocation"
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
    pub(super) fn of_decision(spot: Spot, iss: &str, bytes: &[u8]) -> Self {
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
    pub(super) fn targets(&self) -> impl Iterator<Item = LinkTarget> + '_ {
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
    pub(super) fn is_called(&self, target: &LinkTarget) -> bool {
        match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => self.leaf == *leaf,
            LinkTarget::Handle(handle) => self.names.contains(handle),
        }
    }
}

/// Says whether any relation by this target can lead to an entry of this kind: a revocation bears the handles of what it revokes, and nobody who
/// names these means the revocation.
pub(super) fn can_be_meant(target: &LinkTarget, kind: &str) -> bool {
    govlog_formats::record::RELATIONS.iter().chain(&["", OWNED_BY, ACTED_AS]).any(|rel| {
        let kinds = meant_kinds(rel, target, "");
        kinds.is_empty() || kinds.contains(&kind)
    })
}

/// The kinds that a relation of an entry of this kind can lead to; none: any.
///
/// By leaf hash the entry is named itself. By handle it must be of a kind that such a handle names and such a relation leads to: a revocation bears
/// the handles of a credential, and issued none.
#[must_use]
pub fn meant_kinds(rel: &str, target: &LinkTarget, from: &str) -> Vec<&'static str> {
    let LinkTarget::Handle(handle) = target else { return Vec::new() };
    let by_rel: &'static [&'static str] = match rel {
        "authenticated_by" => &["issuance"],
        // An activation and its policy bear the same digest, and so does every other activation of it.
        "governed_by" if from == "activation" => &["policy"],
        "governed_by" => &["activation", "policy", "issuance"],
        "registered_as" => &["registration"],
        "attested_by" => &["attestation"],
        "signed_by" => &["signing-key"],
        "anchored_in" => &["federation"],
        "on_behalf_of" | "derived_from" => &["delegation"],
        "enforces" => &["decision"],
        OWNED_BY => &["ownership"],
        ACTED_AS => &["agent"],
        _ => &[],
    };
    let by_name: &'static [&'static str] = match handle.name.as_str() {
        "cert_s256" | "tbs_s256" | "serial_aki" => &["issuance"],
        "tok_s256" | "jws_input_s256" | "jti_iss" => &["issuance", "delegation"],
        "spki_s256" | "jkt" => &["issuance", "signing-key"],
        "policy_digest" => &["policy", "activation"],
        "bundle_digest" => &["policy", "activation", "federation"],
        "entry_digest" | REGISTRY_ENTRY => &["registration"],
        "dec" | "op_digest" => &["decision"],
        "attested" => &["attestation"],
        "key_iss" => &["signing-key"],
        OWNED => &["ownership"],
        NAMED => &["registration", "signing-key", "federation", "agent", "policy"],
        ISSUED_TO => &["issuance"],
        REGISTERED => &["registration"],
        RUNS_AS => &["agent", "attestation"],
        DELEGATED_TO => &["delegation"],
        KEYS_OF => &["signing-key"],
        DOMAIN => &["federation"],
        _ => &[],
    };
    match (by_rel, by_name) {
        ([], kinds) | (kinds, []) => kinds.to_vec(),
        (by_rel, by_name) => match by_name.iter().filter(|kind| by_rel.contains(kind)).copied().collect::<Vec<_>>() {
            // Such a relation by such a handle has no meaning: what the relation says counts.
            none if none.is_empty() => by_rel.to_vec(),
            both => both,
        },
    }
}

/// The kinds that are asked who speaks of an entry, by what it is called.
pub(super) fn speakers<'k>(target: &LinkTarget, kind: &'k str) -> Vec<&'k str> {
    match target {
        // Whatever takes its place is of its kind, and names it by its leaf hash.
        LinkTarget::Entry(_) | LinkTarget::LogRef { .. } => WORDS.into_iter().chain([kind]).collect(),
        LinkTarget::Handle(handle) if [join::SIG_STRUCTURE, join::PAYLOAD].contains(&handle.name.as_str()) => {
            vec!["approval"]
        }
        LinkTarget::Handle(handle) if handle.name == REGISTRY_ENTRY => vec!["registration"],
        LinkTarget::Handle(handle) if LOCAL_NAMES.contains(&handle.name.as_str()) => vec!["revocation"],
        LinkTarget::Handle(_) => WORDS.to_vec(),
    }
}

/// A handle's canonical bytes, for look-ups.
pub(super) fn key(handle: &Handle) -> Vec<u8> {
    to_deterministic(&handle.to_value())
}

/// What is named, in a word or two.
pub(super) fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) => format!("leaf {leaf}"),
        LinkTarget::LogRef { origin, index, leaf } => format!("entry {index} of {}, leaf {leaf}", visible(origin)),
        LinkTarget::Handle(handle) if handle.name == OWNED => {
            format!("anybody who answers for {}", visible(handle.value.as_text().unwrap_or_default()))
        }
        LinkTarget::Handle(handle) if LOCAL_NAMES.contains(&handle.name.as_str()) && handle.value.is_text() => {
            let what = if handle.name == DOMAIN { "trust domain" } else { NAMED };
            Handle { name: what.to_owned(), value: handle.value.clone() }.to_string()
        }
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
        Record::Ownership(_) => names.extend(text(&["prefix"]).map(owned)),
        Record::Delegation(delegation) => {
            names.extend(handle_maps(body, "tokens_out"));
            names.extend(delegation.delegate().present().map(|id| local(DELEGATED_TO, id)));
        }
        _ => {}
    }
    distinct(names)
}

/// What a record names; `iss`: who signed it.
fn points(record: &Record, iss: &str) -> Vec<Point> {
    // What only a proof or a rule gives nobody says by a link.
    let is_said = |(rel, _): &(String, LinkTarget)| ![MEMBER_OF, BEARS_ON].contains(&rel.as_str());
    let said = join::targets(record, iss).into_iter().filter(is_said);
    let mut found: Vec<Point> = said.map(|(rel, target)| Point { rel, target }).collect();
    let Some(body) = record.body() else { return found };
    for (rel, target) in happened(record, body).into_iter().chain(stands(record, body, iss)).chain(spoken(record)) {
        // An explicit link to the same thing says it already, perhaps in another word.
        if !found.iter().any(|known| known.target == target) {
            found.push(Point { rel: rel.to_owned(), target });
        }
    }
    found
}

type Named = (&'static str, LinkTarget);

/// What records of the operation plane name by their fields.
fn happened(record: &Record, body: &Body) -> Vec<Named> {
    let by = |rel: &'static str, handles: Vec<Handle>| -> Vec<Named> {
        handles.into_iter().map(|handle| (rel, LinkTarget::Handle(handle))).collect()
    };
    match record {
        Record::Decision(decision) => {
            let agent = body.link_target(&["agent", "link"]).present().map(|target| (ACTED_AS, target));
            let policies = by("governed_by", decision.policies().iter().flat_map(digests).collect());
            policies.into_iter().chain(agent).collect()
        }
        Record::DecisionBatch(_) => {
            by("governed_by", named_digest(body, &["capture"], "policy_digest").into_iter().collect())
        }
        Record::Delegation(_) => {
            let credential = |party: &str| body.handle(&[party, "credential", "handle"]).present();
            let known = ["delegator", "delegate"].into_iter().filter_map(credential).collect();
            [by("derived_from", handle_maps(body, "tokens_in")), by("authenticated_by", known)].concat()
        }
        _ => Vec::new(),
    }
}

/// What records of the governance and identity planes name by their fields; `iss`: who signed them.
fn stands(record: &Record, body: &Body, iss: &str) -> Vec<Named> {
    let text = |path: &[&str]| body.text(path).present();
    let mut found: Vec<Named> = Vec::new();
    let mut add = |rel: &'static str, handle: Option<Handle>| {
        found.extend(handle.map(|handle| (rel, LinkTarget::Handle(handle))));
    };
    match record {
        Record::Activation(_) | Record::Attestation(_) => {
            add("governed_by", digest_handle(body, "policy_digest"));
            add("governed_by", digest_handle(body, "bundle_digest"));
        }
        Record::Issuance(issuance) => {
            let digest = issuance.entry_digest().present().map(|digest| Handle::of_digest("entry_digest", &digest));
            let id = || text(&["entry_id"]).map(|id| pair(REGISTRY_ENTRY, iss, id));
            add("registered_as", digest.or_else(id));
            if let (Recorded::Present(id), Some(issuer)) = (body.at(&["issuer_key_id"]), text(&["issuer"])) {
                add("signed_by", Some(key_iss(id.clone(), issuer)));
            }
            add("governed_by", named_digest(body, &["governance", "policy_digest"], "policy_digest"));
            found.extend(owners(text(&["subject"])));
        }
        Record::Registration(registration) => {
            if registration.op().present() == Some(RegistrationOp::Delete) {
                add(ENDS, text(&["entry_id"]).map(|id| pair(REGISTRY_ENTRY, iss, id)));
            }
            found.extend(owners(text(&["subject"])));
        }
        Record::Agent(agent) => {
            found.extend(agent.runs_as().present().unwrap_or_default().into_iter().flat_map(|id| owners(Some(id))));
        }
        _ => {}
    }
    found
}

/// What words about others name by their fields.
fn spoken(record: &Record) -> Vec<Named> {
    let each = |rel: &'static str, targets: Vec<LinkTarget>| targets.into_iter().map(|target| (rel, target)).collect();
    match record {
        Record::Approval(approval) => {
            let known = approval.credential().present().map(LinkTarget::Handle);
            each("authenticated_by", known.into_iter().collect())
        }
        Record::Revocation(revocation) => {
            each(REVOKES, revoked(revocation).into_iter().map(LinkTarget::Handle).collect())
        }
        Record::Redaction(redaction) => {
            each("redacts", redaction.targets().into_iter().map(|target| target.target).collect())
        }
        Record::Finding(finding) => each("about", finding.entries()),
        Record::Custody(custody) => each("about", custody.entries()),
        _ => Vec::new(),
    }
}

/// What a revocation revokes, besides the target of a link: by an id, and by the handles that it bears. Where it does not say what the target is, it
/// may be anything.
fn revoked(revocation: &Revocation) -> Vec<Handle> {
    let said = revocation.target_type().present();
    let rows = || REVOKED_BY.into_iter().filter(|(target_type, ..)| said.is_none_or(|said| said == *target_type));
    let by_id = match revocation.target().present() {
        Some(RevocationTarget::Id(id)) => {
            let whose = rows().filter_map(|(.., name)| match name {
                DOMAIN => domain_alone(&id).map(|domain| local(DOMAIN, domain)),
                name => Some(local(name, &id)),
            });
            std::iter::once(named(&id)).chain(whose).collect()
        }
        _ => Vec::new(),
    };
    let is_meant = |handle: &Handle| rows().any(|(_, names, _)| names.contains(&handle.name.as_str()));
    by_id.into_iter().chain(revocation.body().handles().into_iter().filter(is_meant)).collect()
}

/// What a record stands under without naming it: whoever revokes that ends it, too.
fn under(record: &Record) -> Vec<Handle> {
    let Some(body) = record.body() else { return Vec::new() };
    let text = |path: &[&str]| body.text(path).present();
    let domain = |id: Option<&str>| id.and_then(domain_of).map(|domain| local(DOMAIN, domain));
    match record {
        // Of whose credential nothing is known here.
        Record::Decision(decision) => {
            let subject = decision.subject_id().present().filter(|id| domain_of(id).is_some());
            subject.map(|id| local(ISSUED_TO, id)).into_iter().chain(domain(subject)).collect()
        }
        Record::Issuance(_) | Record::Registration(_) | Record::Attestation(_) => {
            domain(text(&["subject"])).into_iter().collect()
        }
        Record::SigningKey(_) => {
            let issuer = text(&["issuer"]);
            issuer.map(|id| local(KEYS_OF, id)).into_iter().chain(domain(issuer)).collect()
        }
        _ => Vec::new(),
    }
}

/// By what else the handle that an entry names is to be asked for: the registry's id of an entry is what a revocation has.
pub(super) fn also_called(handle: &Handle) -> Option<Handle> {
    let id = handle.value.as_array()?.get(1)?.as_text()?;
    (handle.name == REGISTRY_ENTRY).then(|| named(id))
}

/// The trust domain of a SPIFFE ID.
fn domain_of(id: &str) -> Option<&str> {
    id.strip_prefix("spiffe://")?.split('/').next().filter(|domain| !domain.is_empty())
}

/// The trust domain that a text names and nothing below it: with or without `spiffe://`.
fn domain_alone(text: &str) -> Option<&str> {
    let domain = text.strip_prefix("spiffe://").unwrap_or(text);
    let domain = domain.strip_suffix('/').unwrap_or(domain);
    Some(domain).filter(|domain| !domain.is_empty() && !domain.contains('/'))
}

/// The names of the certificate that an observation holds, and those of its key. Signatures in it are not looked at: what ties it to others is who logged it.
fn certificate(record: &Record) -> Vec<Handle> {
    let Record::Observation(observation) = record else { return Vec::new() };
    let Recorded::Present(der) = observation.certificate() else { return Vec::new() };
    CertificateHandles::from_der(der).map(|certificate| certificate.handles()).unwrap_or_default()
}

/// Who answers for an identity: an ownership names one SPIFFE ID, or with a `/` at its end all that begin with it.
fn owners(subject: Option<&str>) -> Vec<Named> {
    let subject = subject.filter(|subject| subject.starts_with("spiffe://")).unwrap_or_default();
    let ends = subject.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1);
    let prefixes = ends.filter(|end| *end > "spiffe://".len()).filter_map(|end| subject.get(..end));
    let exact = Some(subject).filter(|subject| !subject.is_empty());
    prefixes.chain(exact).map(|prefix| (OWNED_BY, LinkTarget::Handle(owned(prefix)))).collect()
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
    local(NAMED, id)
}

/// A name that is only used here.
fn local(name: &str, id: &str) -> Handle {
    Handle { name: name.to_owned(), value: id.into() }
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

//! What an entry names: by its links, and by the fields that its kind has.

use govlog_formats::record::registration::RegistrationOp;
use govlog_formats::record::{Body, Handle, LinkTarget, Record, Recorded, SchemeDigest};

use super::handles::{OWNED, REGISTRY_ENTRY, digest_handle, handle_maps, key_iss, local, named_digest, pair};
use super::revoking::revoked;
use super::table::{ACTED_AS, BEARS_ON, ENDS, MEMBER_OF, OWNED_BY, Point, REVOKES};
use crate::verify::join;

/// The relations that are no rel of a link (records.md §4).
const UNSAID: [&str; 5] = [ACTED_AS, BEARS_ON, ENDS, MEMBER_OF, OWNED_BY];

/// What a record names; `iss`: who signed it.
pub(super) fn points(record: &Record, iss: &str) -> Vec<Point> {
    // What only a proof, a rule or a field of its own gives nobody says by a link.
    let is_said = |(rel, _): &(String, LinkTarget)| !UNSAID.contains(&rel.as_str());
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

/// Who answers for an identity: an ownership names one SPIFFE ID, or with a `/` at its end all that begin with it.
fn owners(subject: Option<&str>) -> Vec<Named> {
    let subject = subject.filter(|subject| subject.starts_with("spiffe://")).unwrap_or_default();
    let ends = subject.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1);
    let prefixes = ends.filter(|end| *end > "spiffe://".len()).filter_map(|end| subject.get(..end));
    let exact = Some(subject).filter(|subject| !subject.is_empty());
    prefixes.chain(exact).map(|prefix| (OWNED_BY, LinkTarget::Handle(local(OWNED, prefix)))).collect()
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

//! What a revocation revokes by its fields, and what an entry stands under so that a revocation bears on it.
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

use govlog_formats::record::revocation::{Revocation, RevocationTarget, TargetType};
use govlog_formats::record::{Handle, Record};

use super::handles::{
    DELEGATED_TO, DOMAIN, ISSUED_TO, KEYS_OF, NAMED, REGISTERED, RUNS_AS, domain_alone, domain_of, local, named,
};
use crate::resolve::OF_CREDENTIALS;

/// What a revocation revokes, besides the target of a link: by an id, and by the handles that it bears. Where it does not say what the target is, it
/// may be anything.
pub(super) fn revoked(revocation: &Revocation) -> Vec<Handle> {
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
pub(super) fn under(record: &Record) -> Vec<Handle> {
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

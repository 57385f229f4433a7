//! `revocation`: something stopped being good before its time.

use ciborium::Value;
use govlog_formats::record::revocation::{RevocationTarget, TargetType};
use govlog_formats::record::{Handle, LinkTarget};
use govlog_formats::visible::visible;

use super::sheet::{BuildError, Built, Seals, Sheet};
use crate::resolve::{Found, What};

/// What a person says of a revocation.
#[derive(Clone, Debug)]
pub struct RevocationFacts {
    /// What the target is, where its form does not say.
    pub target_type: Option<TargetType>,
    /// Why: a code, such as key-compromise.
    pub reason: String,
    /// From when it is not good any more: POSIX milliseconds.
    pub effective_ms: u64,
    /// By when every enforcement point must follow: POSIX milliseconds.
    pub deadline_ms: Option<u64>,
    /// Who decided it: a pseudonym.
    pub revoked_by: Option<String>,
    /// What it was decided upon.
    pub cause: Option<Found>,
    /// Whom it was good for, where the target does not say.
    pub sub: Option<String>,
}

/// Builds a `revocation` record.
///
/// # Errors
///
/// As said in [`BuildError`]; it is not clear what the target is.
pub fn revocation(
    target: &Found,
    facts: &RevocationFacts,
    now_s: u64,
    seals: &mut Seals<'_>,
) -> Result<Built, BuildError> {
    let unfit = |why: &str| BuildError::Unfit { name: target.name.clone(), why: why.to_owned() };
    if facts.deadline_ms.is_some_and(|deadline| deadline < facts.effective_ms) {
        return Err(unfit("the deadline lies before the time from which it is revoked"));
    }
    let target_type = facts.target_type.or_else(|| type_of(target)).ok_or_else(|| {
        let names = TargetType::NAMES.join(", ");
        unfit(&format!("it is not clear what this is; say which with --as: {names}"))
    })?;
    let named = named(target).ok_or_else(|| unfit("there is nothing in it that a revocation could name"))?;
    let mut sheet = Sheet::new("revocation", now_s, seals);
    sheet.put(&["target_type"], target_type.as_str())?;
    sheet.put(&["target"], named.to_value())?;
    sheet.time("effective_ms", Some(facts.effective_ms))?;
    sheet.put(&["reason"], facts.reason.as_str())?;
    sheet.time("propagate_by_ms", facts.deadline_ms)?;
    let subject = facts.sub.clone().or_else(|| target.subject());
    sheet.put_some(&["subject"], subject.as_deref())?;
    if let Some(who) = &facts.revoked_by {
        sheet.person(&["revoked_by"], who)?;
    }
    let handles = target.handles();
    if let Some(kind) =
        target.entry().map(|entry| entry.statement.kind()).filter(|kind| !DESCRIBE_THEIR_OWN.contains(kind))
        && !handles.is_empty()
    {
        let names: Vec<&str> = handles.iter().map(|handle| handle.name.as_str()).collect();
        sheet.warnings.push(format!(
            "{} is a {}, which bears handles ({}) of a credential that it did not issue: THAT CREDENTIAL IS REVOKED, for all that it is used for, \
             and not the entry alone",
            target.name,
            visible(kind),
            names.join(", ")
        ));
    }
    for handle in handles {
        sheet.put(&["handles", &handle.name], handle.value)?;
    }
    if let RevocationTarget::Link(link) = named {
        sheet.link_to("revokes", link, target);
    }
    sheet.link("revokes", target);
    if let Some(cause) = &facts.cause {
        let why = "a cause is an entry or a handle";
        let link = cause.target().ok_or_else(|| BuildError::Unfit { name: cause.name.clone(), why: why.to_owned() })?;
        sheet.put(&["cause"], link.to_value())?;
        sheet.link_to("caused_by", link, cause);
    }
    if facts.effective_ms / 1000 < now_s {
        sheet.warnings.push("it takes effect in the past: what was done since then was done without right".to_owned());
    }
    if target_type == TargetType::TrustDomain || target_type == TargetType::IssuerKey {
        sheet.warnings.push("this ends every credential under it".to_owned());
    }
    sheet.finish(facts.sub.as_deref(), subject)
}

/// The kinds whose handles are those of what they record.
const DESCRIBE_THEIR_OWN: [&str; 2] = ["issuance", "signing-key"];

/// What a thing is, where its form says so.
fn type_of(target: &Found) -> Option<TargetType> {
    match &target.what {
        What::Certificate(_) | What::Token(_) => Some(TargetType::Credential),
        What::Key(_) => Some(TargetType::Key),
        What::Entry(entry) => match entry.statement.kind() {
            "issuance" => Some(TargetType::Credential),
            "registration" => Some(TargetType::Entry),
            "agent" => Some(TargetType::Agent),
            "delegation" => Some(TargetType::Delegation),
            "policy" => Some(TargetType::Policy),
            "signing-key" => Some(TargetType::IssuerKey),
            "federation" => Some(TargetType::TrustDomain),
            _ => None,
        },
        What::Handle(handle) => match handle.name.as_str() {
            "cert_s256" | "tbs_s256" | "serial_aki" | "tok_s256" | "jws_input_s256" | "jti_iss" => {
                Some(TargetType::Credential)
            }
            "spki_s256" | "jkt" => Some(TargetType::Key),
            "policy_digest" | "bundle_digest" => Some(TargetType::Policy),
            "entry_digest" => Some(TargetType::Entry),
            "key_iss" => Some(TargetType::IssuerKey),
            "attested" => Some(TargetType::Agent),
            _ => None,
        },
        // A trust domain alone is one; a SPIFFE ID with a path may be an agent, a registration entry, or all credentials of a workload.
        What::Name(name) => {
            let domain = name.strip_prefix("spiffe://")?.trim_end_matches('/');
            (!domain.is_empty() && !domain.contains('/')).then_some(TargetType::TrustDomain)
        }
        What::Leaf(_) => None,
    }
}

/// What the revocation names: of a credential or policy the handle that others look it up by, of anything else the entry or the name.
fn named(target: &Found) -> Option<RevocationTarget> {
    let handles = target.handles();
    let by = |name: &str| handles.iter().find(|handle| handle.name == name).cloned();
    let lasting = || by("tbs_s256").or_else(|| by("jws_input_s256")).or_else(|| policy_digest(target));
    match &target.what {
        What::Name(name) => Some(RevocationTarget::Id(name.clone())),
        What::Entry(_) => {
            let link = lasting().or_else(|| handles.first().cloned()).map(LinkTarget::Handle);
            link.or_else(|| target.target()).map(RevocationTarget::Link)
        }
        _ => target.target().map(RevocationTarget::Link),
    }
}

/// The digest of the policy that an entry publishes.
fn policy_digest(target: &Found) -> Option<Handle> {
    let entry = target.entry().filter(|entry| entry.statement.kind() == "policy")?;
    let record = entry.record()?;
    let value: Value = record.body()?.at(&["policy_digest"]).present()?.clone();
    Some(Handle { name: "policy_digest".to_owned(), value })
}

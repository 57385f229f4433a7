//! The `sub` that a statement takes from its record.

use super::revocation::RevocationTarget;
use super::{Body, Record};

/// Gives the `sub` that a statement of this record takes when none is given.
///
/// Which field that is, `formats/RECORDS.md` says kind by kind.
///
/// Where that has neither `:` nor `/`, `<type>:<id>`: the type is the one recorded of a decision's subject or a delegate; of the others it is
/// what the field names: workloads, policies, agents, enforcement points, stores, logs.
///
/// `None`: the field is not recorded, or sealed, or a type is needed and not recorded; or the kind has no such field.
#[must_use]
pub fn default_subject(record: &Record) -> Option<String> {
    let text = |path: &[&str]| record.body().and_then(|body| present(body, path));
    let (id, kind_of_subject) = match record {
        Record::Policy(_) | Record::Activation(_) => (text(&["uri"]).or_else(|| text(&["name"]))?, Some("policy")),
        Record::Ownership(_) => (text(&["prefix"])?, Some("workload")),
        Record::Agent(_) => (text(&["agent_id"])?, Some("agent")),
        Record::Registration(_) | Record::Attestation(_) | Record::Issuance(_) | Record::Finding(_) => {
            (text(&["subject"])?, Some("workload"))
        }
        Record::SigningKey(_) => (text(&["issuer"])?, Some("issuer")),
        Record::Revocation(revocation) => match revocation.target().present() {
            Some(RevocationTarget::Id(id)) if text(&["subject"]).is_none() => {
                return qualified(&id, revocation.target_type().present().map(super::revocation::TargetType::as_str));
            }
            _ => (text(&["subject"])?, Some("workload")),
        },
        Record::Federation(_) => return domain(text(&["domain"])?),
        Record::Observation(_) => match text(&["subject"]) {
            Some(subject) => (subject, Some("workload")),
            None => return domain(text(&["domain"])?),
        },
        Record::Delegation(_) => (text(&["delegate", "id"])?, text(&["delegate", "type"])),
        Record::Decision(_) => (text(&["subject", "id"])?, text(&["subject", "type"])),
        Record::DecisionBatch(_) => match text(&["pep"]) {
            Some(pep) => (pep, Some("pep")),
            None => (text(&["pdp"])?, Some("pdp")),
        },
        Record::Effect(_) => (text(&["performer"])?, Some("workload")),
        Record::Redaction(_) => (text(&["store"])?, Some("opening-store")),
        Record::Anchor(_) => (text(&["origin"])?, Some("log")),
        Record::AdmissionPolicy(_)
        | Record::Approval(_)
        | Record::Custody(_)
        | Record::Stream(_)
        | Record::Gap(_)
        | Record::Quarantine(_)
        | Record::Opaque(_) => return None,
    };
    qualified(id, kind_of_subject)
}

/// exact.md §2: "Where a source's subject id has neither, `submit` and the adapters write `<subject type>:<id>`."
fn qualified(id: &str, kind_of_subject: Option<&str>) -> Option<String> {
    if id.contains([':', '/']) {
        return Some(id.to_owned());
    }
    let kind_of_subject = kind_of_subject.filter(|name| !name.is_empty() && !id.is_empty())?;
    Some(format!("{kind_of_subject}:{id}"))
}

/// The SPIFFE ID of a trust domain, which may be given as such.
fn domain(name: &str) -> Option<String> {
    if name.is_empty() || name.contains([':', '/']) { qualified(name, None) } else { Some(format!("spiffe://{name}")) }
}

fn present<'a>(body: &'a Body, path: &[&str]) -> Option<&'a str> {
    body.text(path).present()
}

/// Says where a kind's default subject comes from, for people.
pub(super) fn source_of(kind: &str) -> &'static str {
    SOURCES.into_iter().find(|(kinds, _)| kinds.contains(&kind)).map_or("", |(_, source)| source)
}

/// A default there is where the words begin with a field.
const SOURCES: [(&[&str], &str); 19] = [
    (&["admission-policy"], "the log's origin, which the record does not name"),
    (&["policy", "activation"], "`uri`, else `policy:` and the policy's `name`"),
    (&["approval"], "none: what it approves is a digest, so it must be given"),
    (&["ownership"], "`prefix`"),
    (&["agent"], "`agent_id`, as `agent:<id>` where it is no URI"),
    (&["registration", "attestation", "issuance"], "`subject`, as `workload:<id>` where it is no URI"),
    (&["signing-key"], "`issuer`"),
    (&["revocation"], "`subject`, else the `id` in `target`"),
    (&["federation"], "`domain`, as a SPIFFE ID"),
    (&["delegation"], "`delegate.id`, as `<delegate.type>:<id>` where it is no URI"),
    (&["decision"], "`subject.id`, as `<subject.type>:<id>` where it is no URI"),
    (&["decision-batch"], "`pep`, else `pdp`: its decisions have many subjects"),
    (&["effect"], "`performer`, as `workload:<id>` where it is no URI"),
    (&["observation"], "`subject`, else `domain` as a SPIFFE ID"),
    (&["stream", "gap", "quarantine"], "the stream it stands in, which the record does not name"),
    (&["redaction"], "`store`, as `opening-store:<id>` where it is no URI"),
    (&["finding"], "`subject`"),
    (&["custody"], "none: what it concerns is a query, so it must be given"),
    (&["anchor"], "`origin`"),
];

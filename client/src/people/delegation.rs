//! `delegation`: somebody lets another act in their name, within limits, and within those of the delegation it derives from.

use std::collections::BTreeSet;

use ciborium::Value;
use govlog_formats::record::approval::{ApprovalDecision, Approved};
use govlog_formats::record::{Approval, Body, Delegation, Record, Recorded};
use govlog_formats::visible::visible;

use super::sheet::{BuildError, Built, Seals, Sheet};
use crate::resolve::Found;
use crate::time;

/// A party, by its id and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyName {
    /// A SPIFFE ID where there is one, of people a pseudonym.
    pub id: String,
    /// user, workload or agent.
    pub party_type: String,
}

/// What a person says of a delegation.
#[derive(Clone, Debug)]
pub struct DelegationFacts {
    /// In whose name.
    pub from: PartyName,
    /// Who may act.
    pub to: PartyName,
    /// What is granted.
    pub scope: Vec<String>,
    /// On what, each as (type, id).
    pub resources: Vec<(String, String)>,
    /// What for.
    pub purpose: Option<String>,
    /// From when it may be used: POSIX milliseconds.
    pub not_before_ms: u64,
    /// Until when it may be used: POSIX milliseconds.
    pub expires_ms: u64,
    /// How many further delegations may follow one another; 0: none.
    pub max_hops: u64,
    /// The delegation it derives from.
    pub parent: Option<Found>,
    /// The approval it rests on.
    pub approval: Option<Found>,
    /// Go beyond the parent or the approval.
    pub force: bool,
    /// The subject, where it is not the delegate.
    pub sub: Option<String>,
}

impl PartyName {
    /// Reads `user:…`, `agent:…`, `workload:…`; without one of them a SPIFFE ID is a workload's and anything else a user's pseudonym.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let named = |(party_type, id): (&str, &str)| {
            let known = matches!(party_type, "user" | "agent" | "workload") && !id.is_empty();
            known.then(|| Self { id: id.to_owned(), party_type: party_type.to_owned() })
        };
        let party_type = if text.starts_with("spiffe://") { "workload" } else { "user" };
        text.split_once(':')
            .and_then(named)
            .unwrap_or_else(|| Self { id: text.to_owned(), party_type: party_type.to_owned() })
    }

    /// Whether a statement's subject is this party, as a whole. exact.md §2: "Where a source's subject id has neither [a `:` nor a `/`], `submit` and
    /// the adapters write `<subject type>:<id>`."
    fn is_subject(&self, sub: &str) -> bool {
        let is_plain = !self.id.contains([':', '/']);
        sub == self.id || (is_plain && sub.split_once(':') == Some((self.party_type.as_str(), self.id.as_str())))
    }
}

/// Builds a `delegation` record.
///
/// # Errors
///
/// As said in [`BuildError`]; it goes beyond its parent or its approval, and `force` was not said.
pub fn delegation(facts: &DelegationFacts, now_s: u64, seals: &mut Seals<'_>) -> Result<Built, BuildError> {
    let parent = facts.parent.as_ref().map(parent_of).transpose()?;
    let mut exceeds = Vec::new();
    let mut remarks = own_limits(facts);
    if let Some(parent) = &parent {
        beyond_parent(facts, parent, now_s, &mut exceeds, &mut remarks);
    }
    if let Some(approval) = &facts.approval {
        beyond_approval(facts, approval, now_s, &mut exceeds, &mut remarks)?;
    }
    if !exceeds.is_empty() && !facts.force {
        return Err(BuildError::Exceeds(exceeds));
    }
    let mut sheet = Sheet::new("delegation", now_s, seals);
    party(&mut sheet, "delegator", &facts.from)?;
    party(&mut sheet, "delegate", &facts.to)?;
    if let Some(actors) = actors(facts, parent.as_ref()) {
        sheet.put(&["actors"], actors)?;
    }
    sheet.put(&["scope"], facts.scope.iter().map(|scope| Value::from(scope.as_str())).collect::<Vec<_>>())?;
    let resource = |(kind, id): &(String, String)| {
        Value::Map(vec![("type".into(), kind.as_str().into()), ("id".into(), id.as_str().into())])
    };
    if !facts.resources.is_empty() {
        sheet.put(&["resources"], facts.resources.iter().map(resource).collect::<Vec<_>>())?;
    }
    sheet.put_some(&["purpose"], facts.purpose.as_deref())?;
    sheet.time("not_before_ms", Some(facts.not_before_ms))?;
    sheet.time("expires_ms", Some(facts.expires_ms))?;
    sheet.put(&["max_hops"], facts.max_hops)?;
    sheet.put(&["redelegation"], facts.max_hops > 0)?;
    for (field, rel, found) in
        [("parent", "derived_from", &facts.parent), ("consent", "authorised_by", &facts.approval)]
    {
        if let Some((found, target)) = found.as_ref().and_then(|found| Some((found, found.target()?))) {
            sheet.put(&[field], target.to_value())?;
            sheet.link_to(rel, target, found);
        }
    }
    sheet.warnings.extend(exceeds.into_iter().map(|what| format!("BEYOND WHAT IT RESTS ON: {what}")));
    sheet.warnings.extend(remarks);
    sheet.finish(facts.sub.as_deref(), None)
}

fn party(sheet: &mut Sheet<'_, '_>, field: &str, party: &PartyName) -> Result<(), BuildError> {
    match party.party_type.as_str() {
        "user" => sheet.person(&[field, "id"], &party.id)?,
        _ => sheet.put(&[field, "id"], party.id.as_str())?,
    }
    sheet.put(&[field, "type"], party.party_type.as_str())
}

/// The chain of actors: the parent's, and whoever may act now. `None` where that is a person, whose name stands in one place only.
fn actors(facts: &DelegationFacts, parent: Option<&Delegation>) -> Option<Value> {
    if facts.to.party_type == "user" {
        return None;
    }
    let map = |id: Value, party_type: Value| Value::Map(vec![("id".into(), id), ("type".into(), party_type)]);
    let mut chain = match parent.map(|parent| parent.body().at(&["actors"])) {
        Some(Recorded::Present(Value::Array(actors))) => actors.clone(),
        Some(Recorded::Absent) => {
            let delegate = |key| parent.and_then(|parent| parent.body().at(&["delegate", key]).present().cloned());
            delegate("id").map(|id| map(id, delegate("type").unwrap_or("workload".into()))).into_iter().collect()
        }
        // A chain that begins with something sealed cannot be continued in the clear.
        Some(_) => return None,
        None => Vec::new(),
    };
    chain.push(map(facts.to.id.as_str().into(), facts.to.party_type.as_str().into()));
    Some(Value::Array(chain))
}

fn own_limits(facts: &DelegationFacts) -> Vec<String> {
    let mut remarks = Vec::new();
    if facts.scope.iter().any(|scope| scope.contains('*')) {
        remarks.push("the scope has a wildcard: it grants what nobody has listed".to_owned());
    }
    if facts.resources.is_empty() {
        remarks.push("no resource is named: it holds for all of them; --resource TYPE=ID limits it".to_owned());
    }
    remarks
}

fn parent_of(found: &Found) -> Result<Delegation, BuildError> {
    match found.entry().and_then(|entry| entry.record()) {
        Some(Record::Delegation(parent)) => Ok(parent),
        _ => {
            Err(BuildError::Unfit { name: found.name.clone(), why: "a parent is the entry of a delegation".to_owned() })
        }
    }
}

/// Says where a delegation goes beyond its parent (`exceeds`), and what about that cannot be seen (`remarks`).
fn beyond_parent(
    facts: &DelegationFacts,
    parent: &Delegation,
    now_s: u64,
    exceeds: &mut Vec<String>,
    remarks: &mut Vec<String>,
) {
    let (begins, ends) = parent.validity_ms();
    match ends {
        Recorded::Present(ends) if ends / 1000 <= now_s => {
            exceeds.push(format!("the parent expired at {}", time::utc(ends / 1000)));
        }
        Recorded::Present(ends) if facts.expires_ms > ends => {
            exceeds.push(format!("it would outlive the parent, which ends at {}", time::utc(ends / 1000)));
        }
        Recorded::Sealed(_) => remarks.push("the parent's expiry is sealed: not checked".to_owned()),
        _ => {}
    }
    if begins.present().is_some_and(|begins| facts.not_before_ms < begins) {
        exceeds.push("it would begin before the parent does".to_owned());
    }
    scope_beyond(facts, parent, exceeds, remarks);
    resources_beyond(facts, parent, exceeds, remarks);
    if parent.redelegation() == Recorded::Present(false) || parent.max_hops() == Recorded::Present(0) {
        exceeds.push("the parent may not be delegated further".to_owned());
    } else if let Recorded::Present(hops) = parent.max_hops()
        && facts.max_hops >= hops
    {
        exceeds.push(format!("the parent allows {hops} further delegations, so this one at most {}", hops - 1));
    }
    let is = |party: Recorded<&str>| matches!(party, Recorded::Present(id) if id == facts.from.id);
    if !is(parent.delegator()) && !is(parent.delegate()) {
        match (parent.delegator(), parent.delegate()) {
            (Recorded::Sealed(_), _) | (_, Recorded::Sealed(_)) => {
                remarks
                    .push("the parent's parties are sealed: whether --from is one of them is not checked".to_owned());
            }
            _ => exceeds.push("--from is neither the parent's delegator nor its delegate".to_owned()),
        }
    }
    remarks
        .push("whether the parent was revoked is not checked: that needs a scan of the log (govlog audit)".to_owned());
}

fn scope_beyond(facts: &DelegationFacts, parent: &Delegation, exceeds: &mut Vec<String>, remarks: &mut Vec<String>) {
    match parent.scope() {
        Recorded::Present(granted) => {
            let granted: BTreeSet<&str> = granted.into_iter().collect();
            let more: Vec<&str> =
                facts.scope.iter().map(String::as_str).filter(|scope| !granted.contains(scope)).collect();
            if !more.is_empty() {
                exceeds.push(format!("the parent does not grant {}", more.join(", ")));
            }
        }
        Recorded::Sealed(_) => remarks.push("the parent's scope is sealed: not checked".to_owned()),
        Recorded::Absent => remarks.push("the parent names no scope: not checked".to_owned()),
    }
}

fn resources_beyond(
    facts: &DelegationFacts,
    parent: &Delegation,
    exceeds: &mut Vec<String>,
    remarks: &mut Vec<String>,
) {
    let granted = match resources(parent.body()) {
        Recorded::Present(granted) => granted,
        Recorded::Sealed(_) => return remarks.push("the parent's resources are sealed: not checked".to_owned()),
        // It holds for all of them, so nothing goes beyond it.
        Recorded::Absent => return,
    };
    if facts.resources.is_empty() {
        exceeds.push("the parent is limited to some resources, and this is not".to_owned());
    }
    for (kind, id) in facts.resources.iter().filter(|resource| !granted.contains(resource)) {
        exceeds.push(format!("the parent does not cover {kind} {id}"));
    }
}

fn resources(body: &Body) -> Recorded<Vec<(String, String)>> {
    let items = match body.at(&["resources"]) {
        Recorded::Present(items) => items.as_array().map(Vec::as_slice).unwrap_or_default(),
        Recorded::Sealed(sealed) => return Recorded::Sealed(sealed),
        Recorded::Absent => return Recorded::Absent,
    };
    let text = |item: &Value, key: &str| {
        let pairs = item.as_map()?;
        pairs.iter().find(|(name, _)| name.as_text() == Some(key))?.1.as_text().map(str::to_owned)
    };
    // What is sealed in part is granted to nobody as far as can be seen.
    Recorded::Present(items.iter().filter_map(|item| Some((text(item, "type")?, text(item, "id")?))).collect())
}

fn beyond_approval(
    facts: &DelegationFacts,
    found: &Found,
    now_s: u64,
    exceeds: &mut Vec<String>,
    remarks: &mut Vec<String>,
) -> Result<(), BuildError> {
    let unfit = |why: &str| BuildError::Unfit { name: found.name.clone(), why: why.to_owned() };
    let Some(Record::Approval(approval)) = found.entry().and_then(|entry| entry.record()) else {
        return Err(unfit("--approval names the entry of an approval"));
    };
    if approval.decision() != Recorded::Present(ApprovalDecision::Approve) {
        exceeds.push(format!("{} does not approve", found.name));
    }
    match approval.expires_ms() {
        Recorded::Present(ends) if ends / 1000 <= now_s => {
            exceeds.push(format!("the approval expired at {}", time::utc(ends / 1000)));
        }
        Recorded::Present(ends) if facts.expires_ms > ends => {
            remarks.push(format!("it outlives the approval, which ends at {}", time::utc(ends / 1000)));
        }
        _ => {}
    }
    remarks.extend(approved_else(facts, found, &approval));
    remarks.extend(approved_by_delegate(facts, found, &approval));
    Ok(())
}

/// Says that the approval is the delegate's own, whether it names him or he has signed it, or that nobody can see whose it is.
fn approved_by_delegate(facts: &DelegationFacts, found: &Found, approval: &Approval) -> Option<String> {
    let (name, to) = (&found.name, facts.to.id.as_str());
    let signer = found.entry().map(|entry| entry.statement.claims().iss.as_str());
    let own = || Some("whoever may act by it approved it: the approval is the delegate's own".to_owned());
    match approval.approver() {
        _ if signer == Some(to) => own(),
        Recorded::Present(approver) if approver == to || PartyName::read(approver) == facts.to => own(),
        Recorded::Present(_) => None,
        Recorded::Sealed(_) | Recorded::Absent => Some(format!(
            "who gave the approval {name} is not to be seen: whether that was the delegate, for himself, is not checked"
        )),
    }
}

/// Says what the approval is of, unless that is what the delegation derives from. An approval holds the digest of what it is of, and can not be of
/// the very delegation that names it; how far it covers this one is for people to judge, who are to see it before they sign.
fn approved_else(facts: &DelegationFacts, found: &Found, approval: &Approval) -> Option<String> {
    let name = &found.name;
    let parent = facts.parent.as_ref().and_then(Found::entry).map(|parent| parent.statement.sig_structure_digest());
    let sub = found.subject().unwrap_or_default();
    let is_party = [&facts.from, &facts.to].into_iter().any(|party| party.is_subject(&sub));
    let (sub, to) = (visible(&sub), visible(&facts.to.id));
    match approval.approved() {
        Recorded::Present(Approved::SigStructure(digest)) if Some(digest) == parent => None,
        Recorded::Present(Approved::OpDigest(_)) => Some(format!(
            "the approval {name} is of one operation, about {sub}, and a delegation allows many: whether it covers this is not checked"
        )),
        Recorded::Present(_) if is_party => Some(format!(
            "the approval {name} is of another statement about {sub}: whether it covers what is granted here is not checked"
        )),
        Recorded::Present(_) => Some(format!(
            "THE APPROVAL {name} IS OF SOMETHING ELSE, about {sub}: neither the parent nor a party of this delegation; see that it lets {to} act"
        )),
        Recorded::Sealed(_) | Recorded::Absent => {
            Some(format!("what the approval {name} is of is sealed: whether it covers this is not checked"))
        }
    }
}

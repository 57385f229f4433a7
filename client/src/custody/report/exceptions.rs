//! What stands out: everything in the file that is not as a reader would take it to be.
//!
//! Each rule looks at what the entries themselves say. That none is named here means that none of these was found among them, and no more.

use govlog_formats::record::approval::{ApprovalDecision, ApprovalType};
use govlog_formats::record::decision::{DecisionResult, Enforcement};
use govlog_formats::record::effect::Outcome;
use govlog_formats::record::{Record, Recorded};

use super::super::file::id;
use super::super::judge::Custody;
use super::super::matter::DeadLink;
use super::super::relations::{BEARS_ON, Class, Spot, class, is_revoking};
use super::html::Html;
use super::matter::{Matter, Told, link};
use super::words::{relation, time_ms};

/// What is looked for, as it is said where nothing was found.
const LOOKED_FOR: &str = "operations carried out against a decision, decisions that were not enforced or failed open, denials and errors, \
                          effects that failed, use after a revocation or past an expiry, approvals past the rules, rejections, quarantined \
                          input, findings, redactions, gaps, silent streams, and relations that lead to no entry";

/// The most of one sort that are listed one by one.
const MAX_EACH: usize = 20;

/// One thing that stands out.
pub(super) struct Exception {
    /// Which sort.
    pub(super) sort: &'static str,
    /// The entries it is about.
    pub(super) entries: Vec<Spot>,
    /// What of them.
    pub(super) what: String,
    /// Since when, POSIX milliseconds.
    pub(super) at_ms: Option<u64>,
}

/// Finds what stands out, gravest first.
pub(super) fn exceptions(matter: &Matter<'_>) -> Vec<Exception> {
    let each = |find: fn(&Matter<'_>, &Told<'_>, &mut Vec<Exception>)| {
        let mut found = Vec::new();
        matter.told.values().for_each(|told| find(matter, told, &mut found));
        found
    };
    let mut found = each(contradictions);
    found.extend(each(revoked));
    found.extend(each(expired));
    found.extend(each(of_one));
    found.extend(streams(matter));
    found.extend(redacted(matter));
    found.extend(matter.custody.dead_links.iter().map(|dead| Exception {
        sort: "not found",
        entries: vec![dead.from],
        what: missing(dead, matter.custody),
        at_ms: None,
    }));
    found
}

/// What is missing. Nobody named an owner: one is looked for.
pub(super) fn missing(dead: &DeadLink, custody: &Custody) -> String {
    let unlooked = custody.unlooked();
    match class(&dead.rel) {
        Class::Owner => format!("no entry of the file names {}{unlooked}", dead.to),
        Class::Other => format!("its {} leads out of this log, or is not known here: {}", dead.rel, dead.to),
        _ => format!("it is {} {}, and no entry of the file is that{unlooked}", relation(&dead.rel, true), dead.to),
    }
}

/// Writes them.
pub(super) fn write(html: &mut Html, found: &[Exception]) {
    if found.is_empty() {
        html.plain("p", |html| html.words(&format!("None found among these entries. Looked for: {LOOKED_FOR}.")));
        return;
    }
    html.of("ul", "exceptions", |html| {
        let mut rest = found;
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|other| other.sort == first.sort).count();
            let (sort, after) = rest.split_at(same);
            sort.iter().take(MAX_EACH).for_each(|exception| one(html, exception));
            if same > MAX_EACH {
                html.plain("li", |html| {
                    html.of("span", "badge", |html| html.words(first.sort));
                    html.words(&format!(" and {} more of this sort", same - MAX_EACH));
                });
            }
            rest = after;
        }
    });
}

fn one(html: &mut Html, exception: &Exception) {
    html.plain("li", |html| {
        html.of("span", "badge", |html| html.words(exception.sort));
        html.words(" ");
        for (at, index) in exception.entries.iter().enumerate() {
            html.words(if at == 0 { "" } else { ", " });
            link(html, *index);
        }
        html.words(if exception.entries.is_empty() { "" } else { ": " });
        html.said(&exception.what);
        if let Some(at_ms) = exception.at_ms {
            html.words(" ");
            time_ms(html, at_ms);
        }
    });
}

/// Something was done that a decision did not permit.
fn contradictions(matter: &Matter<'_>, told: &Told<'_>, found: &mut Vec<Exception>) {
    let Some(Record::Effect(effect)) = &told.record else { return };
    let is_done = matches!(effect.outcome(), Recorded::Present(Outcome::Performed | Outcome::Partial));
    for edge in matter.naming(told.spot).iter().filter(|edge| is_done && edge.rel == "enforces") {
        let Some(Record::Decision(decision)) = matter.told.get(&edge.to).and_then(|to| to.record.as_ref()) else {
            continue;
        };
        if let Recorded::Present(result) = decision.result()
            && result != DecisionResult::Permit
        {
            let what = format!("it was done, and the decision was {}", result.as_str());
            found.push(Exception { sort: "against a decision", entries: vec![told.spot, edge.to], what, at_ms: None });
        }
    }
}

/// Something is revoked, or was used after that.
fn revoked(matter: &Matter<'_>, told: &Told<'_>, found: &mut Vec<Exception>) {
    for edge in matter.named(told.spot).iter().filter(|edge| is_revoking(&edge.rel, "revocation")) {
        let Some(Record::Revocation(revocation)) = matter.told.get(&edge.from).and_then(|from| from.record.as_ref())
        else {
            continue;
        };
        let from_ms = revocation.effective_ms().present();
        let is_after =
            |told: &Told<'_>| told.kind() == "decision" && from_ms.is_some_and(|from_ms| told.at_ms > from_ms);
        if edge.rel == BEARS_ON {
            let (sort, what) = if is_after(told) {
                (
                    "used after revocation",
                    "by the time that it claims it was decided after what it rests on was revoked by",
                )
            } else {
                ("revoked", "what it rests on is revoked by")
            };
            let what = format!("{what} {}, from", id(edge.from));
            found.push(Exception { sort, entries: vec![told.spot], what, at_ms: from_ms });
            continue;
        }
        let used = matter.named(told.spot).iter().filter_map(|edge| matter.told.get(&edge.from));
        let after: Vec<Spot> = used.filter(|user| is_after(user)).map(|user| user.spot).collect();
        if after.is_empty() {
            let what = format!("revoked by {}, from", id(edge.from));
            found.push(Exception { sort: "revoked", entries: vec![told.spot], what, at_ms: from_ms });
        } else {
            let what =
                format!("by the times that they claim it was used after it was revoked by {}, from", id(edge.from));
            let entries = std::iter::once(told.spot).chain(after).take(MAX_EACH).collect();
            found.push(Exception { sort: "used after revocation", entries, what, at_ms: from_ms });
        }
    }
}

/// A credential or a delegation was used when it was not valid any more.
fn expired(matter: &Matter<'_>, told: &Told<'_>, found: &mut Vec<Exception>) {
    let Some(body) = told.record.as_ref().and_then(Record::body).filter(|_| told.kind() == "decision") else { return };
    let at_ms = body.event_ms().present();
    for edge in matter.naming(told.spot) {
        let Some(rested_on) = matter.told.get(&edge.to).and_then(|to| to.record.as_ref()) else { continue };
        let until = match (edge.rel.as_str(), rested_on) {
            ("authenticated_by", Record::Issuance(issuance)) => issuance.body().uint(&["not_after_ms"]).present(),
            ("on_behalf_of", Record::Delegation(delegation)) => delegation.validity_ms().1.present(),
            _ => None,
        };
        if let (Some(at_ms), Some(until)) = (at_ms, until)
            && at_ms > until
        {
            let what = "by the times that they claim, what it rests on was valid no longer than".to_owned();
            found.push(Exception { sort: "expired", entries: vec![told.spot, edge.to], what, at_ms: Some(until) });
        }
    }
}

/// What an entry says of itself that nobody should pass over.
fn of_one(_: &Matter<'_>, told: &Told<'_>, found: &mut Vec<Exception>) {
    let mut add = |sort: &'static str| {
        found.push(Exception { sort, entries: vec![told.spot], what: told.says.clone(), at_ms: None })
    };
    match &told.record {
        Some(Record::Decision(decision)) => {
            match decision.enforcement() {
                Recorded::Present(Enforcement::FailOpen) => add("failed open"),
                Recorded::Present(enforcement) if enforcement != Enforcement::Enforced => add("not enforced"),
                _ => {}
            }
            match decision.result() {
                Recorded::Present(DecisionResult::Permit) => {}
                Recorded::Present(DecisionResult::Deny) => add("denied"),
                Recorded::Present(_) => add("no decision"),
                Recorded::Sealed(_) | Recorded::Absent => {}
            }
        }
        Some(Record::Effect(effect)) => match effect.outcome() {
            Recorded::Present(Outcome::Failed | Outcome::Partial) => add("failed"),
            Recorded::Present(Outcome::Blocked) => add("blocked"),
            _ => {}
        },
        Some(Record::Approval(approval)) => {
            if let Recorded::Present(ApprovalType::BreakGlass | ApprovalType::Exception) = approval.approval_type() {
                add("past the rules");
            }
            if let Recorded::Present(ApprovalDecision::Reject) = approval.decision() {
                add("rejected");
            }
        }
        Some(Record::Quarantine(_)) => add("quarantined"),
        Some(Record::Finding(_)) => add("finding"),
        _ => {}
    }
}

fn streams(matter: &Matter<'_>) -> Vec<Exception> {
    let mut found = Vec::new();
    for stream in &matter.custody.streams {
        for gap in &stream.gaps {
            let entries = gap.entry.parse::<Spot>().into_iter().collect();
            let cause = gap.cause.clone().unwrap_or_else(|| "no cause is given".to_owned());
            let many = gap.count.map(|count| format!("{count} events, ")).unwrap_or_default();
            let what = format!("{many}lost before they reached stream {}: {cause}", stream.stream);
            found.push(Exception { sort: "gap", entries, what, at_ms: gap.from_ms });
        }
    }
    for stream in &matter.custody.streams {
        let silent = matter.custody.checkpoint.time_s.and_then(|at| stream.silent_s(at));
        if let (Some(silent), Some(word)) = (silent, &stream.last_word) {
            let entries = word.entry.parse::<Spot>().into_iter().collect();
            let what = format!(
                "stream {} said nothing of itself in the {} min before the checkpoint; last at",
                stream.stream,
                silent / 60
            );
            found.push(Exception { sort: "silent", entries, what, at_ms: Some(word.event_ms) });
        }
    }
    found
}

fn redacted(matter: &Matter<'_>) -> Vec<Exception> {
    let told = matter.told.values();
    told.flat_map(|told| {
        matter.redactions(told.spot).map(|(redacted, by)| Exception {
            sort: "redacted",
            entries: std::iter::once(told.spot).chain(by).collect(),
            what: format!("{}: {}", redacted.what(), redacted.why()),
            at_ms: None,
        })
    })
    .collect()
}

//! The verdict on a custody file: what it is, what it shows, and above all what it does not prove.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use govlog_formats::visible::visible;
use serde_json::{Value, json};

use super::super::file::{BatchesSeen, MAX_COUNTED, Manifest, Query, StreamSeen, Unopened, id};
use super::super::matter::{DeadLink, Edge, Role};
use super::found::Custody;
use super::held::Held;
use super::{record, steps};
use crate::openings::State;
use crate::time;
use crate::trust::{Relation, Trust};
use crate::verify::{Failure, Outcome, Redacted, WitnessSeen, summary, too_old};

/// The verdict on one file.
#[derive(Clone, Debug)]
pub struct CustodyVerdict {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// What it holds, or why it is refused.
    pub result: Result<Custody, Failure>,
    /// What was not proved, each with why, or how it could be.
    pub not_proved: Vec<String>,
    /// The records given with it that could not be judged, by their names.
    pub unjudged: Vec<String>,
}

/// Judges a custody file offline; `records`: names and bytes of `custody` records that are said to be about it.
#[must_use]
pub fn verify(trust: &Trust, name: &str, bytes: &[u8], records: &[(String, Vec<u8>)]) -> CustodyVerdict {
    let (mut remarks, mut unjudged) = (Vec::new(), Vec::new());
    let result = steps::judge(trust, bytes, &mut remarks).and_then(|(mut custody, learnt)| {
        for (name, bytes) in records {
            match record::judge(&learnt, name, bytes, &custody) {
                Ok(record) => custody.records.push(record),
                // It says nothing against the file, and nothing for it.
                Err(failure) if failure.outcome == Outcome::CannotEvaluate => {
                    remarks.push(format!("anything by the record {}", failure.why));
                    unjudged.push(name.clone());
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(custody)
    });
    let not_proved = result.as_ref().map(|custody| not_proved(custody, remarks)).unwrap_or_default();
    CustodyVerdict { name: name.to_owned(), result, not_proved, unjudged }
}

/// What a reader must not take for proved, most important first.
fn not_proved(custody: &Custody, remarks: Vec<String>) -> Vec<String> {
    let (manifest, head) = (&custody.manifest, &custody.checkpoint);
    let mut list = completeness(manifest);
    let independent = head.witnesses.iter().filter(|witness| witness.relation == Relation::Independent).count();
    if !head.asks_for_witnesses && head.witnesses.is_empty() {
        list.push("that everybody is shown the same log: your policy asks for no witness".to_owned());
    } else if independent == 0 {
        list.push(
            "that everybody is shown the same log: none of the witnesses is independent of its operator".to_owned(),
        );
    }
    list.push(match custody.confirmed() {
        Some(record) => format!(
            "collector and purpose: {} says so in entry {}, as any issuer can that the log admits for the kind custody",
            record.issuer(),
            record.entry.id()
        ),
        None if custody.records.is_empty() => {
            "collector and purpose: not checked, no custody record that can be judged lies beside the file".to_owned()
        }
        None => "collector and purpose: the records about the file say others, or nothing of its export".to_owned(),
    });
    let is_entry = |held: &&Held| held.member.is_none();
    let count = |is: &dyn Fn(&Held) -> bool| custody.entries.iter().filter(is_entry).filter(|held| is(held)).count();
    let (all, lower) = (custody.counts().0, count(&|held| held.bracket.lower_s.is_none()));
    if lower > 0 {
        list.push(format!(
            "that {lower} of {all} entries were not signed long before: they name no head that is in the file"
        ));
    }
    let upper = count(&|held| held.bracket.upper_s.is_none());
    if upper > 0 {
        list.push(format!("by when {upper} of {all} entries were there: no witness says"));
    }
    if custody.sealed() > 0 {
        list.push(format!("what stands in {} sealed values", custody.sealed()));
    }
    let bare = count(&|held| !held.has_receipt);
    if bare > 0 {
        list.push(format!(
            "anything to SCITT tools of {bare} of {all} entries: they carry no receipt that you can judge"
        ));
    }
    list.push(format!(
        "that the admission policy did not change again below the checkpoint, after change {}: govlog trust update asks the log",
        custody.changes.as_of
    ));
    if custody.changes.more > 0 {
        list.push(format!(
            "anything to whoever knows less of the admission policy than you: {} of its entries below the checkpoint were unknown to the \
             collector and are not enclosed; you know them, and everything here was judged by them",
            custody.changes.more
        ));
    }
    if !custody.changes.is_same_policy {
        list.push("anything by the collector's policy.txt: its text differs from yours, which was used".to_owned());
    }
    let unrevoked = custody.unrevoked().len();
    if unrevoked > 0 {
        let unlooked = custody.unlooked();
        list.push(format!("that {unrevoked} entries of which no revocation is here{unlooked} were not revoked"));
    }
    list.extend(remarks);
    list.push("whether what the issuers state is true".to_owned());
    list.push(format!("what came after the checkpoint of size {}, such as revocations", head.size));
    list
}

/// Why these may not be all.
fn completeness(manifest: &Manifest) -> Vec<String> {
    let mut list = vec![match manifest.completeness.as_str() {
        "index" => "completeness: the entries were looked for in the log's index; a file with fewer would be as good in itself \
                    (govlog custody export --complete scans instead)"
            .to_owned(),
        scanned => format!(
            "completeness: the collector claims to have {scanned}; a file with fewer would be as good in itself, so scan it yourself, or trust who did"
        ),
    }];
    if let Some(most) = manifest.not_found.cut_at {
        list.push(format!(
            "completeness: the collector stopped at {most} entries, and there are more; what is not here was not looked for to the end"
        ));
    }
    list.extend(refused(&manifest.not_found.refused));
    list.extend(unopened(&manifest.not_found.members));
    list.extend(closed_batches(manifest.not_found.batches));
    list.extend(stated_times(&manifest.query));
    list
}

/// What the collector left out because it did not verify; of many, how many.
fn refused(entries: &[String]) -> Option<String> {
    let (first, more) = entries.split_at(entries.len().min(MAX_SAID));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let first = first.join(", ");
    (!entries.is_empty()).then(|| {
        format!("completeness: the collector says that {first}{more} did not verify and were left out: what hangs by them is not here either")
    })
}

/// Which members of batches are not here; of many batches, how many.
fn unopened(batches: &[Unopened]) -> Vec<String> {
    let said = |what: String| format!("completeness: {what}; whether they belong here is not known");
    let (first, more) = batches.split_at(batches.len().min(MAX_SAID));
    // Of so many members as their issuers like.
    let closed = more.iter().filter_map(|batch| Some(batch.members?.saturating_sub(batch.opened)));
    let closed = closed.fold(0_u64, u64::saturating_add);
    let more = (!more.is_empty()).then(|| format!("{closed} members of {} more batches are not opened", more.len()));
    first.iter().map(Unopened::said).chain(more).map(said).collect()
}

/// So many batches are told one by one.
const MAX_SAID: usize = 8;

/// What a decision-batch holds its entry does not say. Whatever is claimed of it: the batches that were opened may be others than the log's.
fn closed_batches(seen: BatchesSeen) -> Option<String> {
    let BatchesSeen { logged, opened } = seen;
    let count = if logged < MAX_COUNTED as u64 { logged.to_string() } else { format!("{MAX_COUNTED} or more") };
    (logged > 0).then(|| {
        format!(
            "completeness: decisions in decision-batches are found by what opens these alone: of {count} batches in the log the collector says \
             to have looked into {opened}"
        )
    })
}

/// What a query leaves out that bounds times.
fn stated_times(query: &Query) -> Option<String> {
    let is_bounded = ["since", "until"].iter().any(|bound| query.search.contains_key(*bound));
    let said = "completeness: the query bounds times, which are those that issuers state; what states another time is not here";
    is_bounded.then(|| said.to_owned())
}

impl CustodyVerdict {
    /// How the check ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.result.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Verified)
    }

    /// Asks that the checkpoint be no older than `max_age_s` by the reader's clock.
    pub fn require_age(&mut self, max_age_s: u64, now_s: u64) {
        let at = self.result.as_ref().ok().map(|custody| custody.checkpoint.time_s);
        if let Some(failure) = at.and_then(|at| too_old(at, max_age_s, now_s)) {
            self.result = Err(failure);
        }
    }

    /// What witnesses say of times that the reader's clock has not reached.
    fn ahead(&self, now_s: u64) -> Vec<String> {
        let witnesses = self.result.as_ref().map_or(&[][..], |custody| &custody.checkpoint.witnesses);
        let ahead = witnesses.iter().filter(|witness| witness.time_s > now_s);
        ahead
            .map(|witness| {
                format!("any time by {}: it signed the checkpoint {}", witness.name, time::age(witness.time_s, now_s))
            })
            .collect()
    }

    /// Writes the verdict for people; `now_s` is the reader's clock.
    #[must_use]
    pub fn text(&self, now_s: u64) -> String {
        let mut text = format!("{}  {}", self.outcome().word(), visible(&self.name));
        match &self.result {
            Ok(custody) => lines(&mut text, custody, now_s),
            Err(failure) => line(&mut text, "because", &failure.why),
        }
        for remark in self.not_proved.iter().chain(&self.ahead(now_s)) {
            line(&mut text, "NOT PROVED", remark);
        }
        if let Ok(custody) = &self.result {
            entries(&mut text, custody);
        }
        text
    }

    /// Writes the verdict for programs; `now_s` is the reader's clock.
    #[must_use]
    pub fn json(&self, now_s: u64) -> Value {
        let mut document = json!({
            "file": self.name,
            "verdict": self.outcome().word().to_lowercase().replace(' ', "-"),
            "not_proved": self.not_proved.iter().chain(&self.ahead(now_s)).collect::<Vec<_>>(),
        });
        let more = match &self.result {
            Ok(custody) => members(custody, now_s),
            Err(failure) => json!({ "because": failure.why }),
        };
        if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
            document.extend(more);
        }
        document
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    write!(text, "\n  {label:<12} {}", visible(value)).ok();
}

fn lines(text: &mut String, custody: &Custody, now_s: u64) {
    let (manifest, head) = (&custody.manifest, &custody.checkpoint);
    line(text, "log", &format!("{}, checkpoint of size {}, root {}", manifest.origin, head.size, head.root));
    let names: Vec<&str> = head.witnesses.iter().map(|witness| witness.name.as_str()).collect();
    let independent = head.witnesses.iter().filter(|witness| witness.relation == Relation::Independent).count();
    let (seen, known) = (head.witnesses.len(), head.known_witnesses);
    line(text, "witnesses", &format!("{seen} of {known} cosigned ({}), {independent} independent", names.join(", ")));
    let age = head.time_s.map_or_else(|| "unknown: no witness says".to_owned(), |at| time::age(at, now_s));
    line(text, "age", &format!("{age}; {} earlier checkpoints of the same history", head.earlier.len()));
    line(text, "admission", &admission(custody));
    line(text, "query", &query(custody));
    let claimed = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
    let word =
        custody.confirmed().map_or_else(|| "claimed".to_owned(), |record| format!("recorded by {}", record.issuer()));
    line(
        text,
        "collector",
        &format!("{} ({word}), purpose: {}", claimed(&manifest.collector), claimed(&manifest.purpose)),
    );
    for record in &custody.records {
        let by = record.issuer();
        let to = record.recipient.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        line(text, "custody", &format!("{}{to}, entry {} by {by}", record.op, record.entry.id()));
    }
    let disclosed = custody.disclosed();
    if !disclosed.is_empty() {
        line(text, "in clear", &format!("DISCLOSED: {}", disclosed.join(", ")));
    }
    line(text, "manifest", &format!("sha256 {}", custody.manifest_digest));
    line(text, "trust", &format!("fingerprint {}", custody.fingerprint));
    for stream in &custody.streams {
        line(text, "stream", &stream_line(stream, head.time_s));
    }
    for redacted in &custody.redactions {
        let at = |at: usize| custody.entries.get(at).map(Held::id).unwrap_or_default();
        let (entry, by) = (at(redacted.entry), at(redacted.by));
        line(text, "redacted", &format!("{entry}: {}, by {by}: {}", redacted.what(), redacted.why()));
    }
    for dead in &custody.dead_links {
        let (from, unlooked) = (id(dead.from), custody.unlooked());
        line(text, "not found", &format!("{from} {} {}{unlooked}", dead.rel, dead.to));
    }
}

fn admission(custody: &Custody) -> String {
    let changes = custody.changes;
    let learnt = match changes.learnt {
        0 => String::new(),
        some => format!(", {some} of them learnt from the file, proved under your operators' keys and witnesses"),
    };
    format!("every entry allowed as of change {}{learnt}", changes.as_of)
}

fn query(custody: &Custody) -> String {
    let manifest = &custody.manifest;
    let terms = manifest.query.search.iter().map(|(name, values)| format!("{name}={}", values.join("|")));
    let ids = manifest.query.entries.iter().cloned();
    let asked: Vec<String> = terms.chain(ids).collect();
    let (starts, (all, members)) = (manifest.starts.len(), custody.counts());
    let members = if members == 0 { String::new() } else { format!(" with {members} members of batches") };
    format!(
        "{}: {starts} {} it, {all} entries are here{members} ({}, as claimed)",
        asked.join(" "),
        if starts == 1 { "answers" } else { "answer" },
        manifest.completeness
    )
}

fn stream_line(stream: &StreamSeen, at_s: Option<u64>) -> String {
    let name = format!("{} of {}", stream.stream, stream.issuer);
    let spoke = match (&stream.last_word, at_s) {
        (None, _) => "says nothing of itself here".to_owned(),
        (Some(word), _) if word.op == "close" => format!("closed in {}", word.entry),
        (Some(word), Some(at_s)) => {
            let silent = if stream.silent_s(at_s).is_some() { "SILENT, " } else { "" };
            let ahead = if word.is_ahead() {
                format!(", its clock ahead: {}", time::utc(word.event_ms / 1000))
            } else {
                String::new()
            };
            // A word that only this checkpoint covers can be as old as that.
            let age = time::age(0, at_s.saturating_sub(word.said_s()));
            format!("{silent}last {} {age} before the checkpoint{ahead}", word.op)
        }
        (Some(word), None) => format!("last {} at {}", word.op, time::utc(word.said_s())),
    };
    let gaps = match stream.gaps.as_slice() {
        [] => "no gap declared here".to_owned(),
        gaps => {
            let ids: Vec<&str> = gaps.iter().map(|gap| gap.entry.as_str()).collect();
            format!("GAPS declared in {}", ids.join(", "))
        }
    };
    format!("{name}: {} entries, positions {} to {}; {spoke}; {gaps}", stream.entries, stream.first, stream.last)
}

/// The entries with their relations, in the log's order.
fn entries(text: &mut String, custody: &Custody) {
    text.push_str("\nENTRIES");
    let mut relations: BTreeMap<_, Vec<&Edge>> = BTreeMap::new();
    for edge in &custody.edges {
        relations.entry(edge.from).or_default().push(edge);
    }
    for held in &custody.entries {
        let (entry, spot) = (&held.entry, held.spot());
        let said = held.record().and_then(|record| summary(&record)).unwrap_or_else(|| "-".to_owned());
        let role = held.role.map_or("beside", |role| role.word());
        let kind = visible(held.kind());
        write!(text, "\n  {:<10} {role:<6} {kind}: {said}", id(spot)).ok();
        write!(text, "\n  {:<10}        by {}; {}", "", visible(&entry.statement().claims().iss), bounds(held)).ok();
        for edge in relations.get(&spot).into_iter().flatten() {
            let through = edge.through.map(|through| format!(", through {}", id(through))).unwrap_or_default();
            write!(text, "\n  {:<10}        {} {}{through}", "", visible(&edge.rel), id(edge.to)).ok();
        }
    }
}

fn bounds(held: &Held) -> String {
    let lower = held.bracket.lower_s.map_or_else(|| "?".to_owned(), time::utc);
    let upper = held.bracket.upper_s.map_or_else(|| "?".to_owned(), time::utc);
    format!("between {lower} and {upper}")
}

fn members(custody: &Custody, now_s: u64) -> Value {
    let head = &custody.checkpoint;
    let witness =
        |witness: &WitnessSeen| json!({ "name": witness.name, "time_s": witness.time_s, "relation": witness.relation });
    let edge = |edge: &Edge| json!({ "from": id(edge.from), "rel": edge.rel, "to": id(edge.to), "by": edge.by, "through": edge.through.map(id) });
    let dead = |dead: &DeadLink| json!({ "entry": id(dead.from), "rel": dead.rel, "target": dead.to });
    let stream = |stream: &StreamSeen| {
        let mut value = serde_json::to_value(stream).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("silent_s".to_owned(), json!(head.time_s.and_then(|at| stream.silent_s(at))));
        }
        value
    };
    let record = |record: &super::found::Recorded| {
        json!({
            "id": record.entry.id().to_string(), "iss": record.entry.statement().claims().iss, "op": record.op,
            "collector": record.collector, "recipient": record.recipient, "purpose": record.purpose,
        })
    };
    let redacted = |redacted: &Redacted| {
        let at = |at: usize| custody.entries.get(at).map(Held::id);
        json!({
            "entry": at(redacted.entry), "by": at(redacted.by), "what": redacted.what(), "rule": redacted.rule,
            "legal_basis": redacted.basis, "iss": redacted.iss,
        })
    };
    json!({
        "redactions": custody.redactions.iter().map(redacted).collect::<Vec<_>>(),
        "origin": custody.manifest.origin,
        "size": head.size.get(),
        "root": head.root.to_string(),
        "witnesses": head.witnesses.iter().map(witness).collect::<Vec<_>>(),
        "known_witnesses": head.known_witnesses,
        "independent_witnesses": head.witnesses.iter().filter(|witness| witness.relation == Relation::Independent).count(),
        "checkpoint_age_s": head.time_s.map(|at| now_s.saturating_sub(at)),
        "earlier_checkpoints": head.earlier.iter().map(|size| size.get()).collect::<Vec<_>>(),
        "as_of_change": custody.changes.as_of,
        "changes_learnt": custody.changes.learnt,
        "changes_not_enclosed": custody.changes.more,
        "query": custody.manifest.query,
        "completeness": custody.manifest.completeness,
        "collector": custody.manifest.collector,
        "purpose": custody.manifest.purpose,
        "collector_is_recorded": custody.confirmed().is_some(),
        "collector_is_recorded_by": custody.confirmed().map(super::found::Recorded::issuer),
        "disclosed": custody.disclosed(),
        "records": custody.records.iter().map(record).collect::<Vec<_>>(),
        "manifest_sha256": custody.manifest_digest.to_string(),
        "file_sha256": custody.file_digest.to_string(),
        "trust_fingerprint": custody.fingerprint.to_string(),
        "starts": custody.manifest.starts,
        "entries": custody.entries.iter().map(entry_json).collect::<Vec<_>>(),
        "links": custody.edges.iter().map(edge).collect::<Vec<_>>(),
        "not_found": custody.dead_links.iter().map(dead).collect::<Vec<_>>(),
        "not_revoked_here": custody.unrevoked().iter().map(|held| held.id()).collect::<Vec<_>>(),
        "claimed_not_found": custody.manifest.not_found,
        "streams": custody.streams.iter().map(stream).collect::<Vec<_>>(),
    })
}

fn entry_json(held: &Held) -> Value {
    let statement = held.entry.statement();
    let paths = |is: fn(&State) -> bool| -> Vec<&str> {
        held.fields.iter().filter(|field| is(&field.state)).map(|field| field.path.as_str()).collect()
    };
    json!({
        "id": held.id(),
        "role": held.role.map(Role::word),
        "kind": held.kind(),
        "iss": statement.claims().iss,
        "sub": held.subject(),
        "leaf": held.leaf().to_string(),
        "batch": held.member.as_ref().map(|_| held.entry.id().to_string()),
        "says": held.record().and_then(|record| summary(&record)),
        "logged_no_later_than_s": held.bracket.upper_s,
        "logged_no_earlier_than_s": held.bracket.lower_s,
        "receipt": held.has_receipt,
        "opened": paths(|state| matches!(state, State::Opened(_))),
        "sealed": paths(|state| matches!(state, State::Closed)),
    })
}

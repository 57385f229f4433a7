//! What a check came to, in words and in JSON.

use std::fmt::Write as _;

use govlog_formats::member::tally;
use govlog_formats::record::{Record, view};
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use super::entry::{VerifiedEntry, judge_proof, judge_transparent};
use super::member::may_speak_of;
use super::outcome::{Bracket, Failure, Outcome, WitnessSeen};
use super::said;
use crate::time;
use crate::trust::{Relation, Trust};

/// The verdict on one file.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// The entry, or why there is none.
    pub result: Result<VerifiedEntry, Failure>,
    /// What was not checked, each with how it could be.
    pub not_checked: Vec<String>,
}

/// Judges a transparent statement (`.cose`) offline.
#[must_use]
pub fn transparent_statement(trust: &Trust, name: &str, bytes: &[u8]) -> Verdict {
    let mut remarks = Vec::new();
    let result = judge_transparent(trust, bytes, &mut remarks);
    conclude(name, result, remarks)
}

/// Judges a proof file (`.tlog-proof`) for an entry offline.
#[must_use]
pub fn proof_file(trust: &Trust, name: &str, proof: &[u8], statement: &[u8]) -> Verdict {
    let mut remarks = Vec::new();
    let result = judge_proof(trust, proof, statement, &mut remarks);
    conclude(name, result, remarks)
}

fn conclude(name: &str, result: Result<VerifiedEntry, Failure>, mut not_checked: Vec<String>) -> Verdict {
    if result.is_ok() {
        not_checked.extend(NEVER_CHECKED.map(str::to_owned));
    }
    Verdict { name: name.to_owned(), result, not_checked }
}

/// What no verdict on files can say.
pub(super) const NEVER_CHECKED: [&str; 2] =
    ["whether what the issuer states is true", "whether it was revoked or superseded later: that needs the log"];

impl Verdict {
    /// How the check ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.result.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Verified)
    }

    /// Asks that the checkpoint be no older than `max_age_s` by the reader's clock.
    pub fn require_age(&mut self, max_age_s: u64, now_s: u64) {
        let at = self.result.as_ref().ok().map(|entry| entry.included().checkpoint_time_s);
        let too_old = at.and_then(|at| too_old(at, max_age_s, now_s));
        if let Some(failure) = too_old {
            self.result = Err(failure);
        }
    }

    /// Holds a verified batch against all its members, in their order: what it says of them must be so.
    pub fn hold_against<R: AsRef<[u8]>>(&mut self, batch: &VerifiedEntry, members: &[R]) {
        let record = batch.record().filter(|record| record.kind() == "decision-batch");
        let Some(body) = record.as_ref().and_then(Record::body) else {
            let why = format!("an entry of kind {}; only a decision-batch has members", batch.statement().kind());
            self.result = Err(Failure::unknown(why));
            return;
        };
        let unchecked = match tally::check(body, members) {
            Ok(unchecked) => unchecked,
            Err(lie) => {
                self.result = Err(Failure::refuted(format!("the batch is not what its members are: {lie}")));
                return;
            }
        };
        self.not_checked.extend(
            unchecked.iter().map(|field| format!("{field} of the batch: sealed, or not there, in it or in a member")),
        );
        // As of each member alone (`member`): what one of them may not say makes the batch none that can be relied upon.
        for (index, member) in members.iter().enumerate() {
            let judged = govlog_formats::member::decision(member.as_ref())
                .map_err(|error| Failure::refuted(error.to_string()))
                .and_then(|decision| may_speak_of(batch, &Record::Decision(decision)));
            if let Err(Failure { outcome, why }) = judged {
                self.result = Err(Failure { outcome, why: format!("member {index}: {why}") });
                return;
            }
        }
    }

    /// Writes the verdict for people; `now_s` is the reader's clock.
    #[must_use]
    pub fn text(&self, trust: &Trust, now_s: u64) -> String {
        framed_text(self.outcome(), &self.name, &self.result, &self.not_checked, |text, entry| {
            entry_lines(text, entry, trust, now_s);
        })
    }

    /// Writes the verdict for programs; `now_s` is the reader's clock.
    #[must_use]
    pub fn json(&self, trust: &Trust, now_s: u64) -> Value {
        framed_json(self.outcome(), &self.name, &self.result, &self.not_checked, |entry| {
            entry_json(entry, trust, now_s)
        })
    }
}

/// Says why a checkpoint of this time is older than asked for, if it is.
pub(crate) fn too_old(at: Option<u64>, max_age_s: u64, now_s: u64) -> Option<Failure> {
    match at {
        None => Some(Failure::policy("no witness says how old the checkpoint is")),
        Some(at) if now_s.saturating_sub(at) > max_age_s => {
            let age = time::age(at, now_s);
            Some(Failure::policy(format!("the checkpoint is {age} old, more than --max-age {max_age_s} s")))
        }
        Some(_) => None,
    }
}

/// Writes what every verdict for people has: its word, what was found or why nothing was, and what was not checked.
pub(super) fn framed_text<T>(
    outcome: Outcome,
    name: &str,
    result: &Result<T, Failure>,
    not_checked: &[String],
    lines: impl FnOnce(&mut String, &T),
) -> String {
    let mut text = format!("{}  {}", outcome.word(), visible(name));
    match result {
        Ok(found) => lines(&mut text, found),
        Err(failure) => line(&mut text, "because", &failure.why),
    }
    for remark in not_checked {
        line(&mut text, "not checked", remark);
    }
    text
}

/// As [`framed_text`], for programs.
pub(super) fn framed_json<T>(
    outcome: Outcome,
    name: &str,
    result: &Result<T, Failure>,
    not_checked: &[String],
    fields: impl FnOnce(&T) -> Value,
) -> Value {
    let mut document = json!({
        "file": name,
        "verdict": outcome.word().to_lowercase().replace(' ', "-"),
        "not_checked": not_checked,
    });
    let fields = match result {
        Ok(found) => fields(found),
        Err(failure) => json!({ "because": failure.why }),
    };
    if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
        document.extend(fields);
    }
    document
}

pub(super) fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    write!(text, "\n  {label:<12} {}", visible(value)).ok();
}

fn entry_lines(text: &mut String, entry: &VerifiedEntry, trust: &Trust, now_s: u64) {
    let claims = entry.statement().claims();
    line(text, "entry", &format!("{} in {}, kind {}", entry.id(), trust.origin(), entry.statement().kind()));
    line(text, "issuer", &format!("{}, signature verified", claims.iss));
    line(text, "subject", &claims.sub);
    if let Some(record) = entry.record() {
        said::lines(&record).iter().for_each(|(label, value)| line(text, label, value));
    }
    place_lines(text, entry, trust, now_s);
}

/// Where an entry stands, who saw it there, and by which right.
pub(super) fn place_lines(text: &mut String, entry: &VerifiedEntry, trust: &Trust, now_s: u64) {
    let (claims, included) = (entry.statement().claims(), entry.included());
    if let Some(position) = &claims.stream {
        line(text, "stream", &format!("{} position {}", position.stream, position.seq));
    }
    line(text, "included", &format!("leaf {} in a tree of {}", entry.statement().leaf_hash(), included.size));
    line(text, "witnesses", &witnesses(entry, trust));
    line(text, "logged", &bracket(included.bracket));
    let age =
        included.checkpoint_time_s.map_or_else(|| "unknown: no witness says".to_owned(), |at| time::age(at, now_s));
    line(text, "checkpoint", &format!("size {}, age {age}", included.size));
    line(text, "admission", &format!("allowed by the admission policy as of change {}", entry.as_of_change()));
}

fn witnesses(entry: &VerifiedEntry, trust: &Trust) -> String {
    let seen = &entry.included().witnesses;
    let known = trust.policy().witnesses().len();
    if trust.policy().quorum().is_none() && seen.is_empty() {
        return "no witness: your policy asks for none".to_owned();
    }
    let names: Vec<&str> = seen.iter().map(|witness| witness.name.as_str()).collect();
    let independent = seen.iter().filter(|witness| witness.relation == Relation::Independent).count();
    format!("{} of {known} witnesses cosigned ({}), {independent} independent", seen.len(), names.join(", "))
}

fn bracket(bracket: Bracket) -> String {
    let upper = bracket
        .upper_s
        .map_or_else(|| "no upper bound: no witness says".to_owned(), |at| format!("no later than {}", time::utc(at)));
    let lower = bracket.lower_s.map_or_else(
        || "no lower bound: the statement names no earlier head".to_owned(),
        |at| format!("no earlier than {}", time::utc(at)),
    );
    format!("{upper}; {lower}")
}

fn entry_json(entry: &VerifiedEntry, trust: &Trust, now_s: u64) -> Value {
    let claims = entry.statement().claims();
    let mut document = place_json(entry, trust, now_s);
    let own = json!({
        "id": entry.id().to_string(),
        "kind": entry.statement().kind(),
        "iss": claims.iss,
        "sub": claims.sub,
        "iat": claims.iat,
        "leaf": entry.statement().leaf_hash().to_string(),
    });
    if let (Some(document), Value::Object(own)) = (document.as_object_mut(), own) {
        document.extend(own);
        document.extend(entry.record().iter().flat_map(said::json));
        let view = |_: Record| view::to_json(entry.statement().kind(), entry.statement().payload()).ok();
        document.extend(entry.record().and_then(view).map(|view| ("record".to_owned(), view)));
    }
    document
}

/// Where an entry stands, who saw it there, and by which right.
pub(super) fn place_json(entry: &VerifiedEntry, trust: &Trust, now_s: u64) -> Value {
    let included = entry.included();
    let witness =
        |witness: &WitnessSeen| json!({ "name": witness.name, "time_s": witness.time_s, "relation": witness.relation });
    json!({
        "origin": trust.origin(),
        "index": included.index.get(),
        "size": included.size.get(),
        "witnesses": included.witnesses.iter().map(witness).collect::<Vec<_>>(),
        "logged_no_later_than_s": included.bracket.upper_s,
        "logged_no_earlier_than_s": included.bracket.lower_s,
        "checkpoint_age_s": included.checkpoint_time_s.map(|at| now_s.saturating_sub(at)),
        "as_of_change": entry.as_of_change(),
    })
}

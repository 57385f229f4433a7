//! A verified entry, as it is shown: from when on and by when it was there, when it says it happened, who signed it, and what it says.

use govlog_formats::record::{Record, view};
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use crate::custody::Held;
use crate::time;
use crate::verify::{Bracket, VerifiedEntry, summary};

/// An entry that was read, proved under the one checkpoint, and judged.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The entry.
    pub entry: VerifiedEntry,
    /// Its tightest time bounds, by its receipt where it has one that you can judge.
    pub bracket: Bracket,
}

impl Hit {
    /// Writes it on one line, for people.
    #[must_use]
    pub fn line(&self) -> String {
        let (entry, claims) = (&self.entry, self.entry.statement().claims());
        let (id, kind) = (entry.id().to_string(), visible(entry.statement().kind()));
        let (iss, sub, said) =
            (visible(&claims.iss), visible(&claims.sub), says(entry.record().as_ref(), entry.statement()));
        let about = if sub == iss || said.contains(&sub) { String::new() } else { format!("  {sub}") };
        format!("{id:<10} {kind:<14} {}  {iss}{about}  {said}", time::utc(claimed_ms(entry) / 1000))
    }

    /// Writes it for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let statement = self.entry.statement();
        let mut document = json(&self.entry, self.bracket);
        if let (Some(record), Some(document)) = (self.entry.record(), document.as_object_mut()) {
            let view = view::to_json(record.kind(), statement.payload()).ok();
            document.extend(view.map(|view| ("record".to_owned(), view)));
        }
        document
    }
}

/// An entry for programs, without its record.
pub(super) fn json(entry: &VerifiedEntry, bracket: Bracket) -> Value {
    let (statement, claims) = (entry.statement(), entry.statement().claims());
    json!({
        "id": entry.id().to_string(),
        "kind": statement.kind(),
        "iss": claims.iss,
        "sub": claims.sub,
        "iat": claims.iat,
        "event_ms": claimed_ms(entry),
        "stream": claims.stream.as_ref().map(|position| &position.stream),
        "seq": claims.stream.as_ref().map(|position| position.seq),
        "leaf": statement.leaf_hash().to_string(),
        "logged_no_later_than_s": bracket.upper_s,
        "logged_no_earlier_than_s": bracket.lower_s,
        "as_of_change": entry.as_of_change(),
        "says": entry.record().and_then(|record| summary(&record)),
    })
}

/// What a custody file holds, for programs: an entry, or a member of one.
pub(super) fn held_json(held: &Held) -> Value {
    let mut document = json(&held.entry, held.bracket);
    if let (Some(member), Some(document)) = (&held.member, document.as_object_mut()) {
        let (record, batch) = (held.record(), held.entry.id().to_string());
        let event_ms = record.as_ref().and_then(|record| record.body()?.event_ms().present());
        let own = json!({
            "id": held.id(),
            "kind": held.kind(),
            "sub": held.subject(),
            "event_ms": event_ms.unwrap_or_else(|| claimed_ms(&held.entry)),
            "leaf": held.leaf().to_string(),
            "says": record.as_ref().and_then(summary),
            "batch": { "id": batch, "member": member.at.get(), "count": member.of.get() },
        });
        document.extend(own.as_object().cloned().unwrap_or_default());
    }
    document
}

/// When it happened, as claimed: the record's own time, else when it was signed. POSIX milliseconds.
pub(super) fn claimed_ms(entry: &VerifiedEntry) -> u64 {
    let event = entry.record().and_then(|record| record.body()?.event_ms().present());
    event.unwrap_or_else(|| u64::try_from(entry.statement().claims().iat).unwrap_or_default().saturating_mul(1000))
}

/// What it says, in a line.
pub(super) fn says(record: Option<&Record>, statement: &SignedStatement) -> String {
    match record {
        Some(record) => summary(record).unwrap_or_else(|| "changes who may submit what".to_owned()),
        None if statement.is_hash_envelope() => format!("only the digest of {}", visible(statement.content_type())),
        None => format!("{} bytes of {}", statement.payload().len(), visible(statement.content_type())),
    }
}

/// From when on and by when it was there, in words.
pub(super) fn bounds(bracket: Bracket) -> String {
    match (bracket.lower_s.map(time::utc), bracket.upper_s.map(time::utc)) {
        (Some(lower), Some(upper)) => format!("logged between {lower} and {upper}"),
        (None, Some(upper)) => format!("logged by {upper}"),
        (Some(lower), None) => format!("logged after {lower}, by when no witness says"),
        (None, None) => "when it was logged no witness says".to_owned(),
    }
}

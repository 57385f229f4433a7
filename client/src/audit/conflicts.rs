//! Statements that the server says collided with entries: each is proved before it is believed.
//!
//! An issuer that signs two statements for one place of one stream tells two stories; the log takes the first and keeps the other. The server's
//! list is unsigned and bounded, so it shows what is in it and no more, and what is in it counts only when the statement itself proves it.

use std::collections::BTreeSet;

use govlog_formats::admission::{Class, Refusal};
use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;
use serde::Deserialize;

use super::report::{Check, Conflict};
use super::structure::AuditError;
use super::walk::Walk;
use crate::source::{Head, Source, Tree};
use crate::trust::{EPOCH, History, UpdateError, prove};
use crate::verify::Outcome;

/// A page of `/v1/conflicts`: 64 statements.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Most rows that are read. A log keeps 1,024; while they are read the oldest go and new ones come, a page's worth at most.
const MAX_ROWS: usize = 1024 + 64;

#[derive(Deserialize)]
struct Page {
    conflicts: Vec<Listed>,
    next: Option<u64>,
}

/// What the server says of one collision.
#[derive(Deserialize)]
struct Listed {
    issuer: String,
    stream: String,
    seq: u64,
    entry: String,
    statement: String,
}

/// Why a listed collision is not believed.
enum Unproved {
    /// It is disproved: the server accuses an issuer falsely.
    False(String),
    /// It can not be judged.
    Unknown(String),
}

/// Reads the server's list and returns what it proves; what it does not prove becomes a finding.
pub(super) fn conflicts(
    source: &Source,
    head: &Head,
    walk: &mut Walk<'_>,
    not_checked: &mut Vec<String>,
) -> Result<Vec<Conflict>, AuditError> {
    let mut proved = Vec::new();
    let tree = Tree::new(source, head.size());
    let (mut from, mut rows, mut seen) = (0, 0_usize, BTreeSet::new());
    loop {
        let path = format!("v1/conflicts?from={from}");
        // A mirror that keeps the list has it under this name.
        let Some(body) = source.get(&path, MAX_PAGE_BYTES)? else {
            not_checked.push("statements that collided with entries: the source lists none".to_owned());
            return Ok(proved);
        };
        let page: Page = serde_json::from_slice(&body).map_err(|error| AuditError::Conflicts(error.to_string()))?;
        // A page without rows counts as well: else a server could send such pages for ever.
        rows = rows.saturating_add(page.conflicts.len().max(1));
        if rows > MAX_ROWS {
            not_checked.push(format!("statements that collided, from {from} on: the server lists more than {MAX_ROWS}, the most that a log keeps"));
            return Ok(proved);
        }
        for listed in &page.conflicts {
            // What was said once is not said again.
            if !seen.insert(Digest::sha256(listed.statement.as_bytes())) {
                continue;
            }
            let Some(history) = walk.history() else { return Ok(proved) };
            match judge(listed, &tree, head, history)? {
                Ok(conflict) => proved.push(conflict),
                Err(Unproved::Unknown(why)) => not_checked.push(format!("{}: {why}", listed.name())),
                Err(Unproved::False(why)) => {
                    let what = format!("the server accuses falsely: {}: {why}", listed.name());
                    walk.finding(Check::Conflicts, Outcome::Refuted, what);
                }
            }
        }
        match page.next {
            Some(next) if next > from => from = next,
            Some(_) => return Err(AuditError::Conflicts("the next page is not after this one".to_owned())),
            None => break,
        }
    }
    not_checked.push("whether more statements collided: the server's table of them is bounded".to_owned());
    Ok(proved)
}

impl Listed {
    fn name(&self) -> String {
        let (issuer, stream) = (visible(&self.issuer), visible(&self.stream));
        format!("a second statement of {issuer} for position {} of stream {stream}", self.seq)
    }
}

/// Proves one collision: the statement is the issuer's own, and the entry at its place is another one.
fn judge(
    listed: &Listed,
    tree: &Tree<'_>,
    head: &Head,
    history: &History,
) -> Result<Result<Conflict, Unproved>, AuditError> {
    let read = || {
        let id: EntryId = listed.entry.parse().map_err(|error| format!("entry {}: {error}", visible(&listed.entry)))?;
        let bytes = base64::decode_url(&listed.statement).map_err(|error| format!("its bytes: {error}"))?;
        let statement = SignedStatement::parse_entry(&bytes).map_err(|error| error.to_string())?;
        Ok::<_, String>((id, statement))
    };
    let (id, other) = match read() {
        Ok(read) => read,
        Err(why) => return Ok(Err(Unproved::False(why))),
    };
    if id.epoch != EPOCH || !head.size().covers(id.index) {
        return Ok(Err(Unproved::Unknown(format!("entry {id} lies beyond the audited head"))));
    }
    let entry = match prove(tree, head, id.index) {
        Ok((entry, _)) => entry,
        Err(UpdateError::Tree(error)) => return Err(error.into()),
        Err(error) => return Ok(Err(Unproved::False(error.to_string()))),
    };
    let logged = match SignedStatement::parse_entry(&entry) {
        Ok(logged) => logged,
        Err(error) => return Ok(Err(Unproved::False(format!("entry {id}: {error}")))),
    };
    Ok(compare(listed, &logged, &other).and_then(|()| {
        signed_by_issuer(history, id.index, &other)?;
        Ok(Conflict::of(id, &logged, &other))
    }))
}

/// Both statements claim the place that is named in one log, and they are not one.
fn compare(listed: &Listed, logged: &SignedStatement, other: &SignedStatement) -> Result<(), Unproved> {
    for (which, statement) in [("the statement", other), ("the entry", logged)] {
        let claims = statement.claims();
        let at = claims.stream.as_ref().map(|position| (claims.iss.as_str(), position.stream.as_str(), position.seq));
        if at != Some((&listed.issuer, &listed.stream, listed.seq)) {
            return Err(Unproved::False(format!("{which} claims another place")));
        }
    }
    // Streams are counted for each log: an issuer may use one name in two, and both of its statements are then good.
    if logged.claims().aud != other.claims().aud {
        return Err(Unproved::False("it was made for another log".to_owned()));
    }
    if logged.sig_structure_digest() == other.sig_structure_digest() {
        return Err(Unproved::False("it is the entry itself, at most under other signature bytes".to_owned()));
    }
    Ok(())
}

/// The signature is by a key that the policy listed for the issuer when the entry was logged, or later: the log judged the statement when it came.
fn signed_by_issuer(history: &History, index: LeafIndex, statement: &SignedStatement) -> Result<(), Unproved> {
    let in_force = history.in_force_at(index);
    let later = history.entries().iter().filter(|entry| entry.index >= index).map(|entry| &entry.after);
    let mut refused: Option<Refusal> = None;
    for policy in in_force.into_iter().chain(later) {
        match policy.authenticate(statement) {
            Ok(_) => return Ok(()),
            Err(refusal) => refused = Some(refused.unwrap_or(refusal)),
        }
    }
    match refused {
        Some(refusal) if refusal.class() == Class::Unsupported => Err(Unproved::Unknown(refusal.to_string())),
        Some(refusal) => Err(Unproved::False(refusal.to_string())),
        None => Err(Unproved::Unknown("no policy is known".to_owned())),
    }
}

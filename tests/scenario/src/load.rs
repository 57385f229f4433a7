//! Handing entries in to a real log, over `POST /v1/batches`.

use std::time::Duration;

use govlog_client::source::Http;
use govlog_formats::admission::{Change, ChangeFields, IssuerRow, PolicyState, operator_statement};
use govlog_formats::batch;
use govlog_formats::cose::SigningKey;

use super::Entry;

/// A request has so many statements at most.
const AT_ONCE: usize = 256;
/// Its answer has a proof of each.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Before what a log has no room for is handed in again.
const PAUSE: Duration = Duration::from_millis(5);
/// How often that is tried.
const TRIES: u32 = 20_000;

/// Hands entries in, in their order, until the log has all of them; gives their indexes.
///
/// # Errors
/// What the log refuses, and why.
pub fn load(http: &Http, entries: &[Entry]) -> Result<Vec<u64>, String> {
    let (mut indexes, mut tries) = (Vec::with_capacity(entries.len()), 0);
    while indexes.len() < entries.len() {
        let rest = &entries[indexes.len()..];
        let part = &rest[..rest.len().min(AT_ONCE)];
        let body: Vec<u8> = part.iter().flat_map(|entry| entry.statement.entry()).copied().collect();
        let reply =
            http.post("v1/batches", batch::CONTENT_TYPE, body, MAX_ANSWER_BYTES).map_err(|error| error.to_string())?;
        let before = indexes.len();
        match reply.status {
            200 => {
                for result in batch::parse_results(&reply.body).map_err(|error| error.to_string())? {
                    match (result.status, result.id) {
                        (201 | 303, Some(id)) => indexes.push(id.index.get()),
                        // Those after it continue its stream, or another one: all of them are handed in again.
                        (429 | 503, _) => break,
                        _ => return Err(format!("entry {} of the day: {result:?}", indexes.len())),
                    }
                }
            }
            429 | 503 => {}
            status => return Err(format!("{status}: {}", String::from_utf8_lossy(&reply.body))),
        }
        if indexes.len() == before {
            tries += 1;
            if tries > TRIES {
                return Err(format!("the log takes nothing any more after {before} entries"));
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(indexes)
}

/// Puts rows in force at a log of which only the genesis is known, signed by its operator.
///
/// # Errors
/// What the log refuses, and why.
pub fn admit(
    http: &Http,
    origin: &str,
    state: &PolicyState,
    operator: &SigningKey,
    set: Vec<IssuerRow>,
    now_s: u64,
) -> Result<(), String> {
    let fields = ChangeFields { event_ms: now_s * 1000, set, ..ChangeFields::default() };
    let change = Change::new(fields).map_err(|error| error.to_string())?;
    let statement =
        operator_statement(origin, &change, state.next_change(), now_s, operator).map_err(|error| error.to_string())?;
    let body = statement.entry().to_vec();
    let reply = http
        .post("entries?wait=committed", "application/cose", body, MAX_ANSWER_BYTES)
        .map_err(|error| error.to_string())?;
    if reply.status == 201 {
        Ok(())
    } else {
        Err(format!("{}: {}", reply.status, String::from_utf8_lossy(&reply.body)))
    }
}

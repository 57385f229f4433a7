//! The tables of the outbox, key by key.
//!
//! | Table | Key | Value |
//! |---|---|---|
//! | `meta` | `version`, `log`, `iss`, `next stream` | text: whose outbox this is, for which log; the number of the next new stream |
//! | `streams` | stream number | [`Stream`](super::Stream) as JSON |
//! | `speakers` | route, instance | number of the stream that carries this source's events, or that last did |
//! | `waiting` | stream number, arrival | what came in and is not signed yet |
//! | `signed` | stream number, seq | a signed statement that is not known to be published, and what opens its sealed values |
//! | `members` | stream number, seq | the idempotency keys of a signed batch's members, one behind the other, in the batch's order |
//! | `places` | route, what is read, or `status` and an instance | how far it was read, as its feed writes it; what is remembered of the instance's last status |
//! | `notes` | route, what is read or whose it is, name | what is remembered of one thing that is read, beside the place, as its feed writes it |
//! | `held` | route, number | what was read and is no event yet, because it waits for something, as its feed writes it |
//! | `joins` | request id | until when it is kept, and its [decisions](super::Decided) as a JSON list, each with its own time |
//! | `joined` | decision id | the request id that it was joined to first |
//! | `forget_joins` | time, request id | nothing: the order in which `joins` is forgotten |
//! | `seen` | idempotency key | digest of what the event says, and until when that is remembered |
//! | `forget` | time, idempotency key | nothing: the order in which `seen` is forgotten |

use redb::TableDefinition;

/// POSIX milliseconds, what it is, idempotency key, reason or form (empty for an event of the source's own), bytes.
pub(super) type WaitingRow = (u64, u8, &'static [u8; 32], &'static str, &'static [u8]);
/// POSIX milliseconds of arrival, idempotency key (zeros: the agent's own record, or a batch), entry, openings.
pub(super) type SignedRow = (u64, &'static [u8; 32], &'static [u8], &'static [u8]);

pub(super) const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
pub(super) const STREAMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("streams");
pub(super) const SPEAKERS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("speakers");
pub(super) const WAITING: TableDefinition<'_, (u64, u64), WaitingRow> = TableDefinition::new("waiting");
pub(super) const SIGNED: TableDefinition<'_, (u64, u64), SignedRow> = TableDefinition::new("signed");
pub(super) const MEMBERS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("members");
pub(super) const PLACES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("places");
pub(super) const NOTES: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("notes");
pub(super) const SEEN: TableDefinition<'_, &[u8; 32], (&[u8; 32], u64)> = TableDefinition::new("seen");
pub(super) const FORGET: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("forget");
pub(super) const HELD: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("held");
pub(super) const JOINS: TableDefinition<'_, &str, (u64, &str)> = TableDefinition::new("joins");
pub(super) const JOINED: TableDefinition<'_, &str, &str> = TableDefinition::new("joined");
pub(super) const FORGET_JOINS: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("forget_joins");

/// Of a row in `seen` whose event is still in the outbox.
pub(super) const FOR_NOW: u64 = u64::MAX;
/// The idempotency key of records that no event, or more than one, gave rise to.
pub const OWN: [u8; 32] = [0; 32];

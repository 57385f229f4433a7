//! What a file that is followed may have lost: a `gap` in the stream of its source.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::Record;
use serde::{Deserialize, Serialize};

use crate::adapter::Kept;
use crate::outbox::{Arrival, Content, idempotency_key};
use crate::seal::Draft;
use crate::tail::{Lost, Why};

/// How such an event is called in the outbox.
pub const FORM: &str = "gap";

/// What is kept of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    cause: String,
    inode: u64,
    offset: u64,
    noticed_ms: u64,
}

/// Makes an event of what may be lost, noticed at a time.
#[must_use]
pub fn arrival(lost: &Lost, system: &str, instance: &str, noticed_ms: u64) -> Arrival {
    let cause = match lost.why {
        Why::Truncated => "truncated",
        Why::Gone => "file-gone",
    };
    let row = Row { cause: cause.to_owned(), inode: lost.inode, offset: lost.offset, noticed_ms };
    let bytes = serde_json::to_vec(&row).unwrap_or_default();
    let native_id = format!("gap/{}/{}/{noticed_ms}", lost.inode, lost.offset);
    let key = idempotency_key(system, instance, &native_id);
    let semantic = Digest::sha256(&bytes);
    let content = Content::Formed { form: FORM.to_owned(), bytes };
    Arrival { instance: instance.to_owned(), key, semantic, content }
}

/// Makes its record.
///
/// # Errors
///
/// The event is none that [`arrival`] made.
pub fn gap(event: &Kept<'_>, system: &str, declared_by: &str) -> Result<Draft, String> {
    let row: Row = serde_json::from_slice(event.bytes).map_err(|_| "what is lost cannot be read")?;
    let place = format!("inode {}, byte {}", row.inode, row.offset);
    let source: Vec<(Value, Value)> =
        vec![("system".into(), system.into()), ("instance".into(), event.instance.into())];
    let record = vec![
        ("v".into(), 1.into()),
        ("event_ms".into(), row.noticed_ms.into()),
        ("assurance".into(), "adapter-signed".into()),
        ("source".into(), Value::Map(source)),
        ("cause".into(), row.cause.into()),
        ("to_ms".into(), row.noticed_ms.into()),
        ("first_id".into(), place.into()),
        ("declared_by".into(), declared_by.into()),
    ];
    let payload = to_deterministic(&Value::Map(record));
    Record::parse("gap", &payload).map_err(|error| format!("the record: {error}"))?;
    Ok(Draft { kind: "gap", sub: None, payload, openings: Vec::new() })
}

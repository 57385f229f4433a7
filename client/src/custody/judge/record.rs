//! `custody` records about a file: entries that name its manifest's digest.

use govlog_formats::cbor::{Value as Cbor, to_deterministic};
use govlog_formats::record::{Body, Record, Recorded as Value};
use govlog_formats::visible::visible;

use super::found::{Custody, Recorded};
use crate::trust::Trust;
use crate::verify::{self, Failure};

/// Judges a record that is said to be about the file with this manifest.
pub(super) fn judge(trust: &Trust, name: &str, bytes: &[u8], file: &Custody) -> Result<Recorded, Failure> {
    let manifest = &file.manifest_digest;
    let fail = |failure: Failure| Failure { why: format!("{name}: {}", failure.why), ..failure };
    let entry = verify::judge_transparent(trust, bytes, &mut Vec::new()).map_err(fail)?;
    let Some(Record::Custody(custody)) = entry.record() else {
        let why = format!("entry {}, of kind {}, is no custody record", entry.id(), visible(entry.statement().kind()));
        return Err(fail(Failure::refuted(why)));
    };
    match custody.manifest_digest() {
        Value::Present(found) if found == *manifest => {}
        Value::Present(found) => {
            let why = format!("entry {} is about the manifest {found}; this file's is {manifest}", entry.id());
            return Err(fail(Failure::refuted(why)));
        }
        _ => return Err(fail(Failure::unknown(format!("entry {} names no manifest in clear", entry.id())))),
    }
    let text = |text: Value<&str>| text.present().map(str::to_owned);
    let op = custody.op().present().map_or_else(|| "(sealed)".to_owned(), |op| op.as_str().to_owned());
    let (collector, recipient) = (text(custody.collector()), text(custody.recipient()));
    let purpose = text(custody.body().text(&["purpose"]));
    let is_same_matter = is_same_matter(custody.body(), file);
    Ok(Recorded { op, collector, recipient, purpose, is_same_matter, entry })
}

/// Whether the checkpoint and the query that a record names, where it does, are those of the file.
fn is_same_matter(record: &Body, file: &Custody) -> bool {
    let (manifest, head) = (&file.manifest, &file.checkpoint);
    is(record.text(&["checkpoint", "origin"]), |origin| origin == manifest.origin)
        && is(record.uint(&["checkpoint", "size"]), |size| size == head.size.get())
        && is(record.digest(&["checkpoint", "root"]), |root| root == head.root)
        && is(record.at(&["query"]), |query| {
            let ours = Cbor::serialized(&manifest.query);
            ours.is_ok_and(|ours| to_deterministic(&ours) == to_deterministic(query))
        })
}

/// A sealed value confirms nothing.
fn is<T>(known: Value<T>, right: impl FnOnce(T) -> bool) -> bool {
    match known {
        Value::Present(value) => right(value),
        Value::Absent => true,
        Value::Sealed(_) => false,
    }
}

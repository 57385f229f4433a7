//! `custody` records about a file: entries that name its manifest's digest.

use govlog_formats::digest::Digest;
use govlog_formats::record::{Record, Recorded as Value};

use super::found::Recorded;
use crate::trust::Trust;
use crate::verify::{self, Failure};

/// Judges a record that is said to be about the file with this manifest.
pub(super) fn judge(trust: &Trust, name: &str, bytes: &[u8], manifest: &Digest) -> Result<Recorded, Failure> {
    let fail = |failure: Failure| Failure { why: format!("{name}: {}", failure.why), ..failure };
    let entry = verify::judge_transparent(trust, bytes, &mut Vec::new()).map_err(fail)?;
    let Some(Record::Custody(custody)) = entry.record() else {
        let why =
            format!("entry {}, of kind {}, is no custody record", entry.id(), entry.statement().kind().escape_debug());
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
    Ok(Recorded { op, collector, recipient, purpose, entry })
}

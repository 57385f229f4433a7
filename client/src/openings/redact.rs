//! Redacting: the record that says what is destroyed, and the destruction, which follows that record alone.

use std::collections::HashSet;

use ciborium::Value;
use govlog_formats::cbor;
use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::{RedactionExtent, RedactionRule, RedactionTarget};
use govlog_formats::record::{Link, LinkTarget, Record, RecordError};

use super::{DocumentError, FieldOpening, Folder, Journaled, Lock, Opened, OpeningStore, Openings, State, StoreError};

/// What of one entry is to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The entry.
    pub leaf: Digest,
    /// The sealed values, by JSON pointer and commitment; `None`: everything that is stored for it.
    pub fields: Option<Vec<(String, Digest)>>,
}

/// Why it is destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// What asked for it.
    pub rule: RedactionRule,
    /// The law or contract it rests on.
    pub legal_basis: String,
    /// Why, in words.
    pub reason: Option<String>,
    /// Of the request or order, as its file names it.
    pub reference: Option<String>,
    /// The opening store's name.
    pub store: Option<String>,
    /// When that was decided, POSIX milliseconds.
    pub event_ms: u64,
}

/// Why openings are not destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be read, so that nothing can be taken out of it.
    #[error("{leaf}: {error}; without --field all of it can be destroyed")]
    Document {
        /// The entry.
        leaf: Digest,
        /// What is wrong.
        error: DocumentError,
    },
    /// It names members of a batch, whose openings this program cannot destroy one by one.
    #[error("{leaf}: the redaction names members of a batch, which cannot be destroyed one by one here")]
    Members {
        /// The batch.
        leaf: Digest,
    },
}

/// Plans the destruction of fields, by path or by JSON pointer, and of what is sealed inside of them.
///
/// # Errors
///
/// The name of a field that the record does not have, or that nothing opens.
pub fn fields<'n>(opened: &Opened, names: &'n [String]) -> Result<Vec<(String, Digest)>, &'n str> {
    let mut found = Vec::new();
    for name in names {
        let named = opened.fields.iter().find(|field| field.is_named(name) && matches!(field.state, State::Opened(_)));
        let below = format!("{}/", named.ok_or(name.as_str())?.pointer);
        let inside = opened.fields.iter().filter(|field| field.pointer.starts_with(&below));
        let all = named.into_iter().chain(inside);
        found.extend(all.map(|field| (field.pointer.clone(), field.sealed.digest)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Writes the payload of the `redaction` record.
///
/// # Errors
///
/// A text is not one that the record may hold.
pub fn payload(targets: &[Planned], ground: &Ground) -> Result<Vec<u8>, RecordError> {
    let links = targets
        .iter()
        .map(|target| Link { rel: "redacts".to_owned(), target: LinkTarget::Entry(target.leaf) }.to_value());
    let mut map: Vec<(Value, Value)> = vec![
        ("v".into(), 1.into()),
        ("event_ms".into(), ground.event_ms.into()),
        ("rule".into(), ground.rule.as_str().into()),
        ("targets".into(), Value::Array(targets.iter().map(target).collect())),
        ("legal_basis".into(), ground.legal_basis.as_str().into()),
        ("assurance".into(), "source-signed".into()),
        ("links".into(), Value::Array(links.collect())),
    ];
    let texts = [("reason", &ground.reason), ("reference", &ground.reference), ("store", &ground.store)];
    map.extend(texts.iter().filter_map(|(key, text)| Some(((*key).into(), text.as_deref()?.into()))));
    let payload = cbor::to_deterministic(&Value::Map(map));
    Record::parse("redaction", &payload)?;
    Ok(payload)
}

fn target(planned: &Planned) -> Value {
    let mut map: Vec<(Value, Value)> = vec![("target".into(), LinkTarget::Entry(planned.leaf).to_value())];
    match &planned.fields {
        None => map.push(("extent".into(), RedactionExtent::All.as_str().into())),
        Some(fields) => {
            let pointers = fields.iter().map(|(pointer, _)| pointer.as_str().into());
            let digests = fields.iter().map(|(_, digest)| Value::Bytes(digest.as_bytes().to_vec()));
            map.push(("extent".into(), RedactionExtent::Fields.as_str().into()));
            map.push(("fields".into(), Value::Array(pointers.collect())));
            map.push(("digests".into(), Value::Array(digests.collect())));
        }
    }
    Value::Map(map)
}

/// Carries out a `redaction` that the log has: notes that, destroys what it names and is still there, and notes that it is done; says of how
/// many entries. It may be called again after a crash. Nobody stores meanwhile, so that nothing comes back that is being destroyed.
///
/// # Errors
///
/// [`RedactError`]; some may be destroyed, and it is noted that the log has it.
pub fn carry_out(store: &Folder, lock: &Lock, redaction: &mut Journaled) -> Result<usize, RedactError> {
    let _writing = store.writing()?;
    store.note_redaction(lock, redaction)?;
    let destroyed = destroy(store, redaction)?;
    redaction.is_done = true;
    store.note_redaction(lock, redaction)?;
    Ok(destroyed)
}

pub(super) fn destroy(store: &dyn OpeningStore, redaction: &Journaled) -> Result<usize, RedactError> {
    let targets = redaction.targets();
    // What cannot be done is not to be noted as done.
    if let Some((leaf, _)) = targets.iter().find(|(_, target)| target.extent == RedactionExtent::Members) {
        return Err(RedactError::Members { leaf: *leaf });
    }
    let whole = targets.iter().filter(|(_, target)| target.extent == RedactionExtent::All).map(|(leaf, _)| *leaf);
    let mut destroyed = store.remove(&whole.collect::<Vec<_>>())?;
    for (leaf, target) in targets.iter().filter(|(_, target)| target.extent == RedactionExtent::Fields) {
        destroyed += usize::from(destroy_fields(store, leaf, target)?);
    }
    Ok(destroyed)
}

fn destroy_fields(store: &dyn OpeningStore, leaf: &Digest, target: &RedactionTarget) -> Result<bool, RedactError> {
    let Some(bytes) = store.get(leaf)? else { return Ok(false) };
    let document = |error| RedactError::Document { leaf: *leaf, error };
    let mut openings = Openings::decode(&bytes).map_err(document)?;
    let digests: HashSet<&Digest> = target.digests.iter().collect();
    let is_named = |field: &FieldOpening| digests.contains(&field.opening.seal().digest);
    // The bytes of a refused statement, and what opens that, go together.
    if openings.fields.iter().any(|field| field.path == "input" && is_named(field)) {
        openings.refused = None;
    }
    let before = openings.fields.len();
    openings.fields.retain(|field| !is_named(field));
    let is_destroyed = openings.fields.len() < before;
    // Written anew also when nothing of it was there: beside it may lie what a crash left of how the store was kept before.
    if openings.is_empty() {
        store.remove(&[*leaf])?;
    } else {
        store.replace(leaf, &openings.encode().map_err(document)?)?;
    }
    Ok(is_destroyed)
}

/// The most entries that one `redaction` names: with links they take about 30 kB.
pub const MAX_TARGETS: usize = 200;

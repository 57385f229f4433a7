//! What of sealed values a custody file discloses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;

use super::super::file::id;
use super::super::find::Members;
use super::super::relations::Node;
use super::error::ExportError;
use super::plan::Plan;
use super::reader::{Read, Reader};
use crate::openings::{self, DocumentError, FieldOpening, Openings, State};

/// An entry or a member, its record, and what a store has to open it, if anything.
type Kept<'r> = Result<Option<(Arc<Node>, &'r [u8], Vec<FieldOpening>)>, ExportError>;

/// The openings of the fields that were chosen, of every entry and member that has them, with those of what they are sealed in.
pub(super) fn disclose(
    plan: &Plan<'_>,
    reader: &Reader<'_>,
    found: &BTreeMap<LeafIndex, Arc<Read>>,
    members: &Members,
) -> Result<(BTreeMap<Digest, Openings>, Vec<String>), ExportError> {
    let (mut disclosed, mut opened) = (BTreeMap::new(), BTreeSet::new());
    let Some(store) = plan.store.filter(|_| !plan.open.is_empty()) else { return Ok((disclosed, Vec::new())) };
    let entries = found.iter().map(|(index, read)| -> Kept<'_> {
        let Some(bytes) = store.get(&read.node.leaf)? else { return Ok(None) };
        let wrong = |error: DocumentError| ExportError::Openings { id: id(*index), why: error.to_string() };
        let stored = Openings::decode(&bytes).map_err(wrong)?.fields;
        Ok(Some((read.node.clone(), read.statement.payload(), stored)))
    });
    let members = members.iter().map(|(spot, proof)| -> Kept<'_> {
        let member = reader.known_member(*spot);
        Ok(member.map(|member| (member.node.clone(), proof.record.as_slice(), member.openings.clone())))
    });
    for kept in entries.chain(members) {
        let Some((node, record, stored)) = kept? else { continue };
        let wrong = |why: String| ExportError::Openings { id: id(node.spot), why };
        let fields = chosen(&plan.open, record, &stored, &mut opened).map_err(wrong)?;
        if !fields.is_empty() {
            disclosed.insert(node.leaf, Openings::new(&node.kind, fields));
        }
    }
    let unopened = plan.open.iter().filter(|name| !opened.contains(*name));
    Ok((
        disclosed,
        unopened.map(|name| format!("--open {name}: nothing in the store opens it in any entry here")).collect(),
    ))
}

/// The openings of a record's chosen fields, and of what these are sealed in; adds to `opened` which of the chosen ones it opens.
fn chosen(
    open: &[String],
    record: &[u8],
    stored: &[FieldOpening],
    opened: &mut BTreeSet<String>,
) -> Result<Vec<FieldOpening>, String> {
    let all = openings::open(record, stored).map_err(|error| error.to_string())?;
    let named =
        |path: &str| all.fields.iter().any(|field| field.path == path && open.iter().any(|name| field.is_named(name)));
    let chosen: Vec<String> = stored.iter().map(|field| field.path.clone()).filter(|path| named(path)).collect();
    let holds = |path: &str| {
        let is_outer = |inner: &String| inner.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
        named(path) || chosen.iter().any(is_outer)
    };
    for field in all.fields.iter().filter(|field| holds(&field.path)) {
        match &field.state {
            State::Mismatch(error) => return Err(format!("{}: {error}", field.path)),
            State::Opened(_) => opened.extend(open.iter().filter(|name| field.is_named(name)).cloned()),
            State::Closed => {}
        }
    }
    Ok(stored.iter().filter(|field| holds(&field.path)).cloned().collect())
}

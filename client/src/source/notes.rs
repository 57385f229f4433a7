//! The notes that a log has published, as its server lists them. Unjudged.

use govlog_formats::merkle::TreeSize;
use serde::Deserialize;

use super::{Source, SourceError};

/// A page of a thousand notes.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// A published note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The size it is said to be of.
    pub size: TreeSize,
    /// Its bytes.
    pub note: Vec<u8>,
}

#[derive(Deserialize)]
struct Page {
    checkpoints: Vec<Listed>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Listed {
    size: u64,
    note: String,
}

/// Reads the notes of these sizes, both inclusive, as far as the first page has them; none from a source that lists none.
///
/// # Errors
///
/// The source does not answer, or gives what is no list.
pub fn published(source: &Source, from: TreeSize, to: TreeSize) -> Result<Vec<Published>, SourceError> {
    Ok(page(source, from, to)?.map(|page| page.notes).unwrap_or_default())
}

/// Tells the notes of these sizes, both inclusive, from so many pages at most; gives how many it read.
///
/// # Errors
///
/// The source does not answer, or gives what is no list.
pub(crate) fn each_published(
    source: &Source,
    from: TreeSize,
    to: TreeSize,
    most: usize,
    told: &mut dyn FnMut(Published),
) -> Result<usize, SourceError> {
    let (mut from, mut pages) = (from, 0);
    while pages < most && from <= to {
        let page = page(source, from, to)?;
        pages += 1;
        let Some(page) = page else { break };
        page.notes.into_iter().for_each(&mut *told);
        match page.next.filter(|next| *next > from) {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(pages)
}

/// A page of published notes.
pub(crate) struct NotesPage {
    pub(crate) notes: Vec<Published>,
    /// The size where the next page begins, if there is one.
    pub(crate) next: Option<TreeSize>,
}

/// Reads one page of them. `None`: the source lists none.
pub(crate) fn page(source: &Source, from: TreeSize, to: TreeSize) -> Result<Option<NotesPage>, SourceError> {
    let path = format!("v1/checkpoints?from={from}&to={to}");
    let body = if source.http().is_some() { source.get(&path, MAX_PAGE_BYTES)? } else { None };
    let Some(body) = body else { return Ok(None) };
    let page: Page = serde_json::from_slice(&body).map_err(|error| SourceError::Status {
        url: path,
        status: 200,
        detail: format!("no list of notes: {error}"),
    })?;
    let listed = page.checkpoints.into_iter();
    let notes = listed.map(|listed| Published { size: TreeSize::new(listed.size), note: listed.note.into_bytes() });
    Ok(Some(NotesPage { notes: notes.collect(), next: page.next.map(TreeSize::new) }))
}

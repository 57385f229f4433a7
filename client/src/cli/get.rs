//! `govlog get`: entries as transparent statements.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use serde_json::{Value, json};

use super::exit::{NotFound, Usage};
use super::output::Output;
use super::{Exit, files, progress};
use crate::source::{Fetched, Http};

/// How long to wait for entries that are committed and not yet published.
const PATIENCE: Duration = Duration::from_secs(30);

/// `govlog get`
#[derive(Debug, Args)]
#[command(after_help = "\
With more than one id, or a range, --out names a folder, made if it is not there, where each entry becomes <ID>.cose. \
What comes back is the server's word until `govlog verify` has judged it.")]
pub(crate) struct Get {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// Ids of entries, such as 1.42, and ranges of them with both ends, such as 1.4..1.620
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Where the transparent statement goes [default: <ID>.cose]
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
}

impl Get {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let spans = self.ids.iter().map(|text| Span::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let source = out.source(&self.log)?;
        let Some(http) = source.http() else {
            return Err(Usage(format!("{}: `get` needs a log's address; for a folder use `audit`", self.log)).into());
        };
        match spans.as_slice() {
            [Span::One(id)] => one(http, *id, self.out, out),
            spans => many(http, spans, &self.out.unwrap_or_else(|| PathBuf::from(".")), out),
        }
    }
}

/// What one argument asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    One(EntryId),
    /// From the first to the last, both included; of one epoch, and not the wrong way round.
    Range(EntryId, EntryId),
}

impl Span {
    fn parse(text: &str) -> Result<Self, Usage> {
        let id = |part: &str| {
            part.parse::<EntryId>()
                .map_err(|error| Usage(format!("{text}: {error}; an id is <epoch>.<index>, such as 1.42")))
        };
        let Some((first, last)) = text.split_once("..") else { return id(text).map(Self::One) };
        let (first, last) = (id(first)?, id(last)?);
        if first.epoch != last.epoch || first.index > last.index {
            return Err(Usage(format!("{text}: a range is <first>..<last> of one epoch, such as 1.4..1.620")));
        }
        Ok(Self::Range(first, last))
    }

    fn ids(self) -> impl Iterator<Item = EntryId> {
        let (first, last) = match self {
            Self::One(id) => (id, id),
            Self::Range(first, last) => (first, last),
        };
        (first.index.get()..=last.index.get()).map(move |index| EntryId { index: LeafIndex::new(index), ..first })
    }

    fn count(self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Range(first, last) => (last.index.get() - first.index.get()).saturating_add(1),
        }
    }
}

fn one(http: &Http, id: EntryId, path: Option<PathBuf>, out: &Output) -> anyhow::Result<Exit> {
    let bytes = match http.transparent_statement(id, PATIENCE)? {
        Fetched::Statement(bytes) => bytes,
        Fetched::Absent => return Err(NotFound(id).into()),
        Fetched::NotPublished => return Ok(not_published(id, out)),
    };
    let path = path.unwrap_or_else(|| PathBuf::from(file_name(id)));
    files::create_new(&path, 0o644, &bytes)?;
    let (line, document) = saved(id, &path, bytes.len());
    out.result(&line, document);
    Ok(Exit::Ok)
}

/// Fetches in order; a range ends with the first entry that is not there, for none behind it is.
fn many(http: &Http, spans: &[Span], folder: &Path, out: &Output) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let bar = progress::bar(out, "entries", spans.iter().fold(0, |sum, span| span.count().saturating_add(sum)));
    let started = Instant::now();
    let (mut exits, mut lines, mut documents) = (Vec::new(), Vec::new(), Vec::new());
    for span in spans {
        for id in span.ids() {
            match http.transparent_statement(id, PATIENCE.saturating_sub(started.elapsed()))? {
                Fetched::Statement(bytes) => {
                    let path = folder.join(file_name(id));
                    files::create_new(&path, 0o644, &bytes)?;
                    let (line, document) = saved(id, &path, bytes.len());
                    lines.push(line);
                    documents.push(document);
                    bar.inc(1);
                    continue;
                }
                Fetched::Absent => {
                    out.notice(&NotFound(id).to_string());
                    exits.push(Exit::NothingFound);
                }
                Fetched::NotPublished => exits.push(not_published(id, out)),
            }
            break;
        }
    }
    bar.finish_and_clear();
    if lines.is_empty() {
        lines.push("nothing was fetched".to_owned());
    }
    out.result(&lines.join("\n"), json!({ "entries": documents }));
    Ok(Exit::worst(exits))
}

fn file_name(id: EntryId) -> String {
    format!("{id}.cose")
}

fn saved(id: EntryId, path: &Path, length: usize) -> (String, Value) {
    let shown = path.display().to_string();
    (format!("{id}: {shown}, {length} bytes, not verified yet"), json!({ "id": id.to_string(), "file": shown }))
}

fn not_published(id: EntryId, out: &Output) -> Exit {
    out.notice(&format!("{id}: not published within {} s; the witnesses may be away", PATIENCE.as_secs()));
    Exit::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        Span::parse(text).unwrap().ids().map(|id| id.to_string()).collect()
    }

    #[test]
    fn a_range_has_both_its_ends() {
        assert_eq!(ids("1.42"), ["1.42"]);
        assert_eq!(ids("1.4..1.6"), ["1.4", "1.5", "1.6"]);
        assert_eq!(ids("1.4..1.4"), ["1.4"]);
        assert_eq!(Span::parse("1.4..1.620").unwrap().count(), 617);
    }

    #[test]
    fn what_is_no_id_and_no_range_is_refused() {
        for text in
            ["", "..", "1.4..", "..1.4", "1.4..620", "1.6..1.4", "1.4..2.6", "1.4...1.6", "1.4..1.5..1.6", "1.4-1.6"]
        {
            assert!(Span::parse(text).is_err(), "{text:?}");
        }
    }
}

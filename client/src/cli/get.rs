//! `govlog get`: one entry as a transparent statement.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use govlog_formats::entry_id::EntryId;
use serde_json::json;

use super::exit::{NotFound, Usage};
use super::output::Output;
use super::{Exit, files};
use crate::source::{Fetched, Source};

/// How long to wait for an entry that is committed and not yet published.
const PATIENCE: Duration = Duration::from_secs(30);

/// `govlog get`
#[derive(Debug, Args)]
#[command(after_help = "What comes back is the server's word until `govlog verify` has judged it.")]
pub(crate) struct Get {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The entry's id, such as 1.42
    #[arg(value_name = "ID")]
    id: String,
    /// Where the transparent statement goes [default: <ID>.cose]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Get {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let id: EntryId = self
            .id
            .parse()
            .map_err(|error| Usage(format!("{}: {error}; an id is <epoch>.<index>, such as 1.42", self.id)))?;
        let source = Source::open(&self.log)?;
        let Some(http) = source.http() else {
            return Err(Usage(format!("{}: `get` needs a log's address; for a folder use `audit`", self.log)).into());
        };
        let bytes = match http.transparent_statement(id, PATIENCE)? {
            Fetched::Statement(bytes) => bytes,
            Fetched::Absent => return Err(NotFound(id).into()),
            Fetched::NotPublished => {
                out.notice(&format!("{id}: not published within {} s; the witnesses may be away", PATIENCE.as_secs()));
                return Ok(Exit::Pending);
            }
        };
        let path = self.out.unwrap_or_else(|| PathBuf::from(format!("{id}.cose")));
        files::create_new(&path, 0o644, &bytes)?;
        let shown = path.display().to_string();
        out.result(
            &format!("{id}: {shown}, {} bytes, not verified yet", bytes.len()),
            json!({ "id": id.to_string(), "file": shown }),
        );
        Ok(Exit::Ok)
    }
}

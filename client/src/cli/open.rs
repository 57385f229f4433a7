//! `govlog open`: sealed values of entries, from an opening store.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::record::view::{self, ViewError};
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;
use serde_json::{Value as Json, json};

use super::exit::Usage;
use super::output::Output;
use super::{Exit, files};
use crate::openings::{
    DocumentError, Field, Folder, Identities, OpeningStore, Openings, State, StoreError, is_recorded, open,
};
use crate::trust::{Trust, TrustDir};
use crate::verify::{self, Failure, Redacted};

/// `govlog open`
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is fetched. An opening is found by the entry's leaf hash, and shown only if it is what the entry is sealed for. Without --trust \
nothing says that an entry is in a log, nor who signed it. Of each sealed value is said which it is:
  opened         value and salt hash to what the signed record holds
  mismatch       the store holds something else for it: exit 1
  redacted       a `redaction` among the files says that its opening was destroyed, and why
  sealed         nothing in this store opens it, and nothing says why: exit 5
  not recorded   of a --field: the record does not have it at all: exit 5
An entry that cannot be read or opened is named with the reason, exit 2, and the others are shown; the worst decides.

For example, with the redaction that explains what is gone:
  govlog open --openings openings --identity openings.key --trust trust 1.42.cose 1.97.cose")]
pub(crate) struct Open {
    /// The opening store's folder
    #[arg(long, value_name = "DIR")]
    openings: PathBuf,
    /// The identity that opens it (made by `govlog key new --alg age`)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The trust directory to judge the entries by
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Open this field alone, such as input or subject.properties, or /subject/properties; repeatable
    #[arg(long, value_name = "PATH")]
    field: Vec<String>,
    /// Write the JSON document of --json here, mode 0600, and show no values
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Transparent statements, or statements
    #[arg(value_name = "ENTRY.cose", required = true)]
    files: Vec<PathBuf>,
}

/// A file that was read: its statement, and what is known of its place in a log.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) statement: SignedStatement,
    /// Its id where it is verified; why it is not, if a trust directory was given.
    pub(crate) verified: Option<Result<String, Failure>>,
}

impl Open {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = self.trust.as_deref().map(TrustDir::load).transpose()?;
        let store = Folder::existing(&self.openings, identities(self.identity.as_deref())?)?;
        let trust = dir.as_ref().map(TrustDir::trust);
        let (mut entries, mut shown) = (Vec::new(), Vec::new());
        // What cannot be read does not keep the others from being shown.
        for path in &self.files {
            match read(trust, path) {
                Ok(entry) => entries.push(entry),
                Err(error) => shown.push(Shown::unread(path, &error)),
            }
        }
        // What is refuted explains nothing and is not opened; without a trust directory it is said that nothing was judged.
        let statements: Vec<&SignedStatement> = entries.iter().map(|entry| &entry.statement).collect();
        let believed = |at: usize| entries.get(at).is_some_and(|entry| !matches!(entry.verified, Some(Err(_))));
        let mut redactions = verify::redactions(&statements);
        redactions.retain(|redacted| believed(redacted.by));
        for (at, entry) in entries.iter().enumerate() {
            let explained: Vec<&Redacted> = redactions.iter().filter(|redacted| redacted.entry == at).collect();
            let failed = |error| Shown::begin(entry, &standing(entry).0).failed(&error);
            shown.push(self.show(&store, entry, &explained, &entries).unwrap_or_else(failed));
        }
        let exit = Exit::worst(shown.iter().map(|shown| shown.exit));
        let texts: Vec<String> = shown.iter().map(|shown| shown.text.clone()).collect();
        let documents: Vec<Json> = shown.into_iter().map(|shown| shown.document).collect();
        let document = json!({ "entries": documents });
        match &self.out {
            None => out.result(&texts.join("\n\n"), document),
            Some(path) => {
                files::create_new(path, 0o600, format!("{document:#}\n").as_bytes())?;
                let shown = path.display().to_string();
                out.result(&format!("{} entries: {shown}", documents.len()), json!({ "file": shown }));
            }
        }
        Ok(exit)
    }

    fn show(&self, store: &Folder, entry: &Entry, explained: &[&Redacted], entries: &[Entry]) -> anyhow::Result<Shown> {
        let (statement, leaf) = (&entry.statement, entry.statement.leaf_hash());
        let (word, mut exit) = standing(entry);
        let mut shown = Shown::begin(entry, &word);
        if let Some(Err(failure)) = entry.verified.as_ref().filter(|_| exit == Exit::Refuted) {
            return Ok(shown.end(exit, &failure.why));
        }
        if statement.is_hash_envelope() {
            return Ok(shown.end(exit, "its payload is only the digest of a record, which has nothing to open"));
        }
        let openings = stored(store, &leaf)?;
        let opened = open(statement.payload(), openings.as_ref().map_or(&[][..], |openings| &openings.fields))
            .map_err(|error| Usage(format!("{}: no record: {error}", entry.name)))?;
        let view = view::to_json(statement.kind(), &opened.payload);
        let wanted = |field: &&Field| self.field.is_empty() || self.field.iter().any(|name| field.is_named(name));
        for field in opened.fields.iter().filter(wanted) {
            let redacted = explained.iter().find(|redacted| redacted.covers(&field.pointer));
            let by = redacted.and_then(|redacted| Some((*redacted, &entries.get(redacted.by)?.name)));
            exit = Exit::worst([exit, shown.field(field, by, openings.is_some(), view.as_ref().ok())]);
        }
        for name in self.field.iter().filter(|name| !opened.fields.iter().any(|field| field.is_named(name))) {
            let is_there = is_recorded(&opened.payload, name);
            shown.other(name, if is_there { "present" } else { "not recorded" });
            exit = Exit::worst([exit, if is_there { Exit::Ok } else { Exit::NothingFound }]);
        }
        for path in &opened.stray {
            shown.other(path, "stray");
        }
        if self.field.is_empty() {
            shown.record(view);
        }
        let members = openings.map_or(0, |openings| openings.members.len());
        if members > 0 {
            shown.note(&format!("{members} decisions of a batch are in the store"));
        }
        Ok(shown.end(exit, ""))
    }
}

/// Reads an entry, and judges it where there is something to judge it by.
pub(crate) fn read(trust: Option<&Trust>, path: &Path) -> anyhow::Result<Entry> {
    let (name, bytes) = (path.display().to_string(), files::read(path)?);
    let statement = SignedStatement::parse(&bytes).map_err(|error| Usage(format!("{name}: no statement: {error}")))?;
    let judged = trust.map(|trust| verify::transparent_statement(trust, &name, &bytes).result);
    let verified = judged.map(|result| result.map(|entry| entry.id().to_string()));
    Ok(Entry { name, statement, verified })
}

/// The identities of a file; none without one.
pub(crate) fn identities(path: Option<&Path>) -> anyhow::Result<Identities> {
    Ok(match path {
        Some(path) => Identities::load(path).map_err(|error| Usage(error.to_string()))?,
        None => Identities::default(),
    })
}

/// Reads an entry's openings.
pub(crate) fn stored(
    store: &dyn OpeningStore,
    leaf: &govlog_formats::digest::Digest,
) -> Result<Option<Openings>, Unreadable> {
    let bytes = store.get(leaf)?;
    Ok(bytes.map(|bytes| Openings::decode(&bytes)).transpose()?)
}

/// Why the openings of an entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store holds what are no openings: {0}")]
    Document(#[from] DocumentError),
}

fn standing(entry: &Entry) -> (String, Exit) {
    match &entry.verified {
        None => ("NOT JUDGED: no --trust".to_owned(), Exit::Ok),
        Some(Ok(id)) => (format!("VERIFIED {id}"), Exit::Ok),
        Some(Err(failure)) => (failure.outcome.word().to_owned(), failure.outcome.into()),
    }
}

/// What is said of one entry, for people and for programs.
struct Shown {
    exit: Exit,
    text: String,
    document: Json,
    fields: Vec<Json>,
}

impl Shown {
    fn begin(entry: &Entry, word: &str) -> Self {
        let (kind, leaf) = (visible(entry.statement.kind()), entry.statement.leaf_hash());
        let id = entry.verified.as_ref().and_then(|verified| verified.as_ref().ok());
        Self {
            exit: Exit::Ok,
            text: format!("{word}  {}  {kind}  leaf {leaf}", entry.name),
            document: json!({
                "file": entry.name,
                "leaf": leaf.to_string(),
                "kind": entry.statement.kind(),
                "verified": entry.verified.as_ref().map(Result::is_ok),
                "id": id,
            }),
            fields: Vec::new(),
        }
    }

    fn unread(path: &Path, error: &anyhow::Error) -> Self {
        let name = path.display().to_string();
        let (text, document) = (format!("NOT READ  {name}"), json!({ "file": name }));
        Self { exit: Exit::Ok, text, document, fields: Vec::new() }.failed(error)
    }

    fn failed(self, error: &anyhow::Error) -> Self {
        self.end(Exit::of(error), &format!("{error:#}"))
    }

    /// Says what became of a sealed value, and how the command should end for it.
    fn field(
        &mut self,
        field: &Field,
        redacted: Option<(&Redacted, &String)>,
        is_stored: bool,
        view: Option<&Json>,
    ) -> Exit {
        let path = &field.path;
        let (word, said, exit, more) = match (&field.state, redacted) {
            (State::Opened(value), redacted) => {
                let notice =
                    redacted.map_or_else(String::new, |(_, by)| format!("  (a redaction says it is gone: {by})"));
                let text = json_text(value);
                let value = view.and_then(|view| view.pointer(&field.pointer));
                let shown = text.clone().or_else(|| value.map(Json::to_string));
                let shown = shown.unwrap_or_else(|| "it has no JSON view".to_owned());
                ("opened", format!("{shown}{notice}"), Exit::Ok, json!({ "value": value, "json_text": text }))
            }
            (State::Mismatch(error), _) => {
                ("mismatch", format!("the store holds something else for it: {error}"), Exit::Refuted, json!({}))
            }
            (State::Closed, Some((redacted, by))) => (
                "redacted",
                format!("by {by}: {}", redacted.why()),
                Exit::Ok,
                json!({ "by": by, "rule": redacted.rule, "legal_basis": redacted.basis, "iss": redacted.iss }),
            ),
            (State::Closed, None) => {
                let why =
                    if is_stored { "the store's openings of this entry do not have it" } else { "not in this store" };
                ("sealed", why.to_owned(), Exit::NothingFound, json!({}))
            }
        };
        self.text.push_str(&format!("\n  {word:<13}{}  {}", visible(path), visible(&said)));
        let mut document = json!({ "path": field.path, "pointer": field.pointer, "state": word });
        if let (Some(document), Json::Object(more)) = (document.as_object_mut(), more) {
            document.extend(more);
        }
        self.fields.push(document);
        exit
    }

    fn other(&mut self, name: &str, word: &str) {
        self.text.push_str(&format!("\n  {word:<13}{}", visible(name)));
        self.fields.push(json!({ "path": name, "state": word }));
    }

    fn note(&mut self, note: &str) {
        self.text.push_str(&format!("\n  {}", visible(note)));
    }

    fn record(&mut self, view: Result<Json, ViewError>) {
        match view {
            Ok(view) => {
                self.text.push_str(&format!("\n{view:#}"));
                self.insert("record", view);
            }
            Err(error) => self.note(&format!("the opened record has no JSON view: {error}")),
        }
    }

    fn insert(&mut self, key: &str, value: Json) {
        if let Some(document) = self.document.as_object_mut() {
            document.insert(key.to_owned(), value);
        }
    }

    fn end(mut self, exit: Exit, why: &str) -> Self {
        if !why.is_empty() {
            self.note(why);
            self.insert("because", why.into());
        }
        let fields = std::mem::take(&mut self.fields);
        self.insert("fields", fields.into());
        Self { exit, ..self }
    }
}

/// Bytes that are a JSON document, as the source sent it.
fn json_text(value: &ciborium::Value) -> Option<String> {
    let text = std::str::from_utf8(value.as_bytes()?).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    Some(text.to_owned())
}

//! `govlog openings`: what an opening store holds, and what must not be destroyed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use govlog_formats::digest::Digest;
use govlog_formats::visible::visible;
use serde_json::json;

use super::exit::Usage;
use super::output::Output;
use super::{Exit, open};
use crate::openings::{Folder, Hold, Identities, Protection, Recipients, Release, Settings};
use crate::time;

/// `govlog openings …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a store, for what you seal yourself; an agent makes its own
    Init(Init),
    /// Say how a store is kept, how much is in it, and what is held
    Show(Store),
    /// Forbid the destruction of openings, until the hold is released
    Hold(Place),
    /// End a hold; it stays on record, with the reason
    Release(End),
}

/// The store.
#[derive(Debug, Args)]
pub(crate) struct Store {
    /// The opening store's folder
    #[arg(long, value_name = "DIR")]
    openings: PathBuf,
}

/// `govlog openings init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    store: Store,
    /// Whom openings are encrypted to, age1…, as `govlog key new --alg age` prints it; repeatable
    #[arg(long, value_name = "AGE1", required_unless_present = "plaintext")]
    recipient: Vec<String>,
    /// Keep openings in clear
    #[arg(long, conflicts_with = "recipient")]
    plaintext: bool,
    /// After how many days `govlog redact --expired` may destroy an opening [default: they are kept for ever]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    retention_days: Option<u32>,
}

/// `govlog openings hold`
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    store: Store,
    /// The hold's name, such as a case number
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Hold everything, also what is stored later
    #[arg(long, conflicts_with = "entries", required_unless_present = "entries")]
    everything: bool,
    /// Entries: their .cose files, or their leaf hashes
    #[arg(value_name = "ENTRY")]
    entries: Vec<String>,
}

/// `govlog openings release`
#[derive(Debug, Args)]
pub(crate) struct End {
    #[command(flatten)]
    store: Store,
    /// The hold's name
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Command {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Init(init) => init.run(out),
            Self::Show(store) => show(&store.open()?, out),
            Self::Hold(place) => place.run(out),
            Self::Release(end) => end.run(out),
        }
    }
}

impl Store {
    /// Holds need no identity.
    fn open(&self) -> anyhow::Result<Folder> {
        Ok(Folder::existing(&self.openings, Identities::default())?)
    }
}

impl Init {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let path = &self.store.openings;
        if path.exists() {
            return Err(Usage(format!("{}: it is there already, and stays as it is", path.display())).into());
        }
        let protection = if self.plaintext {
            Protection::Plaintext
        } else {
            Protection::Age(Recipients::parse(&self.recipient).map_err(|error| Usage(error.to_string()))?)
        };
        let settings = Settings { protection, retention_days: self.retention_days };
        drop(Folder::open(path, settings)?);
        let shown = path.display().to_string();
        out.result(&shown, json!({ "openings": shown }));
        Ok(Exit::Ok)
    }
}

impl Place {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let store = self.store.open()?;
        let leaves = self.entries.iter().map(|entry| leaf(entry)).collect::<anyhow::Result<Vec<_>>>()?;
        let hold = Hold {
            name: self.name.clone(),
            reason: self.reason,
            placed_ms: time::now_s().saturating_mul(1000),
            everything: self.everything,
            leaves: leaves.iter().map(Digest::to_string).collect(),
            released: None,
        };
        store.hold(&store.lock()?, hold)?;
        let what = if self.everything { "everything".to_owned() } else { format!("{} entries", leaves.len()) };
        out.result(&format!("{what} held: {}", visible(&self.name)), json!({ "hold": self.name }));
        Ok(Exit::Ok)
    }
}

impl End {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let store = self.store.open()?;
        let release = Release { reason: self.reason, at_ms: time::now_s().saturating_mul(1000) };
        store.release(&store.lock()?, &self.name, release)?;
        out.result(&format!("released: {}", visible(&self.name)), json!({ "released": self.name }));
        Ok(Exit::Ok)
    }
}

/// An entry's leaf hash, from itself or from its file.
fn leaf(entry: &str) -> anyhow::Result<Digest> {
    match entry.parse::<Digest>() {
        Ok(leaf) => Ok(leaf),
        Err(_) if Path::new(entry).exists() => Ok(open::read(None, Path::new(entry))?.statement.leaf_hash()),
        Err(_) => Err(Usage(format!("{entry}: neither a file nor a leaf hash, 64 hex digits")).into()),
    }
}

fn show(store: &Folder, out: &Output) -> anyhow::Result<Exit> {
    let (settings, stored, holds) = (store.settings(), store.stored()?, store.holds()?);
    let redactions = store.redactions()?;
    let begun = redactions.iter().filter(|redaction| !redaction.is_done).count();
    let recipients = match &settings.protection {
        Protection::Plaintext => Vec::new(),
        Protection::Age(recipients) => recipients.texts(),
    };
    let kept = if recipients.is_empty() { "in clear".to_owned() } else { format!("to {}", recipients.join(", ")) };
    let retention = settings.retention_days.map_or_else(|| "kept for ever".to_owned(), |days| format!("{days} days"));
    let mut lines = vec![
        format!("entries     {}", stored.len()),
        format!("encrypted   {kept}"),
        format!("retention   {retention}"),
        format!("redactions  {} done, {begun} begun", redactions.len() - begun),
    ];
    for hold in holds.all() {
        let what = if hold.everything { "everything".to_owned() } else { format!("{} entries", hold.leaves.len()) };
        let ended = hold.released.as_ref().map_or_else(String::new, |release| {
            format!("; released {}: {}", time::utc(release.at_ms / 1000), visible(&release.reason))
        });
        lines.push(format!(
            "hold        {}: {what}, since {}: {}{ended}",
            visible(&hold.name),
            time::utc(hold.placed_ms / 1000),
            visible(&hold.reason)
        ));
    }
    let document = json!({
        "entries": stored.len(),
        "recipients": recipients,
        "plaintext": settings.protection == Protection::Plaintext,
        "retention_days": settings.retention_days,
        "redactions": { "done": redactions.len() - begun, "begun": begun },
        "holds": holds.all(),
    });
    out.result(&lines.join("\n"), document);
    Ok(Exit::Ok)
}

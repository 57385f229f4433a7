//! What was found, and what a record says of it: the link's target, the handles, the subject, a summary.

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::record::handles::{CertificateHandles, TokenHandles};
use govlog_formats::record::{Handle, LinkTarget, Record};
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;

use crate::time;
use crate::verify::{VerifiedEntry, summary};

/// What a person named, found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it was called, fit to be shown to anyone: never a token itself.
    pub name: String,
    /// What it is.
    pub what: What,
}

/// The things that can be named.
#[derive(Clone, Debug)]
pub enum What {
    /// An entry.
    Entry(Box<Entry>),
    /// An entry of which only the leaf hash is known.
    Leaf(Digest),
    /// An X.509 certificate. Its signature was not looked at.
    Certificate(Box<CertificateHandles>),
    /// A token. Its signature was not looked at, and it is not kept.
    Token(Box<TokenHandles>),
    /// A public key, by its handles.
    Key(Vec<Handle>),
    /// A handle, as written out.
    Handle(Handle),
    /// A SPIFFE ID or another URI.
    Name(String),
}

/// An entry, verified or not.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its bytes, read.
    pub statement: SignedStatement,
    /// Whether it is an entry of the log you trust.
    pub standing: Standing,
}

/// Whether something is an entry of the log you trust.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It is.
    Verified(Box<VerifiedEntry>),
    /// That is not known; why.
    Unverified(String),
}

impl Found {
    /// What a link to it points at; `None` for a name, which is no record.
    ///
    /// Of a credential it is the handle that stays the same whoever signs it again (records.md §2).
    #[must_use]
    pub fn target(&self) -> Option<LinkTarget> {
        match &self.what {
            What::Entry(entry) => Some(LinkTarget::Entry(entry.statement.leaf_hash())),
            What::Leaf(leaf) => Some(LinkTarget::Entry(*leaf)),
            What::Name(_) => None,
            What::Certificate(found) => Some(LinkTarget::Handle(Handle::of_digest("tbs_s256", &found.tbs_s256))),
            What::Token(found) => Some(LinkTarget::Handle(Handle::of_digest("jws_input_s256", &found.jws_input_s256))),
            What::Key(_) | What::Handle(_) => self.handles().into_iter().next().map(LinkTarget::Handle),
        }
    }

    /// Every handle of it; of an entry, those that its record bears.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        match &self.what {
            What::Entry(entry) => entry.record().and_then(|record| Some(record.body()?.handles())).unwrap_or_default(),
            What::Certificate(found) => found.handles(),
            What::Token(found) => found.handles(),
            What::Key(handles) => handles.clone(),
            What::Handle(handle) => vec![handle.clone()],
            What::Leaf(_) | What::Name(_) => Vec::new(),
        }
    }

    /// Whom or what it is about, fit for a statement's `sub`: it holds a `:` or a `/`.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        let subject = match &self.what {
            What::Entry(entry) => Some(entry.statement.claims().sub.clone()),
            What::Certificate(found) => found.spiffe_id.clone(),
            // Of a token it goes no further than here unless it names a workload: a `sub` is a person's as often, and headers are public.
            What::Token(found) => found.sub.clone().filter(|sub| sub.starts_with("spiffe://")),
            What::Name(name) => Some(name.clone()),
            What::Leaf(_) | What::Key(_) | What::Handle(_) => None,
        };
        subject.filter(|subject| subject.contains([':', '/']))
    }

    /// The entry, where it is one.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        if let What::Entry(entry) = &self.what { Some(entry) } else { None }
    }

    /// What it is, in a line, and how far that is known.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.what {
            What::Entry(entry) => entry.summary(),
            What::Leaf(leaf) => format!("the entry with leaf hash {leaf}, NOT VERIFIED: it was not read"),
            What::Certificate(found) => format!(
                "certificate of {}, valid until {}, tbs_s256 {}; its signature was not looked at",
                visible(found.spiffe_id.as_deref().unwrap_or("no SPIFFE ID")),
                time::utc(found.not_after_ms / 1000),
                found.tbs_s256
            ),
            What::Token(found) => format!(
                "token of {}, issued by {}, jws_input_s256 {}; its signature was not looked at",
                shown(found.sub.as_deref()),
                shown(found.iss.as_deref()),
                found.jws_input_s256
            ),
            What::Key(_) | What::Handle(_) => {
                let handles: Vec<String> = self.handles().iter().map(ToString::to_string).collect();
                handles.join(", ")
            }
            What::Name(name) => visible(name),
        }
    }

    /// Whether it is an entry and was verified; `None` for what is no entry, so that there is nothing to verify.
    #[must_use]
    pub fn is_verified(&self) -> Option<bool> {
        match &self.what {
            What::Entry(entry) => Some(matches!(entry.standing, Standing::Verified(_))),
            What::Leaf(_) => Some(false),
            _ => None,
        }
    }
}

impl Entry {
    /// Its id, where that is known.
    #[must_use]
    pub fn id(&self) -> Option<EntryId> {
        match &self.standing {
            Standing::Verified(entry) => Some(entry.id()),
            Standing::Unverified(_) => None,
        }
    }

    /// Its record, if its payload is one of its kind.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let statement = &self.statement;
        if statement.is_hash_envelope() { None } else { Record::parse(statement.kind(), statement.payload()).ok() }
    }

    fn summary(&self) -> String {
        let said =
            self.record().and_then(|record| summary(&record)).map(|said| format!(" ({said})")).unwrap_or_default();
        let what = format!(
            "{}{said} about {} by {}",
            visible(self.statement.kind()),
            visible(&self.statement.claims().sub),
            visible(&self.statement.claims().iss)
        );
        match &self.standing {
            Standing::Verified(entry) => format!("entry {}: {what}, verified", entry.id()),
            Standing::Unverified(why) => format!("{what}, NOT VERIFIED: {why}"),
        }
    }
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "nobody named".to_owned(), visible)
}

//! Finding entries by what they are called or name: by which terms of a search. Whatever a finder names is read and judged.

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::{Handle, LinkTarget};
use govlog_formats::search::{Column, Filter, Term};

use super::super::relations::{
    DELEGATED_TO, DOMAIN, ISSUED_TO, KEYS_OF, NAMED, OWNED, REGISTERED, REGISTRY_ENTRY, RUNS_AS,
};
use crate::source::RecordsError;
use crate::verify::join;

/// Which way a relation is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Entries that are called this.
    Named,
    /// Entries that name this.
    Pointing,
}

/// What is looked for: entries that are called this, or that name it, of these kinds where any are given.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Which way.
    pub way: Way,
    /// What they are called, or name.
    pub target: LinkTarget,
    /// The kinds.
    pub kinds: Vec<String>,
}

impl Question {
    pub(in crate::custody) fn new(way: Way, target: LinkTarget, kinds: &[&str]) -> Self {
        Self { way, target, kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect() }
    }
}

/// Why nothing can be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The log's index does not answer.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What finds entries. It may name too many, never too few: whoever asks looks at each.
pub trait Finder {
    /// Every entry that may be called this or name it, of these kinds where any are given, in the log's order.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<LeafIndex>, FindError>;

    /// Has at hand what is to be found next, as far as it is worth it; gives the entries that will be named.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn expect(&mut self, questions: &[Question]) -> Result<Vec<LeafIndex>, FindError> {
        let _ = questions;
        Ok(Vec::new())
    }

    /// Every entry that may answer one of these filters, in the log's order.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn answers(&mut self, filters: &[Filter]) -> Result<Vec<LeafIndex>, FindError>;

    /// Some of the newest entries below a size that may answer a filter, so many at most, in the log's order; none only where no entry does.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn newest(&mut self, filter: &Filter, below: TreeSize, most: usize) -> Result<Vec<LeafIndex>, FindError>;

    /// Every entry that may be one of those that the admission policy is folded from, where all entries were read.
    fn changes(&self) -> &[LeafIndex] {
        &[]
    }

    /// How many entries may answer a filter, counted to so many at most.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn count(&mut self, filter: &Filter, most: usize) -> Result<usize, FindError> {
        Ok(self.answers(std::slice::from_ref(filter))?.len().min(most))
    }

    /// Whether there was more than is taken at most.
    fn is_cut(&self) -> bool;

    /// Whether there was more than the last answer has.
    fn has_more(&self) -> bool {
        false
    }
}

/// The filters of which every such entry passes one.
#[must_use]
pub fn filters(way: Way, target: &LinkTarget, kinds: &[&str]) -> Vec<Filter> {
    let kinds: Vec<Option<Term>> = match kinds {
        [] => vec![None],
        kinds => kinds.iter().map(|kind| Term::new(Column::KIND, kind).ok()).collect(),
    };
    let with =
        |terms: &[Term], kind: &Option<Term>| terms.iter().chain(kind).cloned().fold(Filter::default(), Filter::with);
    terms(way, target).iter().flat_map(|terms| kinds.iter().map(|kind| with(terms, kind))).collect()
}

/// The terms that every entry has which is called this, or names it: one of these sets.
fn terms(way: Way, target: &LinkTarget) -> Vec<Vec<Term>> {
    let handle = match (way, target) {
        (Way::Named, LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. }) => {
            return vec![vec![Term::of_leaf(leaf)]];
        }
        (Way::Pointing, LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. }) => {
            return vec![vec![Term::of_links_to(leaf)]];
        }
        (_, LinkTarget::Handle(handle)) => handle,
    };
    let term = |column: Option<Column>, text: &str| column.and_then(|column| Term::new(column, text).ok());
    let single = |term: Option<Term>| term.map(|term| vec![term]);
    let digest = handle.digest().map(|digest| digest.to_string()).unwrap_or_default();
    let named = |name: &str, text: &str| single(term(Column::named(name), text));
    let found = match (way, handle.name.as_str()) {
        (Way::Named, join::SIG_STRUCTURE) => vec![single(term(Some(Column::SIG_STRUCTURE), &digest))],
        (Way::Named, join::PAYLOAD) => vec![single(term(Some(Column::PAYLOAD), &digest))],
        (Way::Pointing, join::SIG_STRUCTURE | join::PAYLOAD) => vec![named("approved", &digest)],
        (Way::Pointing, "op_digest") => vec![single(Term::of_handle(handle)), named("approved", &digest)],
        // A capture rule is named by a field of another name: found under every field that holds a policy's digest.
        (Way::Pointing, "policy_digest") => vec![policy(handle)],
        (_, "key_iss") => vec![single(Term::of_handle(handle)), key_id(handle)],
        (_, REGISTRY_ENTRY) => vec![registry_entry(handle)],
        (Way::Named, OWNED) => vec![named("prefix", text(handle))],
        (Way::Pointing, OWNED) => Vec::new(),
        (Way::Named, NAMED) => {
            let columns = [Column::ENTRY, Column::AGENT, Column::POLICY, Column::KEY].map(Some);
            let columns = columns.into_iter().chain([Column::named("domain")]);
            columns.map(|column| single(term(column, text(handle)))).collect()
        }
        (Way::Named, ISSUED_TO | REGISTERED) => vec![named("subject", text(handle))],
        (Way::Named, RUNS_AS) => vec![named("subject", text(handle)), named("party", text(handle))],
        (Way::Named, DELEGATED_TO) => vec![named("party", text(handle))],
        // Nobody is led to all keys of an issuer.
        (Way::Named, KEYS_OF) => Vec::new(),
        (Way::Named, DOMAIN) => spellings(handle).map(|domain| named("domain", &domain)).into(),
        (Way::Pointing, DOMAIN) => spellings(handle).map(|domain| named("target", &domain)).into(),
        (Way::Pointing, NAMED | ISSUED_TO | REGISTERED | RUNS_AS | DELEGATED_TO | KEYS_OF) => {
            vec![named("target", text(handle))]
        }
        _ => vec![single(Term::of_handle(handle))],
    };
    found.into_iter().flatten().collect()
}

/// A trust domain as records and people write it.
fn spellings(domain: &Handle) -> [String; 4] {
    let domain = text(domain);
    [domain.to_owned(), format!("{domain}/"), format!("spiffe://{domain}"), format!("spiffe://{domain}/")]
}

/// Where a key's id and who signs with it are two fields, only the id is found by.
fn key_id(handle: &Handle) -> Option<Vec<Term>> {
    let id = Handle { name: handle.name.clone(), value: handle.value.as_array()?.first()?.clone() };
    let (_, id) = Term::of_handle(&id)?.value().split_once(':').map(|(name, id)| (name.to_owned(), id.to_owned()))?;
    Some(vec![Term::new(Column::KEY, &id).ok()?])
}

/// A policy by its digest, in whatever field it stands.
fn policy(handle: &Handle) -> Option<Vec<Term>> {
    let (_, digest) =
        Term::of_handle(handle)?.value().split_once(':').map(|(name, of)| (name.to_owned(), of.to_owned()))?;
    Some(vec![Term::new(Column::POLICY, &digest).ok()?])
}

/// A registry's id of an entry is its own: who signs it counts too.
fn registry_entry(handle: &Handle) -> Option<Vec<Term>> {
    let [iss, id] = handle.value.as_array()?.as_slice() else { return None };
    let term = |column, value: &govlog_formats::cbor::Value| Term::new(column, value.as_text()?).ok();
    Some(vec![term(Column::ISSUER, iss)?, term(Column::ENTRY, id)?])
}

fn text(handle: &Handle) -> &str {
    handle.value.as_text().unwrap_or_default()
}

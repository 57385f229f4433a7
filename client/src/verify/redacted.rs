//! What `redaction` records say of other entries: which openings were destroyed, by whose word and why.

use std::collections::HashMap;

use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::{RedactionExtent, RedactionTarget};
use govlog_formats::record::{LinkTarget, Record, Recorded};
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;

/// An entry of which something cannot be opened any more, by a `redaction`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    /// Position of the entry, in the slice given.
    pub entry: usize,
    /// Position of the `redaction`.
    pub by: usize,
    /// Who signed that.
    pub iss: String,
    /// What asked for it: `retention`, `erasure-request` or `order`.
    pub rule: String,
    /// The law or contract that it rests on, as recorded.
    pub basis: Option<String>,
    /// What of the entry it is about.
    pub target: RedactionTarget,
}

impl Redacted {
    /// Says whether it is about a sealed value, by the JSON pointer to it.
    #[must_use]
    pub fn covers(&self, pointer: &str) -> bool {
        match self.target.extent {
            RedactionExtent::All => true,
            RedactionExtent::Fields => self.target.fields.iter().any(|field| field == pointer),
            RedactionExtent::Members => false,
        }
    }

    /// Why, in a few words.
    #[must_use]
    pub fn why(&self) -> String {
        let basis = self.basis.as_deref().map_or_else(String::new, |basis| format!(": {}", visible(basis)));
        format!("{}{basis}, says {}", self.rule, self.iss)
    }

    /// What of the entry, in a few words.
    #[must_use]
    pub fn what(&self) -> String {
        match self.target.extent {
            RedactionExtent::All => "all of it".to_owned(),
            RedactionExtent::Fields => visible(&self.target.fields.join(", ")),
            RedactionExtent::Members => format!("{} members", self.target.members.len()),
        }
    }
}

/// Finds the redactions among statements that are about others of them.
///
/// Whether they are entries of a log, and of which, is the caller's to know.
#[must_use]
pub fn redactions(statements: &[&SignedStatement]) -> Vec<Redacted> {
    let mut by_leaf: HashMap<Digest, Vec<usize>> = HashMap::new();
    for (at, statement) in statements.iter().enumerate() {
        by_leaf.entry(statement.leaf_hash()).or_default().push(at);
    }
    let mut found = Vec::new();
    for (by, statement) in statements.iter().enumerate() {
        if statement.is_hash_envelope() || statement.kind() != "redaction" {
            continue;
        }
        let Ok(Record::Redaction(redaction)) = Record::parse(statement.kind(), statement.payload()) else { continue };
        let rule = redaction.rule().present().map_or_else(|| "(sealed)".to_owned(), |rule| rule.as_str().to_owned());
        let basis = match redaction.legal_basis() {
            Recorded::Present(basis) => Some(basis.to_owned()),
            Recorded::Sealed(_) | Recorded::Absent => None,
        };
        for target in redaction.targets() {
            let (LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. }) = &target.target else { continue };
            for entry in by_leaf.get(leaf).into_iter().flatten() {
                let (rule, basis, iss) = (rule.clone(), basis.clone(), statement.claims().iss.clone());
                found.push(Redacted { entry: *entry, by, iss, rule, basis, target: target.clone() });
            }
        }
    }
    found
}

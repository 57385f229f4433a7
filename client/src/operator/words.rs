//! A change of the admission policy in plain words.

use std::collections::BTreeSet;

use govlog_formats::admission::{Change, Credentials, IssuerRow, PolicyState};
use govlog_formats::digest::Digest;
use govlog_formats::visible::visible;

/// Says what a change does to a policy, one sentence for each thing.
#[must_use]
pub fn in_words(policy: &PolicyState, change: &Change) -> Vec<String> {
    let fields = change.fields();
    let mut lines: Vec<String> = fields.set.iter().map(|row| issuer(policy, row)).collect();
    lines.extend(fields.retire.iter().map(|iss| match policy.issuer(iss) {
        Some(_) => format!("{} may submit nothing more", visible(iss)),
        None => format!("{} may submit nothing more (it is no issuer now)", visible(iss)),
    }));
    if !fields.operators.is_empty() {
        lines.extend(operators(policy, &fields.operators.iter().map(|key| key.thumbprint()).collect()));
    }
    if let Some(threshold) = fields.threshold {
        let before = policy.threshold();
        lines.push(format!("a change takes {threshold} operators from then on (now: {before})"));
    }
    if let Some(log) = &fields.log {
        let keys = log.receipts.len();
        lines.push(format!("the log's own row is replaced: checkpoint key {}, {keys} receipt keys", log.checkpoint));
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

fn issuer(policy: &PolicyState, row: &IssuerRow) -> String {
    let verb = if policy.issuer(&row.iss).is_some() { "replaces what is said of" } else { "lets in" };
    let credentials = credentials_in_words(&row.credentials);
    let (iss, kinds, subjects) = (visible(&row.iss), listed(&row.kinds), listed(&row.subjects));
    format!("{verb} {iss}: it may submit {kinds} about {subjects}, {credentials}")
}

/// Says how an issuer's signatures are recognised.
#[must_use]
pub fn credentials_in_words(credentials: &Credentials) -> String {
    match credentials {
        Credentials::Keys(keys) => {
            let kids: Vec<String> = keys.iter().map(|key| key.thumbprint().to_string()).collect();
            format!("with key {}", kids.join(", "))
        }
        Credentials::X509(anchors) => {
            let anchors: Vec<String> = anchors.iter().map(|der| super::anchors::in_words(der)).collect();
            format!("with X.509-SVIDs under {}", anchors.join(", "))
        }
    }
}

/// These may be any text: what a terminal would hide or obey is written as escapes.
fn listed(names: &[String]) -> String {
    names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")
}

fn operators(policy: &PolicyState, after: &BTreeSet<Digest>) -> Vec<String> {
    let before: BTreeSet<Digest> = policy.operators().map(|(kid, _)| *kid).collect();
    let added = after.difference(&before).map(|kid| format!("{kid} becomes an operator"));
    let removed = before.difference(after).map(|kid| format!("{kid} is an operator no more"));
    let mut lines: Vec<String> = added.chain(removed).collect();
    if lines.is_empty() {
        lines.push("the operators stay as they are".to_owned());
    }
    lines
}

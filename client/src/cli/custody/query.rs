//! What `custody export` is asked for: from what a person has in hand to search parameters and entries.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use govlog_formats::record::Handle;
use govlog_formats::search::Term;

use crate::cli::exit::Usage;
use crate::custody::{Query, Spot};
use crate::resolve::{Found, OF_CREDENTIALS, ResolveError, Resolver, What, thumbprint};
use crate::time;

/// What is asked for: all that are given must hold; entries that are named come besides.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is asked for")]
pub(crate) struct Asked {
    /// A decision, by its id, or as ISSUER,ID
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// An effect, by its entry id, or by the id of the decision that it carries out
    #[arg(long, value_name = "ID", conflicts_with = "decision")]
    effect: Option<String>,
    /// Everything under a trace id
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// Everything under a transaction id
    #[arg(long, value_name = "ID")]
    transaction: Option<String>,
    /// Everything about a subject, such as a SPIFFE ID
    #[arg(long, value_name = "URI")]
    subject: Option<String>,
    /// Everything with a credential: a certificate or token file (- for stdin), a handle such as cert_s256:…, or a digest
    #[arg(long, value_name = "FILE|HANDLE")]
    credential: Option<String>,
    /// Everything with a key, and of a file what it signed, too: a key or certificate (PEM), a handle such as jkt:…, a digest, or a key id
    #[arg(long, value_name = "FILE|HANDLE")]
    key_handle: Option<String>,
    /// Everything under a policy or bundle: a digest, a revision or a name
    #[arg(long, value_name = "DIGEST|NAME")]
    policy: Option<String>,
    /// Everything that an issuer signed
    #[arg(long, value_name = "URI")]
    issuer: Option<String>,
    /// Everything under a registration entry: its registry's id, or entry_digest
    #[arg(long, value_name = "ID|DIGEST")]
    registration: Option<String>,
    /// Everything under a delegation: an entry id, a .cose file, or a token's handle
    #[arg(long, value_name = "ID|FILE|HANDLE")]
    delegation: Option<String>,
    /// Nothing that states only times before, of its events and its signature: 2026-11-28T16:00:00Z, or 2026-11-28
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Nothing that states only times after
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// These entries, or members of batches (1.57#3), whatever else is asked for
    #[arg(value_name = "ENTRY")]
    entries: Vec<String>,
}

impl Asked {
    /// The entries that were named as something, and the kind that this is.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let named = [(&self.effect, "effect"), (&self.delegation, "delegation")];
        named.into_iter().filter_map(|(id, kind)| Some((id.as_deref().filter(|id| is_entry(id))?, kind)))
    }

    /// What is not asked for although one could think so.
    pub(crate) fn notice(&self, resolver: &Resolver<'_>) -> Option<String> {
        let key = self.key_handle.as_deref()?;
        // The id of a key at an issuer is what tokens and certificates are signed under; no statement is.
        let is_handle = |found: &Found| matches!(&found.what, What::Handle(handle) if handle.name != "key_iss");
        resolver.find(key).ok().filter(is_handle)?;
        Some(format!(
            "--key-handle {key}: what the key itself signed is named by another digest of it, which cannot be told from a handle, and is not \
             asked for: give the key or its certificate as a file"
        ))
    }

    /// Finds out what is meant.
    pub(crate) fn query(&self, resolver: &Resolver<'_>) -> anyhow::Result<Query> {
        let mut search: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut entries = self.entries.clone();
        let mut put = |name: &str, values: Vec<String>| drop(search.insert(name.to_owned(), values));
        let plain = [
            ("decision", &self.decision),
            ("trace", &self.trace),
            ("txn", &self.transaction),
            ("subject", &self.subject),
            ("policy", &self.policy),
            ("issuer", &self.issuer),
            ("entry", &self.registration),
        ];
        for (name, value) in plain {
            value.iter().for_each(|value| put(name, vec![value.clone()]));
        }
        match &self.effect {
            Some(id) if is_entry(id) => entries.push(id.clone()),
            Some(id) => {
                put("decision", vec![id.clone()]);
                put("kind", vec!["effect".to_owned()]);
            }
            None => {}
        }
        if let Some(credential) = &self.credential {
            put("credential", values(resolver, credential, &OF_CREDENTIALS)?);
        }
        if let Some(key) = &self.key_handle {
            let mut values = values(resolver, key, &KEY)?;
            // What signs statements is named by another digest of the same key.
            values.extend(thumbprint(Path::new(key)));
            values.sort_unstable();
            values.dedup();
            put("key", values);
        }
        // An id needs nobody who says what it is: the entry is read and judged with all others.
        let delegation = self.delegation.as_deref();
        entries.extend(delegation.filter(|named| is_entry(named)).map(str::to_owned));
        match delegation.filter(|named| !is_entry(named)).map(|named| resolver.find(named)).transpose()? {
            None => {}
            Some(Found { what: What::Leaf(leaf), .. }) => put("leaf", vec![leaf.to_string()]),
            Some(found) => match found.entry() {
                Some(entry) => entries.push(entry.id().context("--delegation: the entry is not verified")?.to_string()),
                None => {
                    put("handle", shown(&found.handles(), true, &[]));
                    put("kind", vec!["delegation".to_owned()]);
                }
            },
        }
        for (flag, name, when) in [("--from", "since", &self.from), ("--to", "until", &self.to)] {
            if let Some(when) = when {
                put(name, vec![moment(flag, when)?.to_string()]);
            }
        }
        if search.is_empty() && entries.is_empty() {
            return Err(
                Usage("say what the matter is: --trace, --decision, --credential …, or entry ids".to_owned()).into()
            );
        }
        if let Some(entry) = entries.iter().find(|entry| !is_entry(entry)) {
            return Err(
                Usage(format!("{entry:?} is no entry id, such as 1.57, or 1.57#3 of a member of that batch")).into()
            );
        }
        entries.sort_unstable();
        entries.dedup();
        let query = Query { search, entries };
        query.filters().map_err(|error| Usage(error.to_string()))?;
        Ok(query)
    }
}

/// The handles that name a key.
const KEY: [&str; 3] = ["spki_s256", "jkt", "key_iss"];

/// Every spelling under which a credential or key is searched: one of a file's handles, or what was written.
fn values(resolver: &Resolver<'_>, named: &str, of: &[&str]) -> anyhow::Result<Vec<String>> {
    let found = match resolver.find(named) {
        Ok(found) => found,
        // A digest alone, a serial number, a key id: the search knows what they can be of.
        Err(ResolveError::BareDigest(text) | ResolveError::NotUnderstood(text)) => return Ok(vec![text]),
        Err(error) => return Err(error.into()),
    };
    let values = match &found.what {
        What::Name(name) => vec![name.clone()],
        _ => shown(&found.handles(), false, of),
    };
    if values.is_empty() {
        return Err(Usage(format!("{}: {}, which has no such handle", found.name, found.summary())).into());
    }
    Ok(values)
}

/// Handles as the search spells them, with their names or without; of these names, where any are given.
fn shown(handles: &[Handle], with_name: bool, of: &[&str]) -> Vec<String> {
    let wanted = handles.iter().filter(|handle| of.is_empty() || of.contains(&handle.name.as_str()));
    let mut values: Vec<String> = wanted
        .filter_map(Term::of_handle)
        .map(|term| match term.value().split_once(':') {
            Some((_, value)) if !with_name => value.to_owned(),
            _ => term.value().to_owned(),
        })
        .collect();
    values.sort_unstable();
    values
}

fn is_entry(text: &str) -> bool {
    text.parse::<Spot>().is_ok()
}

/// A moment in the calendar: a span from now would be another one in every run, and the file another file.
fn moment(flag: &str, text: &str) -> Result<u64, Usage> {
    let is_relative = text == "now" || time::span(text).is_ok();
    let when = if is_relative { None } else { time::when_ms(text, 0).ok() };
    when.ok_or_else(|| Usage(format!("{flag} {text:?}: give a moment, such as 2026-11-28T16:00:00Z or 2026-11-28")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use govlog_formats::cose::{Curve, PublicKey, SigningKey};

    use super::*;
    use crate::testing::TestLog;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        asked: Asked,
    }

    /// Whoever finds a stolen key has its private half: what it signed is found by that, too.
    #[test]
    fn a_private_key_asks_for_all_that_its_public_half_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let trust = TestLog::new().trusted_in(&dir.path().join("trust"));
        let resolver = Resolver { trust: trust.trust(), http: None, unverified: false, pdp: None };
        let key = SigningKey::from_seed(Curve::P256, &[7; 32]).unwrap();
        let asked =
            [("public.pem", key.public().to_spki_pem()), ("stolen.pem", key.to_pkcs8_pem())].map(|(name, pem)| {
                let path = dir.path().join(name);
                std::fs::write(&path, pem).unwrap();
                let command = Command::parse_from(["export", "--key-handle", path.to_str().unwrap()]);
                command.asked.query(&resolver).unwrap().search.remove("key").unwrap()
            });
        assert!(asked[0].contains(&key.public().thumbprint().to_string()), "{asked:?}");
        assert_eq!(asked[0], asked[1]);
    }

    const CERTIFICATE: &str = include_str!("../../../agent/tests/data/capture/spire/pay-1.pem");
    /// As `openssl x509 -pubkey` takes it out of that.
    const ITS_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGnE4rvC5+xgLnC+kI9CDg80BEr4k
zoOKDzgxE9mUnImes7sOor1VwRdV3dzHhajne6Tj7ElnUwkkwdDvewbgng==
-----END PUBLIC KEY-----
";

    /// What the key of a certificate signed without showing it is asked for by the certificate; by a handle it cannot be, and that is said.
    #[test]
    fn a_certificate_asks_for_what_its_key_signed_under_its_thumbprint() {
        let dir = tempfile::tempdir().unwrap();
        let trust = TestLog::new().trusted_in(&dir.path().join("trust"));
        let resolver = Resolver { trust: trust.trust(), http: None, unverified: false, pdp: None };
        let path = dir.path().join("stolen.pem");
        std::fs::write(&path, CERTIFICATE).unwrap();
        let key = PublicKey::from_spki_pem(ITS_KEY).unwrap();
        let asked = |named: &str| Command::parse_from(["export", "--key-handle", named]).asked;
        let file = asked(path.to_str().unwrap());
        let values = file.query(&resolver).unwrap().search.remove("key").unwrap();
        assert!(values.contains(&key.thumbprint().to_string()), "{values:?}");
        assert_eq!(file.notice(&resolver), None);
        let handle = asked(&format!("spki_s256:{}", "11".repeat(32)));
        assert_eq!(handle.query(&resolver).unwrap().search["key"], ["11".repeat(32)]);
        assert!(handle.notice(&resolver).unwrap().contains("give the key or its certificate as a file"));
        assert_eq!(asked(&key.thumbprint().to_string()).notice(&resolver), None, "a digest can be that one");
    }
}

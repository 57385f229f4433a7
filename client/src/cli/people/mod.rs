//! Records that people sign: `approve`, `own`, `revoke`, `delegate`, `agent`. One path for all: find, build, show, ask, sign, send.

mod agent;
mod approve;
mod delegate;
mod own;
mod revoke;

pub(crate) use agent::Agent;
pub(crate) use approve::Approve;
pub(crate) use delegate::Delegate;
pub(crate) use own::Own;
pub(crate) use revoke::Revoke;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use govlog_formats::cose::SigningKey;
use govlog_formats::limits::MAX_NOTE_BYTES;
use serde_json::{Map, json};

use super::exit::Usage;
use super::output::Output;
use super::signing::Signing;
use super::{Exit, files};
use crate::openings::{Folder, Identities, OpeningStore, Openings};
use crate::people::{Built, Preview, Seals};
use crate::resolve::{Found, Resolver};
use crate::source::{HeadError, Source};
use crate::submit::{Session, Signed, StreamFile, Target};
use crate::time;
use crate::trust::{Trust, TrustDir};

/// What every command that people sign with has in common.
#[derive(Debug, Args)]
pub(crate) struct Person {
    #[command(flatten)]
    signing: Signing,
    /// The trust directory: what the record is signed for, and what is linked to, is judged by it
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The subject [default: that of what the record is about]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// Seal this field: the log gets a commitment, and --openings what opens it; may be given several times
    #[arg(long, value_name = "FIELD")]
    seal: Vec<String>,
    /// Where openings of sealed fields go, a store made by `govlog openings init`; with it, what looks like an e-mail address is sealed unasked
    #[arg(long, value_name = "DIR")]
    openings: Option<PathBuf>,
    /// Link to entries that cannot be verified, too; what is proved wrong is refused even so
    #[arg(long)]
    unverified: bool,
    /// Who issued a decision that is named by its id alone
    #[arg(long, value_name = "ISS")]
    pdp: Option<String>,
    /// Sign without asking; without a terminal nothing is signed unless this is said
    #[arg(long)]
    yes: bool,
    /// Show what would be signed, and stop
    #[arg(long)]
    dry_run: bool,
}

/// A person at work: who trusts what, when, and with which key.
pub(super) struct Desk<'a> {
    pub(super) resolver: Resolver<'a>,
    pub(super) key: &'a SigningKey,
    pub(super) iss: &'a str,
    pub(super) sub: Option<String>,
    pub(super) now_s: u64,
}

impl Desk<'_> {
    pub(super) fn find(&self, text: &str) -> anyhow::Result<Found> {
        Ok(self.resolver.find(text)?)
    }

    pub(super) fn find_some(&self, text: Option<&str>) -> anyhow::Result<Option<Found>> {
        text.map(|text| self.find(text)).transpose()
    }

    /// A time that a flag gives, in milliseconds.
    pub(super) fn when(&self, flag: &str, text: Option<&str>) -> anyhow::Result<Option<u64>> {
        let when = |text| time::when_ms(text, self.now_s).map_err(|error| Usage(format!("{flag}: {error}")));
        Ok(text.map(when).transpose()?)
    }
}

impl Person {
    /// Builds a record, shows it, and signs and sends it once that was agreed to.
    pub(super) fn sign(
        &self,
        command: &str,
        out: &Output,
        build: impl FnOnce(&Desk<'_>, &mut Seals<'_>) -> anyhow::Result<Built>,
    ) -> anyhow::Result<Exit> {
        let signing = &self.signing;
        let key = files::signing_key(&signing.key)?;
        let dir = TrustDir::load(&self.trust)?;
        let trust = dir.trust();
        let source = out.source(&signing.log)?;
        let http = signing.http(&source, command)?;
        same_log(&source, trust)?;
        // Opened before anything is signed: what cannot be kept must not be sealed.
        let store = self.openings.as_deref().map(|path| Folder::existing(path, Identities::default())).transpose()?;

        let now_s = time::now_s();
        let resolver = Resolver { trust, http: Some(http), unverified: self.unverified, pdp: self.pdp.as_deref() };
        let desk = Desk { resolver, key: &key, iss: &signing.iss, sub: self.sub.clone(), now_s };
        let mut failed = None;
        let mut random = || random(&mut failed);
        let mut seals = Seals { fields: self.seal.clone(), can_keep: store.is_some(), random: &mut random };
        let built = build(&desk, &mut seals)?;
        if let Some(error) = failed {
            return Err(anyhow::Error::new(error).context("the system gives no randomness"));
        }

        let target = Target { origin: trust.origin().to_owned(), iss: signing.iss.clone() };
        let mut session = Session::new(http, &key, Some(trust), target, StreamFile::beside(&signing.key)?);
        let iat = i64::try_from(now_s).unwrap_or(i64::MAX);
        let drafts = std::slice::from_ref(&built.draft);
        let prepared = match signing.stream.as_deref() {
            Some("none") => session.prepare_unordered(drafts, iat)?,
            name => session.prepare(name, drafts, iat)?,
        };
        let statement = prepared.statements().first().context("one draft gives one statement")?;
        let (openings, kid) = (self.openings.as_deref().and_then(Path::to_str), key.public().thumbprint());
        let preview = Preview { built: &built, statement, kid, now_s, pending: prepared.pending(), openings };
        let (text, document) = (preview.text(), preview.json());
        if self.dry_run {
            out.result(&text, json!({ "signed": false, "preview": document }));
            return Ok(Exit::Ok);
        }
        out.notice(&text);
        if !self.agreed(out)? {
            out.notice("nothing was signed");
            return Ok(Exit::Usage);
        }
        let signed = prepared.sign(&key)?;
        signing.make_out()?;
        if let Some(store) = &store {
            keep(store, &built, &signed)?;
        }
        // A crash before this leaves openings of a statement that nobody has; they open nothing and harm nobody.
        let done = session.send(signed, signing.wait())?;
        let more = Map::from_iter([("signed".to_owned(), true.into()), ("preview".to_owned(), document)]);
        let exit = signing.report(&done, http, more, out)?;
        self.keep_shown(&built, done.sent.last().and_then(|sent| sent.answer.as_ref()?.id))?;
        Ok(exit)
    }

    /// Asks on a terminal; anywhere else only `--yes` agrees.
    fn agreed(&self, out: &Output) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(Usage(
                "stdin is no terminal, so nobody can be asked, and nothing was signed; look at it with --dry-run, sign it with --yes"
                    .to_owned(),
            )
            .into());
        }
        out.ask("Sign this? [y/N] ");
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        Ok(is_yes(&answer))
    }

    /// Keeps, beside the entry, the text that `shown_digest` is over: whoever doubts it can hash it again.
    fn keep_shown(&self, built: &Built, id: Option<govlog_formats::entry_id::EntryId>) -> anyhow::Result<()> {
        match (&self.signing.out, &built.shown, id) {
            (Some(folder), Some(shown), Some(id)) => {
                files::write(&folder.join(format!("{id}.shown")), shown.as_bytes())
            }
            _ => Ok(()),
        }
    }
}

/// Checks that the log at the address is the one the trust directory is for, before anything is signed for it.
///
/// Witnesses are not asked for: a revocation must not wait for them.
fn same_log(source: &Source, trust: &Trust) -> anyhow::Result<()> {
    let note = source.get("checkpoint", MAX_NOTE_BYTES)?.ok_or(HeadError::None)?;
    let head = trust.policy().verify_checkpoint(&note).map_err(HeadError::from)?;
    let found = head.checkpoint().origin.as_str();
    if found == trust.origin() {
        return Ok(());
    }
    Err(HeadError::OtherLog { found: found.to_owned(), expected: trust.origin().to_owned() }.into())
}

/// Puts the openings on disk before the first byte is sent.
fn keep(store: &Folder, built: &Built, signed: &Signed) -> anyhow::Result<()> {
    let Some(statement) = signed.statements().first().filter(|_| !built.openings.is_empty()) else { return Ok(()) };
    let openings = Openings::new(&built.draft.kind, built.openings.clone()).encode()?;
    Ok(store.put(&[(statement.leaf_hash(), openings.as_slice())])?)
}

/// Draws a salt; a failure is remembered, and what was built with it thrown away.
fn random(failed: &mut Option<getrandom::Error>) -> [u8; 32] {
    let mut bytes = [0; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        *failed = Some(error);
    }
    bytes
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_agrees() {
        for answer in ["y\n", "Y\n", "yes\r\n"] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "y n\n"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}

//! `govlog custody export`: collect a matter from a log, as one file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use govlog_formats::merkle::TreeSize;
use govlog_formats::visible::visible;
use serde_json::{Map, Value, json};

use super::beside;
use super::query::Asked;
use super::record::{Recording, Step};
use crate::cli::exit::{Refuted, Usage};
use crate::cli::output::Output;
use crate::cli::{Exit, files, open, progress};
use crate::custody::{Custody, ExportError, Exported, Held, MAX_ENTRIES, Plan, export};
use crate::openings::{Folder, OpeningStore};
use crate::resolve::Resolver;
use crate::trust::TrustDir;
use crate::verify::Outcome;

/// `govlog custody export`
#[derive(Debug, Args)]
#[command(after_help = "\
What belongs to the matter is found from entries that are verified one by one, the server only suggests: from everything that answers the query, \
to what it rests on (credential, policy, delegation, approval, registration, attestation, signing key …), to what came of it, and to \
every word about any of these (revocations, findings, redactions). Other decisions under the same credential or policy do not belong to a decision; \
whoever wants them starts from the credential or the policy. At most 12,000 entries are taken, and the file says where there were more.

A decision-batch says nothing of its decisions but how many there are and their root. With --openings the batches of that store are looked \
into, and a member that belongs to the matter is followed like an entry, and stands in the file with what proves it; the others stay where they are. \
Without, only the batches are there: the file says of which how many members are not opened.

Without --complete the log's index is asked, and the file says so; with it every entry is read and hashed up to the checkpoint. The same query at \
the same checkpoint (--at), with the same collector, purpose and openings, gives the same bytes, from the same kind of source (a server adds \
receipts and earlier checkpoints, a folder has none) and under the same policy.txt of the trust directory.

--from and --to go by the times that entries state of themselves: whoever has a stolen key states any. For that, ask without them.

With --key the file's manifest digest is logged as a `custody` record, and the record lies beside the file, with .cose in place of its ending.

A file that is there is not replaced, nor is a record beside it: either may be what somebody relies on. --force replaces both; without --key \
the record is removed, for it is not about the new file.

An entry that does not verify is left out and named, what hangs together without it is written all the same, and the exit code is that entry's. \
A receipt that lies is left out as well: its entry stays, the lie is told as WRONG, and the exit code is 1, though the file is written and verifies. \
A receipt that cannot be judged by the file is dropped, and why is said: its entry's time is bounded by later checkpoints alone. Of several receipts, \
and of several checkpoints of one size, the file has the one that bounds the time best.

Exit codes: 0 written, and verified · 5 nothing answers the query, nothing written · 1, 3, 4 as `govlog verify`.

For example, from an alert with a trace id:
  govlog custody export --log https://log.example --trust trust --trace 4bf92f3577b34da6a3ce929d0e0e4736 \\
    --collector responder-7 --purpose 'case 2031' --out case.zip
Everything that a stolen key signed, whatever time it states, and what came of it:
  govlog custody export --log https://log.example --trust trust --key-handle stolen.pem --complete --out stolen.zip")]
pub(crate) struct Export {
    /// The log's address, or with --complete a folder with its public files
    #[arg(long, value_name = "URL|DIR")]
    log: String,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file, and the record beside it, if they are there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    asked: Asked,
    /// The size of the checkpoint that everything is proved at [default: the newest]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    at: Option<u64>,
    /// Read every entry instead of asking the index
    #[arg(long, help_heading = "How")]
    complete: bool,
    /// A checkpoint that whoever gets the file has seen, such as their pinned.checkpoint: the file proves that the log went on from it
    #[arg(long, value_name = "NOTE", help_heading = "How")]
    pin: Option<PathBuf>,
    /// Disclose this sealed field wherever an opening of it is found, such as input or /subject/properties; repeatable
    #[arg(long, value_name = "FIELD", requires = "openings", help_heading = "How")]
    open: Vec<String>,
    /// The opening store's folder: decisions in its batches that belong to the matter are found, and disclosed; their sealed values only by --open
    #[arg(long, value_name = "DIR", help_heading = "How")]
    openings: Option<PathBuf>,
    /// The identity that opens it
    #[arg(long, value_name = "FILE", requires = "openings", help_heading = "How")]
    identity: Option<PathBuf>,
    /// Who collects: a pseudonym; claimed in the file
    #[arg(long, value_name = "WHO", help_heading = "Custody")]
    collector: Option<String>,
    /// What for; claimed in the file
    #[arg(long, value_name = "TEXT", help_heading = "Custody")]
    purpose: Option<String>,
    /// Log the export, signed with this key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE", requires = "iss", help_heading = "Custody")]
    key: Option<PathBuf>,
    /// Who signs: an issuer's URI that is admitted for the kind custody
    #[arg(long, value_name = "URI", requires = "key", help_heading = "Custody")]
    iss: Option<String>,
    /// The subject to sign for [default: who signs]
    #[arg(long, value_name = "SUB", requires = "key", help_heading = "Custody")]
    sub: Option<String>,
}

impl Export {
    /// What is to be collected.
    fn plan<'a>(&self, resolver: &Resolver<'_>, store: Option<&'a Folder>) -> anyhow::Result<Plan<'a>> {
        Ok(Plan {
            at: self.at.map(TreeSize::new),
            complete: self.complete,
            pin: self.pin.as_deref().map(files::read).transpose()?,
            open: self.open.clone(),
            store: store.map(|store| -> &dyn OpeningStore { store }),
            collector: self.collector.clone(),
            purpose: self.purpose.clone(),
            ..Plan::of(self.asked.query(resolver)?, MAX_ENTRIES)
        })
    }

    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let beside = self.beside()?;
        // A key that cannot be read is told before anything is collected.
        self.key.as_deref().map(files::signing_key).transpose()?;
        let dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let resolver = Resolver { trust: dir.trust(), http: source.http(), unverified: true, pdp: None };
        let store = match &self.openings {
            Some(path) => Some(Folder::existing(path, open::identities(self.identity.as_deref())?)?),
            None => None,
        };
        let plan = self.plan(&resolver, store.as_ref())?;
        self.asked.notice(&resolver).iter().for_each(|notice| out.notice(&visible(notice)));
        let bar = progress::bar(out, "entries", 0);
        let made = export(&source, dir.trust(), &plan, &mut |what, done, all| {
            bar.set_message(what);
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let made = match made {
            Ok(Some(made)) => made,
            Ok(None) => return Ok(nothing(&[], out)),
            Err(ExportError::Wrong { wrong, cause: None }) => return Ok(nothing(&wrong, out)),
            Err(error) => return Err(error.into()),
        };
        made.notices.iter().for_each(|notice| out.notice(&visible(notice)));
        tell(&made.wrong, out);
        made.left_out().for_each(|line| out.notice(&visible(&line)));
        let custody = match &made.verdict.result {
            Ok(custody) => custody,
            Err(failure) if failure.outcome == Outcome::Refuted => return Err(Refuted(failure.why.clone()).into()),
            Err(failure) => {
                out.notice(&visible(&failure.why));
                return Ok(made.outcome().into());
            }
        };
        for (id, kind) in self.asked.named() {
            let found = custody.entries.iter().find(|held| held.id() == id).map(Held::kind);
            let found = found.filter(|found| *found != kind);
            if let Some(found) = found {
                return Err(Usage(format!(
                    "--{kind} {id}: that entry is of the kind {found}; by its id alone any is taken"
                ))
                .into());
            }
        }
        self.write(&made.bytes, &beside, out)?;
        let text = summary(&self.out, &made, custody);
        let document = document(&self.out, &made, custody);
        let Some((key, iss)) = self.key.as_ref().zip(self.iss.as_ref()) else {
            out.result(&text, Value::Object(document));
            return Ok(made.outcome().into());
        };
        out.notice(&text);
        let recording = Recording { log: self.log.clone(), key: key.clone(), iss: iss.clone(), sub: self.sub.clone() };
        let step = Step {
            op: "export",
            collector: self.collector.clone(),
            purpose: self.purpose.clone(),
            query: serde_json::to_value(&plan.query).ok(),
            ..Step::default()
        };
        let recorded = recording.log(&step, custody, dir.trust(), (&beside, self.force), document, out).with_context(|| {
            format!(
                "{}: written, but its export may not be logged; look with govlog query --kind custody --issuer {iss}, and if it is not, the \
                 same command with --force collects and logs it",
                self.out.display()
            )
        })?;
        Ok(Exit::worst([made.outcome().into(), recorded]))
    }

    /// Where the record lies; nothing is to be replaced unless that was asked for.
    fn beside(&self) -> Result<PathBuf, Usage> {
        let beside = beside(&self.out);
        if beside == self.out {
            let name = self.out.display();
            return Err(Usage(format!("{name}: .cose is the record's ending; call the file otherwise")));
        }
        files::free(&self.out, self.force)?;
        files::free(&beside, self.force)?;
        Ok(beside)
    }

    /// Writes the file, and leaves no record of another one beside it, which would refute this one.
    fn write(&self, bytes: &[u8], beside: &Path, out: &Output) -> anyhow::Result<()> {
        files::put(&self.out, bytes, self.force)?;
        if self.force && beside.symlink_metadata().is_ok() {
            std::fs::remove_file(beside).with_context(|| beside.display().to_string())?;
            out.notice(&visible(&format!("{}: removed, it was about the file that is replaced", beside.display())));
        }
        Ok(())
    }
}

/// What the log serves wrongly, whatever comes of the rest.
fn tell(wrong: &[String], out: &Output) {
    wrong.iter().for_each(|why| out.notice(&visible(&format!("WRONG  {why}"))));
}

fn nothing(wrong: &[String], out: &Output) -> Exit {
    tell(wrong, out);
    out.result(
        "nothing answers the query, and nothing was written",
        json!({ "file": null, "entries_in_file": 0, "wrong": wrong }),
    );
    if wrong.is_empty() { Exit::NothingFound } else { Exit::Refuted }
}

fn summary(path: &Path, made: &Exported, custody: &Custody) -> String {
    let (entries, members) = custody.counts();
    let members = if members == 0 { String::new() } else { format!(" and {members} decisions in batches") };
    let mut lines = vec![format!(
        "{}  {entries} entries{members}, of which {} answer the query, at the checkpoint of size {}",
        visible(&path.display().to_string()),
        custody.manifest.starts.len(),
        custody.checkpoint.size
    )];
    lines.push(format!("  completeness: {}", custody.manifest.completeness));
    if let Some(most) = custody.manifest.not_found.cut_at {
        lines.push(format!("  CUT at {most} entries: there are more"));
    }
    lines.extend(custody.manifest.not_found.members.iter().take(SAID).map(|batch| format!("  {}", batch.said())));
    lines.push(format!("  not found: {} links lead to no entry{}", custody.dead_links.len(), custody.unlooked()));
    let disclosed = custody.disclosed();
    if !disclosed.is_empty() {
        lines.push(format!("  DISCLOSED in clear: {}", visible(&disclosed.join(", "))));
    }
    lines.push(format!("  manifest sha256 {}", made.manifest_digest));
    lines.push("  what it does not prove is said by: govlog custody verify".to_owned());
    lines.join("\n")
}

fn document(path: &Path, made: &Exported, custody: &Custody) -> Map<String, Value> {
    let document = json!({
        "file": path.display().to_string(),
        "size": custody.checkpoint.size.get(),
        "entries_in_file": custody.counts().0,
        "members_in_file": custody.counts().1,
        "starts": custody.manifest.starts,
        "completeness": custody.manifest.completeness,
        "not_found": custody.manifest.not_found,
        "refused": made.refused.iter().map(|(id, failure)| json!({ "id": id.to_string(), "because": failure.why })).collect::<Vec<_>>(),
        "wrong": made.wrong,
        "manifest_sha256": made.manifest_digest.to_string(),
        "file_sha256": custody.file_digest.to_string(),
    });
    if let Value::Object(document) = document { document } else { Map::new() }
}

/// Of so many batches is said what is not opened.
const SAID: usize = 8;

/// How long a record that was published is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

//! `govlog redact`: destroy openings, and log that and why.

mod meanwhile;
mod work;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::RedactionRule;
use govlog_formats::record::view;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};
use govlog_formats::visible::visible;
use serde_json::json;

use self::meanwhile::Seen;
use self::work::{End, PATIENCE, Turn, Work};
use super::exit::{Refuted, Usage};
use super::output::Output;
use super::{Exit, files, open};
use crate::openings::{Folder, Ground, Journaled, Lock, MAX_TARGETS, Planned, fields, open as open_record, payload};
use crate::source::Http;
use crate::submit::{Answer, SendError, Wait, send};
use crate::time;
use crate::trust::{Trust, TrustDir};
use crate::verify::Outcome;

/// `govlog redact`
#[derive(Debug, Args)]
#[command(after_help = "\
First a signed `redaction` is logged and proved published; then the openings that it names are destroyed. The entries stay, and every \
proof with them. A log that is slow to publish is waited for, 90 s at most. A run that was cut off, or waited in vain, is simply run again: it \
sends the same statement, and destroys what is left. What is held (govlog openings hold) is refused; a redaction begun before the hold waits for \
its end, and one that the log refuses when it is sent again is kept and told of: exit 6, and the others are done.

Removing a file is no promise of a disk: file systems and flash keep old blocks. Openings are encrypted, so destroying every copy of the \
identity is the stronger erasure, of all of them; back-ups of the store are yours to destroy.

For example:
  govlog redact --openings openings --identity openings.key --log URL --trust trust \\
    --key dpo.key --iss https://prod.example/dpo --rule erasure-request \\
    --basis 'GDPR Art. 17' --reference 2031-17 --field input 1.42.cose
  govlog redact … --expired --basis 'retention schedule 4.2' --yes")]
pub(crate) struct Redact {
    /// The opening store's folder
    #[arg(long, value_name = "DIR")]
    openings: PathBuf,
    /// The identity that opens it; needed with --field, whose other openings are kept
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory to judge entries and the log's proofs by
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The private key to sign with (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who signs: the issuer's URI, admitted for the kind redaction
    #[arg(long, value_name = "URI")]
    iss: String,
    /// The subject to sign for [default: who signs]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// What asked for it
    #[arg(long, value_enum, required_unless_present = "expired")]
    rule: Option<Rule>,
    /// The law or contract it rests on; in clear in the log for ever
    #[arg(long, value_name = "TEXT")]
    basis: String,
    /// Why, in words; in clear in the log for ever
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The request or order, as its file names it; in clear in the log for ever
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// The store's name, to be recorded
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// Destroy the openings of these fields alone, such as input or /subject/properties; repeatable
    #[arg(long, value_name = "PATH", conflicts_with = "expired")]
    field: Vec<String>,
    /// Destroy everything that was stored longer ago than the store's retention
    #[arg(long, conflicts_with = "entries", required_unless_present = "entries")]
    expired: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Transparent statements of the entries
    #[arg(value_name = "ENTRY.cose")]
    entries: Vec<PathBuf>,
}

/// `--rule`
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rule {
    /// The time to keep it is over
    Retention,
    /// Somebody whose data it is asked for it
    ErasureRequest,
    /// A court or an authority
    Order,
}

impl Redact {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let answer = || ask(self.yes, out);
        self.run_asking(out, &answer)
    }

    /// As [`run`](Self::run), with `ask` for whoever says whether to go on.
    fn run_asking(&self, out: &Output, ask: &dyn Fn() -> anyhow::Result<bool>) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let http = source.http().ok_or_else(|| Usage(format!("{}: `redact` needs a log's address", self.log)))?;
        let store = Folder::existing(&self.openings, open::identities(self.identity.as_deref())?)?;
        let tell = |statement: &SignedStatement| tell(http, statement);
        let work = Work::new(&store, &tell, dir.trust(), out);
        let (mut ends, mut seen) = (Ends::default(), Seen::default());
        {
            let lock = store.lock()?;
            finish_begun(&work, &lock, seen.anew(&store)?, &mut ends)?;
        }
        let planned = if self.expired { self.expired(&work)? } else { self.named(&work)? };
        let ground = self.ground();
        // Nobody is kept from the store by somebody who reads: it is locked again only once that is over.
        if !planned.is_empty() && !self.agreed(&planned, &ground, &work, ask)? {
            return Err(Usage("nothing was signed and nothing destroyed".to_owned()).into());
        }
        let lock = store.lock()?;
        // Another run may have begun meanwhile, and ended or been cut off: nothing is signed for twice.
        let others = seen.anew(&store)?;
        finish_begun(&work, &lock, others.clone(), &mut ends)?;
        let planned = meanwhile::left(planned, &others, |leaf| store.has(leaf), out);
        work.still_free(&lock, &planned)?;
        for some in planned.chunks(MAX_TARGETS) {
            if ends.is_unpublished {
                out.notice("what is left was neither signed nor destroyed: the log publishes nothing now");
                break;
            }
            let statement = self.sign(some, &ground, &key, dir.trust())?;
            let begun = Journaled { statement, id: None, is_done: false };
            // A crash after this leaves a signed statement that was perhaps sent: the next run sends the same bytes again.
            store.note_redaction(&lock, &begun)?;
            ends.add(work.finish(&lock, begun, Turn::First, ends.patience())?);
        }
        Ok(ends.report(out))
    }

    /// Everything that may be destroyed by its age; what is held is passed over, and said.
    fn expired(&self, work: &Work<'_>) -> anyhow::Result<Vec<Planned>> {
        let days = work.store.settings().retention_days.ok_or_else(|| {
            Usage("the store has no retention: set retention_days in [openings] of the agent that writes it".to_owned())
        })?;
        let (holds, now) = (work.store.holds()?, SystemTime::now());
        let most = Duration::from_secs(u64::from(days) * 86_400);
        let is_over = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age > most);
        let over = work.store.stored()?.into_iter().filter(|(_, at)| is_over(at)).map(|(leaf, _)| leaf);
        let (held, free): (Vec<Digest>, Vec<Digest>) = over.partition(|leaf| holds.on(leaf).is_some());
        if !held.is_empty() {
            work.out.notice(&format!("{} are over their {days} days and held; they stay", held.len()));
        }
        Ok(free.into_iter().map(|leaf| Planned { leaf, fields: None }).collect())
    }

    /// The entries that were named: verified, there, and not held.
    fn named(&self, work: &Work<'_>) -> anyhow::Result<Vec<Planned>> {
        let holds = work.store.holds()?;
        let mut planned = Vec::new();
        for path in &self.entries {
            let entry = open::read(Some(work.trust), path)?;
            if let Some(Err(failure)) = entry.verified {
                let why = format!("{}: {}; nothing was destroyed", entry.name, failure.why);
                return Err(if failure.outcome == Outcome::Refuted { Refuted(why).into() } else { Usage(why).into() });
            }
            let leaf = entry.statement.leaf_hash();
            if let Some(hold) = holds.on(&leaf) {
                let (name, why) = (visible(&hold.name), visible(&hold.reason));
                return Err(Usage(format!("{}: held: {name}, {why}; nothing was destroyed", entry.name)).into());
            }
            match self.plan(work, &entry)? {
                Some(plan) => planned.push(plan),
                None => work.out.notice(&format!("{}: nothing of it is in this store (any more)", entry.name)),
            }
        }
        Ok(planned)
    }

    /// What of an entry; `None`: nothing is stored for it. Everything can be destroyed by whoever cannot read it.
    fn plan(&self, work: &Work<'_>, entry: &open::Entry) -> anyhow::Result<Option<Planned>> {
        let leaf = entry.statement.leaf_hash();
        if self.field.is_empty() {
            return Ok(work.store.has(&leaf).then_some(Planned { leaf, fields: None }));
        }
        let Some(openings) = open::stored(work.store, &leaf)? else { return Ok(None) };
        let opened = open_record(entry.statement.payload(), &openings.fields)
            .map_err(|error| Usage(format!("{}: no record: {error}", entry.name)))?;
        match fields(&opened, &self.field) {
            Ok(fields) => Ok(Some(Planned { leaf, fields: Some(fields) })),
            Err(name) => Err(Usage(format!("{}: nothing in the store opens {name}", entry.name)).into()),
        }
    }

    fn ground(&self) -> Ground {
        Ground {
            rule: match self.rule {
                None | Some(Rule::Retention) => RedactionRule::Retention,
                Some(Rule::ErasureRequest) => RedactionRule::ErasureRequest,
                Some(Rule::Order) => RedactionRule::Order,
            },
            legal_basis: self.basis.clone(),
            reason: self.reason.clone(),
            reference: self.reference.clone(),
            store: self.store.clone(),
            event_ms: time::now_s().saturating_mul(1000),
        }
    }

    /// Shows what will be signed and destroyed, and asks.
    fn agreed(
        &self,
        planned: &[Planned],
        ground: &Ground,
        work: &Work<'_>,
        ask: &dyn Fn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let some = planned.get(..planned.len().min(SHOWN)).unwrap_or_default();
        let record = view::to_json("redaction", &payload(some, ground)?)?;
        let more = planned.len() - some.len();
        let and_more = if more > 0 { format!("\n… and {more} entries more") } else { String::new() };
        work.out.notice(&format!("{} signs, and the log keeps for ever:\n{record:#}{and_more}", self.iss));
        work.out.notice(&format!(
            "Then what opens them is destroyed in {}: of {} entries.",
            self.openings.display(),
            planned.len()
        ));
        if planned.iter().any(|planned| planned.fields.is_some()) {
            work.out.notice(&format!("The rest is written anew: {:?}", work.store.settings().protection));
        }
        ask()
    }

    fn sign(
        &self,
        planned: &[Planned],
        ground: &Ground,
        key: &SigningKey,
        trust: &Trust,
    ) -> anyhow::Result<SignedStatement> {
        let header = StatementHeader {
            content: Content::Plain(content_type_of("redaction")),
            claims: Claims {
                iss: self.iss.clone(),
                sub: self.sub.clone().unwrap_or_else(|| self.iss.clone()),
                aud: Some(trust.origin().to_owned()),
                iat: i64::try_from(time::now_s()).unwrap_or(i64::MAX),
                stream: None,
                head: None,
            },
        };
        Ok(SignedStatement::sign(&header, &payload(planned, ground)?, key)?)
    }
}

/// Takes what earlier runs have begun, and not ended, to its end.
fn finish_begun(work: &Work<'_>, lock: &Lock, begun: Vec<Journaled>, ends: &mut Ends) -> anyhow::Result<()> {
    for begun in begun.into_iter().filter(|redaction| !redaction.is_done) {
        work.out.notice("a redaction that was cut off is finished first");
        ends.add(work.finish(lock, begun, Turn::Again, ends.patience())?);
    }
    Ok(())
}

/// How the redactions of a run ended.
#[derive(Default)]
struct Ends {
    done: Vec<(Journaled, usize)>,
    is_pending: bool,
    is_unpublished: bool,
}

impl Ends {
    fn add(&mut self, end: End) {
        self.is_unpublished |= matches!(end, End::Unpublished);
        match end {
            End::Done(redaction, destroyed) => self.done.push((*redaction, destroyed)),
            End::Held | End::Unpublished | End::Refused => self.is_pending = true,
        }
    }

    /// A log that one redaction was waited for in vain is not waited for with each of the others.
    fn patience(&self) -> Duration {
        if self.is_unpublished { Duration::ZERO } else { PATIENCE }
    }

    fn report(&self, out: &Output) -> Exit {
        let line = |(redaction, destroyed): &(Journaled, usize)| {
            let id = redaction.id.as_deref().unwrap_or("-");
            format!(
                "{id}  redaction  {} entries named, of {destroyed} openings were destroyed",
                redaction.targets().len()
            )
        };
        let document = |(redaction, destroyed): &(Journaled, usize)| {
            json!({
                "id": redaction.id,
                "leaf": redaction.statement.leaf_hash().to_string(),
                "entries": redaction.targets().iter().map(|(leaf, _)| leaf.to_string()).collect::<Vec<_>>(),
                "destroyed": destroyed,
            })
        };
        let lines: Vec<String> = self.done.iter().map(line).collect();
        let text = if lines.is_empty() { "nothing to redact".to_owned() } else { lines.join("\n") };
        out.result(&text, json!({ "redactions": self.done.iter().map(document).collect::<Vec<_>>() }));
        let ended = if self.done.is_empty() { Exit::NothingFound } else { Exit::Ok };
        Exit::worst(self.is_pending.then_some(Exit::Pending).into_iter().chain([ended]))
    }
}

/// Sends a redaction, and waits for it to be published as long as the log does.
fn tell(http: &Http, statement: &SignedStatement) -> Result<Answer, SendError> {
    let answers = send(http, &[statement.entry().to_vec()], Wait::Published)?;
    answers.into_iter().next().ok_or(SendError::Count { sent: 1, found: 0 })
}

/// Asks whether to go on; `yes`: that was answered on the command line.
fn ask(yes: bool, out: &Output) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Usage("nobody can be asked here; with --yes it is done without".to_owned()).into());
    }
    out.notice("Go on? [y/N]");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How many entries of a redaction are shown before it is signed.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests;

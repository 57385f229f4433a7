//! `govlog redact`: destroy openings, and log that and why.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::RedactionRule;
use govlog_formats::record::view;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};
use serde_json::json;

use super::exit::{Refuted, Usage};
use super::output::Output;
use super::{Exit, files, open};
use crate::openings::{
    Folder, Ground, Journaled, Lock, MAX_TARGETS, Planned, RedactError, StoreError, carry_out, fields,
    open as open_record, payload,
};
use crate::source::Http;
use crate::submit::{Judge, Wait, send};
use crate::time;
use crate::trust::{Trust, TrustDir};
use crate::verify::Outcome;

/// `govlog redact`
#[derive(Debug, Args)]
#[command(after_help = "\
First a signed `redaction` is logged and proved published; then the openings that it names are destroyed. The entries stay, and every \
proof with them. A run that was cut off is simply run again: it sends the same statement, and destroys what is left. What is held \
(govlog openings hold) is refused; a redaction begun before the hold waits for its end, exit 6, and the others are done.

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

/// How far a redaction came.
enum End {
    /// To its end, and of how many entries openings were destroyed.
    Done(Box<Journaled>, usize),
    /// What it names is held meanwhile, so that it waits for the end of the hold.
    Held,
    /// The log has not published it yet.
    Unpublished,
}

/// A store that is locked, and the log that is told.
struct Work<'a> {
    store: &'a Folder,
    lock: &'a Lock,
    http: &'a Http,
    trust: &'a Trust,
    out: &'a Output,
}

impl Redact {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let http = source.http().ok_or_else(|| Usage(format!("{}: `redact` needs a log's address", self.log)))?;
        let store = Folder::existing(&self.openings, open::identities(self.identity.as_deref())?)?;
        let lock = store.lock()?;
        let work = Work { store: &store, lock: &lock, http, trust: dir.trust(), out };
        let (mut done, mut held) = (Vec::new(), None);
        for begun in store.redactions()?.into_iter().filter(|redaction| !redaction.is_done) {
            out.notice("a redaction that was cut off is finished first");
            match work.finish(begun)? {
                End::Done(redaction, destroyed) => done.push((*redaction, destroyed)),
                End::Held => held = Some(Exit::Pending),
                End::Unpublished => return Ok(Exit::Pending),
            }
        }
        let planned = if self.expired { self.expired(&work)? } else { self.named(&work)? };
        let ground = self.ground();
        if !planned.is_empty() && !self.agreed(&planned, &ground, &work)? {
            return Err(Usage("nothing was signed and nothing destroyed".to_owned()).into());
        }
        for some in planned.chunks(MAX_TARGETS) {
            let statement = self.sign(some, &ground, &key, dir.trust())?;
            let begun = Journaled { statement, id: None, is_done: false };
            // A crash after this leaves a signed statement that was perhaps sent: the next run sends the same bytes again.
            store.note_redaction(&lock, &begun)?;
            match work.finish(begun)? {
                End::Done(redaction, destroyed) => done.push((*redaction, destroyed)),
                End::Held => held = Some(Exit::Pending),
                End::Unpublished => return Ok(Exit::Pending),
            }
        }
        Ok(Exit::worst(held.into_iter().chain([report(&done, out)])))
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
                let (name, why) = (hold.name.escape_debug(), hold.reason.escape_debug());
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
    fn agreed(&self, planned: &[Planned], ground: &Ground, work: &Work<'_>) -> anyhow::Result<bool> {
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
        if self.yes {
            return Ok(true);
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(Usage("nobody can be asked here; with --yes it is done without".to_owned()).into());
        }
        work.out.notice("Go on? [y/N]");
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
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

impl Work<'_> {
    /// Takes a redaction from where it is to its end, if nothing is in the way.
    fn finish(&self, mut redaction: Journaled) -> anyhow::Result<End> {
        if redaction.id.is_none() {
            let holds = self.store.holds()?;
            if let Some(hold) = redaction.targets().iter().find_map(|(leaf, _)| holds.on(leaf)) {
                let name = hold.name.escape_debug();
                self.out
                    .notice(&format!("what it names is held meanwhile: {name}; it waits, and nothing was destroyed"));
                return Ok(End::Held);
            }
            match self.publish(&redaction)? {
                Some(id) => redaction.id = Some(id),
                None => return Ok(End::Unpublished),
            }
        }
        match carry_out(self.store, self.lock, &mut redaction) {
            Ok(destroyed) => Ok(End::Done(Box::new(redaction), destroyed)),
            Err(RedactError::Store(StoreError::Held { hold, .. })) => {
                let (id, name) = (redaction.id.as_deref().unwrap_or("-"), hold.escape_debug());
                self.out.notice(&format!(
                    "what {id} names is held meanwhile: {name}; it waits, though the log says already that it is destroyed"
                ));
                Ok(End::Held)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the statement, the same bytes each time, and checks the proof that it is published.
    fn publish(&self, redaction: &Journaled) -> anyhow::Result<Option<String>> {
        same_log(redaction, self.trust.origin())?;
        let statement = &redaction.statement;
        let answers = send(self.http, &[statement.entry().to_vec()], Wait::Published)?;
        let answer = answers.first().ok_or_else(|| Refuted("the log answered nothing".to_owned()))?;
        match (answer.status, Judge::new(Some(self.trust)).judge(statement, answer, Wait::Published)) {
            (201, Some(Ok(()))) => Ok(answer.id.map(|id| id.to_string())),
            (201, Some(Err(unproved))) => Err(Refuted(unproved.to_string()).into()),
            (201, None) => Err(Refuted("accepted without a proof".to_owned()).into()),
            (303 | 429 | 500..=599, _) => {
                self.out.notice("the redaction is not published yet; nothing was destroyed. Run it again");
                Ok(None)
            }
            (status, _) => {
                self.store.forget_redaction(self.lock, redaction)?;
                let detail = answer.detail.as_deref().or(answer.title.as_deref()).unwrap_or_default();
                Err(Usage(format!("the log refused the redaction ({status}): {detail}; nothing was destroyed")).into())
            }
        }
    }
}

/// Refuses to send it to another log, whose refusal would say nothing of what its own log has.
fn same_log(redaction: &Journaled, origin: &str) -> Result<(), Usage> {
    match redaction.origin() {
        Some(begun) if begun != origin => Err(Usage(format!(
            "this redaction was begun for log {begun}, and the trust directory is for {origin}; finish it with that log's --log and --trust"
        ))),
        _ => Ok(()),
    }
}

fn report(done: &[(Journaled, usize)], out: &Output) -> Exit {
    let line = |(redaction, destroyed): &(Journaled, usize)| {
        let id = redaction.id.as_deref().unwrap_or("-");
        format!("{id}  redaction  {} entries named, of {destroyed} openings were destroyed", redaction.targets().len())
    };
    let document = |(redaction, destroyed): &(Journaled, usize)| {
        json!({
            "id": redaction.id,
            "leaf": redaction.statement.leaf_hash().to_string(),
            "entries": redaction.targets().iter().map(|(leaf, _)| leaf.to_string()).collect::<Vec<_>>(),
            "destroyed": destroyed,
        })
    };
    let lines: Vec<String> = done.iter().map(line).collect();
    let text = if lines.is_empty() { "nothing to redact".to_owned() } else { lines.join("\n") };
    out.result(&text, json!({ "redactions": done.iter().map(document).collect::<Vec<_>>() }));
    if done.is_empty() { Exit::NothingFound } else { Exit::Ok }
}

/// How many entries of a redaction are shown before it is signed.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openings::tests::redaction;

    #[test]
    fn a_redaction_is_sent_only_to_the_log_that_it_was_begun_for() {
        let begun = redaction(&[Planned { leaf: Digest::sha256(b"1"), fields: None }]);
        assert!(same_log(&begun, "log.example/a").is_ok());
        let error = same_log(&begun, "log.example/b").unwrap_err().to_string();
        assert!(error.contains("begun for log log.example/a,") && error.contains("log.example/b"), "{error}");
    }
}

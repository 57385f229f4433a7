//! Taking redactions to their end: logged, proved published, carried out.

use std::time::{Duration, Instant};

use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;

use crate::cli::exit::{Refuted, Usage};
use crate::cli::output::Output;
use crate::openings::{Folder, Journaled, Lock, Planned, RedactError, StoreError, carry_out};
use crate::source::SourceError;
use crate::submit::{Answer, Judge, SendError, Wait};
use crate::trust::Trust;

/// How long a log that does not publish is waited for. Each time it is asked, it waits for up to 30 s itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_secs(1);

/// How far a redaction came.
pub(super) enum End {
    /// To its end, and of how many entries openings were destroyed.
    Done(Box<Journaled>, usize),
    /// What it names is held meanwhile, so that it waits for the end of the hold.
    Held,
    /// The log has not published it yet.
    Unpublished,
    /// The log refuses what was begun earlier; it is kept.
    Refused,
}

/// Whether a redaction may have been sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was signed just now.
    First,
    /// An earlier run began it, and did not see the end.
    Again,
}

/// What the log says of a redaction.
enum Told {
    Published(String),
    NotYet,
    Refused(String),
}

/// A store, and the log that is told.
pub(super) struct Work<'a> {
    pub(super) store: &'a Folder,
    /// Sends a statement and waits until it is published.
    pub(super) log: &'a dyn Fn(&SignedStatement) -> Result<Answer, SendError>,
    pub(super) trust: &'a Trust,
    pub(super) out: &'a Output,
    pub(super) pause: Duration,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        store: &'a Folder,
        log: &'a dyn Fn(&SignedStatement) -> Result<Answer, SendError>,
        trust: &'a Trust,
        out: &'a Output,
    ) -> Self {
        Self { store, log, trust, out, pause: PAUSE }
    }

    /// Refuses what was free when it was planned and is held now, for nobody is kept from placing a hold while somebody is asked.
    pub(super) fn still_free(&self, _: &Lock, planned: &[Planned]) -> anyhow::Result<()> {
        let holds = self.store.holds()?;
        match planned.iter().find_map(|planned| holds.on(&planned.leaf)) {
            None => Ok(()),
            Some(hold) => {
                let (name, why) = (visible(&hold.name), visible(&hold.reason));
                Err(Usage(format!("held meanwhile: {name}, {why}; nothing was signed and nothing destroyed")).into())
            }
        }
    }

    /// Takes a redaction from where it is to its end, if nothing is in the way.
    pub(super) fn finish(
        &self,
        lock: &Lock,
        mut redaction: Journaled,
        turn: Turn,
        patience: Duration,
    ) -> anyhow::Result<End> {
        if redaction.id.is_none() {
            let holds = self.store.holds()?;
            if let Some(hold) = redaction.targets().iter().find_map(|(leaf, _)| holds.on(leaf)) {
                let name = visible(&hold.name);
                self.out
                    .notice(&format!("what it names is held meanwhile: {name}; it waits, and nothing was destroyed"));
                return Ok(End::Held);
            }
            match self.publish(&redaction.statement, turn, patience)? {
                (Told::Published(id), _) => redaction.id = Some(id),
                (Told::NotYet, _) => {
                    self.out.notice("the redaction is not published yet; nothing was destroyed. Run it again");
                    return Ok(End::Unpublished);
                }
                (Told::Refused(why), turn) => return self.refused(lock, &redaction, turn, &why),
            }
        }
        match carry_out(self.store, lock, &mut redaction) {
            Ok(destroyed) => Ok(End::Done(Box::new(redaction), destroyed)),
            Err(RedactError::Store(StoreError::Held { hold, .. })) => {
                let (id, name) = (redaction.id.as_deref().unwrap_or("-"), visible(&hold));
                self.out.notice(&format!(
                    "what {id} names is held meanwhile: {name}; it waits, though the log says already that it is destroyed"
                ));
                Ok(End::Held)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What was signed just now and refused was never logged, and is forgotten. What was sent before may be logged whatever is said now, and a
    /// policy can be mended: it stays.
    fn refused(&self, lock: &Lock, redaction: &Journaled, turn: Turn, why: &str) -> anyhow::Result<End> {
        if turn == Turn::First {
            self.store.forget_redaction(lock, redaction)?;
            return Err(Usage(format!("the log refused the redaction {why}; nothing was destroyed")).into());
        }
        let leaf: Digest = redaction.statement.leaf_hash();
        self.out.notice(&format!(
            "the log refuses a redaction that an earlier run began, {why}; it is kept, nothing was destroyed, and each run sends it again. If the log \
             can never take it and has no entry with leaf hash {leaf}, remove {} and redact anew",
            self.store.redaction_file(redaction).display()
        ));
        Ok(End::Refused)
    }

    /// Sends the statement, the same bytes each time, until it is published or patience ends; says whether the answer is one to the first of all.
    fn publish(&self, statement: &SignedStatement, mut turn: Turn, patience: Duration) -> anyhow::Result<(Told, Turn)> {
        same_log(statement, self.trust.origin())?;
        let begun = Instant::now();
        loop {
            let told = self.ask(statement)?;
            if !matches!(told, Told::NotYet) || begun.elapsed() >= patience {
                return Ok((told, turn));
            }
            turn = Turn::Again;
            std::thread::sleep(self.pause);
        }
    }

    /// Sends the statement once, and checks the proof that it is published.
    fn ask(&self, statement: &SignedStatement) -> anyhow::Result<Told> {
        let answer = match (self.log)(statement) {
            Ok(answer) => answer,
            Err(SendError::Source(SourceError::Status { status, .. })) if is_passing(status) => {
                return Ok(Told::NotYet);
            }
            Err(error) => return Err(error.into()),
        };
        match (answer.status, Judge::new(Some(self.trust)).judge(statement, &answer, Wait::Published)) {
            (201, Some(Ok(()))) => match answer.id {
                Some(id) => Ok(Told::Published(id.to_string())),
                None => Err(Refuted("accepted without an entry id".to_owned()).into()),
            },
            (201, Some(Err(unproved))) => Err(Refuted(unproved.to_string()).into()),
            (201, None) => Err(Refuted("accepted without a proof".to_owned()).into()),
            (303, _) => Ok(Told::NotYet),
            (status, _) if is_passing(status) => Ok(Told::NotYet),
            (status, _) => {
                let detail = answer.detail.as_deref().or(answer.title.as_deref()).unwrap_or_default();
                Ok(Told::Refused(format!("({status}): {}", visible(detail))))
            }
        }
    }
}

/// Whether a log that answers this is to be asked again.
fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

/// Refuses to send it to another log, whose refusal would say nothing of what its own log has.
pub(super) fn same_log(redaction: &SignedStatement, origin: &str) -> Result<(), Usage> {
    match redaction.claims().aud.as_deref() {
        Some(begun) if begun != origin => Err(Usage(format!(
            "this redaction was begun for log {begun}, and the trust directory is for {origin}; finish it with that log's --log and --trust"
        ))),
        _ => Ok(()),
    }
}

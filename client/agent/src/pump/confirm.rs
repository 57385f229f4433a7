//! Confirming: what the log committed is asked for again until it is proved published; only then is it let go of.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use govlog_client::openings::OpeningStore;
use govlog_client::submit::{Answer, Judge, Wait};
use govlog_client::trust::Trust;
use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;

use super::{Backoff, Item, Items, Log, PumpError, Round, Shared};
use crate::failpoints;
use crate::outbox::StreamNumber;
use crate::world::{World, millis};

/// A statement that is published, and its leaf hash.
type Proved<'i> = (&'i Item, Digest);

/// Lets go of what is published.
pub struct Confirmer<'a> {
    shared: &'a Shared,
    log: &'a dyn Log,
    openings: &'a dyn OpeningStore,
    world: &'a dyn World,
    remember: Duration,
    judge: Judge<'a>,
    backoff: Backoff,
    /// Which stream goes first, so that one whose proofs do not come does not keep the others waiting.
    turn: usize,
}

impl<'a> Confirmer<'a> {
    /// Makes a confirmer. `remember`: how long after its publication an event is known again.
    #[must_use]
    pub fn new(
        shared: &'a Shared,
        log: &'a dyn Log,
        openings: &'a dyn OpeningStore,
        world: &'a dyn World,
        trust: &'a Trust,
        (remember, retry_most): (Duration, Duration),
    ) -> Self {
        let (judge, backoff) = (Judge::new(Some(trust)), Backoff::new(RETRY_LEAST, retry_most));
        Self { shared, log, openings, world, remember, judge, backoff, turn: 0 }
    }

    /// Confirms one batch.
    ///
    /// # Errors
    ///
    /// The outbox is not well.
    pub fn round(&mut self) -> Result<Round, PumpError> {
        let items = self.next_items()?;
        if items.is_empty() {
            return Ok(Round::Idle);
        }
        let statements: Vec<Vec<u8>> = items.iter().map(|item| item.row.entry.clone()).collect();
        let answers = match self.log.send(&statements, Wait::Published) {
            Ok(answers) => answers,
            Err(error) => {
                tracing::debug!(%error, "no proof of publication now");
                return Ok(self.later());
            }
        };
        failpoints::hit("confirm::after_answer")?;
        let (published, all) = self.published(&items, &answers)?;
        if !published.is_empty() && !self.let_go(&published)? {
            return Ok(self.later());
        }
        if !published.is_empty() {
            self.backoff.reset();
        }
        Ok(if all { Round::Worked } else { self.later() })
    }

    /// Collects statements that the log has committed, the first ones of each stream.
    fn next_items(&mut self) -> Result<Vec<Item>, PumpError> {
        let (mut items, mut streams) = (Items::default(), self.shared.outbox.streams()?);
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn.checked_rem(streams.len()).unwrap_or(0);
        streams.rotate_left(first);
        for (number, row) in streams {
            if let Some(unsent) = self.shared.unsent(number) {
                items.add(&self.shared.outbox, (number, &row.name), 0..unsent)?;
            }
        }
        Ok(items.items)
    }

    /// Judges the proofs; what is proved of each stream is its beginning. Says also whether all were.
    fn published<'i>(&mut self, items: &'i [Item], answers: &[Answer]) -> Result<(Vec<Proved<'i>>, bool), PumpError> {
        let (mut published, mut stopped) = (Vec::new(), HashSet::new());
        for (item, answer) in items.iter().zip(answers) {
            if stopped.contains(&item.number) {
                continue;
            }
            let statement = SignedStatement::parse_entry(&item.row.entry)?;
            match (answer.status, self.judge.judge(&statement, answer, Wait::Published)) {
                (201, Some(Ok(()))) => published.push((item, statement.leaf_hash())),
                (status, proof) => {
                    stopped.insert(item.number);
                    self.not_yet(item, status, proof.and_then(Result::err).as_ref());
                }
            }
        }
        if let Some(published) = self.judge.published() {
            self.shared.signer().saw_head(published.note);
            let witnessed_ms =
                published.witnessed_s.map_or_else(|| self.world.now_ms(), |time_s| time_s.saturating_mul(1000));
            self.shared.witnessed_ms.fetch_max(witnessed_ms, Ordering::Relaxed);
        }
        let all = published.len() == items.len();
        Ok((published, all))
    }

    fn not_yet(&self, item: &Item, status: u16, unproved: Option<&impl std::fmt::Display>) {
        match (status, unproved) {
            (201, Some(error)) => {
                self.shared.telemetry.alarm("unproved");
                tracing::error!(alarm = "unproved", stream = &*item.stream, seq = item.seq, %error, "a proof does not hold");
            }
            (201 | 303 | 429 | 503, _) => {}
            _ => {
                // It was committed and is refused now: the log has lost it. The sender finds out how far back to go.
                tracing::error!(
                    stream = &*item.stream,
                    seq = item.seq,
                    status,
                    "the log does not have a statement any more"
                );
                self.shared.set_unsent(item.number, item.seq);
                self.shared.bell.ring();
            }
        }
    }

    /// Stores the openings, then deletes; says whether the store took them.
    fn let_go(&self, published: &[Proved<'_>]) -> Result<bool, PumpError> {
        let openings: Vec<(Digest, &[u8])> = published
            .iter()
            .filter(|(item, _)| !item.row.openings.is_empty())
            .map(|(item, leaf)| (*leaf, item.row.openings.as_slice()))
            .collect();
        if let Err(error) = self.openings.put(&openings) {
            self.shared.telemetry.alarm("openings");
            tracing::error!(alarm = "openings", %error, "the opening store takes nothing; the outbox keeps all of it");
            return Ok(false);
        }
        // A crash here leaves the openings in both places; they are put again, the same.
        failpoints::hit("confirm::after_openings")?;
        // A local clock that is ahead lengthens what is remembered, and shortens nothing.
        let known_ms = self.shared.witnessed_ms.load(Ordering::Relaxed).max(self.world.now_ms());
        let until_ms = known_ms.saturating_add(millis(self.remember));
        let mut by_stream: BTreeMap<StreamNumber, Vec<(u64, &[u8])>> = BTreeMap::new();
        for (item, _) in published {
            by_stream.entry(item.number).or_default().push((item.seq, &item.row.entry));
        }
        for (number, statements) in by_stream {
            self.shared.outbox.settle(number, &statements, until_ms)?;
        }
        // A crash before this leaves statements that are published: they are asked for again, and deleted then.
        failpoints::hit("confirm::after_delete")?;
        let events = published.iter().map(|(item, _)| item.row.events()).sum();
        self.shared.telemetry.published(u64::try_from(published.len()).unwrap_or(u64::MAX), events);
        self.shared.bell.ring();
        Ok(true)
    }

    fn later(&mut self) -> Round {
        let random = self.world.random().map_or(128, |bytes| bytes[0]);
        Round::Later(self.backoff.next(None, random))
    }
}

impl std::fmt::Debug for Confirmer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirmer").finish_non_exhaustive()
    }
}

const RETRY_LEAST: Duration = Duration::from_millis(50);

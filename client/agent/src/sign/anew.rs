//! Signing anew, when the log's answer shows that statements cannot stay as they are.
//!
//! Only what no log has may be signed anew; each function says how its caller knows.

use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;

use super::own::{Op, Quarantined};
use super::{Chain, Page, SignError, Signer, own};
use crate::capture::Capture;
use crate::outbox::{Content, Counters, Fork, OWN, Signed, Stream, StreamNumber};

/// What came of replacing a refused statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// A quarantine stands in its place, and what follows was signed anew.
    Quarantined,
    /// It was a batch: its members stand in its place, each a statement of its own, and what follows was signed anew.
    Unbatched,
    /// It is a record of the agent's own: a quarantine of it would be refused as well.
    Stuck,
    /// It is no longer there.
    Gone,
}

impl Signer {
    /// Puts a `quarantine` in the place of a statement that the log will never take, of a batch its members, keeps the statement beside it, and signs what follows
    /// anew.
    ///
    /// The log has neither: it refused this one as it is, and takes nothing behind a gap.
    ///
    /// # Errors
    ///
    /// [`SignError`]; everything is as it was.
    pub fn replace_refused(&self, number: StreamNumber, seq: u64, status: u16) -> Result<Replaced, SignError> {
        let (Some(stream), tail) = (self.outbox.stream(number)?, self.tail(number, seq)?) else {
            return Ok(Replaced::Gone);
        };
        let Some(((_, refused), followers)) = tail.split_first().filter(|((first, _), _)| *first == seq) else {
            return Ok(Replaced::Gone);
        };
        let statement = SignedStatement::parse_entry(&refused.entry).map_err(own)?;
        let is_own = refused.key == OWN && refused.members.is_empty();
        if super::is_about_its_stream(statement.kind()) || is_own {
            return Ok(Replaced::Stuck);
        }
        let mut page = self.page_at(&stream, &statement)?;
        if !refused.members.is_empty() {
            // What the log does not take together it may take one by one; who is refused then is quarantined alone.
            page.put_members(refused)?;
            self.follow(page, number, seq, followers, |_| {})?;
            return Ok(Replaced::Unbatched);
        }
        // Not in the log's words: those are its own, and this stands in clear for ever.
        let reason = format!("the log refused the statement with {status}");
        let quarantined = Quarantined {
            reason: &reason,
            what: &Content::Event(refused.entry.clone()),
            source: (self.system(&stream), &stream.instance),
            refused: Some(status),
            received_ms: refused.received_ms,
        };
        let draft = self.with_sealer(|sealer| quarantined.draft(sealer))?.map_err(own)?;
        // What opened the refused statement's values opens those of its bytes, which the quarantine keeps.
        let of_refused = Some(refused.openings.clone()).filter(|openings| !openings.is_empty());
        page.put(draft, refused.key, refused.received_ms, of_refused).map_err(own)?;
        self.follow(page, number, seq, followers, |counters| {
            // It was counted as emitted, if that is not told yet.
            counters.emitted = counters.emitted.saturating_sub(1);
            counters.quarantined += 1;
        })?;
        Ok(Replaced::Quarantined)
    }

    /// Signs everything of a stream that is not published anew from a position on, with the time of now.
    ///
    /// The caller has asked the log: the stream ends before that position there.
    ///
    /// # Errors
    ///
    /// [`SignError`]; everything is as it was.
    pub fn sign_anew(&self, number: StreamNumber, from_seq: u64) -> Result<(), SignError> {
        let (Some(stream), tail) = (self.outbox.stream(number)?, self.tail(number, from_seq)?) else { return Ok(()) };
        let Some((seq, first)) = tail.first() else { return Ok(()) };
        let statement = SignedStatement::parse_entry(&first.entry).map_err(own)?;
        let page = self.page_at(&stream, &statement)?;
        self.follow(page, number, *seq, &tail, |_| {})
    }

    /// Goes on under another name from a position on: a new stream that names the old one, with what stands from there.
    ///
    /// The caller has asked the log, which has another statement in that position. What stands before it is the log's already, and is confirmed in
    /// the old stream: signed anew it would be there twice.
    ///
    /// # Errors
    ///
    /// [`SignError`]; everything is as it was.
    pub fn fork(&self, number: StreamNumber, from_seq: u64, name: String) -> Result<Option<StreamNumber>, SignError> {
        let Some(old) = self.outbox.stream(number)? else { return Ok(None) };
        let now_ms = self.world.now_ms();
        let mut stream = Stream::new(&old.route, &old.instance, name, Some(old.name.clone()), old.heard_ms);
        let rule = self.capture.as_ref().filter(|_| old.capture.is_some());
        stream.capture = rule.map(Capture::digest);
        let mut page = Page { chain: Chain::behind(&self.identity, &stream, self.head, now_ms)?, rows: Vec::new() };
        self.tell(&mut page, &stream, Op::Open, Counters::default(), 0)?;
        // Batches come along, and every stream says by which rule it has them.
        if let Some(capture) = rule {
            page.put(capture.draft(&self.identity.iss, now_ms).map_err(own)?, OWN, now_ms, None).map_err(own)?;
        }
        for (_, row) in self.tail(number, from_seq)? {
            let statement = SignedStatement::parse_entry(&row.entry).map_err(own)?;
            // What the old stream said of itself is not true of the new one.
            if statement.kind() != "stream" {
                page.put_again(&statement, &row)?;
            }
        }
        let (next_seq, prev, rows) = (page.chain.next_seq, page.chain.prev, page.rows);
        (stream.next_seq, stream.prev, stream.told_ms) = (next_seq, prev, now_ms);
        self.hold(number, None);
        Ok(self.outbox.fork(number, from_seq, &Fork { stream, rows })?)
    }

    /// A page whose first statement takes the place of `first`.
    fn page_at<'a>(&'a self, stream: &'a Stream, first: &SignedStatement) -> Result<Page<'a>, SignError> {
        let (seq, prev) = first.claims().stream.as_ref().map_or((0, Digest::ZERO), |at| (at.seq, at.prev));
        let chain = Chain::at(&self.identity, &stream.name, (seq, prev), self.head, self.world.now_ms())?;
        Ok(Page { chain, rows: Vec::new() })
    }

    /// Signs rows behind the page, and writes all of it from a position on.
    fn follow(
        &self,
        mut page: Page<'_>,
        number: StreamNumber,
        from_seq: u64,
        rows: &[(u64, Signed)],
        count: impl FnOnce(&mut Counters),
    ) -> Result<(), SignError> {
        for (_, row) in rows {
            let statement = SignedStatement::parse_entry(&row.entry).map_err(own)?;
            page.put_again(&statement, row)?;
        }
        let (next_seq, prev) = (page.chain.next_seq, page.chain.prev);
        self.outbox.write(number, from_seq, &page.rows, &[], |stream| {
            (stream.next_seq, stream.prev) = (next_seq, prev);
            count(&mut stream.counters);
            true
        })?;
        Ok(())
    }

    /// All signed statements from a position on: no more than are signed ahead.
    fn tail(&self, number: StreamNumber, from_seq: u64) -> Result<Vec<(u64, Signed)>, SignError> {
        Ok(self.outbox.signed(number, from_seq, usize::MAX, u64::MAX)?)
    }
}

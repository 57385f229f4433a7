//! Finding back into a stream whose place the log sees elsewhere, or whose statements have become too old.

use std::time::Duration;

use govlog_client::submit::{Answer, Own, Place, PlaceError};
use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;

use super::send::{Outcome, Sender, unless_unsigned, words};
use super::{Item, PumpError};
use crate::keys::Credential;

impl Sender<'_> {
    /// "409 means: fetch the stream's head and look."
    ///
    /// The answer says what the log expects. Where that is the place of a statement that is here, it is sent from there. Else the log's last
    /// entry of the stream is fetched and checked: only a statement that this agent's own key signed shows that the stream has gone another
    /// way, as after the outbox was restored from a copy. Then a new stream goes on and names the old one.
    pub(super) fn resync(&mut self, item: &Item, answer: &Answer) -> Result<Outcome, PumpError> {
        if let (Some(next_seq), Some(prev)) = (answer.seq, answer.prev)
            // Only backwards: that costs sending again, and nothing more, if it is not true.
            && next_seq < item.seq
            && self.goes_on_at(item, Place { next_seq, prev })?
        {
            return Ok(Outcome::Changed);
        }
        let Some(stream) = self.shared.outbox.stream(item.number)? else { return Ok(Outcome::Changed) };
        let iss = self.shared.signer().iss().to_owned();
        let place = match self.place(&iss, &stream.name) {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(Outcome::Held),
            Err(error) => return Ok(self.alarm("place", item, &error.to_string())),
        };
        if self.goes_on_at(item, place)? {
            // Where it was sent from already, the log contradicts itself: it may know better in a while.
            let is_same = place.next_seq == item.seq;
            return Ok(if is_same { Outcome::Held } else { Outcome::Changed });
        }
        let first = self.shared.outbox.first_signed(item.number)?.unwrap_or(item.seq);
        if place.next_seq < first {
            let why = format!("the log had published {first} statements of this stream and now has {}", place.next_seq);
            return Ok(self.alarm("rolled-back", item, &why));
        }
        let name = self.shared.signer().fresh(self.names, &stream);
        tracing::error!(
            alarm = "forked",
            stream = stream.name,
            successor = name,
            "another history of this stream is logged"
        );
        self.shared.telemetry.alarm("forked");
        let forked = self.shared.signer().fork(item.number, item.seq, name.clone());
        if unless_unsigned(forked)?.is_none() {
            return Ok(Outcome::Held);
        }
        self.names.remember(vec![(stream.route, stream.instance, name)]);
        self.shared.bell.ring();
        Ok(Outcome::Changed)
    }

    /// Asks where a stream stands; nothing, when that cannot be asked, or its answer not be judged, now.
    fn place(&self, iss: &str, stream: &str) -> Result<Option<Place>, PlaceError> {
        let credential = match self.shared.signer().credential() {
            Ok(credential) => credential,
            Err(why) => {
                tracing::warn!(%why, stream, "whose entry a stream ends with cannot be said now");
                return Ok(None);
            }
        };
        let history = match &credential {
            Credential::Key(_) => None,
            Credential::Svid(_) => Some(self.trust.history()),
        };
        match self.log.place(iss, stream, Own { key: &credential.public(), history }) {
            Ok(place) => Ok(Some(place)),
            Err(PlaceError::Source(error)) => {
                tracing::warn!(%error, stream, "where the stream stands cannot be asked now");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends from a place, if the statement that stands there, or ended there, is here; says whether.
    fn goes_on_at(&self, item: &Item, place: Place) -> Result<bool, PumpError> {
        let fits = self.prev_at(item, place.next_seq)? == Some(place.prev);
        if fits {
            self.shared.set_unsent(item.number, place.next_seq);
        }
        Ok(fits)
    }

    /// The identity of the statement before a position, as far as statements of this stream are here.
    fn prev_at(&self, item: &Item, seq: u64) -> Result<Option<Digest>, PumpError> {
        let outbox = &self.shared.outbox;
        let at = |seq: u64| -> Result<Option<SignedStatement>, PumpError> {
            let found = outbox.signed(item.number, seq, 1, u64::MAX)?.into_iter().next();
            let found = found.filter(|(place, _)| *place == seq);
            Ok(found.map(|(_, row)| SignedStatement::parse_entry(&row.entry)).transpose()?)
        };
        if let Some(before) = seq.checked_sub(1)
            && let Some(statement) = at(before)?
        {
            return Ok(Some(statement.sig_structure_digest()));
        }
        Ok(at(seq)?.and_then(|statement| statement.claims().stream.as_ref().map(|at| at.prev)))
    }

    /// A 403: somebody must mend the admission policy, unless the statement is only too old, its time lies ahead, or its certificate is no more the
    /// newest, as when the authority that signed it was replaced.
    ///
    /// DESIGN §8.4: "statements that waited longer than `max_age_s` are signed again once the log has been asked that they are absent". The log
    /// looks for duplicates before it looks at `iat`, so its refusal says that this one is absent; where the stream stands is asked as well.
    pub(super) fn forbidden(&mut self, item: &Item, answer: &Answer) -> Result<Outcome, PumpError> {
        let statement = SignedStatement::parse_entry(&item.row.entry)?;
        let (now_s, iat) = (self.world.now_ms() / 1000, u64::try_from(statement.claims().iat).unwrap_or(0));
        let age = Duration::from_secs(now_s.saturating_sub(iat));
        // The clock was ahead when it was signed, and has been set right since.
        let is_ahead = iat.saturating_sub(now_s) > CLOCK_SLACK_S;
        let is_superseded = self.shared.signer().credential().is_ok_and(|credential| credential.supersedes(&statement));
        let is_old = age > self.max_age;
        if !is_old && !is_ahead && !is_superseded {
            return Ok(self.alarm("forbidden", item, &words(answer)));
        }
        // From `iat` on where it was never too old: that is when it can have been sent first.
        let since = if is_old { age - self.max_age } else { age };
        if !is_ahead && since <= STILL_QUEUED {
            tracing::info!(
                seq = item.seq,
                why = words(answer),
                "a statement has become too old, or its certificate has; it is signed anew when no try can be under way"
            );
            return Ok(Outcome::Held);
        }
        let claims = statement.claims();
        let (stream, prev) = claims.stream.as_ref().map_or(("", Digest::ZERO), |at| (at.stream.as_str(), at.prev));
        match self.place(&claims.iss, stream) {
            Ok(Some(place)) if place == (Place { next_seq: item.seq, prev }) => {
                tracing::warn!(
                    stream,
                    seq = item.seq,
                    iat,
                    now_s,
                    why = words(answer),
                    "statements have a time, or a certificate, that the log does not take; they are signed anew"
                );
                let anew = self.shared.signer().sign_anew(item.number, item.seq);
                Ok(unless_unsigned(anew)?.map_or(Outcome::Held, |()| Outcome::Changed))
            }
            // The log looks at the time before it looks at the place: this one would be refused there too.
            Ok(Some(_)) => self.resync(item, answer),
            Ok(None) => Ok(Outcome::Held),
            Err(error) => {
                tracing::warn!(%error, stream, "where the stream stands cannot be asked now");
                Ok(Outcome::Held)
            }
        }
    }
}

/// Longer than a try of before can wait in the log's queue and still be committed: signed anew meanwhile it would be there twice.
const STILL_QUEUED: Duration = Duration::from_secs(120);
/// Below what a log grants (exact.md §2: "more than 300 s ahead").
const CLOCK_SLACK_S: u64 = 60;

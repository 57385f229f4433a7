//! The station that hands uploads on, one by one.

use std::sync::Arc;
use std::time::Duration;

use govlog_client::source::{Http, Reply, Source, SourceError};

use super::{Forward, Queue, QueueError};
use crate::pump::{Backoff, PumpError, Round};
use crate::telemetry::{Forwarded, Telemetry};
use crate::world::World;

/// Hands on the uploads of one group.
pub struct Forwarder {
    route: String,
    forward: Forward,
    queue: Arc<Queue>,
    telemetry: Arc<Telemetry>,
    world: Arc<dyn World>,
    /// Made when it is first needed: this program must start whatever the other sink's files are like.
    server: Option<Http>,
    backoff: Backoff,
    /// What failed last: what stays wrong is said once.
    said: Option<String>,
}

impl Forwarder {
    /// Makes one. `retry_most`: the longest wait between two tries.
    #[must_use]
    pub fn new(
        route: &str,
        forward: Forward,
        queue: Arc<Queue>,
        telemetry: Arc<Telemetry>,
        world: Arc<dyn World>,
        retry_most: Duration,
    ) -> Self {
        let backoff = Backoff::new(FIRST_WAIT, retry_most);
        Self { route: route.to_owned(), forward, queue, telemetry, world, server: None, backoff, said: None }
    }

    /// Hands on the oldest upload.
    ///
    /// # Errors
    ///
    /// None: what fails here fails nothing else, and is tried again.
    pub fn round(&mut self) -> Result<Round, PumpError> {
        let (count, bytes) = self.queue.depth();
        self.telemetry.forward_depth(&self.route, count, bytes);
        Ok(match self.hand_on() {
            Ok(Some(Some(retry_after))) => self.later(Some(retry_after)),
            Ok(Some(None)) => {
                self.backoff.reset();
                if self.said.take().is_some() {
                    tracing::info!(route = self.route, url = self.forward.url, "uploads are handed on again");
                }
                Round::Worked
            }
            Ok(None) => Round::Idle,
            Err(error) => {
                self.say(&error.to_string());
                self.later(None)
            }
        })
    }

    /// `None`: nothing waits. `Some(None)`: one is done with. `Some(Some(…))`: it is to be sent again, not before that time.
    fn hand_on(&mut self) -> Result<Option<Option<Duration>>, Trouble> {
        let Some((number, upload)) = self.queue.first()? else { return Ok(None) };
        let server = self.server()?;
        let headers = [
            ("content-type", upload.content_type.as_deref()),
            ("content-encoding", upload.content_encoding.as_deref()),
        ];
        let headers: Vec<(&str, &str)> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let Reply { status, retry_after, .. } =
            server.post_as(&upload.resource, &headers, upload.body, MAX_ANSWER_BYTES)?;
        match status {
            200..=299 => {
                self.queue.take_away(number)?;
                self.telemetry.forwarded(&self.route, Forwarded::Sent, 1);
                Ok(Some(None))
            }
            // About this upload, and so for ever.
            400 | 413 | 415 | 422 => {
                self.queue.take_away(number)?;
                self.telemetry.forwarded(&self.route, Forwarded::Refused, 1);
                self.telemetry.alarm("forward");
                let (route, url) = (&self.route, &self.forward.url);
                tracing::error!(
                    alarm = "forward",
                    route,
                    url,
                    status,
                    "the other sink refused an upload for good; it is dropped there"
                );
                Ok(Some(None))
            }
            status => {
                self.say(&format!("it answers {status}"));
                Ok(Some(Some(Duration::from_secs(retry_after.unwrap_or(0)))))
            }
        }
    }

    fn server(&mut self) -> Result<&Http, Trouble> {
        if self.server.is_none()
            && let Source::Http(server) = Source::open_as(&self.forward.url, &self.forward.client)?
        {
            self.server = Some(server);
        }
        self.server.as_ref().ok_or_else(|| SourceError::NotASource(self.forward.url.clone()).into())
    }

    fn later(&mut self, at_least: Option<Duration>) -> Round {
        self.telemetry.forwarded(&self.route, Forwarded::Failed, 1);
        let random = self.world.random().map_or(0, |[first, ..]| first);
        Round::Later(self.backoff.next(at_least, random))
    }

    fn say(&mut self, why: &str) {
        if self.said.as_deref() != Some(why) {
            tracing::warn!(
                route = self.route,
                url = self.forward.url,
                "an upload is not handed on now: {why}; it is tried again"
            );
            self.said = Some(why.to_owned());
        }
    }
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("route", &self.route).field("url", &self.forward.url).finish_non_exhaustive()
    }
}

/// Why an upload is not handed on now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Server(#[from] SourceError),
}

const FIRST_WAIT: Duration = Duration::from_millis(100);
/// What is answered is not looked at.
const MAX_ANSWER_BYTES: usize = 1 << 20;

//! The open loop: requests leave when the schedule says, not when the last answer came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use govlog_formats::batch;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::{Semaphore, mpsc};

/// Requests under way at a time; what the schedule asks for beyond is shed and counted.
pub(crate) const MAX_IN_FLIGHT: usize = 2048;

/// What a submitter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Committed,
    Published,
}

/// A rate, for a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// Statements per second.
    pub(crate) rate: u32,
    /// Statements to a request.
    pub(crate) batch: usize,
    /// What each waits for.
    pub(crate) wait: Wait,
    /// For how long.
    pub(crate) lasts: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Statements that were acknowledged as waited for.
    pub(crate) acknowledged: u64,
    /// Statements that the log refused or could not be asked about.
    pub(crate) refused: u64,
    /// Statements that were never sent, because too much was under way.
    pub(crate) shed: u64,
    /// From the first scheduled arrival to the last answer.
    pub(crate) took: Duration,
    /// Per request that was acknowledged, from its scheduled arrival.
    pub(crate) latencies: Vec<Duration>,
}

impl Wait {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Published => "published",
        }
    }
}

impl Offer {
    /// How many statements it takes.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(u64::from(self.rate) * self.lasts.as_secs()).unwrap_or(usize::MAX)
    }
}

/// Sends the bodies on the offer's schedule.
pub(crate) async fn run(log: &str, offer: &Offer, bodies: Vec<(u64, Vec<u8>)>) -> anyhow::Result<Outcome> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    let client =
        Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(40)).build()?;
    let (url, content_type) = match offer.batch {
        1 => (format!("{log}/entries?wait={}", offer.wait.word()), "application/cose"),
        _ => (format!("{log}/v1/batches?wait={}", offer.wait.word()), batch::CONTENT_TYPE),
    };
    let gap = Duration::from_secs_f64(offer.batch as f64 / f64::from(offer.rate));
    let room = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let refused = Arc::new(AtomicU64::new(0));
    let mut shed = 0;
    let (done, mut answers) = mpsc::unbounded_channel();
    let started = Instant::now();
    let mut due = started;
    for (statements, body) in bodies {
        tokio::time::sleep_until(due.into()).await;
        match Arc::clone(&room).try_acquire_owned() {
            Err(_) => shed += statements,
            Ok(permit) => {
                let request = client.post(&url).header(CONTENT_TYPE, content_type).body(body);
                let (done, refused, batched, scheduled) = (done.clone(), Arc::clone(&refused), offer.batch > 1, due);
                tokio::spawn(async move {
                    let count = acknowledged(request, batched).await.unwrap_or(0);
                    refused.fetch_add(statements.saturating_sub(count), Ordering::Relaxed);
                    // The receiver outlives every request.
                    done.send((count, scheduled.elapsed())).ok();
                    drop(permit);
                });
            }
        }
        due += gap;
    }
    drop(done);
    let (mut acknowledged, mut latencies) = (0, Vec::new());
    while let Some((count, latency)) = answers.recv().await {
        acknowledged += count;
        if count > 0 {
            latencies.push(latency);
        }
    }
    Ok(Outcome { acknowledged, refused: refused.load(Ordering::Relaxed), shed, took: started.elapsed(), latencies })
}

/// Sends one request and counts the statements that were acknowledged as waited for.
async fn acknowledged(request: reqwest::RequestBuilder, batched: bool) -> anyhow::Result<u64> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    if !batched {
        return Ok(u64::from(status == 201));
    }
    anyhow::ensure!(status == 200, "the log answered {status}");
    let results = batch::parse_results(&body).context("the answer to a batch")?;
    Ok(results.iter().filter(|result| result.status == 201).count() as u64)
}

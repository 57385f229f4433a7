//! Offers an agent what OPA would send, and reports how fast it takes it, how fast it is in the log, and what waiting costs.
//!
//! `benches/agent-run` starts a log with three witnesses and an agent, and runs this against them: `steady` with the log there, `backlog` while it is
//! away, `drain` once it is back. Load is bounded: a number of events, in one upload at a time for each of two instances.

#![expect(clippy::print_stdout, reason = "a program that reports to whoever runs it")]

mod events;
mod metrics;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use common::{percentile, resident_kib, shown};
use reqwest::Client;
use reqwest::header::CONTENT_ENCODING;

use metrics::Metrics;

/// Uploads decision events to an agent and reports what became of them.
#[derive(Debug, Parser)]
#[command(name = "load-agent", version)]
struct Args {
    /// What to do
    #[arg(value_enum)]
    phase: Phase,
    /// The agent's address, with the prefix of its OPA routes; on this machine only
    #[arg(long, value_name = "URL")]
    agent: String,
    /// The agent's admin address
    #[arg(long, value_name = "URL")]
    admin: String,
    /// The agent's process, for its memory
    #[arg(long)]
    pid: u32,
    /// The agent's outbox, for its size
    #[arg(long, value_name = "FILE")]
    outbox: PathBuf,
    /// Events in all
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    events: u32,
    /// Permits alone, and nothing that stands alone in the log
    #[arg(long)]
    permits: bool,
    /// Spread the uploads over so many seconds; 0: as fast as they are taken
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=600))]
    over_s: u64,
    /// Events to an upload
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    upload: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// Uploads, and waits until everything is published
    Steady,
    /// Uploads while the log is away, and looks at memory and disk
    Backlog,
    /// Waits until everything is published
    Drain,
}

/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(700);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    for url in [&args.agent, &args.admin] {
        anyhow::ensure!(url.starts_with("http://127."), "{url}: load is only offered on this machine");
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
    match args.phase {
        Phase::Steady => steady(&args, &client).await,
        Phase::Backlog => backlog(&args, &client).await,
        Phase::Drain => drain(&args, &client).await,
    }
}

async fn steady(args: &Args, client: &Client) -> anyhow::Result<()> {
    println!("raw: {:.0} decision statements signed per second on one core (Ed25519)", events::signing_rate()?);
    let before = Metrics::read(client, &args.admin).await?;
    let started = Instant::now();
    let committed = until(client, &args.admin, started, before.committed + u64::from(args.events), |now| now.committed);
    let published = until(client, &args.admin, started, before.published + u64::from(args.events), |now| now.published);
    let (times, committed, published) = tokio::join!(upload_all(args, client), committed, published);
    let mut times = times?;
    let [p50, p99] = [50, 99].map(|percent| shown(percentile(&mut times, percent)));
    let rate = |took: Duration| f64::from(args.events) / took.as_secs_f64();
    println!("{} events in uploads of {}, two instances", args.events, args.upload);
    println!("200 after: p50 {p50}, p99 {p99}");
    println!("committed: {:.0} events per second, published: {:.0}", rate(committed?), rate(published?));
    let now = Metrics::read(client, &args.admin).await?;
    println!(
        "statements: {}, of which batches {}; one decision: {}",
        now.statements - before.statements,
        now.batches - before.batches,
        events::decision_id(0, (u64::from(std::process::id()) << 32) + u64::from(args.events / 4))
    );
    Ok(())
}

async fn backlog(args: &Args, client: &Client) -> anyhow::Result<()> {
    let size = || std::fs::metadata(&args.outbox).map(|file| file.len()).context("the outbox");
    let (before, started) = (size()?, Instant::now());
    upload_all(args, client).await?;
    let taken = started.elapsed();
    let now = Metrics::read(client, &args.admin).await?;
    let resident = resident_kib(args.pid).context("the agent's memory")?;
    println!(
        "{} events taken in {:.1} s with the log away; {} wait, {} are signed",
        args.events,
        taken.as_secs_f64(),
        now.waiting,
        now.signed
    );
    println!("agent memory with that backlog: {:.0} MiB resident", resident as f64 / 1024.0);
    let per_event = (size()?.saturating_sub(before)) as f64 / f64::from(args.events);
    println!("disk: {per_event:.0} bytes per waiting event ({} bytes as received)", events::body(0, 0, true).len());
    Ok(())
}

async fn drain(args: &Args, client: &Client) -> anyhow::Result<()> {
    let before = Metrics::read(client, &args.admin).await?;
    let (started, left) = (Instant::now(), before.waiting + before.signed);
    while started.elapsed() < PATIENCE {
        let now = Metrics::read(client, &args.admin).await?;
        if now.waiting + now.signed == 0 {
            let took = started.elapsed().as_secs_f64();
            println!("drained: {left} in {took:.1} s, {:.0} per second", left as f64 / took);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("not drained after {PATIENCE:?}")
}

/// Uploads everything, one upload at a time for each of two instances; gives how long each answer took.
async fn upload_all(args: &Args, client: &Client) -> anyhow::Result<Vec<Duration>> {
    let run = std::process::id();
    let half = args.events / 2;
    let one = upload(args, client, 0, half, run);
    let two = upload(args, client, 1, args.events - half, run);
    let (one, two) = tokio::try_join!(one, two)?;
    Ok([one, two].concat())
}

async fn upload(args: &Args, client: &Client, instance: u8, count: u32, run: u32) -> anyhow::Result<Vec<Duration>> {
    let url = format!("{}/logs", args.agent);
    let (mut times, mut next) = (Vec::new(), 0);
    let begun = Instant::now();
    while next < count {
        let due = Duration::from_secs(args.over_s).mul_f64(f64::from(next) / f64::from(count));
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        let until = (next + args.upload).min(count);
        let body = events::upload(
            instance,
            (u64::from(run) << 32) + u64::from(next)..(u64::from(run) << 32) + u64::from(until),
            args.permits,
        )?;
        let started = Instant::now();
        let answer = client.post(&url).header(CONTENT_ENCODING, "gzip").body(body).send().await?;
        if answer.status().is_success() {
            times.push(started.elapsed());
            next = until;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(times)
}

/// Waits until a counter has reached a goal; gives how long that took since `started`.
async fn until(
    client: &Client,
    admin: &str,
    started: Instant,
    goal: u64,
    count: impl Fn(&Metrics) -> u64,
) -> anyhow::Result<Duration> {
    while started.elapsed() < PATIENCE {
        if count(&Metrics::read(client, admin).await?) >= goal {
            return Ok(started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{goal} were not reached within {PATIENCE:?}")
}

//! An open-loop load generator: statements arrive on a schedule, whatever the log does, and latency counts from the schedule.
//!
//! `benches/run` starts a log with three witnesses and runs this against it. Load is bounded: a list of rates, each for a
//! few seconds, and at most [`drive::MAX_IN_FLIGHT`] requests at a time.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to whoever runs it")]

mod drive;
mod raw;
mod statements;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{percentile, shown};
use govlog_formats::cose::SigningKey;

use drive::{Offer, Outcome, Wait};
use statements::Maker;

/// Offers statements to a log at fixed rates and reports what it acknowledged, and how fast.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Args {
    /// The log's address; on this machine only
    #[arg(long, value_name = "URL")]
    log: String,
    /// The log's origin
    #[arg(long)]
    origin: String,
    /// The issuer's private key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The issuer's URI
    #[arg(long, value_name = "URI")]
    iss: String,
    /// How long each rate is offered, seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Statements per second, one to a request
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000,2000,3000")]
    single: Vec<u32>,
    /// Statements per second, in batches
    #[arg(long, value_delimiter = ',', default_value = "1000,4000,8000,12000,16000")]
    batched: Vec<u32>,
    /// Statements to a batch
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(2..=1024))]
    batch: u16,
    /// Where fdatasync is measured: the disk of the log's directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    disk: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let host = args.log.strip_prefix("http://").unwrap_or_default();
    anyhow::ensure!(
        host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]"),
        "{}: load is only offered to a log on this machine",
        args.log
    );
    let pem = std::fs::read_to_string(&args.key).with_context(|| args.key.display().to_string())?;
    let key = SigningKey::from_pkcs8_pem(&pem)?;
    let maker = Maker::new(args.origin.clone(), args.iss.clone(), key);

    println!("raw: verify_strict {:.0} per second on one core", raw::verify_rate(&maker)?);
    let [p50, p99] = raw::fdatasync(&args.disk)?;
    println!("raw: fdatasync of 4 KiB p50 {} p99 {}", shown(p50), shown(p99));
    println!(
        "{:<10} {:<10} {:>8} {:>8} {:>9} {:>9} {:>7} {:>7}",
        "wait", "requests", "offered", "acked/s", "p50", "p99", "refused", "shed"
    );

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for wait in [Wait::Committed, Wait::Published] {
        for (rates, batch) in [(&args.single, 1), (&args.batched, usize::from(args.batch))] {
            for rate in rates {
                let offer = Offer { rate: *rate, batch, wait, lasts: Duration::from_secs(args.seconds) };
                eprintln!("signing {} statements …", offer.count());
                let bodies = maker.bodies(offer.count(), batch)?;
                report(&offer, &mut runtime.block_on(drive::run(&args.log, &offer, bodies))?);
            }
        }
    }
    Ok(())
}

fn report(offer: &Offer, outcome: &mut Outcome) {
    let requests = if offer.batch == 1 { "single".to_owned() } else { format!("batch {}", offer.batch) };
    println!(
        "{:<10} {:<10} {:>8} {:>8.0} {:>9} {:>9} {:>7} {:>7}",
        offer.wait.word(),
        requests,
        offer.rate,
        outcome.acknowledged as f64 / outcome.took.as_secs_f64(),
        shown(percentile(&mut outcome.latencies, 50)),
        shown(percentile(&mut outcome.latencies, 99)),
        outcome.refused,
        outcome.shed,
    );
}

//! Measures search and custody files: a log is filled with the days of a small organisation and asked.
//!
//! `benches/search-run` starts a log with three witnesses and runs this against it, in steps, so that it can stop the log between them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to whoever runs it")]

mod ask;
mod facts;
mod fill;
mod measure;

use clap::{Parser, Subcommand};

/// Fills a log with a history and measures what is asked of it.
#[derive(Debug, Parser)]
#[command(name = "search", version)]
struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Signs and loads the entries, and says how fast the log and its index took them
    Fill(fill::Fill),
    /// Asks the index, and `govlog`, and says how long that takes
    Ask(ask::Ask),
    /// Runs a program and says how long it took and how much memory
    Run(measure::Run),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().step {
        Step::Fill(fill) => fill.run(),
        Step::Ask(ask) => ask.run(),
        Step::Run(run) => run.run(),
    }
}

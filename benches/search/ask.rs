//! Asking: the index by itself, and `govlog` with everything that it proves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use common::{percentile, shown};
use govlog_client::source::{Http, Source};

use crate::facts::Facts;
use crate::measure::{program_took, row};

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The program `govlog`
    #[arg(long, value_name = "FILE")]
    govlog: PathBuf,
    /// What to ask for
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
    /// Where to write custody files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How often the index is asked for each number of answers
    #[arg(long, default_value_t = 200)]
    rounds: usize,
}

/// The largest page: a thousand ids.
const MAX_PAGE_BYTES: usize = 1 << 20;

impl Ask {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let facts = Facts::read(&self.facts)?;
        let source = Source::open(&self.log)?;
        let http = source.http().context("an address is needed")?;
        for (query, count) in &facts.queries {
            self.search(http, query, *count)?;
        }
        let (trace, decision) = (facts.trace.as_str(), facts.decision.as_str());
        self.tell("govlog query --trace", self.govlog(&["query", "--trace", trace]))?;
        self.tell("govlog show DECISION", self.govlog(&["show", decision]))?;
        self.matter("chain of one decision", &["--decision", decision], "chain.zip")?;
        self.matter("blast radius of one credential", &["--credential", &facts.stolen], "blast.zip")
    }

    /// Asks the index for one page, again and again.
    fn search(&self, http: &Http, query: &str, count: usize) -> anyhow::Result<()> {
        let path = format!("v1/records?{query}&limit=1000");
        let mut times = Vec::with_capacity(self.rounds);
        for _ in 0..self.rounds {
            let started = Instant::now();
            let reply = http.ask(&path, MAX_PAGE_BYTES)?;
            times.push(started.elapsed());
            anyhow::ensure!(reply.status == 200, "{path}: {}", reply.status);
        }
        let [p50, p99] = [50, 99].map(|percent| percentile(&mut times, percent));
        row(&format!("GET /v1/records, {} ids", count.min(1000)), &format!("p50 {}, p99 {}", shown(p50), shown(p99)));
        Ok(())
    }

    /// Makes a custody file, judges it and makes its report.
    fn matter(&self, name: &str, asked: &[&str], file: &str) -> anyhow::Result<()> {
        let (file, page) = (self.out.join(file), self.out.join(file).with_extension("html"));
        let of = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
        let (zip, html) = (of(&file)?, of(&page)?);
        self.tell(
            &format!("custody export, {name}"),
            self.govlog(&[&["custody", "export", "--out", &zip], asked].concat()),
        )?;
        self.tell("  custody verify", self.offline(&["custody", "verify", &zip]))?;
        self.tell("  custody report", self.offline(&["custody", "report", &zip, "--out", &html]))?;
        let output = self.offline(&["custody", "verify", &zip, "--json"]).output()?;
        anyhow::ensure!(output.status.success(), "custody verify --json ended with {}", output.status);
        let verdict: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let entries = verdict.get("entries").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len() >> 10);
        row("  size", &format!("{entries} entries, file {} KiB, report {} KiB", size(&file), size(&page)));
        Ok(())
    }

    /// `govlog` against the log.
    fn govlog(&self, arguments: &[&str]) -> Command {
        let mut command = self.offline(arguments);
        command.arg("--log").arg(&self.log);
        command
    }

    /// `govlog` with the trust directory.
    fn offline(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.govlog);
        command.args(arguments).arg("--trust").arg(&self.trust);
        command
    }

    fn tell(&self, name: &str, mut command: Command) -> anyhow::Result<()> {
        row(name, &program_took(&mut command)?.shown());
        Ok(())
    }
}

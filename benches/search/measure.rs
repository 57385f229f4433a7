//! Time and memory of processes, as Linux counts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use common::{peak_kib, shown};

/// What a program took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) peak_mib: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// How the row of the table is called
    #[arg(long)]
    name: String,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<String>,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (program, arguments) = self.command.split_first().context("no program")?;
        let took = program_took(Command::new(program).args(arguments))?;
        row(&self.name, &took.shown());
        Ok(())
    }
}

impl Took {
    pub(crate) fn shown(&self) -> String {
        format!("{:>9}  peak {:>5} MiB", shown(self.wall), self.peak_mib)
    }
}

/// Runs a program to its end, which has to be a good one.
pub(crate) fn program_took(command: &mut Command) -> anyhow::Result<Took> {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().with_context(|| format!("{command:?}"))?;
    let mut peak_mib = 0;
    let status = loop {
        // The peak only grows: the last reading before the end is it, but for what is taken in the last moment.
        peak_mib = peak_mib.max(peak_of(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(POLL);
    };
    let wall = started.elapsed();
    anyhow::ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Took { wall, peak_mib })
}

const POLL: Duration = Duration::from_millis(2);

/// The most memory that a process had, MiB; 0 where it is gone.
pub(crate) fn peak_of(pid: u32) -> u64 {
    peak_kib(pid).unwrap_or_default() >> 10
}

/// The processor time that a process has used; of its threads of a name alone, where one is given.
pub(crate) fn cpu_of(pid: u32, thread: Option<&str>) -> Duration {
    let Some(name) = thread else { return time_of(Path::new(&format!("/proc/{pid}/stat"))) };
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let is_it = |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
    tasks.map(|task| task.path()).filter(is_it).map(|task| time_of(&task.join("stat"))).sum()
}

fn time_of(stat: &Path) -> Duration {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    // Behind the name, which stands in brackets: utime and stime are the 12th and 13th, in hundredths of a second.
    let behind = stat.rsplit_once(')').map(|(_, behind)| behind).unwrap_or_default();
    let ticks: u64 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// What the files below a folder take on the disk, bytes.
pub(crate) fn size_of(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Prints a row of the table.
pub(crate) fn row(name: &str, values: &str) {
    println!("{name:<44} {values}");
}

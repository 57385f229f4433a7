//! One of the programs as a child process, killed and reaped when it is dropped.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{SOON, until, within};

/// How to start a program.
#[derive(Clone, Debug)]
pub struct Launch {
    node: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
}

/// How a program ended, and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// What it wrote to stdout and was not taken before.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ended {
    /// The exit code, unless a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Says that it ended with this exit code.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn expect(&self, code: i32) {
        assert_eq!(self.code(), Some(code), "{}{}", self.stdout, self.stderr);
    }

    /// Whether a fail point ended it (`return(kill)` aborts).
    #[must_use]
    pub fn aborted(&self) -> bool {
        self.signal() == Some(Signal::ABORT.as_raw())
    }
}

impl Launch {
    /// Names a program of the binary `node`: `server`, `witness` or `govlog`.
    #[must_use]
    pub fn new(node: &Path, program: &str) -> Self {
        Self { node: node.to_owned(), arguments: vec![program.into()], environment: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Starts the program.
    #[must_use]
    pub fn start(&self) -> Process {
        let mut child = Command::new(&self.node)
            .args(&self.arguments)
            .env_remove("FAILPOINTS")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.node.display()));
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stderr = Arc::default();
        let (said, mut pipe) = (Arc::clone(&stderr), child.stderr.take().unwrap());
        std::thread::spawn(move || collect(&mut pipe, &said));
        let name = self.arguments.iter().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ");
        Process { name, child, lines, stderr }
    }

    /// Runs the program to its end.
    #[must_use]
    pub fn finish(&self) -> Ended {
        self.start().ended(LONGEST_COMMAND)
    }

    /// Runs the program to its end, which must be a good one, and returns its stdout.
    #[must_use]
    pub fn output(&self) -> String {
        let ended = self.finish();
        assert!(ended.status.success(), "{:?}: {}\n{}{}", self.arguments, ended.status, ended.stdout, ended.stderr);
        ended.stdout
    }
}

/// A command that waits for publication gives up after 30 s itself.
const LONGEST_COMMAND: Duration = Duration::from_secs(60);

fn collect(pipe: &mut impl Read, into: &Mutex<String>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        let mut text = into.lock().unwrap();
        if text.len() < MOST_STDERR {
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
}

const MOST_STDERR: usize = 1 << 20;

impl Process {
    /// Waits for a line of stdout that begins in this way, and returns the rest of it.
    ///
    /// # Errors
    /// How the program ended, if it did instead.
    pub fn line(&mut self, beginning: &str) -> Result<String, Ended> {
        let end = Instant::now() + SOON;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(beginning) {
                        return Ok(rest.to_owned());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(SOON)),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: no line {beginning:?} within {SOON:?}\n{}", self.name, self.stderr())
                }
            }
        }
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it at once, as a power cut would as far as the program can tell, and reaps it.
    pub fn kill(&mut self) -> Ended {
        // It may have ended by itself; then there is nothing to kill.
        self.child.kill().ok();
        self.ended(SOON)
    }

    /// Asks it to end in good order.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self, limit: Duration) -> Ended {
        let status = within(limit, || self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("{}: still running after {limit:?}\n{}", self.name, self.stderr()));
        // The pipe is closed by its end: the reader ends too, and drops its sender.
        let stdout = self.lines.iter().map(|line| line + "\n").collect();
        until("the end of stderr", SOON, || (Arc::strong_count(&self.stderr) == 1).then_some(()));
        Ended { status, stdout, stderr: self.stderr() }
    }

    /// What it has written to stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Memory in use, in KiB: `VmRSS` of `/proc/<pid>/status`.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most memory it ever used, in KiB: `VmHWM` of `/proc/<pid>/status`.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    /// How many files and sockets it has open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

//! A program that serves: its process, and where it is reached, running or not.

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::{Ended, Launch, Process};

/// A program that prints `listening on` and `admin on` once it serves. Log, witness and agent are one each.
#[derive(Debug, Default)]
pub struct Served {
    process: Option<Process>,
    pub(crate) public: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Served {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// How the process ended instead.
    pub fn try_launch(&mut self, launch: &Launch) -> Result<(), Ended> {
        let mut process = launch.start();
        let public = process.line("listening on http://")?.parse().unwrap();
        let admin = process.line("admin on http://")?.parse().unwrap();
        (self.public, self.admin) = (Some(public), Some(admin));
        self.process = Some(process);
        Ok(())
    }

    /// The running process.
    ///
    /// # Panics
    /// When it was not started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the program is running")
    }

    /// Whether the process is there and has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Ends the process at once.
    pub fn kill(&mut self) -> Ended {
        let ended = self.process().kill();
        self.process = None;
        ended
    }

    /// Waits for the process to end by itself.
    pub fn ended(&mut self, limit: Duration) -> Ended {
        let ended = self.process().ended(limit);
        self.process = None;
        ended
    }

    /// Ends the process in good order.
    ///
    /// # Panics
    /// When it takes longer than this, or does not end well.
    pub fn stop_within(&mut self, limit: Duration) {
        self.process().terminate();
        let ended = self.ended(limit);
        assert_eq!(ended.code(), Some(0), "stopped with {}\n{}", ended.status, ended.stderr);
    }

    /// Where the public routes are.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.public.expect("the program was started")
    }

    /// Where the admin routes are.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.expect("the program was started")
    }
}

/// Starts a program and ends it at once after this time, wherever it is then.
pub(crate) fn kill_while_starting(launch: &Launch, after: Duration) -> Ended {
    let mut process = launch.start();
    // The time is the test's input, not something that is waited for.
    std::thread::sleep(after);
    process.kill()
}

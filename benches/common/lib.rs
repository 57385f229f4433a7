//! What the load generators share: percentiles, times for people, and what Linux knows of a process.

use std::time::Duration;

/// A percentile of some times, which are sorted for that.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Writes a time for people.
#[must_use]
pub fn shown(time: Duration) -> String {
    match time.as_millis() {
        0..100 => format!("{:.2} ms", time.as_secs_f64() * 1e3),
        100..10_000 => format!("{:.0} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// The memory that a process has now, KiB.
#[must_use]
pub fn resident_kib(pid: u32) -> Option<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most memory that a process ever had, KiB.
#[must_use]
pub fn peak_kib(pid: u32) -> Option<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

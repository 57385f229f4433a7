//! What the machine itself can do, measured in the same run: the figures beside which the log's are read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use common::percentile;

use crate::statements::Maker;

/// How many signatures one core verifies in a second, strictly.
pub(crate) fn verify_rate(maker: &Maker) -> anyhow::Result<f64> {
    let statements = (0..512).map(|_| maker.next()).collect::<anyhow::Result<Vec<_>>>()?;
    let key = maker.key().public();
    let started = Instant::now();
    let mut verified = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        for statement in &statements {
            statement.verify_signature(&key)?;
        }
        verified += 512;
    }
    Ok(f64::from(verified) / started.elapsed().as_secs_f64())
}

/// How long it takes to write 4 KiB and have them on the disk: median and 99th percentile.
pub(crate) fn fdatasync(folder: &Path) -> anyhow::Result<[Duration; 2]> {
    let file = tempfile::tempfile_in(folder).with_context(|| folder.display().to_string())?;
    file.set_len(8192)?;
    file.sync_all()?;
    let mut times = (0..500).map(|round| write(&file, round)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok([50, 99].map(|percent| percentile(&mut times, percent)))
}

fn write(file: &File, round: u32) -> anyhow::Result<Duration> {
    let page = [u8::try_from(round % 251)?; 4096];
    let started = Instant::now();
    file.write_all_at(&page, u64::from(round % 2) * 4096)?;
    file.sync_data()?;
    Ok(started.elapsed())
}

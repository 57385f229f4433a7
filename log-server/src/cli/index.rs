//! `rebuild-index`: the search index anew, from the store.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use super::RunArgs;
use crate::config::Config;
use crate::index::{self, Built};
use crate::keys::LogKeys;
use crate::store::LogStore;
use crate::{OpenError, init, start};

/// Builds the index of the log that a configuration names; the head file's lock keeps a running log out.
///
/// # Errors
/// When store and head do not prove what they must, or the index can not be written.
pub(super) fn rebuild(args: &RunArgs, err: &mut (impl Write + IsTerminal)) -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _armed = crate::failpoints::from_environment();
    let config = Config::load(&args.config)?;
    init::check_finished(&config).map_err(OpenError::from)?;
    let keys = LogKeys::load(&config)?;
    let (store, recovered) = start::prove(&config, keys.checkpoint.vkey().clone())?;
    let is_watched = err.is_terminal();
    let mut told = 0;
    let built = index::rebuild(&config.files.index, Arc::clone(&store) as Arc<dyn LogStore>, |done, of| {
        // Long work shows progress on a terminal, and nothing in a pipe.
        if is_watched && done - told >= TELL_EVERY {
            told = done;
            write!(err, "\r{done} of {of} entries").and_then(|()| err.flush()).unwrap_or_default();
        }
    })?;
    // The lock is let go last.
    drop(store);
    drop(recovered);
    if told > 0 {
        writeln!(err)?;
    }
    let Built { entries, took, bytes } = built;
    let each = took / u32::try_from(entries).unwrap_or(u32::MAX).max(1);
    writeln!(err, "indexed {entries} entries in {}, {each:?} each, {} MiB on disk", seconds(took), bytes >> 20)?;
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

const TELL_EVERY: u64 = 4096;

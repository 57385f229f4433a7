//! How many files and sockets a program may have open at once.
//!
//! Systems start programs with 1024 as a rule, for the sake of old ones that could not count further, and let them raise that themselves. As
//! many connections as a log serves use that up, and then it is the store that cannot open a file: whoever connects often enough would stop
//! the log.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside connections: a store's tables, its journals, what is written meanwhile.
const BESIDE_CONNECTIONS: u64 = 1024;

/// Raises the limit on open files as far as the system lets this process, and says in the log when that is less than connections and
/// store may need.
pub fn allow(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(BESIDE_CONNECTIONS);
    // None is no limit.
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "too few files may be open at once (ulimit -Hn, LimitNOFILE= of systemd): with all connections taken the store may fail"
        );
    }
}

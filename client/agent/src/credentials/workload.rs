//! What a Workload API gives this program: its X.509-SVIDs, and the bundles of the trust domains it is to trust.

use std::io;

use govlog_daemon::tls::workload::Svids;

use super::read::{bundle, certificate};
use super::watch::{Look, Looked};
use crate::feed::FeedError;

/// A Workload API, asked in the background.
#[derive(Debug)]
pub struct Workload {
    svids: Svids,
    endpoint: String,
}

impl Workload {
    /// Begins to ask. It need not be there yet.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    pub fn start(endpoint: &str) -> io::Result<Self> {
        Ok(Self { svids: Svids::start(endpoint)?, endpoint: endpoint.to_owned() })
    }
}

impl Look for Workload {
    fn reads(&self) -> &str {
        &self.endpoint
    }

    fn look(&mut self, _now_ms: u64) -> Result<Looked, FeedError> {
        let shown = self.svids.shown().map_err(|why| FeedError(format!("{}: {why}", self.endpoint)))?;
        let leaves = shown.leaves.iter().map(|der| certificate(der));
        let bundles = shown.bundles.iter().map(|(domain, bytes)| bundle(domain, bytes));
        let seen = leaves.chain(bundles).map(|seen| (self.endpoint.clone(), seen)).collect();
        Ok(Looked { seen, unreadable: 0 })
    }
}

//! What a Workload API gives this program: its X.509-SVIDs, the bundles of the trust domains it is to trust, X.509 and JWT, and JWT-SVIDs for the
//! audiences that are configured.
//!
//! Trust: whoever answers at the socket says what this program is given. Of a JWT-SVID only its handles leave [`api`].

mod api;
mod jwt;
#[cfg(test)]
mod tests;

use std::io;

use govlog_daemon::tls::workload::Svids;

use super::read::{bundle, certificate};
use super::watch::{Look, Looked};
use crate::feed::FeedError;
use jwt::Jwts;

/// A Workload API, asked in the background.
#[derive(Debug)]
pub struct Workload {
    svids: Svids,
    jwts: Jwts,
    endpoint: String,
}

impl Workload {
    /// Begins to ask. It need not be there yet.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    pub fn start(endpoint: &str, audiences: &[String]) -> io::Result<Self> {
        let jwts = Jwts::start(endpoint, audiences)?;
        Ok(Self { svids: Svids::start(endpoint)?, jwts, endpoint: endpoint.to_owned() })
    }
}

impl Look for Workload {
    fn reads(&self) -> &str {
        &self.endpoint
    }

    fn unreadable(&self) -> &'static str {
        "answers that are missing"
    }

    fn look(&mut self, _now_ms: u64) -> Result<Looked, FeedError> {
        let shown = self.svids.shown().map_err(|why| FeedError(format!("{}: {why}", self.endpoint)))?;
        let leaves = shown.leaves.iter().map(|der| certificate(der));
        let bundles = shown.bundles.iter().map(|(domain, bytes)| bundle(domain, bytes));
        let (jwts, unreadable) = self.jwts.shown();
        let seen = leaves.chain(bundles).chain(jwts).map(|seen| (self.endpoint.clone(), seen)).collect();
        Ok(Looked { seen, unreadable })
    }
}

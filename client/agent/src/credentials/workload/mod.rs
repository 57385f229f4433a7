//! What a Workload API gives this program: its X.509-SVIDs, the bundles of the trust domains it is to trust, X.509 and JWT, and JWT-SVIDs for the
//! audiences that are configured.
//!
//! Trust: whoever answers at the socket says what this program is given. Of a JWT-SVID only its handles leave `api`.

mod api;
mod jwt;
#[cfg(test)]
mod tests;

use govlog_daemon::tls::workload::Svids;

use super::read::{bundle, certificate};
use super::watch::{Look, Looked};
use crate::feed::FeedError;
use jwt::{Jwts, Shown};

/// A Workload API, asked in the background from the first look on: whoever only wants to know what is configured has no token issued.
#[derive(Debug)]
pub struct Workload {
    endpoint: String,
    audiences: Vec<String>,
    asked: Option<(Svids, Jwts)>,
}

impl Workload {
    /// For the Workload API at a socket, which need not be there yet, and for whom JWT-SVIDs are to be asked of it.
    #[must_use]
    pub fn new(endpoint: &str, audiences: &[String]) -> Self {
        Self { endpoint: endpoint.to_owned(), audiences: audiences.to_vec(), asked: None }
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
        let Self { endpoint, audiences, asked } = self;
        let no_thread =
            |error: std::io::Error| FeedError(format!("{endpoint}: no thread can be started to ask it: {error}"));
        let (svids, jwts) = match asked {
            Some(there) => there,
            None => {
                let svids = Svids::start(endpoint).map_err(no_thread)?;
                asked.insert((svids, Jwts::start(endpoint, audiences).map_err(no_thread)?))
            }
        };
        let shown = svids.shown().map_err(|why| FeedError(format!("{endpoint}: {why}")))?;
        let leaves = shown.leaves.iter().map(|der| certificate(der));
        let bundles = shown.bundles.iter().map(|(domain, bytes)| bundle(domain, bytes));
        let Shown { seen: jwts, missing: unreadable, is_partial } = jwts.shown();
        let seen = leaves.chain(bundles).chain(jwts).map(|seen| (endpoint.clone(), seen)).collect();
        Ok(Looked { seen, unreadable, is_partial })
    }
}

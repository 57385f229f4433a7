//! X.509-SVIDs from a SPIFFE Workload API, which sends a new one before the old one ends.

use std::sync::Arc;

use govlog_daemon::tls::workload::Svids as Source;
use govlog_formats::cose::SigningKey;

use super::{Svid, SvidError, Svids};

/// The Workload API, asked in the background.
#[derive(Debug)]
pub struct Workload {
    source: Source,
    endpoint: String,
    iss: String,
}

impl Workload {
    /// Begins to ask. It need not be there yet.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    pub fn start(endpoint: &str, iss: &str) -> Result<Self, SvidError> {
        let failed = |why: std::io::Error| SvidError::Workload { endpoint: endpoint.to_owned(), why: why.to_string() };
        let source = Source::start(endpoint).map_err(failed)?;
        Ok(Self { source, endpoint: endpoint.to_owned(), iss: iss.to_owned() })
    }
}

impl Svids for Workload {
    fn newest(&self) -> Result<Arc<Svid>, SvidError> {
        let read = |chain: Vec<Vec<u8>>, key: &[u8]| Svid::new(&self.iss, chain, SigningKey::from_pkcs8_der(key)?);
        let newest = self.source.with_newest(&self.iss, read);
        let svid = newest.map_err(|why| SvidError::Workload { endpoint: self.endpoint.clone(), why })??;
        Ok(Arc::new(svid))
    }
}

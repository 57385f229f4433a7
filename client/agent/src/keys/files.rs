//! X.509-SVIDs in two files that somebody replaces: `spiffe-helper`, or `spire-agent api fetch x509 -write`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use govlog_client::key_file;
use govlog_formats::record::handles::certificates_from_pem;

use super::{Svid, SvidError, Svids};

/// The files of one issuer.
#[derive(Debug)]
pub struct Files {
    svid: PathBuf,
    key: PathBuf,
    iss: String,
}

impl Files {
    /// Reads from these files whenever it is asked; they need not be there yet.
    #[must_use]
    pub fn new(svid: PathBuf, key: PathBuf, iss: &str) -> Self {
        Self { svid, key, iss: iss.to_owned() }
    }
}

impl Svids for Files {
    /// By content, whatever replaces the files: a rename, a link, or a write in place. Half of a change is no SVID yet.
    fn newest(&self) -> Result<Arc<Svid>, SvidError> {
        let path = || self.svid.clone();
        let pem = fs::read(&self.svid).map_err(|cause| SvidError::File { path: path(), cause })?;
        let chain = certificates_from_pem(&pem).map_err(|error| SvidError::Pem { path: path(), error })?;
        Ok(Arc::new(Svid::new(&self.iss, chain, key_file::load(&self.key)?)?))
    }
}

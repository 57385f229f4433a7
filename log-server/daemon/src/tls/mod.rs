//! TLS on a listener: TLS 1.3 with ring, HTTP/1.1 inside, certificates that are replaced while it serves.
//!
//! ```text
//! files, every 2 s ──┐
//!                    ├─▶ Material ─▶ watch ─┬─▶ the next handshake
//! Workload API ──────┘      │               └─▶ every connection begun with a certificate: is it still believed? (`Standing`)
//!                           └── refused: the one before stays, `Health` counts it
//! ```
//!
//! What is wrong at the start is an error; what is wrong later is not: connections go on with what was right last.
//!
//! Trust: whoever writes the files, or answers at the Workload API's socket, decides who this program is and whom it believes.

mod files;
mod health;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
#[cfg(feature = "spiffe")]
pub mod workload;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use govlog_tls::material::MaterialError;
use govlog_tls::provider;

pub use health::Health;
pub(crate) use standing::Standing;

pub use settings::{ExposureError, Paths, RawTls, Settings, SettingsError, Source, about};

/// What handshakes are made with. Cheap to clone; what keeps it fresh ends with the last clone.
#[derive(Clone, Debug)]
pub struct Tls {
    current: watch::Receiver<Arc<Material>>,
    health: Arc<Health>,
    _fresh: Arc<Fresh>,
}

/// What counts from one change to the next.
#[derive(Debug)]
pub(crate) struct Material {
    /// What handshakes are made with.
    pub(crate) config: Arc<ServerConfig>,
    /// Which certificates are believed; without it no client is asked for one.
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// The task that keeps it fresh.
#[derive(Debug)]
struct Fresh(AbortHandle);

impl Drop for Fresh {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The files cannot be used.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The Workload API gives nothing.
    #[error(
        "tls.spiffe = {endpoint:?}: {why}; is the SPIRE agent running, and does it have an entry for this program?"
    )]
    Workload {
        /// Where it should be.
        endpoint: String,
        /// What it, or the connection to it, says.
        why: String,
    },
    /// This program was built without it.
    #[error(
        "tls.spiffe is set, and this program was built without the feature spiffe; set tls.cert and tls.key instead"
    )]
    NotBuilt,
}

impl Tls {
    /// Makes what the settings say; `None` when they name no certificate.
    ///
    /// # Errors
    /// [`TlsError`] names what cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(settings: &Settings) -> Result<Option<Self>, TlsError> {
        match &settings.source {
            None => Ok(None),
            Some(Source::Files(paths)) => Ok(Some(files::start(paths.clone(), files::EVERY)?)),
            #[cfg(feature = "spiffe")]
            Some(Source::Workload(endpoint)) => workload::start(endpoint).await.map(Some),
            #[cfg(not(feature = "spiffe"))]
            Some(Source::Workload(_)) => Err(TlsError::NotBuilt),
        }
    }

    /// What the next handshake is made with, and all that comes after it.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Material>> {
        self.current.clone()
    }

    /// How the certificate stands.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

/// Puts together what a handshake needs. Without a verifier no client is asked for a certificate.
fn material(pair: Arc<CertifiedKey>, clients: Option<Arc<dyn ClientCertVerifier>>) -> Result<Material, MaterialError> {
    let failed = |error: rustls::Error| MaterialError::Tls(error.to_string());
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?;
    let builder = match &clients {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Nothing is kept for a client that is gone, and whoever comes again proves again who it is.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Material { config: Arc::new(config), clients })
}

/// Believes certificates of these authorities. A client may show none, and is then nobody: tokens are a way in as well.
fn verifier(authorities: rustls::RootCertStore) -> Result<Arc<dyn ClientCertVerifier>, MaterialError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider());
    builder.allow_unauthenticated().build().map_err(|error| MaterialError::Tls(error.to_string()))
}

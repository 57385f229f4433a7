//! Certificates and authorities from a SPIFFE Workload API, which sends new ones before the old ones end.
//!
//! "An X.509-SVID … is validated against the bundle of its own trust domain" (SPIFFE X509-SVID §5): an authority of one domain does not speak
//! for workloads of another.

#[cfg(feature = "fake-workload-api")]
pub mod fake;
mod svids;
#[cfg(all(test, feature = "fake-workload-api"))]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use govlog_tls::material::MaterialError;
use govlog_tls::{identity, provider};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use spiffe::x509_source::X509SourceError;
use spiffe::{X509BundleSet, X509Source, X509Svid};
use tokio::sync::watch;

pub use svids::{Shown, Svids};

use super::{Fresh, Health, Material, Tls, TlsError, material, verifier};

/// Asks for the first certificate, and follows what comes after it.
pub(super) async fn start(endpoint: &str) -> Result<Tls, TlsError> {
    let failed = |source: X509SourceError| TlsError::Workload { endpoint: endpoint.to_owned(), why: chain(&source) };
    let source = X509Source::builder().endpoint(endpoint).initial_sync_timeout(FIRST).build().await.map_err(failed)?;
    let health = Arc::new(Health::default());
    // Before it is read for the first time, so that no update falls in between.
    let mut updates = source.updated();
    let (tell, current) = watch::channel(Arc::new(made(&source, &health)?));
    let task = tokio::spawn({
        let health = Arc::clone(&health);
        async move {
            while updates.changed().await.is_ok() {
                match made(&source, &health) {
                    Ok(material) => {
                        tell.send_replace(Arc::new(material));
                        health.replaced();
                    }
                    Err(error) => health.refused(&error),
                }
            }
            // Only an end without reconnecting comes here: what was right last is shown until it ends.
            health.refused(&"the Workload API ended the connection for good");
            std::future::pending::<()>().await;
        }
    });
    Ok(Tls { current, health, _fresh: Arc::new(Fresh(task.abort_handle())) })
}

fn made(source: &X509Source, health: &Health) -> Result<Material, MaterialError> {
    let unusable = |error: X509SourceError| MaterialError::Tls(chain(&error));
    let pair = pair(&*source.svid().map_err(unusable)?)?;
    let clients = ByTrustDomain::new(&*source.bundle_set().map_err(unusable)?);
    let made = material(Arc::clone(&pair), Some(Arc::new(clients)))?;
    health.shows(&pair);
    Ok(made)
}

fn pair(svid: &X509Svid) -> Result<Arc<CertifiedKey>, MaterialError> {
    let chain = svid.cert_chain().iter().map(|cert| CertificateDer::from(cert.as_bytes().to_vec())).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec()));
    let pair = CertifiedKey::from_der(chain, key, &provider());
    Ok(Arc::new(pair.map_err(|error| MaterialError::Tls(format!("the X.509-SVID: {error}")))?))
}

/// Verifies each client by the authorities of the trust domain that it says it is of.
#[derive(Debug)]
struct ByTrustDomain {
    domains: BTreeMap<String, Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ByTrustDomain {
    fn new(bundles: &X509BundleSet) -> Self {
        let mut domains = BTreeMap::new();
        for (domain, bundle) in bundles.iter() {
            let mut roots = RootCertStore::empty();
            let authorities = bundle.authorities().iter().map(|cert| CertificateDer::from(cert.as_bytes().to_vec()));
            let (_, unreadable) = roots.add_parsable_certificates(authorities);
            // A domain of which nothing can be read is one that nobody comes from.
            match verifier(roots) {
                Ok(verifier) => drop(domains.insert(domain.to_string(), verifier)),
                Err(error) => tracing::warn!(%domain, unreadable, %error, "a trust bundle has no authority"),
            }
        }
        Self { domains, provider: provider() }
    }
}

impl ClientCertVerifier for ByTrustDomain {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let id = identity::spiffe_id(end_entity);
        let domain = id.as_deref().and_then(identity::trust_domain).and_then(|domain| self.domains.get(domain));
        let verifier = domain.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Writes an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// For the first certificate: the Workload API may be starting beside this program.
const FIRST: Duration = Duration::from_secs(30);

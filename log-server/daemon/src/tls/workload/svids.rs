//! X.509-SVIDs for other uses than handshakes: a program that signs with its own.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use spiffe::X509Source;
use tokio::runtime::{Builder, Runtime};

use super::chain;

/// A Workload API that is asked in the background, on a thread of its own, and asked again until it answers.
pub struct Svids {
    source: Arc<OnceLock<X509Source>>,
    /// Why there is none yet.
    why: Arc<Mutex<String>>,
    runtime: Option<Runtime>,
}

impl Svids {
    /// Begins to ask; nothing need answer yet. May be called from wherever.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(endpoint: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("svids").enable_all().build()?;
        let (source, why) = (Arc::default(), Arc::new(Mutex::new("it has not answered yet".to_owned())));
        runtime.spawn(ask(endpoint.to_owned(), Arc::clone(&source), Arc::clone(&why)));
        Ok(Self { source, why, runtime: Some(runtime) })
    }

    /// Gives what is shown now, without private keys.
    ///
    /// # Errors
    /// There is nothing yet, and why.
    pub fn shown(&self) -> Result<Shown, String> {
        let Some(source) = self.source.get() else {
            return Err(self.why.lock().unwrap_or_else(PoisonError::into_inner).clone());
        };
        let context = source.x509_context().map_err(|error| chain(&error))?;
        let leaves = context.svids().iter().filter_map(|svid| svid.cert_chain().first());
        let bundles = context.bundle_set().iter().map(|(domain, bundle)| {
            let authorities = bundle.authorities().iter().flat_map(|authority| authority.as_bytes().to_vec());
            (domain.to_string(), authorities.collect())
        });
        Ok(Shown { leaves: leaves.map(|leaf| leaf.as_bytes().to_vec()).collect(), bundles: bundles.collect() })
    }

    /// Lets somebody read the newest X.509-SVID of a SPIFFE ID: the chain, leaf first, each in DER, and the private key in DER (PKCS#8), which is not
    /// copied.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn with_newest<T>(&self, id: &str, read: impl FnOnce(Vec<Vec<u8>>, &[u8]) -> T) -> Result<T, String> {
        let Some(source) = self.source.get() else {
            return Err(self.why.lock().unwrap_or_else(PoisonError::into_inner).clone());
        };
        let context = source.x509_context().map_err(|error| chain(&error))?;
        let own = context.svids().iter().find(|svid| svid.spiffe_id().to_string() == id);
        let Some(svid) = own else {
            let found: Vec<String> = context.svids().iter().map(|svid| svid.spiffe_id().to_string()).collect();
            return Err(format!("it gives this program the X.509-SVID of {}, and none of {id}", found.join(", ")));
        };
        let certificates = svid.cert_chain().iter().map(|certificate| certificate.as_bytes().to_vec()).collect();
        Ok(read(certificates, svid.private_key().as_bytes()))
    }
}

/// What a Workload API shows, but for private keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The leaf certificates of the X.509-SVIDs, in DER.
    pub leaves: Vec<Vec<u8>>,
    /// Trust domains, and their authorities in DER, one behind the other.
    pub bundles: Vec<(String, Vec<u8>)>,
}

impl Drop for Svids {
    fn drop(&mut self) {
        // Whoever drops it may be async itself, where waiting for a runtime's end is a mistake.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Svids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Svids").field("answered", &self.source.get().is_some()).finish_non_exhaustive()
    }
}

async fn ask(endpoint: String, found: Arc<OnceLock<X509Source>>, why: Arc<Mutex<String>>) {
    loop {
        match X509Source::builder().endpoint(&endpoint).initial_sync_timeout(ONE_TRY).build().await {
            Ok(source) => {
                drop(found.set(source));
                return;
            }
            Err(error) => *why.lock().unwrap_or_else(PoisonError::into_inner) = chain(&error),
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

const ONE_TRY: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_secs(1);

//! Whether what a certificate has proved at a handshake is still believed.
//!
//! A certificate is judged once, when a connection begins, and a connection may be kept for hours. An authority that is taken away because its
//! certificates fell into wrong hands is to be believed no longer from that moment on, and not only by those who come after it.
//!
//! Trust: the chain is what the peer has shown; only the authorities in force say whether it counts.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;

use super::Material;

/// A chain that was believed when its connection began, and what is believed now.
#[derive(Debug)]
pub(crate) struct Standing {
    chain: Vec<CertificateDer<'static>>,
    material: watch::Receiver<Arc<Material>>,
}

impl Standing {
    /// Takes the chain of a handshake, and where changes come from: a receiver that has seen what the handshake was made with, and nothing newer.
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, material: watch::Receiver<Arc<Material>>) -> Self {
        Self { chain, material }
    }

    /// Resolves once a handshake with this chain would be refused; never if nothing changes so.
    pub(crate) async fn lost(mut self) {
        while self.material.changed().await.is_ok() {
            let believed = self.material.borrow_and_update().believes(&self.chain);
            if !believed {
                return;
            }
        }
        // What was right last stays so.
        std::future::pending().await
    }
}

impl Material {
    /// Judges a chain as a handshake made now would.
    pub(super) fn believes(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(clients), Some((leaf, others))) = (&self.clients, chain.split_first()) else { return false };
        clients.verify_client_cert(leaf, others, UnixTime::now()).is_ok()
    }
}

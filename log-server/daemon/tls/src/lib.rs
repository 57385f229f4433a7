//! What every party needs to prove who it is over TLS, and none should write again.
//!
//! **In scope**: files that only their owner may read ([`secret`]), certificates and keys in PEM files ([`material`]), the identity in a
//! certificate ([`identity`]), how a program shows itself to servers and which servers it believes ([`outbound`]).
//!
//! **Out of scope**: sockets, and when files are read again, which is the business of whoever serves (`govlog-daemon`) or asks.
//!
//! One provider of cryptography, ring, named at each place: nothing here depends on what the process has installed.

pub mod identity;
pub mod material;
pub mod outbound;
pub mod secret;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The cryptography of every connection.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

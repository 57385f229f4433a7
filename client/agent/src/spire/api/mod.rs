//! What the server has, as its interfaces say: entries, agents, bundles, authorities.
//!
//! Asked of it on its socket, or read of a folder of recorded answers: the same values, and [`changes`] finds what is new in them and what
//! is gone.

pub mod changes;
#[cfg(any(test, feature = "spiffe"))]
pub mod grpc;
mod memory;
mod model;
mod older;
mod shape;
pub mod snapshot;

pub use model::{Agent, Authority, Bundle, BundleKey, Entry, Listing, Selector};

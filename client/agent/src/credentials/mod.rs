//! Credentials as they are found where workloads have them: certificates and tokens become `observation` records.
//!
//! What an issuer says it issued is one side; what lies in a workload's folder, or what the Workload API gives, is the other. An observation has
//! all handles of a credential, so an issuance that names it by its serial number is completed by the digests under which others meet it.
//!
//! ```text
//! folder ───────┐
//! Workload API ─┼─▶ Seen ─▶ new ones ─▶ outbox ─▶ observation
//! own, [x509] ──┘
//! ```
//!
//! [`read`] finds credentials in a file's bytes, [`folder`], `workload` and [`Own`] look, [`watch`] tells new ones from known ones, [`mod@observation`]
//! makes the record.
//!
//! Trust: whoever writes the folder says what lies in it; no signature is checked here. **Private keys and tokens go nowhere**: of a file only its
//! certificates are decoded, of a token only digests and the claims named in [`read::Token`] are kept, and nothing unreadable is kept at all.

mod adapter;
pub mod folder;
pub mod observation;
mod own;
pub mod read;
pub mod table;
#[cfg(test)]
mod tests;
pub mod watch;
#[cfg(feature = "spiffe")]
pub mod workload;

/// How records name this source.
pub const SYSTEM: &str = "credentials";

pub use adapter::Observations;
pub use folder::Folder;
pub use observation::observation;
pub use own::Own;
pub use read::Seen;
pub use table::{RawWatched, Watched, WatchedError, Where};
pub use watch::Watcher;

//! OPA: decision-log and status uploads, and the signed bundles they speak of.
//!
//! Bytes in, events, records out: [`upload`] unpacks and cuts, [`event`] names, [`mod@decision`] maps, [`mod@status`] reads what OPA counts, [`bundle`] verifies
//! policies, [`watch`] compares statuses.
//!
//! Trust: whoever can upload here can write what they like, in OPA's name; the agent's door says who that is. Whoever can ask OPA chooses
//! input and headers; only a proxy that the operator names is believed about its client. Nothing that is uploaded makes these functions
//! take more than their limits, fail to end, or drop another event.
//!
//! In scope: values of bytes. Out of scope: receiving and storing (the agent's door and outbox), signing (its submitter).

mod adapter;
pub mod bundle;
pub mod decision;
mod draft;
pub mod event;
pub mod mapping;
pub mod status;
#[cfg(test)]
mod tests;
pub mod upload;
pub mod watch;
pub mod xfcc;

/// How records name this source.
pub const SYSTEM: &str = "opa";

pub use adapter::OpaAdapter;
pub use decision::{Unmapped, decision};
pub use event::Event;
pub use mapping::{Group, GroupError, Mapping, RawGroup, RawMapping, RawSource};
pub use status::{Loaded, Status, status};
pub use upload::{Element, Limits, Refused, Upload, read, unpack};

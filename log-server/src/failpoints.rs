//! Named places at which a test kills the process or makes a step fail: those of a log.
//!
//! How a point is armed, and what then happens there, is told by [`govlog_daemon::failpoints`]. Without the feature
//! `failpoints` every call is a constant and disappears.
//!
//! | Name | The last durable thing before it |
//! |---|---|
//! | `sequencer::before_write` | nothing of this batch |
//! | `store::after_write` | the batch, synced |
//! | `finisher::before_read_back` | the batch, synced |
//! | `head::before_write` | the batch, synced |
//! | `head::after_first_half` | the batch, and half a head slot |
//! | `head::after_write` | the batch, and a head slot that may not be on disk |
//! | `head::after_sync` | batch and head |
//! | `finisher::before_sign` | batch and head |
//! | `finisher::before_ack` | batch and head |
//! | `archive::before` | nothing of this note |
//! | `archive::after` | the note, synced |
//! | `recovery::before_adopt` | an unsigned tail |
//! | `index::before_take_in` | a segment of the index, as a file that nobody knows |
//! | `index::after_take_in` | that segment, in the index |
//!
//! And safeties that can be switched off one at a time with `return`, to show that a test would notice:
//! `skip_sync`, `skip_read_back`, `ack_before_head`, `skip_head_check`. `flip_stored_entry` with `return` changes a bit of
//! each batch between hashing and writing, which is what the read-back is there to find.

pub use govlog_daemon::failpoints::Injected;
#[cfg(feature = "failpoints")]
pub use govlog_daemon::failpoints::from_environment;
pub(crate) use govlog_daemon::failpoints::{hit, off};

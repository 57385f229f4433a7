//! Submitting: sign once, remember, send, check what comes back.
//!
//! ```text
//! records ─▶ Draft ─▶ sign ─▶ StreamFile (durable) ─▶ send ─▶ check ─▶ StreamFile (settled)
//! ```

mod check;
mod draft;
mod place;
mod send;
mod session;
mod state;

pub use check::{Judge, Published, Unproved};
pub use draft::{Draft, DraftError, kinds};
pub use place::{Own, Place, PlaceError, place};
pub use send::{Answer, SendError, Wait, send};
pub use session::{Done, Prepared, Sent, Session, Signed, SubmitError, Target};
pub use state::{StateError, Stream, StreamFile};

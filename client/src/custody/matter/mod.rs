//! What hangs together: which entries belong to a matter, and why. Whoever makes a file and whoever judges it go by these rules.
//!
//! ```text
//! roles, resolve ─▶ ahead, turns, shelf ─▶ closure ─▶ survey
//! ```

mod ahead;
mod closure;
mod resolve;
mod roles;
mod shelf;
mod survey;
mod turns;

pub use closure::{Closure, close};
pub use resolve::Lookup;
pub use roles::Role;
pub use shelf::Shelf;
pub(super) use survey::Survey;
pub use survey::{DeadLink, Edge};

//! What an entry is called and what it names, by its kind and its fields alone. Nothing is looked up here.
//!
//! ```text
//! handles ─▶ table, revoking ─▶ points ─▶ node
//! ```

mod handles;
mod node;
mod points;
mod revoking;
mod spot;
mod table;

pub(super) use handles::{
    DELEGATED_TO, DOMAIN, ISSUED_TO, KEYS_OF, NAMED, OWNED, REGISTERED, REGISTRY_ENTRY, RUNS_AS, also_called,
    is_certificate_name, is_key_name, same, shown, target_key,
};
pub use node::Node;
pub use spot::{Spot, SpotError};
pub(super) use table::{BEARS_ON, REVOKES, can_be_meant, is_revoking, speakers};
pub use table::{Class, Point, REVOCABLE, WORDS, class, meant_kinds};

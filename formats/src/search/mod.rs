//! By what an entry is found: its terms and its time, and the filter that picks entries by them.
//!
//! A [`Term`] is a [`Column`] and a text in one spelling; what [`Marks::of`] an entry are follows from its signed bytes alone, so that an
//! index and whoever checks its answers agree: a [`Filter`] judges an entry the same way on both sides. Which fields of a record count the
//! field tables say ([`crate::record::indexed_fields`]); besides them there are the header, the entry's own digests, every handle, every link,
//! the correlation ids and the references of sealed values.
//!
//! A term is a way to find an entry and no more: that `credential` has a value says that some handle in the entry has it, not whose credential
//! it is. Statements that are only a digest, and those of foreign content types, are found by their header.
//!
//! **Time** is what the signer claims, in POSIX milliseconds: `event_ms` of a record and the other times it is to be found by, from the least to
//! the greatest (of a `decision-batch` those of its decisions, too); where a statement has none that can be read, its `iat`. Who has a signer's
//! key writes any time: what a stolen key signed is found without a time, and bounded by what witnesses saw.

mod column;
mod filter;
mod marks;
mod term;
mod text;
mod walk;

#[cfg(test)]
mod tests;

pub use column::Column;
pub use filter::{Filter, FilterError, percent_encode};
pub use marks::{Marks, fingerprint};
pub use term::Term;

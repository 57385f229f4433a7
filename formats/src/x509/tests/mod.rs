//! Tests of certificate chains, by what they are about.

pub(crate) mod authority;
mod bits;
mod captured;
pub(crate) mod count;
mod path;
mod rules;

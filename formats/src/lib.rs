//! What the bytes of a govlog mean.

pub mod record;

//! What the bytes of a govlog mean.

//! The heads of CBOR items.

//! Results of a batch of submissions, one CBOR map each.

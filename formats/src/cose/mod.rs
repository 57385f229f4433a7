//! COSE keys, algorithms and single-signer messages.

//! COSE receipts: a signed inclusion proof that travels with its statement.

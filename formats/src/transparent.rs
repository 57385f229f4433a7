//! Transparent statements: a signed statement with its receipts.

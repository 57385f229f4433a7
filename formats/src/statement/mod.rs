//! Signed statements: the entries of a log.

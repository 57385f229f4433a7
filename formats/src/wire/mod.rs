//! Bodies that a log and its witnesses exchange.

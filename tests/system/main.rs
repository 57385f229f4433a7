//! The parties together: real processes, real sockets, real disks. The harness is in `tests/harness`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod agent;
mod crash;
mod guard;
mod help;
mod hostile;
mod index;
mod operators;
mod people;
mod power_cut;
mod refusals;
mod restart;
mod round_trip;
mod safeties;
mod scenario;
mod siege;
mod tls;
mod witnesses;
mod x509;

/// The binary that is each of the programs.
const NODE: &str = env!("CARGO_BIN_EXE_node");

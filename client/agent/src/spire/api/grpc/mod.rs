//! The server's interfaces over gRPC.

mod client;
mod messages;
#[cfg(test)]
mod tests;

pub use client::{AskError, Client};

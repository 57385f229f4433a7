//! Records that people sign: approvals, ownership, revocations, delegations, agents.
//!
//! ```text
//! what a person says ─▶ resolve ─▶ builder ─▶ Built ─▶ Prepared ─▶ preview ─▶ yes ─▶ sign these bytes
//! ```
//!
//! In scope: from flags and what they name to a record with the right digests and links, and to the text that is shown before it is signed.
//! Builders are functions of values: time and randomness are arguments. Out of scope: files, keys, the network (`cli`, `submit`).
//!
//! A log is public to its readers for ever. What names a person is therefore a pseudonym, or is sealed under a random salt whose opening
//! goes to a store of the signer's; text that looks like an e-mail address never goes in the clear.

mod agent;
mod approval;
mod delegation;
mod ownership;
mod preview;
mod revocation;
mod sheet;

pub use agent::{AgentFacts, agent};
pub use approval::{ApprovalFacts, Target, approval};
pub use delegation::{DelegationFacts, PartyName, delegation};
pub use ownership::{OwnershipFacts, ownership};
pub use preview::Preview;
pub use revocation::{RevocationFacts, revocation};
pub use sheet::{BuildError, Built, Linked, Seals};

#[cfg(test)]
mod tests;

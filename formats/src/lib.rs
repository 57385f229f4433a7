//! What the bytes of a govlog mean: Merkle tree, tiles, notes, checkpoints, statements, receipts, records and admission
//! policy.
//!
//! **In scope**: parsing, hashing, proving, verifying and judging, as functions of values. Time is an argument; nodes
//! of the tree are asked for through a [`merkle::NodeReader`]. Everything that comes in is taken to be hostile: a
//! refusal is an error value, never a panic, and every bound is checked before memory is taken.
//!
//! **Out of scope**: clocks, randomness, files, sockets, async and logging. The parties do those: `log-server` orders
//! and publishes, `witness` remembers, `client` fetches and checks. The crate builds for `wasm32-unknown-unknown`.
//!
//! # Map
//!
//! | What | Modules |
//! |---|---|
//! | values and bounds used everywhere | [`digest`], [`base64`], [`limits`], [`entry_id`], [`mod@visible`] |
//! | the tree | [`merkle`], [`tile`] |
//! | signed notes and what they carry | [`note`], [`checkpoint`], [`cosignature`], [`tlog_policy`], [`tlog_proof`], [`wire`] |
//! | signed statements and receipts | [`cbor`], [`cose`], [`statement`], [`receipt`], [`transparent`], [`key_set`] |
//! | what statements say, and by what they are found | [`record`], [`member`], [`search`] |
//! | who may submit what | [`admission`], [`x509`] |
//! | bodies of the log's HTTP interface | [`batch`], [`problem`] |

pub mod admission;
pub mod base64;
pub mod batch;
pub mod cbor;
pub mod checkpoint;
pub mod cose;
pub mod cosignature;
pub mod digest;
pub mod entry_id;
pub mod key_set;
pub mod limits;
pub mod member;
pub mod merkle;
pub mod note;
pub mod problem;
pub mod receipt;
pub mod record;
pub mod search;
pub mod statement;
pub mod tile;
pub mod tlog_policy;
pub mod tlog_proof;
pub mod transparent;
pub mod visible;
pub mod wire;
pub mod x509;

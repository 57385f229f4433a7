//! What every long-running govlog program needs, and none should write again.
//!
//! **In scope**: HTTP/1.1 connections that nobody can hold open for nothing ([`serve`]), TLS on them ([`tls`]), who may come in ([`access`],
//! [`routes`]) and how often somebody may try ([`guesses`], [`budget`]), the wish to end ([`stop`]), what a program says about itself ([`logging`]), how many files it may have open ([`open_files`]),
//! places at which a test makes it fail ([`failpoints`]).
//!
//! **Out of scope**: routes, answers and how long a request's body may take, which are the handlers' business; which addresses to bind and what to do
//! before the end, which each party decides for itself. Nothing here knows a party or a route.

pub mod access;
pub mod budget;
pub mod failpoints;
pub mod guesses;
pub mod logging;
pub mod open_files;
pub mod routes;
pub mod serve;
pub mod stop;
pub mod tls;

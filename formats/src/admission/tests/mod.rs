//! Tests of the admission policy, by what they are about.

mod approvals;
mod change;
mod fold;
mod genesis;
mod order;
mod properties;
mod rules;
mod view;
mod world;
mod x509;

//! Tests of the admission policy.

//! The adapter over what two real OPA instances uploaded.
//!
//! `tests/data/capture` holds uploads of OPA 1.22.2 behind Envoy 1.40.0, byte for byte, in order of arrival: 609 events, of which 18 came
//! twice because an upload was answered 503; and the certificates that SPIRE 1.15.3 issued to the callers.

mod capture;

//! What became of a request, by what Envoy says of its response.
//!
//! | First that holds | Outcome |
//! |---|---|
//! | flag `UAEX`: the authorization service denied, or gave no answer and the request was not let through | blocked |
//! | flag `RL` or `RLSE`: held back by a rate limit | blocked |
//! | 401, 403, 407, 429, 451: refused for who asks, or how often | blocked |
//! | gRPC status `PermissionDenied`, `Unauthenticated` | blocked |
//! | another gRPC status than `OK` | failed |
//! | 1xx, 2xx, 3xx with a flag that says the response broke off (`UC`, `UT`, `DC`, `SI`, `LR`, `UR`, `DT`, `UPE`, `DPE`, `UMSDR`, `OM`) | partial |
//! | 1xx, 2xx, 3xx | performed |
//! | 0: the caller left before there was a response, whatever was done meanwhile | failed |
//! | any other: 4xx, 5xx | failed |
//!
//! What a decision was does not show here: that a request was let through although its decision denied it is for the audit to find.

use govlog_formats::record::effect::Outcome;

/// Judges a response.
#[must_use]
pub fn outcome(code: u16, flags: &[&str], grpc: Option<&str>) -> Outcome {
    let has = |wanted: &[&str]| flags.iter().any(|flag| wanted.contains(flag));
    match (code, grpc) {
        _ if has(&HELD_BACK) => Outcome::Blocked,
        (401 | 403 | 407 | 429 | 451, _) | (_, Some("PermissionDenied" | "7" | "Unauthenticated" | "16")) => {
            Outcome::Blocked
        }
        (_, Some(status)) if !matches!(status, "OK" | "0") => Outcome::Failed,
        (100..=399, _) if has(&BROKEN_OFF) => Outcome::Partial,
        (100..=399, _) => Outcome::Performed,
        _ => Outcome::Failed,
    }
}

const HELD_BACK: [&str; 3] = ["UAEX", "RL", "RLSE"];
const BROKEN_OFF: [&str; 11] = ["UC", "UT", "DC", "SI", "LR", "UR", "DT", "UPE", "DPE", "UMSDR", "OM"];

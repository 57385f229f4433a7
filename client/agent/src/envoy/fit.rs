//! Whether a decision is the one that a line carries out: what both know of the request, compared.
//!
//! A request's id is the caller's to choose. One that is used twice joins nothing by itself: certificate, proxy, method, host, path, time, and
//! the group of who decides must not say otherwise, and the decision's own id must be of this request alone. What one of the two does not know
//! is no contradiction.

use super::Envoy;
use super::line::Line;
use crate::outbox::{Asked, Decided};

/// Names what a decision says otherwise than a line; empty: it may be this line's.
pub(super) fn contradictions(line: &Line<'_>, envoy: &Envoy, decided: &Decided) -> Vec<&'static str> {
    let mut asked = asked(line, envoy);
    if envoy.is_known_to(&decided.route) {
        asked = asked.with_proxy(&envoy.performer);
    }
    let mut found = asked.contradicts(&decided.asked);
    // Kept by an older version, which did not know whose it is.
    if !decided.route.is_empty() && !envoy.is_decided_by(&decided.route) {
        found.push("group");
    }
    if decided.decided_ms.is_some_and(|decided_ms| !is_of_its_time(line, decided_ms)) {
        found.push("time");
    }
    if decided.is_reused {
        found.push("decision");
    }
    found
}

/// Says whether something was decided while a line's request went on, as far as the two clocks can be compared.
fn is_of_its_time(line: &Line<'_>, decided_ms: u64) -> bool {
    let is_after = line.start_ms().is_ok_and(|start_ms| decided_ms.saturating_add(SLACK_MS) >= start_ms);
    // How long it took is not always said; something may go on for hours after it was decided.
    is_after && line.end_ms().is_none_or(|end_ms| decided_ms <= end_ms.saturating_add(SLACK_MS))
}

/// What a line tells of its request.
fn asked(line: &Line<'_>, envoy: &Envoy) -> Asked {
    let mut asked = Asked::default();
    if let Some(certificate) = line.peer_s256() {
        asked = asked.with_certificate(Some(&certificate));
    } else if line.has_no_peer() {
        asked = asked.with_certificate(None);
    }
    if let Some(method) = line.method() {
        asked = asked.with_method(&method);
    }
    if let Some(authority) = line.authority() {
        asked = asked.with_authority(&authority);
    }
    let Some(path) = line.path() else { return asked };
    let documents = envoy.documents.as_ref();
    if let Some(document) = documents.and_then(|documents| path.strip_prefix(documents.as_str())) {
        asked = asked.with_document(document);
    }
    asked.with_path(&path)
}

/// How far the clocks of Envoy and OPA may differ.
const SLACK_MS: u64 = 60_000;

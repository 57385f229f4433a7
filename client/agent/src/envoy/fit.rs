//! Whether a decision is the one that a line carries out: what both know of the request, compared.
//!
//! A request's id is the caller's to choose. One that is used twice joins nothing by itself: certificate, proxy, method, host, path, and the
//! group of who decides must not say otherwise. What one of the two does not know is no contradiction.

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
    found
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

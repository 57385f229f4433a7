//! What joins a decision to the request that it was asked for: ids, and what a proxy in front of OPA knows of that request as well.
//!
//! What gives no `decision` record is none, and joins nothing: it would be linked to for ever, and never be there.
//!
//! Trust: the request's id and all that the event says of the request may be the caller's words, but for the certificate, which a proxy saw
//! that the operator names. It is compared with what that proxy logged; it never makes a decision fit.

use govlog_formats::digest::Digest;

use super::draft_of;
use super::fields::Fields;
use super::headers::Headers;
use crate::json::{self, Kind, Pointer};
use crate::opa::Group;
use crate::outbox::{Asked, Decided, Finds, Join};
use crate::seal::Sealer;

impl Finds for Group {
    fn find(&self, event: &[u8]) -> Option<Join> {
        let event = Fields::read(event).ok()?;
        let headers = Headers::read(&event.members);
        let request_id = headers.correlation(&event.members).request_id?.into_owned();
        if !is_mapped(&event, &headers, self) {
            return None;
        }
        let id = event.text("decision_id").ok()??.into_owned();
        let (route, asked) = (self.prefix().to_owned(), asked(&event, &headers, self));
        // It is mapped, so it has a time.
        let decided_ms = super::event_ms(&event).ok();
        Some(Join { request_id, decided: Decided { id, route, asked, decided_ms, is_reused: false } })
    }
}

/// Says whether an event gives a record, whatever is known of its bundles by then: with a digest of each it is as long as it can be.
fn is_mapped(event: &Fields<'_>, headers: &Headers<'_>, group: &Group) -> bool {
    draft_of(event, headers, group, &|_, _| Some(Digest::ZERO), Sealer::blank()).is_ok()
}

fn asked(event: &Fields<'_>, headers: &Headers<'_>, group: &Group) -> Asked {
    let document = event.text("path").ok().flatten();
    let http = &group.mapping_of(document.as_deref().unwrap_or_default()).http;
    let at = |pointer: &Pointer| {
        let raw = event.find(pointer).ok().flatten().filter(|raw| json::kind(raw) == Kind::Text)?;
        json::text(raw).ok().filter(|text| !text.is_empty())
    };
    let mut asked = Asked::default();
    if let Ok(client) = headers.client(group.xfcc_from()) {
        asked = asked.with_certificate(Some(&client.cert_s256)).with_proxy(&client.by);
    }
    if let Some(method) = at(&http.method) {
        asked = asked.with_method(&method);
    }
    if let Some(authority) = at(&http.authority) {
        asked = asked.with_authority(&authority);
    }
    if let Some(path) = at(&http.path) {
        asked = asked.with_path(&path);
    }
    match &document {
        Some(document) => asked.with_document(document),
        None => asked,
    }
}

//! The outer layer: who may come in, and what a refusal looks like.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use govlog_daemon::serve::Peer;

use super::App;
use super::error::{Failure, Family};
use crate::config::Access;

/// Lets a request in or not, and writes refusals in the route family's kind of body.
pub(super) async fn front(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let family = Family::of(request.uri().path());
    let head = *request.method() == Method::HEAD;
    let route = route(request.uri().path());
    let mut response = match gate(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let allow = response.headers_mut().remove(ALLOW);
        response = failure.render(family, allow);
        if head {
            *response.body_mut() = axum::body::Body::empty();
        }
    }
    app.telemetry.answered(route, response.status().as_u16(), begun.elapsed());
    response
}

pub(super) async fn unknown_route() -> Failure {
    Failure::NotFound("there is no such path".to_owned())
}

pub(super) async fn wrong_method() -> Failure {
    Failure::Method
}

/// Checks role and address budget.
fn gate(app: &App, request: &Request) -> Result<(), Failure> {
    let access = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => &app.access.read,
        _ => &app.access.submit,
    };
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    allow(access, peer, request.headers())?;
    Ok(app.budgets.take(peer.map(|address| address.ip()))?)
}

/// Checks whether a peer has a role. A peer that is not known has none that depends on where it is.
pub(super) fn allow(access: &Access, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Failure> {
    let loopback = peer.is_some_and(|address| is_loopback(address.ip()));
    if access.allows(loopback, bearer(headers)) {
        return Ok(());
    }
    Err(if matches!(access, Access::Tokens(_)) { Failure::Unauthorized } else { Failure::Forbidden })
}

/// Tells whether an address is this machine's own.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Names the route for metrics: one of few, whatever the path.
fn route(path: &str) -> &'static str {
    match path {
        "/entries" => "entries",
        "/v1/batches" => "batches",
        "/checkpoint" => "checkpoint",
        "/v1/proofs/inclusion" | "/v1/proofs/consistency" => "proofs",
        "/v1/streams" => "streams",
        "/v1/admission-policy" => "admission-policy",
        "/v1/checkpoints" => "checkpoints",
        "/v1/conflicts" => "conflicts",
        "/openapi.json" => "openapi",
        path if path.starts_with("/entries/") && path.ends_with("/statement") => "statement",
        path if path.starts_with("/entries/") => "receipt",
        path if path.starts_with("/tile/") => "tile",
        path if path.starts_with("/.well-known/scitt-keys") => "keys",
        _ => "unknown",
    }
}

//! The outer layer: who may come in, and what a refusal looks like.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::ALLOW;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use govlog_daemon::routes;
use govlog_daemon::serve::Peer;

use super::App;
use super::error::{Failure, Family};
use super::routes::ROUTES;

/// Lets a request in or not, and writes refusals in the route family's kind of body.
pub(super) async fn front(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let family = Family::of(request.uri().path());
    let head = *request.method() == Method::HEAD;
    let route = routes::find(ROUTES, &request).map_or(UNKNOWN, |route| route.name);
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

/// Checks role and address budget. Wrong tokens have a budget of their own, which whoever has a role does not touch.
fn gate(app: &App, request: &Request) -> Result<(), Failure> {
    routes::admit(ROUTES, &app.access, &app.guesses, request)?;
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    Ok(app.budgets.take(peer)?)
}

/// What is not there has one name in metrics, whatever its path.
const UNKNOWN: &str = "unknown";

//! A program's routes as a table: what is served, and which role each route asks for.
//!
//! The router is made from the table and from nothing else, so a route without a role cannot be.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::MethodRouter;

use crate::access::{Access, Caller, Denied, check_any};
use crate::guesses::Guesses;
use crate::serve::Peer;

/// What those who connect may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read what is published.
    Read,
    /// Search the records.
    Search,
    /// Hand something in.
    Submit,
    /// Look after the program: health, readiness, metrics.
    Operate,
}

/// Who has which role. A program that has no routes of a role leaves it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Who may read.
    pub read: Access,
    /// Who may search.
    pub search: Access,
    /// Who may hand something in.
    pub submit: Access,
    /// Who may use the admin listener.
    pub operate: Access,
}

impl Default for Roles {
    /// "default: loopback open, anything else closed until configured" (DESIGN §8.1)
    fn default() -> Self {
        let own = Access::loopback;
        Self { read: own(), search: own(), submit: own(), operate: own() }
    }
}

impl Roles {
    /// Who has a role.
    #[must_use]
    pub fn of(&self, role: Role) -> &Access {
        match role {
            Role::Read => &self.read,
            Role::Search => &self.search,
            Role::Submit => &self.submit,
            Role::Operate => &self.operate,
        }
    }

    /// Tells whether any role was given to a token.
    fn know_token(&self, token: &str) -> bool {
        let Self { read, search, submit, operate } = self;
        [read, search, submit, operate].iter().any(|role| role.knows_token(token))
    }
}

/// One route.
pub struct Route<S: 'static> {
    /// The method; one that takes GET takes HEAD as well.
    pub method: Method,
    /// The path, as the router writes it.
    pub path: &'static str,
    /// The role that it asks for.
    pub role: Role,
    /// Its name in metrics.
    pub name: &'static str,
    /// What answers, for this method alone.
    pub handler: fn() -> MethodRouter<S>,
}

/// Makes a router of a table.
pub fn router<S: Clone + Send + Sync + 'static>(routes: &[Route<S>]) -> Router<S> {
    routes.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
}

/// Lets a request in or not. To be asked in a layer of the table's router.
///
/// Whoever may do nothing here is not told what there is either.
///
/// # Errors
/// [`Denied`] says what is answered.
pub fn admit<S>(routes: &[Route<S>], roles: &Roles, guesses: &Guesses, request: &Request) -> Result<(), Denied> {
    let route = find(routes, request);
    guesses.judge(
        peer(request),
        &Caller::of(request),
        |token| roles.know_token(token),
        |caller| match route {
            Some(route) => roles.of(route.role).check(caller),
            None => check_any(routes.iter().map(|route| roles.of(route.role)), caller),
        },
    )
}

fn peer(request: &Request) -> Option<std::net::SocketAddr> {
    request.extensions().get::<Peer>().map(|Peer(address)| *address)
}

/// Finds the route that was matched, in a layer of the table's router. One that takes other methods is found too, to be answered 405.
pub fn find<'a, S>(routes: &'a [Route<S>], request: &Request) -> Option<&'a Route<S>> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let method = if *request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let mut there = routes.iter().filter(|route| route.path == path);
    there.clone().find(|route| route.method == *method).or_else(|| there.next())
}

/// Lets only those into a router who have a role; all others get what `refuse` makes.
pub fn guard(router: Router, role: Access, refuse: fn(Denied) -> Response) -> Router {
    let door = std::sync::Arc::new((role, Guesses::default()));
    router.layer(from_fn(move |request: Request, next: Next| {
        let (role, guesses) = &*door;
        let caller = Caller::of(&request);
        let allowed =
            guesses.judge(peer(&request), &caller, |token| role.knows_token(token), |caller| role.check(caller));
        async move {
            match allowed {
                Ok(()) => next.run(request).await,
                Err(denied) => refuse(denied),
            }
        }
    }))
}

//! Roles and address budgets: a table of role × route × credential, in which every cell that is not listed is refused.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use govlog_daemon::access::{Identity, RawAccess};
use govlog_formats::digest::Digest;
use tower::ServiceExt as _;

use super::*;
use crate::config::{Access, Role, Roles};
use crate::http::admin::admin_router;
use crate::http::routes::{ADMIN_ROUTES, ROUTES};
use crate::http::testing::{Answer, Rig, Setup, limits};

const STRANGER: &str = "192.0.2.7:4000";

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(text: &str) -> Request<Body> {
    let body = Body::from(statement(text).into_entry());
    Request::post("/entries").header("content-type", "application/cose").body(body).unwrap()
}

fn with_token(mut request: Request<Body>, authorization: &str) -> Request<Body> {
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    request
}

fn given_to(grant: &str) -> Access {
    Access::parse(Some(RawAccess::One(grant.to_owned()))).unwrap()
}

fn token(token: &str) -> Access {
    given_to(&Digest::sha256(token.as_bytes()).to_string())
}

/// "default: loopback open, anything else closed until configured" (DESIGN §8.1)
#[tokio::test(flavor = "multi_thread")]
async fn loopback_is_open_and_anything_else_closed() {
    let rig = Rig::start().await;
    for own in ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(rig.send_from(own, get("/checkpoint")).await.status, 200, "{own}");
        assert_eq!(rig.send_from(own, post(own)).await.status, 303, "{own}");
    }
    for other in [STRANGER, "[2001:db8::1]:1", "[::ffff:192.0.2.7]:1", "0.0.0.0:1"] {
        let answer = rig.send_from(other, get("/checkpoint")).await;
        assert_eq!(answer.status, 403, "{other}");
        answer.line();
        let answer = rig.send_from(other, post("x")).await;
        assert_eq!(answer.status, 403, "{other}");
        answer.problem();
        assert_eq!(rig.send_from(other, get("/nothing")).await.status, 403, "nothing is told of what there is");
    }
    // Whoever's address is not known is nobody.
    let answer = Answer::of(rig.router.clone().oneshot(get("/checkpoint")).await.unwrap()).await;
    assert_eq!(answer.status, 403);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_submitting_are_roles_of_their_own_given_to_anyone_or_to_tokens() {
    let access = Roles { read: Access::anyone(), submit: token("secret"), ..Roles::default() };
    let rig = Rig::with(Setup { access, ..Setup::default() }).await;
    assert_eq!(rig.send_from(STRANGER, get("/checkpoint")).await.status, 200);
    let answer = rig.send_from(STRANGER, post("one")).await;
    assert_eq!((answer.status, answer.headers["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    answer.problem();
    for wrong in ["Bearer other", "Bearer", "Bearer ", "Basic secret", "secret", "Bearer secrets"] {
        assert_eq!(rig.send_from(STRANGER, with_token(post("one"), wrong)).await.status, 401, "{wrong}");
    }
    // With tokens configured, being on this machine is not enough.
    assert_eq!(rig.send(post("one")).await.status, 401);
    for right in ["Bearer secret", "bearer secret"] {
        assert_eq!(rig.send_from(STRANGER, with_token(post("one"), right)).await.status, 303, "{right}");
    }
    rig.stop().await;
}

const ROLES: [Role; 4] = [Role::Read, Role::Search, Role::Submit, Role::Operate];

/// What somebody who asks has to show.
#[derive(Clone, Copy, Debug)]
struct Credential {
    peer: &'static str,
    bearer: Option<&'static str>,
    identity: Option<&'static str>,
}

const NONE: Credential = Credential { peer: STRANGER, bearer: None, identity: None };

/// Each role has a token and a trust domain of its own; operating is loopback's besides, and searching two IDs' more.
fn roles() -> Roles {
    let role = |name: &str, more: &[&str]| {
        let digest = Digest::sha256(format!("{name}-token").as_bytes()).to_string();
        let mut grants = vec![digest, format!("spiffe://{name}.example/")];
        grants.extend(more.iter().map(|&more| more.to_owned()));
        Access::parse(Some(RawAccess::Several(grants))).unwrap()
    };
    Roles {
        read: role("read", &[]),
        search: role("search", &["spiffe://x.example/one"]),
        submit: role("submit", &["spiffe://x.example/one", "spiffe://x.example/two/"]),
        operate: role("operate", &["loopback"]),
    }
}

/// Every credential, and the roles that it opens. What does not stand here is refused.
const CREDENTIALS: &[(Credential, &[Role])] = &[
    (NONE, &[]),
    (Credential { peer: "127.0.0.1:1", ..NONE }, &[Role::Operate]),
    (Credential { peer: "[::ffff:127.0.0.1]:1", ..NONE }, &[Role::Operate]),
    (Credential { bearer: Some("Bearer no-token"), ..NONE }, &[]),
    (Credential { bearer: Some("Bearer read-token"), ..NONE }, &[Role::Read]),
    (Credential { bearer: Some("Bearer search-token"), ..NONE }, &[Role::Search]),
    (Credential { bearer: Some("Bearer submit-token"), ..NONE }, &[Role::Submit]),
    (Credential { bearer: Some("Bearer operate-token"), ..NONE }, &[Role::Operate]),
    (Credential { bearer: Some("Basic read-token"), ..NONE }, &[]),
    (Credential { bearer: Some("Bearer spiffe://read.example/a"), ..NONE }, &[]),
    (Credential { identity: Some("spiffe://read.example/a"), ..NONE }, &[Role::Read]),
    (Credential { identity: Some("spiffe://read.example/a/b"), ..NONE }, &[Role::Read]),
    (Credential { identity: Some("spiffe://search.example/a"), ..NONE }, &[Role::Search]),
    (Credential { identity: Some("spiffe://submit.example/a"), ..NONE }, &[Role::Submit]),
    (Credential { identity: Some("spiffe://operate.example/a"), ..NONE }, &[Role::Operate]),
    (Credential { identity: Some("spiffe://x.example/one"), ..NONE }, &[Role::Search, Role::Submit]),
    (Credential { identity: Some("spiffe://x.example/one/more"), ..NONE }, &[]),
    (Credential { identity: Some("spiffe://x.example/two"), ..NONE }, &[]),
    (Credential { identity: Some("spiffe://x.example/two/more"), ..NONE }, &[Role::Submit]),
    (Credential { identity: Some("spiffe://read.example.evil/a"), ..NONE }, &[]),
    (Credential { identity: Some("spiffe://else.example/a"), ..NONE }, &[]),
    // Each counts for itself: what one does not open another may.
    (
        Credential { bearer: Some("Bearer read-token"), identity: Some("spiffe://submit.example/a"), ..NONE },
        &[Role::Read, Role::Submit],
    ),
    (
        Credential { peer: "127.0.0.1:1", bearer: Some("Bearer no-token"), identity: Some("spiffe://else.example/a") },
        &[Role::Operate],
    ),
];

/// The routes by role. The routers are made from tables of their own; one that has a route more, or gives it another role, fails the test.
const BY_ROLE: &[(Role, &[&str])] = &[
    (
        Role::Read,
        &[
            "GET /entries/{id}",
            "GET /entries/{id}/statement",
            "GET /.well-known/scitt-keys",
            "GET /.well-known/scitt-keys/{kid}",
            "GET /checkpoint",
            "GET /tile/{*path}",
            "GET /v1/proofs/inclusion",
            "GET /v1/proofs/consistency",
            "GET /v1/streams",
            "GET /v1/admission-policy",
            "GET /v1/checkpoints",
            "GET /v1/conflicts",
            "GET /openapi.json",
        ],
    ),
    (Role::Search, &["GET /v1/records"]),
    (Role::Submit, &["POST /entries", "POST /v1/batches"]),
    (Role::Operate, &["GET /healthz", "GET /readyz", "GET /metrics"]),
];

/// Puts something into a path's places.
fn filled(path: &str) -> String {
    path.replace("{id}", "1.0").replace("{kid}", "x").replace("{*path}", "0/000")
}

fn as_request(method: &Method, path: &str, credential: &Credential) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    if let Some(identity) = credential.identity {
        request.extensions_mut().insert(Identity(Arc::from(identity)));
    }
    match credential.bearer {
        Some(bearer) => with_token(request, bearer),
        None => request,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_opens_for_the_credentials_of_its_role_and_for_no_other() {
    let rig = Rig::with(Setup { access: roles(), ..Setup::default() }).await;
    let admin = admin_router(rig.app.clone(), None);
    let public = ROUTES.iter().map(|route| (&rig.router, &route.method, route.path, route.role));
    let own = ADMIN_ROUTES.iter().map(|route| (&admin, &route.method, route.path, route.role));
    let mut found = Vec::new();
    for (router, method, path, role) in public.chain(own) {
        let name = format!("{method} {path}");
        let listed = BY_ROLE.iter().find(|(_, routes)| routes.contains(&name.as_str()));
        assert_eq!(listed.map(|(listed, _)| *listed), Some(role), "{name} has no row here, or another role");
        found.push(name.clone());
        for (credential, opens) in CREDENTIALS {
            let mut methods = vec![method.clone()];
            if *method == Method::GET {
                methods.push(Method::HEAD);
            }
            for method in methods {
                let mut request = as_request(&method, &filled(path), credential);
                request.extensions_mut().insert(govlog_daemon::serve::Peer(credential.peer.parse().unwrap()));
                let answer = Answer::of(router.clone().oneshot(request).await.unwrap()).await;
                let is_open = !matches!(answer.status, 401 | 403);
                assert_eq!(is_open, opens.contains(&role), "{name} for {credential:?}: {}", answer.status);
                // Every role here is given to a token, so that one would help.
                assert!(is_open || answer.status == 401, "{name} for {credential:?}: {}", answer.status);
            }
        }
    }
    let listed: usize = BY_ROLE.iter().map(|(_, routes)| routes.len()).sum();
    assert_eq!(listed, found.len(), "a row here is no route");
    rig.stop().await;
}

/// What a method is not there for is the same role's to hear, and what is not there at all is for whoever has any role.
#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_unknown_paths_are_told_to_those_alone_who_may_do_something() {
    let rig = Rig::with(Setup { access: roles(), ..Setup::default() }).await;
    for (credential, opens) in CREDENTIALS {
        let send = async |method: &Method, path: &str| {
            rig.send_from(credential.peer, as_request(method, path, credential)).await.status
        };
        let wrong_method = if opens.contains(&Role::Submit) { 405 } else { 401 };
        assert_eq!(send(&Method::DELETE, "/entries").await, wrong_method, "{credential:?}");
        let wrong_method = if opens.contains(&Role::Read) { 405 } else { 401 };
        assert_eq!(send(&Method::PUT, "/checkpoint").await, wrong_method, "{credential:?}");
        let public = [Role::Read, Role::Search, Role::Submit].iter().any(|role| opens.contains(role));
        assert_eq!(send(&Method::GET, "/nothing").await, if public { 404 } else { 401 }, "{credential:?}");
    }
    rig.stop().await;
}

#[test]
fn roles_are_all_there_is() {
    assert_eq!(BY_ROLE.iter().map(|(role, _)| *role).collect::<Vec<_>>(), ROLES);
}

/// "Address budgets (429) are off on loopback unless configured." (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_much_gets_429_in_the_routes_kind_of_body() {
    let access = Roles { read: Access::anyone(), submit: Access::anyone(), ..Roles::default() };
    let mut strict = limits();
    strict.address_rate = NonZeroU32::new(2);
    let rig = Rig::with(Setup { access: access.clone(), limits: strict, ..Setup::default() }).await;
    let mut refused = None;
    for _ in 0..50 {
        let answer = rig.send_from(STRANGER, get("/checkpoint")).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("fifty requests take less than twenty-five seconds");
    assert!(refused.retry_after() > 0);
    refused.line();
    let answer = rig.send_from(STRANGER, post("one")).await;
    assert_eq!((answer.status, answer.problem().title.as_str()), (429, "Too Many Requests"));
    assert_eq!(rig.send_from("192.0.2.8:1", get("/checkpoint")).await.status, 200, "others have their own");
    rig.stop().await;

    let rig = Rig::with(Setup { access, ..Setup::default() }).await;
    for _ in 0..1000 {
        assert_eq!(rig.get("/checkpoint").await.status, 200);
    }
    rig.stop().await;
}

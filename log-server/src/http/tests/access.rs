//! Roles and address budgets.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::Request;
use govlog_formats::digest::Digest;

use super::*;
use crate::config::{Access, Roles};
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
    use tower::ServiceExt as _;
    let answer = Answer::of(rig.router.clone().oneshot(get("/checkpoint")).await.unwrap()).await;
    assert_eq!(answer.status, 403);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_submitting_are_roles_of_their_own_given_to_anyone_or_to_tokens() {
    let tokens = Access::Tokens(BTreeSet::from([Digest::sha256(b"secret")]));
    let access = Roles { read: Access::Anyone, submit: tokens, operate: Access::Loopback };
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

/// "Address budgets (429) are off on loopback unless configured." (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_much_gets_429_in_the_routes_kind_of_body() {
    let access = Roles { read: Access::Anyone, submit: Access::Anyone, operate: Access::Loopback };
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

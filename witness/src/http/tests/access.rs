//! A table of role × route × credential, in which every cell that is not listed is refused.

use std::sync::Arc;

use govlog_daemon::access::{Identity, RawAccess};
use govlog_daemon::serve::Peer;
use govlog_formats::digest::Digest;

use super::*;

const STRANGER: &str = "192.0.2.7:4000";

/// Where a request comes from, and what it shows: a token, a SPIFFE ID.
type Credential = (&'static str, Option<&'static str>, Option<&'static str>);

/// Every credential, and the roles that it opens.
const CREDENTIALS: &[(Credential, &[Role])] = &[
    ((STRANGER, None, None), &[]),
    (("127.0.0.1:1", None, None), &[Role::Operate]),
    ((STRANGER, Some("Bearer other"), None), &[]),
    ((STRANGER, Some("Bearer read"), None), &[Role::Read]),
    ((STRANGER, Some("Bearer submit"), None), &[Role::Submit]),
    ((STRANGER, Some("Bearer operate"), None), &[Role::Operate]),
    ((STRANGER, None, Some("spiffe://a.example/read")), &[Role::Read]),
    ((STRANGER, None, Some("spiffe://a.example/submit")), &[Role::Submit]),
    ((STRANGER, None, Some("spiffe://a.example/operate")), &[Role::Operate]),
    ((STRANGER, None, Some("spiffe://b.example/read")), &[]),
    (
        ("127.0.0.1:1", Some("Bearer read"), Some("spiffe://a.example/submit")),
        &[Role::Read, Role::Submit, Role::Operate],
    ),
];

const BY_ROLE: &[(Role, &[&str])] = &[
    (Role::Read, &["GET /{origin}/checkpoint"]),
    (Role::Submit, &["POST /add-checkpoint"]),
    (Role::Operate, &["GET /healthz", "GET /readyz", "GET /metrics"]),
];

fn roles() -> Roles {
    let role = |name: &str, more: &[&str]| {
        let mut grants = vec![Digest::sha256(name.as_bytes()).to_string(), format!("spiffe://a.example/{name}")];
        grants.extend(more.iter().map(|&more| more.to_owned()));
        Access::parse(Some(RawAccess::Several(grants))).unwrap()
    };
    let (read, submit) = (role("read", &[]), role("submit", &[]));
    Roles { read, submit, operate: role("operate", &["loopback"]), search: Access::nobody() }
}

async fn status(router: &Router, method: &Method, path: &str, (peer, bearer, id): &Credential) -> u16 {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    if let Some(bearer) = bearer {
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
    }
    if let Some(id) = id {
        request.extensions_mut().insert(Identity(Arc::from(*id)));
    }
    router.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_route_opens_for_the_credentials_of_its_role_and_for_no_other() {
    let (_folder, config) = folder(&[&Log::new("log.example/a", 2)]);
    let witness = Arc::new(Witness::open(&config, manual_clock(NOW).1).unwrap());
    let public = router(Arc::clone(&witness), roles(), Duration::from_secs(30));
    let own = admin::router(witness, roles(), None);
    let of_public = ROUTES.iter().map(|route| (&public, &route.method, route.path, route.role));
    let of_admin = admin::ROUTES.iter().map(|route| (&own, &route.method, route.path, route.role));
    let mut found = 0;
    for (router, method, path, role) in of_public.chain(of_admin) {
        let name = format!("{method} {path}");
        let listed = BY_ROLE.iter().find(|(_, routes)| routes.contains(&name.as_str()));
        assert_eq!(listed.map(|(listed, _)| *listed), Some(role), "{name} has no row here, or another role");
        found += 1;
        for (credential, opens) in CREDENTIALS {
            let answer = status(router, method, &path.replace("{origin}", &"0".repeat(64)), credential).await;
            assert_eq!(answer != 401 && answer != 403, opens.contains(&role), "{name} for {credential:?}: {answer}");
        }
    }
    assert_eq!(found, BY_ROLE.iter().map(|(_, routes)| routes.len()).sum::<usize>(), "a row here is no route");
    for (credential, opens) in CREDENTIALS {
        let may_something = opens.contains(&Role::Read) || opens.contains(&Role::Submit);
        let answer = status(&public, &Method::GET, "/nothing", credential).await;
        assert_eq!(answer, if may_something { 404 } else { 401 }, "{credential:?}");
    }
}

/// "default: loopback open, anything else closed until configured" (DESIGN §8.1)
#[tokio::test]
async fn until_configured_a_witness_is_its_own_machines_alone() {
    let (_folder, config) = folder(&[]);
    let witness = Arc::new(Witness::open(&config, manual_clock(NOW).1).unwrap());
    let public = router(witness, config.access.clone(), Duration::from_secs(30));
    assert_eq!(status(&public, &Method::POST, "/add-checkpoint", &("[::1]:1", None, None)).await, 400);
    assert_eq!(status(&public, &Method::POST, "/add-checkpoint", &(STRANGER, None, None)).await, 403);
    assert_eq!(status(&public, &Method::GET, "/nothing", &(STRANGER, None, None)).await, 403);
}

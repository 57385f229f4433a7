//! A table of role × route × credential, in which every cell that is not listed is refused.

use govlog_daemon::access::{Access, Denied, Identity, RawAccess};
use govlog_daemon::routes::{Role, guard};
use govlog_daemon::serve::Peer;
use govlog_formats::digest::Digest;

use super::super::{admin, ingest};
use super::*;

const STRANGER: &str = "192.0.2.7:4000";

/// Where a request comes from, and what it shows: a token, a SPIFFE ID.
type Credential = (&'static str, Option<&'static str>, Option<&'static str>);

/// Every credential, and the roles that it opens.
const CREDENTIALS: &[(Credential, &[Role])] = &[
    ((STRANGER, None, None), &[]),
    (("127.0.0.1:1", None, None), &[Role::Operate]),
    ((STRANGER, Some("Bearer other"), None), &[]),
    ((STRANGER, Some("Bearer submit"), None), &[Role::Submit]),
    ((STRANGER, Some("Bearer operate"), None), &[Role::Operate]),
    ((STRANGER, None, Some("spiffe://submit.example/opa")), &[Role::Submit]),
    ((STRANGER, None, Some("spiffe://operate.example/prometheus")), &[Role::Operate]),
    ((STRANGER, None, Some("spiffe://else.example/opa")), &[]),
    (("[::1]:1", None, Some("spiffe://submit.example/opa")), &[Role::Submit, Role::Operate]),
];

const BY_ROLE: &[(Role, &[&str])] = &[
    (Role::Submit, &["POST /logs", "POST /status"]),
    (Role::Operate, &["GET /healthz", "GET /readyz", "GET /metrics"]),
];

fn role(name: &str, more: &[&str]) -> Access {
    let mut grants = vec![Digest::sha256(name.as_bytes()).to_string(), format!("spiffe://{name}.example/")];
    grants.extend(more.iter().map(|&more| more.to_owned()));
    Access::parse(Some(RawAccess::Several(grants))).unwrap()
}

async fn status(routes: &Router, method: &Method, path: &str, (peer, bearer, id): &Credential) -> u16 {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    if let Some(bearer) = bearer {
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
    }
    if let Some(id) = id {
        request.extensions_mut().insert(Identity(Arc::from(*id)));
    }
    answer(routes, request).await.0.as_u16()
}

#[tokio::test]
async fn every_route_opens_for_the_credentials_of_its_role_and_for_no_other() {
    let doors = Doors::new("");
    let public = guard(doors.public.clone(), role("submit", &[]), Denied::answer);
    let own = guard(doors.admin.clone(), role("operate", &["loopback"]), Denied::answer);
    let of_public = ingest::ROUTES.iter().map(|route| (&public, ROUTE, &route.method, route.path, route.role));
    let of_admin = admin::ROUTES.iter().map(|route| (&own, "", &route.method, route.path, route.role));
    let mut found = 0;
    for (routes, prefix, method, path, role) in of_public.chain(of_admin) {
        let name = format!("{method} {path}");
        let listed = BY_ROLE.iter().find(|(_, routes)| routes.contains(&name.as_str()));
        assert_eq!(listed.map(|(listed, _)| *listed), Some(role), "{name} has no row here, or another role");
        found += 1;
        for (credential, opens) in CREDENTIALS {
            let answer = status(routes, method, &format!("{prefix}{path}"), credential).await;
            assert_eq!(answer != 401 && answer != 403, opens.contains(&role), "{name} for {credential:?}: {answer}");
            let answer = status(routes, method, "/nothing", credential).await;
            assert_eq!(answer != 401, opens.contains(&role), "{credential:?} is told what there is");
        }
    }
    assert_eq!(found, BY_ROLE.iter().map(|(_, routes)| routes.len()).sum::<usize>(), "a row here is no route");
}

/// Of two groups of one listener each takes the uploads of its own callers alone.
#[tokio::test]
async fn a_group_that_names_its_callers_is_closed_to_all_others() {
    let doors = Doors::new(&format!(
        "[tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"ca\"\n[access]\nsubmit = \"spiffe://prod.example/opa/\"\n\
        [[opa]]\nprefix = \"{ROUTE}\"\ncallers = \"spiffe://prod.example/opa/a\"\n[[opa]]\nprefix = \"/open\"\n"
    ));
    let submit = Access::parse(Some(RawAccess::One("spiffe://prod.example/opa/".into()))).unwrap();
    let public = guard(doors.public.clone(), submit, Denied::answer);
    let cases = [
        ("spiffe://prod.example/opa/a", true, true),
        ("spiffe://prod.example/opa/b", false, true),
        ("spiffe://prod.example/x", false, false),
    ];
    for (id, into_first, into_second) in cases {
        for (path, opens) in [(format!("{ROUTE}/logs"), into_first), ("/open/logs".to_owned(), into_second)] {
            let answer = status(&public, &Method::POST, &path, &(STRANGER, None, Some(id))).await;
            assert_eq!(![401, 403].contains(&answer), opens, "{id} {path}: {answer}");
        }
    }
    let loopback = status(&public, &Method::POST, &format!("{ROUTE}/logs"), &("127.0.0.1:1", None, None)).await;
    assert!([401, 403].contains(&loopback), "{loopback}");
}

//! A server that says what a test tells it to, on a socket.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::net::UnixListener;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::tokio_stream::wrappers::UnixListenerStream;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::Client;
use super::messages::*;
use crate::spire::api::snapshot::File;
use crate::spire::api::{Entry, Listing};

/// What the server has; entries are listed one a page.
#[derive(Clone, Default)]
struct Server {
    entries: Vec<RawEntry>,
    agents: Vec<RawAgent>,
    own: RawBundle,
    foreign: Vec<RawBundle>,
    x509: States,
    refuses: Option<&'static str>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(self, socket: &Path) -> tokio::task::JoinHandle<()> {
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let service = service_fn(move |request| self.clone().answer(request));
        tokio::spawn(async move {
            tonic::transport::Server::builder().serve_with_incoming(service, incoming).await.unwrap()
        })
    }

    async fn answer(self, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let method = path.rsplit('/').next().unwrap_or_default();
        if self.refuses == Some(method) {
            return Ok(Status::permission_denied("not for alice").into_http());
        }
        Ok(match method {
            "ListEntries" => {
                serve(request, move |asked: ListRequest| {
                    assert_eq!(asked.page_size, 500);
                    let at = asked.page_token.parse().unwrap_or(0);
                    let next = if at + 1 < self.entries.len() { (at + 1).to_string() } else { String::new() };
                    ListEntriesResponse {
                        entries: self.entries.get(at).cloned().into_iter().collect(),
                        next_page_token: next,
                    }
                })
                .await
            }
            "ListAgents" => {
                serve(request, move |_: ListRequest| ListAgentsResponse {
                    agents: self.agents.clone(),
                    next_page_token: String::new(),
                })
                .await
            }
            "GetBundle" => serve(request, move |_: Nothing| self.own.clone()).await,
            "ListFederatedBundles" => {
                serve(request, move |_: ListBundlesRequest| ListBundlesResponse {
                    bundles: self.foreign.clone(),
                    next_page_token: String::new(),
                })
                .await
            }
            "GetX509AuthorityState" => serve(request, move |_: Nothing| self.x509.clone()).await,
            _ => Status::unimplemented("not in this version").into_http(),
        })
    }
}

async fn serve<Q, A>(
    request: http::Request<Body>,
    answer: impl Fn(Q) -> A + Clone + Send + Sync + 'static,
) -> http::Response<Body>
where
    Q: prost::Message + Default + 'static,
    A: prost::Message + Default + 'static,
{
    let unary = service_fn(move |request: Request<Q>| {
        let answer = answer.clone();
        async move { Ok::<_, Status>(Response::new(answer(request.into_inner()))) }
    });
    Grpc::new(ProstCodec::<A, Q>::default()).unary(unary, request).await
}

fn id(path: &str) -> Option<Id> {
    Some(Id { trust_domain: "prod.example".into(), path: path.into() })
}

fn selector(kind: &str, value: &str) -> RawSelector {
    RawSelector { kind: kind.into(), value: value.into() }
}

/// An entry of the capture, as the interface has it.
fn pay() -> RawEntry {
    RawEntry {
        id: "bce6c7ff-9342-4c53-83af-38a705a64a90".into(),
        spiffe_id: id("/pay"),
        parent_id: id("/node/n1"),
        selectors: vec![selector("unix", "uid:1501")],
        x509_svid_ttl: 1800,
        revision_number: 1,
        hint: "pay".into(),
        created_at: 1_795_320_435,
        ..RawEntry::default()
    }
}

fn captured(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture/spire").join(name)).unwrap()
}

fn recorded(file: File, name: &str) -> Listing {
    let mut listing = Listing::default();
    file.read(&captured(name), "prod.example", &mut listing).unwrap();
    listing
}

async fn ask(server: Server) -> Result<Listing, String> {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let task = server.start(&socket);
    let listing = Client::connect(&socket).await.unwrap().listing().await.map_err(|error| error.to_string());
    task.abort();
    listing
}

#[tokio::test]
async fn what_is_answered_on_the_socket_is_what_stands_in_a_recorded_answer() {
    let envoy =
        RawEntry { id: "e-2".into(), spiffe_id: id("/pep/envoy"), dns_names: vec!["b".into(), "a".into()], ..pay() };
    let agent = RawAgent {
        id: id("/spire/agent/join_token/d35b531f-be64-46d8-ae36-2fc6717c2650"),
        attestation_type: "join_token".into(),
        ..RawAgent::default()
    };
    let bundle = recorded(File::Bundle, "bundle.json").bundles;
    let json: serde_json::Value = serde_json::from_slice(&captured("bundle.json")).unwrap();
    let certificate = govlog_formats::base64::decode(json["keys"][0]["x5c"][0].as_str().unwrap()).unwrap();
    let jwt = govlog_formats::record::handles::jwk_spki(&json["keys"][1]).unwrap();
    let own = RawBundle {
        trust_domain: "prod.example".into(),
        x509_authorities: vec![RawCertificate { asn1: certificate }],
        jwt_authorities: vec![RawKey { public_key: jwt, key_id: "Mg9mvyfmNgDbvLzKIfc5g9Ehe7m1RbCg".into() }],
        sequence_number: 1,
        ..RawBundle::default()
    };
    let foreign = RawBundle { trust_domain: "partner.example".into(), sequence_number: 7, ..RawBundle::default() };
    let active = State {
        authority_id: "126ee742d256ed1d12090c5fba25f7a93b0903b8".into(),
        expires_at: 1_795_406_834,
        ..State::default()
    };
    let x509 = States { active: Some(active), prepared: Some(State::default()) };
    let server = Server {
        entries: vec![pay(), envoy],
        agents: vec![agent],
        own,
        foreign: vec![foreign],
        x509,
        ..Server::default()
    };
    let asked = Arc::clone(&server.asked);
    let listing = ask(server).await.unwrap();

    let entries = listing.entries.unwrap();
    let known = recorded(File::Entries, "entries.json").entries.unwrap();
    let of = |entries: &[Entry], id: &str| entries.iter().find(|entry| entry.id == id).cloned().unwrap();
    assert_eq!(of(&entries, &pay().id), of(&known, &pay().id));
    assert_eq!(of(&entries, "e-2").dns_names, ["b", "a"], "their order has a meaning");
    assert_eq!(listing.agents, recorded(File::Agents, "agents.json").agents);
    assert_eq!(listing.bundles[0], bundle[0]);
    assert_eq!((listing.bundles[1].domain.as_str(), listing.bundles.len()), ("partner.example", 2));
    assert_eq!(listing.authorities, recorded(File::Authority("x509-svid"), "localauthority-x509.json").authorities);
    assert_eq!(
        asked.lock().unwrap().iter().filter(|path| path.ends_with("ListEntries")).count(),
        2,
        "one for each page"
    );
}

#[tokio::test]
async fn a_refusal_is_named_by_its_code_alone() {
    let error = ask(Server { refuses: Some("ListAgents"), ..Server::default() }).await.unwrap_err();
    assert!(error.contains("ListAgents") && !error.contains("alice"), "{error}");
    let broken = RawEntry { revision_number: -1, ..pay() };
    let error = ask(Server { entries: vec![broken], ..Server::default() }).await.unwrap_err();
    assert!(error.contains("cannot be read"), "{error}");
    let error = Client::connect(Path::new("/nowhere/api.sock")).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/api.sock") && error.contains("may this user"), "{error}");
}

//! A SPIFFE Workload API that says what a test tells it to.
//!
//! Stricter than it need be: a call without the header that "MUST be present with a value of true" (SPIFFE Workload API §5.1) is refused.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use govlog_tls::testing::{Authority, Issued};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// A Workload API on a socket.
#[derive(Debug)]
pub struct WorkloadApi {
    endpoint: String,
    tell: watch::Sender<X509SvidResponse>,
    tell_bundles: watch::Sender<JwtBundlesResponse>,
    tokens: Tokens,
    task: JoinHandle<()>,
}

/// JWT-SVIDs by audience.
type Tokens = Arc<Mutex<HashMap<String, JwtSvid>>>;

/// What is answered.
#[derive(Clone)]
struct Told {
    x509: watch::Receiver<X509SvidResponse>,
    bundles: watch::Receiver<JwtBundlesResponse>,
    tokens: Tokens,
}

/// `X509SVIDResponse` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<X509Svid>,
    #[prost(map = "string, bytes", tag = "3")]
    federated_bundles: HashMap<String, Vec<u8>>,
}

/// `X509SVID` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct X509Svid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    x509_svid: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    x509_svid_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    bundle: Vec<u8>,
}

/// `X509SVIDRequest` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct X509SvidRequest {}

/// `JWTBundlesRequest` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesRequest {}

/// `JWTBundlesResponse` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesResponse {
    #[prost(map = "string, bytes", tag = "1")]
    bundles: HashMap<String, Vec<u8>>,
}

/// `JWTSVIDRequest` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    audience: Vec<String>,
    #[prost(string, tag = "2")]
    spiffe_id: String,
}

/// `JWTSVIDResponse` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<JwtSvid>,
}

/// `JWTSVID` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtSvid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    #[prost(string, tag = "2")]
    svid: String,
}

impl WorkloadApi {
    /// Serves on a new socket: the workload is `id` with this certificate, and believes `own` for its own trust domain.
    ///
    /// # Panics
    /// When the socket cannot be had.
    #[must_use]
    pub fn start(socket: &Path, id: &str, svid: &Issued, own: &Authority) -> Self {
        let (tell, x509) = watch::channel(response(id, svid, own, &[]));
        let (tell_bundles, bundles) = watch::channel(JwtBundlesResponse::default());
        let tokens = Tokens::default();
        let told = Told { x509, bundles, tokens: Arc::clone(&tokens) };
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).expect("the socket is free"));
        let service = service_fn(move |request| answer(told.clone(), request));
        let task = tokio::spawn(async move {
            let served = tonic::transport::Server::builder().serve_with_incoming(service, incoming).await;
            served.expect("it is served until the task is aborted");
        });
        Self { endpoint: format!("unix://{}", socket.display()), tell, tell_bundles, tokens, task }
    }

    /// Sends everybody who listens the JWT bundles of these trust domains; before the first time nobody gets any.
    pub fn tell_bundles(&self, bundles: &[(&str, &[u8])]) {
        let bundles = bundles.iter().map(|(domain, keys)| ((*domain).to_owned(), keys.to_vec())).collect();
        self.tell_bundles.send_replace(JwtBundlesResponse { bundles });
    }

    /// Gives whoever asks from now on this JWT-SVID for an audience; for others nobody gets any.
    pub fn tell_token(&self, audience: &str, id: &str, token: &str) {
        let svid = JwtSvid { spiffe_id: id.to_owned(), svid: token.to_owned() };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(audience.to_owned(), svid);
    }

    /// Sends everybody who listens another certificate, and bundles of other trust domains.
    pub fn rotate(&self, id: &str, svid: &Issued, own: &Authority, foreign: &[(&str, &Authority)]) {
        self.tell.send_replace(response(id, svid, own, foreign));
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for WorkloadApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn response(id: &str, svid: &Issued, own: &Authority, foreign: &[(&str, &Authority)]) -> X509SvidResponse {
    let svid = X509Svid {
        spiffe_id: id.to_owned(),
        x509_svid: svid.der.clone(),
        x509_svid_key: svid.key_der.clone(),
        bundle: own.der(),
    };
    let foreign = foreign.iter().map(|(domain, authority)| (format!("spiffe://{domain}"), authority.der()));
    X509SvidResponse { svids: vec![svid], federated_bundles: foreign.collect() }
}

async fn answer(told: Told, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    let is_meant = request.headers().get("workload.spiffe.io").is_some_and(|value| value == "true");
    if !is_meant {
        return Ok(Status::invalid_argument("the security header is missing").into_http());
    }
    Ok(match request.uri().path() {
        "/SpiffeWorkloadAPI/FetchX509SVID" => stream::<X509SvidRequest, _>(told.x509, request).await,
        "/SpiffeWorkloadAPI/FetchJWTBundles" if told.bundles.borrow().bundles.is_empty() => {
            Status::permission_denied("no identity issued").into_http()
        }
        "/SpiffeWorkloadAPI/FetchJWTBundles" => stream::<JwtBundlesRequest, _>(told.bundles, request).await,
        "/SpiffeWorkloadAPI/FetchJWTSVID" => token(told.tokens, request).await,
        _ => Status::unimplemented("there are X.509-SVIDs, JWT-SVIDs and JWT bundles").into_http(),
    })
}

/// Answers with what there is, and with what comes after it.
async fn stream<Q, A>(told: watch::Receiver<A>, request: http::Request<Body>) -> http::Response<Body>
where
    Q: prost::Message + Default + 'static,
    A: prost::Message + Default + Clone + 'static,
{
    let service = service_fn(move |_: Request<Q>| {
        let mut told = told.clone();
        async move {
            let (send, receive) = mpsc::channel(1);
            tokio::spawn(async move {
                told.mark_changed();
                while told.changed().await.is_ok() {
                    let response = told.borrow_and_update().clone();
                    if send.send(Ok(response)).await.is_err() {
                        return;
                    }
                }
            });
            Ok::<_, Status>(Response::new(ReceiverStream::new(receive)))
        }
    });
    Grpc::new(ProstCodec::<A, Q>::default()).server_streaming(service, request).await
}

async fn token(tokens: Tokens, request: http::Request<Body>) -> http::Response<Body> {
    let service = service_fn(move |request: Request<JwtSvidRequest>| {
        let JwtSvidRequest { audience, .. } = request.into_inner();
        let known = tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let svids: Vec<JwtSvid> = audience.iter().filter_map(|audience| known.get(audience).cloned()).collect();
        let answer = if svids.is_empty() {
            Err(Status::permission_denied(format!("nothing is issued for {audience:?}")))
        } else {
            Ok(Response::new(JwtSvidResponse { svids }))
        };
        async move { answer }
    });
    Grpc::new(ProstCodec::<JwtSvidResponse, JwtSvidRequest>::default()).unary(service, request).await
}

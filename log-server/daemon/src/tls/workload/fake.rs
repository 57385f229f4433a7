//! A SPIFFE Workload API that says what a test tells it to.
//!
//! Stricter than it need be: a call without the header that "MUST be present with a value of true" (SPIFFE Workload API §5.1) is refused.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;

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
    task: JoinHandle<()>,
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

impl WorkloadApi {
    /// Serves on a new socket: the workload is `id` with this certificate, and believes `own` for its own trust domain.
    ///
    /// # Panics
    /// When the socket cannot be had.
    #[must_use]
    pub fn start(socket: &Path, id: &str, svid: &Issued, own: &Authority) -> Self {
        let (tell, told) = watch::channel(response(id, svid, own, &[]));
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).expect("the socket is free"));
        let service = service_fn(move |request| answer(told.clone(), request));
        let task = tokio::spawn(async move {
            let served = tonic::transport::Server::builder().serve_with_incoming(service, incoming).await;
            served.expect("it is served until the task is aborted");
        });
        Self { endpoint: format!("unix://{}", socket.display()), tell, task }
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

async fn answer(
    told: watch::Receiver<X509SvidResponse>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, Infallible> {
    let is_meant = request.headers().get("workload.spiffe.io").is_some_and(|value| value == "true");
    let is_known = request.uri().path() == "/SpiffeWorkloadAPI/FetchX509SVID";
    let stream = service_fn(move |_: Request<X509SvidRequest>| {
        let mut told = told.clone();
        async move {
            if !is_meant {
                return Err(Status::invalid_argument("the security header is missing"));
            }
            if !is_known {
                return Err(Status::unimplemented("there is FetchX509SVID alone"));
            }
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
            Ok(Response::new(ReceiverStream::new(receive)))
        }
    });
    let mut grpc = Grpc::new(ProstCodec::<X509SvidResponse, X509SvidRequest>::default());
    Ok(grpc.server_streaming(stream, request).await)
}

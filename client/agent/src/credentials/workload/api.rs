//! The part of the SPIFFE Workload API that is about JWTs: JWT-SVIDs as handles alone, and bundles in the very bytes in which they are sent.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::credentials::read::{Seen, Token, Unseen, bundle, is_domain, token};
use crate::grpc::ask;

/// A connection to a Workload API.
#[derive(Clone, Debug)]
pub(super) struct Client(Grpc<Channel>);

/// The bundles of all trust domains that this program is to trust, again and again.
#[derive(Debug)]
pub(super) struct Bundles(Streaming<JwtBundlesResponse>);

/// Why nothing is had. None repeats what was answered, in which a token may be.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// There is nobody.
    #[error("{0}; does an agent listen there, and may this user use its socket?")]
    Connect(tonic::transport::Error),
    /// The answer is no.
    #[error("{method}: {code}")]
    Refused { method: &'static str, code: Code },
    /// It takes too long.
    #[error("{0}: no answer in time")]
    Slow(&'static str),
    /// The answer is none.
    #[error("{0}: an answer that cannot be read")]
    Answer(&'static str),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ApiError::Connect`].
    pub(super) async fn connect(endpoint: &str) -> Result<Self, ApiError> {
        let address = match endpoint.strip_prefix("tcp:") {
            Some(address) => format!("http:{address}"),
            None => endpoint.to_owned(),
        };
        let endpoint = Endpoint::from_shared(address).map_err(ApiError::Connect)?.connect_timeout(PATIENCE);
        let channel = endpoint.connect().await.map_err(ApiError::Connect)?;
        Ok(Self(Grpc::new(channel).max_decoding_message_size(MAX_ANSWER)))
    }

    /// Asks for the JWT-SVIDs for an audience. The tokens themselves end here.
    ///
    /// # Errors
    ///
    /// [`ApiError`]
    pub(super) async fn svids(&mut self, audience: &str) -> Result<Vec<Token>, ApiError> {
        let request = JwtSvidRequest { audience: vec![audience.to_owned()], spiffe_id: String::new() };
        let asked = ask(&mut self.0, FETCH_SVID, meant(request));
        let answer = timeout(PATIENCE, asked).await.map_err(|_| ApiError::Slow(FETCH_SVID))?;
        let JwtSvidResponse { svids } = answer.map_err(|code| ApiError::Refused { method: FETCH_SVID, code })?;
        let handles = |svid: &JwtSvid| token(&svid.svid);
        let tokens: Result<Vec<Token>, Unseen> = svids.iter().map(handles).collect();
        tokens.ok().filter(|tokens| !tokens.is_empty()).ok_or(ApiError::Answer(FETCH_SVID))
    }

    /// Asks for bundles, and for those that come after them.
    ///
    /// # Errors
    ///
    /// [`ApiError`]
    pub(super) async fn bundles(&mut self) -> Result<Bundles, ApiError> {
        timeout(PATIENCE, self.0.ready())
            .await
            .map_err(|_| ApiError::Slow(FETCH_BUNDLES))?
            .map_err(|_| ApiError::Refused { method: FETCH_BUNDLES, code: Code::Unavailable })?;
        let codec: ProstCodec<JwtBundlesRequest, JwtBundlesResponse> = ProstCodec::default();
        let path = PathAndQuery::from_static(FETCH_BUNDLES);
        // Only that it begins to answer is waited for; the next bundles may be months away.
        let asked = self.0.server_streaming(meant(JwtBundlesRequest {}), path, codec);
        let answer = timeout(PATIENCE, asked).await.map_err(|_| ApiError::Slow(FETCH_BUNDLES))?;
        answer.map(|answer| Bundles(answer.into_inner())).map_err(refused)
    }
}

impl Bundles {
    /// Waits for the next; `None`: the other side has ended it.
    ///
    /// # Errors
    ///
    /// [`ApiError`]
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Seen>>, ApiError> {
        let Some(answer) = self.0.message().await.map_err(refused)? else { return Ok(None) };
        let of = |(id, keys): (String, Vec<u8>)| {
            let domain = id.strip_prefix("spiffe://").unwrap_or(&id);
            is_domain(domain).then(|| bundle(domain, &keys))
        };
        let mut seen: Vec<(String, Vec<u8>)> = answer.bundles.into_iter().collect();
        seen.sort();
        seen.into_iter().map(of).collect::<Option<_>>().map(Some).ok_or(ApiError::Answer(FETCH_BUNDLES))
    }
}

/// SPIFFE Workload API §5.1: the header that keeps requests out which somebody was tricked into making.
fn meant<T>(request: T) -> Request<T> {
    let mut request = Request::new(request);
    request.metadata_mut().insert("workload.spiffe.io", MetadataValue::from_static("true"));
    request
}

/// What a server says in words may repeat what it was asked, or what it has.
#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn refused(status: Status) -> ApiError {
    ApiError::Refused { method: FETCH_BUNDLES, code: status.code() }
}

/// `JWTSVIDRequest` of workload.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    audience: Vec<String>,
    #[prost(string, tag = "2")]
    spiffe_id: String,
}

/// `JWTSVIDResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<JwtSvid>,
}

/// `JWTSVID`, in which the token is; never shown.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct JwtSvid {
    #[prost(string, tag = "2")]
    svid: String,
}

impl std::fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtSvid").finish_non_exhaustive()
    }
}

/// `JWTBundlesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesRequest {}

/// `JWTBundlesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesResponse {
    #[prost(map = "string, bytes", tag = "1")]
    bundles: HashMap<String, Vec<u8>>,
}

const FETCH_SVID: &str = "/SpiffeWorkloadAPI/FetchJWTSVID";
const FETCH_BUNDLES: &str = "/SpiffeWorkloadAPI/FetchJWTBundles";
const PATIENCE: Duration = Duration::from_secs(10);
/// The keys of a thousand trust domains.
const MAX_ANSWER: usize = 4 << 20;

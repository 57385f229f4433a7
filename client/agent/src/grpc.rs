//! One question over gRPC, and its answer.

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// Asks.
///
/// # Errors
///
/// The code alone: what a server says in words may repeat what it was asked, or what it has.
pub(crate) async fn ask<Q, A>(server: &mut Grpc<Channel>, method: &'static str, request: Request<Q>) -> Result<A, Code>
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    server.ready().await.map_err(|_| Code::Unavailable)?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    let answer = server.unary(request, PathAndQuery::from_static(method), codec).await;
    answer.map(Response::into_inner).map_err(|status: Status| status.code())
}

//! Request bodies: of the right kind, within a size, within a time, and all of them together within the memory set aside for them.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::OwnedSemaphorePermit;

use super::App;
use super::error::Failure;
use crate::refusal::Refusal;

/// A body, and its share of the memory for bodies.
pub(super) struct Received {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl Received {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Checks the content type: "content-type parameters are ignored, types compare without case, a missing one is 415" (exact.md §4).
///
/// # Errors
/// 415 for another.
pub(super) fn check_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Failure> {
    let found = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let essence = found.as_deref().map(|found| found.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    let found =
        found.map_or_else(|| "missing".to_owned(), |found| format!("{:?}", found.chars().take(80).collect::<String>()));
    Err(Failure::MediaType { found, expected })
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 beyond the limit, before a byte is read when the length is declared; 408 when it takes too long; 503 when bodies take too much memory
/// together; 400 when it breaks off.
pub(super) async fn read(app: &App, body: Body, limit: usize) -> Result<Received, Failure> {
    let declared = body.size_hint().lower();
    if declared > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(declared, limit));
    }
    tokio::time::timeout(app.times.body, collect(app, body, limit)).await.unwrap_or(Err(Failure::BodySlow))
}

async fn collect(app: &App, mut body: Body, limit: usize) -> Result<Received, Failure> {
    let mut received = Received { bytes: Vec::new(), share: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "a request body broke off");
            Failure::BodyBroken
        })?;
        let Ok(data) = frame.into_data() else { continue };
        received.push(app, &data, limit)?;
    }
    Ok(received)
}

impl Received {
    fn push(&mut self, app: &App, data: &Bytes, limit: usize) -> Result<(), Failure> {
        let length = self.bytes.len() + data.len();
        if length > limit {
            return Err(too_large(u64::try_from(length).unwrap_or(u64::MAX), limit));
        }
        // Room is taken as bytes come, so that a body that only says it is large holds none.
        let held = self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = length.div_ceil(1024).saturating_sub(held);
        if wanted > 0 {
            let wanted = u32::try_from(wanted).map_err(|_| Failure::NoRoom)?;
            let more =
                std::sync::Arc::clone(&app.bodies).try_acquire_many_owned(wanted).map_err(|_| Failure::NoRoom)?;
            match &mut self.share {
                Some(share) => share.merge(more),
                None => self.share = Some(more),
            }
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

fn too_large(found: u64, limit: usize) -> Failure {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Refusal::TooLarge { what: "the request body", found, limit }.into()
}

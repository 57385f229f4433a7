//! A log's HTTP routes.

use std::io::Read;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;

use super::SourceError;

/// Longer than the 30 s that a server may make `?wait=` last.
const TIMEOUT: Duration = Duration::from_secs(45);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an unexpected answer is repeated to the user.
const DETAIL_BYTES: usize = 400;

/// A log's server.
#[derive(Debug)]
pub struct Http {
    base: String,
    client: Client,
}

/// What the server answered, whatever the status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Location`, where there is one.
    pub location: Option<String>,
    /// `Retry-After` in seconds, where there is one.
    pub retry_after: Option<u64>,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    pub(super) fn new(base: &str) -> Result<Self, SourceError> {
        // Installed once per process; a second call finds the first one's provider in place, which is what is wanted.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        // Redirects are answers here: 302 and 303 say how far an entry has come, and tiles are never redirected.
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("govlog/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| unreachable_at(base, &cause))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client })
    }

    /// The address that everything is relative to, without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let reply = self.ask(path, max)?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 => Ok(None),
            status => Err(self.unexpected(path, status, &reply.body)),
        }
    }

    /// Asks for a path and gives the answer whatever its status.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or sends more than `max` bytes.
    pub fn ask(&self, path: &str, max: usize) -> Result<Reply, SourceError> {
        let url = self.url(path);
        read(&url, self.client.get(&url), max)
    }

    /// Posts a body and gives the answer whatever its status.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or sends more than `max` bytes.
    pub fn post(&self, path: &str, content_type: &str, body: Vec<u8>, max: usize) -> Result<Reply, SourceError> {
        let url = self.url(path);
        read(&url, self.client.post(&url).header(CONTENT_TYPE, content_type).body(body), max)
    }

    /// Makes the error for a status that the question does not allow.
    #[must_use]
    pub fn unexpected(&self, path: &str, status: u16, body: &[u8]) -> SourceError {
        let head = body.get(..body.len().min(DETAIL_BYTES)).unwrap_or_default();
        let detail = std::str::from_utf8(head).unwrap_or_default().trim().to_owned();
        SourceError::Status { url: self.url(path), status, detail }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}", self.base, path.trim_start_matches('/'))
    }
}

fn read(url: &str, request: RequestBuilder, max: usize) -> Result<Reply, SourceError> {
    let response = request.send().map_err(|cause| unreachable_at(url, &cause))?;
    let text = |headers: &HeaderMap, name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let headers = response.headers();
    let reply = Reply {
        status: response.status().as_u16(),
        location: text(headers, LOCATION),
        retry_after: text(headers, RETRY_AFTER).and_then(|value| value.parse().ok()),
        content_type: text(headers, CONTENT_TYPE),
        body: Vec::new(),
    };
    Ok(Reply { body: bounded(url, response, max)?, ..reply })
}

/// Reads at most `max` bytes, counted after any decompression.
fn bounded(url: &str, response: Response, max: usize) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    response
        .take(limit)
        .read_to_end(&mut body)
        .map_err(|cause| SourceError::Unreachable { url: url.to_owned(), cause: cause.to_string() })?;
    if body.len() > max { Err(SourceError::TooLarge { what: url.to_owned(), max }) } else { Ok(body) }
}

fn unreachable_at(url: &str, cause: &reqwest::Error) -> SourceError {
    // The innermost cause says what happened ("connection refused"); the outer ones repeat the address.
    let mut inner: &dyn std::error::Error = cause;
    while let Some(next) = inner.source() {
        inner = next;
    }
    SourceError::Unreachable { url: url.to_owned(), cause: inner.to_string() }
}

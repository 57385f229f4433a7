//! A log's HTTP routes.

use std::io::Read;
use std::time::Duration;

use govlog_tls::outbound::{Outbound, Token};
use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
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
    token: Option<Token>,
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
    /// `ETag`, where there is one.
    pub etag: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    pub(super) fn new(base: &str, outbound: &Outbound) -> Result<Self, SourceError> {
        let refused = |cause: String| SourceError::Credentials { url: base.to_owned(), cause };
        let token = outbound.token().map_err(|error| refused(error.to_string()))?;
        let tls = outbound.tls().map_err(|error| refused(error.to_string()))?;
        let is_open = base.starts_with("http://") && !is_own(base);
        if is_open && (token.is_some() || tls.is_some()) {
            return Err(refused("a token, a certificate or an authority is of use over https:// alone".to_owned()));
        }
        // Installed once per process; a second call finds the first one's provider in place, which is what is wanted.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        // Redirects are answers here: 302 and 303 say how far an entry has come, and tiles are never redirected.
        let mut builder = Client::builder();
        if let Some(tls) = tls {
            builder = builder.tls_backend_preconfigured(tls);
        }
        if is_own(base) {
            // A proxy that the environment names would see token and records in clear, and has no business on the way to this machine.
            builder = builder.no_proxy();
        }
        let client = builder
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("govlog/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| unreachable_at(base, &cause))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client, token })
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
        read(&url, self.authorized(self.client.get(&url)), max)
    }

    /// As [`Http::ask`], unless it is what had this `ETag`: then the status is 304, and there is no body.
    ///
    /// # Errors
    ///
    /// As [`Http::ask`].
    pub fn ask_unless(&self, path: &str, etag: Option<&str>, max: usize) -> Result<Reply, SourceError> {
        let url = self.url(path);
        let request = self.authorized(self.client.get(&url));
        let request = etag.into_iter().fold(request, |request, etag| request.header(IF_NONE_MATCH, etag));
        read(&url, request, max)
    }

    /// Posts a body and gives the answer whatever its status.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or sends more than `max` bytes.
    pub fn post(&self, path: &str, content_type: &str, body: Vec<u8>, max: usize) -> Result<Reply, SourceError> {
        self.post_as(path, &[(CONTENT_TYPE.as_str(), content_type)], body, max)
    }

    /// Posts a body under these headers and gives the answer whatever its status.
    ///
    /// # Errors
    ///
    /// As [`Http::post`].
    pub fn post_as(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        max: usize,
    ) -> Result<Reply, SourceError> {
        let url = self.url(path);
        let request = self.authorized(self.client.post(&url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        read(&url, request.body(body), max)
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        let value = self.token.as_ref().and_then(|token| HeaderValue::try_from(token.authorization()).ok());
        match value {
            None => request,
            Some(mut value) => {
                // Shown in nothing that is logged of the request.
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
        }
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

/// Whether an address is this machine's own, where nobody else is on the way.
fn is_own(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
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
        etag: text(headers, ETAG),
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_sent_over_https_or_to_this_machine_and_never_in_clear_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        std::io::Write::write_all(&mut file.unwrap(), b"0123456789abcdef").unwrap();
        let outbound = Outbound { token_file: Some(path), ..Outbound::default() };
        for right in ["https://log.example", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            Http::new(right, &outbound).unwrap();
        }
        for wrong in ["http://log.example", "http://192.0.2.1:1", "http://127.0.0.1.example", "http://[2001:db8::1]"] {
            let error = Http::new(wrong, &outbound).unwrap_err();
            assert!(matches!(error, SourceError::Credentials { .. }), "{wrong}");
            Http::new(wrong, &Outbound::default()).unwrap();
        }
    }
}

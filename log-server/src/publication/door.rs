//! One exchange with one witness (C2SP tlog-witness): bytes there and bytes back, judged only as far as HTTP goes.
//!
//! Trust: none. A witness controls every byte it sends; what is read is bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use govlog_formats::checkpoint::Origin;
use govlog_formats::limits::MAX_NOTE_BYTES;
use govlog_formats::merkle::TreeSize;
use govlog_formats::note::SignatureLine;
use govlog_formats::wire::add_checkpoint::{AddCheckpoint, monitoring_path, parse_conflict_body, parse_reply};
use govlog_tls::outbound::Token;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

/// The way to one witness.
#[derive(Clone, Debug)]
pub(super) struct Door {
    client: Client,
    /// Shown to this witness and to no other.
    token: Option<Arc<Token>>,
    submission: String,
    monitoring: String,
    timeout: Duration,
}

/// What a witness said to `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200: signature lines, not yet verified.
    Cosigned(Vec<SignatureLine>),
    /// 409: what it cosigned last has this size.
    Conflict(TreeSize),
    /// 422: the head is, to the witness, no continuation of what it cosigned last.
    Inconsistent(String),
    /// Not now: no connection, a timeout, 429, 5xx.
    Later {
        /// The pause it asked for.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// It will have none of it: another 4xx.
    Refused(String),
    /// The answer is none that the protocol knows.
    Nonsense(String),
}

impl Door {
    pub(super) fn new(client: Client, token: Option<Token>, prefix: &str, origin: &Origin, timeout: Duration) -> Self {
        let prefix = prefix.trim_end_matches('/');
        Self {
            client,
            token: token.map(Arc::new),
            submission: format!("{prefix}/add-checkpoint"),
            monitoring: format!("{prefix}/{}", monitoring_path(origin)),
            timeout,
        }
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.timeout(self.timeout);
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

    /// Sends a head.
    pub(super) async fn add_checkpoint(&self, request: &AddCheckpoint) -> Answer {
        let sent = self.authorized(self.client.post(&self.submission)).body(request.encode()).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Answer::Later { after: None, why: chain(&error) },
        };
        let (status, after) = (response.status(), retry_after(response.headers()));
        match body(response).await {
            Ok(body) => classify(status, after, &body),
            Err(why) => Answer::Later { after, why },
        }
    }

    /// Fetches the note the witness cosigned last; `None` when it says there is none, or has no such route.
    pub(super) async fn monitoring_checkpoint(&self) -> Result<Option<Vec<u8>>, String> {
        let sent = self.authorized(self.client.get(&self.monitoring)).send().await;
        let response = sent.map_err(|error| chain(&error))?;
        match response.status() {
            StatusCode::OK => body(response).await.map(Some),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => Ok(None),
            status => Err(format!("its monitoring route answered {status}")),
        }
    }
}

fn classify(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Answer {
    let said = || {
        let line = String::from_utf8_lossy(body.get(..body.len().min(200)).unwrap_or_default());
        format!("{status}: {}", line.trim().escape_debug())
    };
    match status {
        StatusCode::OK => match parse_reply(body) {
            Ok(lines) => Answer::Cosigned(lines),
            Err(error) => Answer::Nonsense(format!("200 with a body that is no signature lines: {error}")),
        },
        // "The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a newline" (C2SP
        // tlog-witness v1.0.0, add-checkpoint)
        StatusCode::CONFLICT => match parse_conflict_body(body) {
            Ok(size) => Answer::Conflict(size),
            Err(error) => Answer::Nonsense(format!("409: {error}")),
        },
        StatusCode::UNPROCESSABLE_ENTITY => Answer::Inconsistent(said()),
        // exact.md §5: "429 and 5xx mean *later*, never a refutation".
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Answer::Later { after, why: said() },
        status if status.is_server_error() => Answer::Later { after, why: said() },
        status if status.is_client_error() => Answer::Refused(said()),
        _ => Answer::Nonsense(said()),
    }
}

/// Reads a body of at most the size of a note.
async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error))? {
        if bytes.len() + chunk.len() > MAX_NOTE_BYTES {
            return Err(format!("its answer has more than {MAX_NOTE_BYTES} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Writes an error with its causes: reqwest's own message names only the URL.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &[u8]) -> Answer {
        classify(StatusCode::from_u16(status).unwrap(), None, body)
    }

    #[test]
    fn statuses_mean_what_the_protocol_and_the_field_say() {
        assert_eq!(of(409, b"17\n"), Answer::Conflict(TreeSize::new(17)));
        assert!(matches!(of(409, b"017\n"), Answer::Nonsense(_)));
        assert!(matches!(of(409, b"17"), Answer::Nonsense(_)));
        assert!(matches!(of(422, b"root differs\n"), Answer::Inconsistent(_)));
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(of(status, b""), Answer::Later { .. }), "{status}");
        }
        for status in [400, 401, 403, 404, 405] {
            assert!(matches!(of(status, b""), Answer::Refused(_)), "{status}");
        }
        for status in [201, 204, 301, 302] {
            assert!(matches!(of(status, b""), Answer::Nonsense(_)), "{status}");
        }
        assert!(matches!(of(200, b"not a line\n"), Answer::Nonsense(_)));
        assert!(matches!(of(200, &[0xff; 10]), Answer::Nonsense(_)));
    }

    #[test]
    fn what_a_witness_says_is_shown_short_and_harmless() {
        let Answer::Refused(said) = of(403, &[b'\x1b'; 4000]) else { panic!() };
        assert!(said.len() < 2000 && !said.contains('\x1b'), "{said}");
    }
}

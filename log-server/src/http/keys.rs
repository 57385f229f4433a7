//! The receipt keys as stock SCITT verifiers want them. Ours take keys from the admission policy alone.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use govlog_formats::base64;
use govlog_formats::cose::{KeyError, PublicKey};
use govlog_formats::key_set;

use super::error::Failure;
use super::query::Query;
use super::{App, Keep, answer};

/// `GET /.well-known/scitt-keys`
pub(super) async fn set(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    Query::read(request.uri().query(), &[])?;
    written(key_set::encode(&keys(&app)))
}

/// `GET /.well-known/scitt-keys/{kid}`: the thumbprint in base64url without padding.
pub(super) async fn one(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    Query::read(request.uri().query(), &[])?;
    let text = request.uri().path().strip_prefix("/.well-known/scitt-keys/").unwrap_or_default();
    let kid = base64::decode_url(text).map_err(|_| Failure::NoSuchKey)?;
    let named = |key: &PublicKey| key.thumbprint().as_bytes().as_slice() == kid;
    let key = keys(&app).into_iter().find(named).ok_or(Failure::NoSuchKey)?;
    written(key_set::encode_key(&key))
}

/// Lists the receipt keys that were ever in force; "retired keys stay" (exact.md §4).
fn keys(app: &App) -> Vec<PublicKey> {
    let policy = std::sync::Arc::clone(app.heads.borrow().policy());
    policy.all_receipt_keys().map(|receipt| receipt.key.clone()).collect()
}

fn written(bytes: Result<Vec<u8>, KeyError>) -> Result<Response, Failure> {
    match bytes {
        Ok(bytes) => Ok(answer(StatusCode::OK, key_set::CONTENT_TYPE, Keep::Not, bytes)),
        Err(error) => {
            // The admission policy takes P-256 receipt keys alone.
            tracing::error!(%error, "the key set could not be written");
            Err(Failure::Unready("the key set could not be written".to_owned()))
        }
    }
}

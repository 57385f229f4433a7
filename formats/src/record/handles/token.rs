//! Handles of tokens in compact form. Tokens themselves are never logged.

use ciborium::Value;
use serde_json::Value as Json;

use super::{HandleError, bounded};
use crate::base64;
use crate::digest::Digest;
use crate::record::Handle;
use crate::record::view::parse_text;

/// What a JWT shows of itself. Its signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenHandles {
    /// SHA-256 of the compact token.
    pub tok_s256: Digest,
    /// SHA-256 of `header.payload`, what is signed: the same whoever signs it again.
    pub jws_input_s256: Digest,
    /// Header `kid`: the issuer's key.
    pub kid: Option<String>,
    /// Header `typ`.
    pub typ: Option<String>,
    /// Claim `iss`.
    pub iss: Option<String>,
    /// Claim `sub`.
    pub sub: Option<String>,
    /// Claim `aud`, one or several.
    pub aud: Vec<String>,
    /// Claim `jti`.
    pub jti: Option<String>,
    /// Claim `exp`: POSIX milliseconds.
    pub exp_ms: Option<u64>,
    /// Claim `iat`: POSIX milliseconds.
    pub iat_ms: Option<u64>,
}

impl TokenHandles {
    /// Takes the handles of a JWT in compact form.
    ///
    /// # Errors
    ///
    /// Not three parts of base64url, header and payload no JSON objects, or a claim named above of another type.
    pub fn from_compact(token: &str) -> Result<Self, HandleError> {
        bounded(token.as_bytes())?;
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { return Err(HandleError::Parts(parts.len())) };
        if base64::decode_url(signature).is_err() {
            return Err(HandleError::Part { part: "signature" });
        }
        let input = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = object("header", header)?;
        let claims = object("payload", payload)?;
        Ok(Self {
            tok_s256: Digest::sha256(token.as_bytes()),
            jws_input_s256: Digest::sha256(input.as_bytes()),
            kid: text(&header, "kid")?,
            typ: text(&header, "typ")?,
            iss: text(&claims, "iss")?,
            sub: text(&claims, "sub")?,
            aud: audience(&claims)?,
            jti: text(&claims, "jti")?,
            exp_ms: milliseconds(&claims, "exp")?,
            iat_ms: milliseconds(&claims, "iat")?,
        })
    }

    /// Gives the token's id, scoped to its issuer, where it has both.
    #[must_use]
    pub fn jti_iss(&self) -> Option<(&str, &str)> {
        Some((self.jti.as_deref()?, self.iss.as_deref()?))
    }

    /// Gives the handles a record of this token bears.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        let mut handles = vec![
            Handle::of_digest("tok_s256", &self.tok_s256),
            Handle::of_digest("jws_input_s256", &self.jws_input_s256),
        ];
        if let Some((jti, iss)) = self.jti_iss() {
            handles.push(Handle { name: "jti_iss".to_owned(), value: Value::Array(vec![jti.into(), iss.into()]) });
        }
        handles
    }
}

fn object(part: &'static str, encoded: &str) -> Result<Json, HandleError> {
    let bytes = base64::decode_url(encoded).map_err(|_| HandleError::Part { part })?;
    let error = |why: String| HandleError::Json { part, why };
    let text = std::str::from_utf8(&bytes).map_err(|_| error("not UTF-8".to_owned()))?;
    match parse_text(text) {
        Ok(json) if json.is_object() => Ok(json),
        Ok(_) => Err(error("not a JSON object".to_owned())),
        Err(why) => Err(error(why.to_string())),
    }
}

fn text(object: &Json, name: &str) -> Result<Option<String>, HandleError> {
    match object.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(HandleError::Member { member: name.to_owned(), expected: "a string" }),
    }
}

fn audience(claims: &Json) -> Result<Vec<String>, HandleError> {
    let wrong = || HandleError::Member { member: "aud".to_owned(), expected: "a string or a list of strings" };
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Json::String(one)) => Ok(vec![one.clone()]),
        Some(Json::Array(several)) => {
            several.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// Reads a NumericDate (RFC 7519 §2): seconds, which may have a fraction.
fn milliseconds(claims: &Json, name: &str) -> Result<Option<u64>, HandleError> {
    let wrong = || HandleError::Member { member: name.to_owned(), expected: "a number of seconds, 0 or more" };
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Number(seconds)) => match (seconds.as_u64(), seconds.as_f64()) {
            (Some(seconds), _) => seconds.checked_mul(1000).map(Some).ok_or_else(wrong),
            (None, Some(seconds)) => whole_milliseconds(seconds).map(Some).ok_or_else(wrong),
            (None, None) => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// Rounds down; `None` if the number is no time.
fn whole_milliseconds(seconds: f64) -> Option<u64> {
    let milliseconds = (seconds * 1000.0).floor();
    // Every whole number below 2^53 is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, 0 or more and below 2^53")]
    (0.0..9_007_199_254_740_992.0).contains(&milliseconds).then_some(milliseconds as u64)
}

//! Credentials in the bytes of a file.
//!
//! PEM text gives its leaf certificate, or, where the first certificate is a trust domain's own, a bundle. Blocks with other labels are passed
//! over, private keys with the rest. A compact JWT, and what `spire-agent api fetch jwt -output json` prints, give tokens.

use std::borrow::Cow;

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::{CertificateHandles, HandleError, TokenHandles, certificate_from_pem};
use serde::{Deserialize, Serialize};

use crate::json::{self, JsonError, Object, RawValue};
use crate::opa::decision::MAX_TEXT_BYTES;

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// A leaf certificate: its DER in base64.
    Certificate(String),
    /// A token, by what may be known of it.
    Token(Token),
    /// A trust domain's authorities.
    Bundle(Bundle),
}

/// What is kept of a token; never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// SHA-256 of the token, hexadecimal.
    pub tok_s256: String,
    /// SHA-256 of `header.payload`, hexadecimal.
    pub jws_input_s256: String,
    /// Header `kid`.
    pub kid: Option<String>,
    /// Claims `jti` and `iss`, if it has both.
    pub jti_iss: Option<(String, String)>,
    /// Claim `sub`.
    pub sub: Option<String>,
    /// Claim `aud`.
    pub aud: Vec<String>,
    /// Claim `exp`, POSIX milliseconds.
    pub exp_ms: Option<u64>,
}

/// A trust domain's authorities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The trust domain.
    pub domain: String,
    /// SHA-256 of the bundle as the Workload API has it: certificates in DER, one behind the other; or a JWK Set.
    pub digest: String,
}

/// Why nothing is seen in a file. None repeats what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unseen {
    /// It is no PEM text with a certificate, and no token.
    #[error("no certificate or token can be read in it")]
    Unreadable,
    /// It is not the JSON that SPIRE prints of tokens.
    #[error("not what spire-agent prints of tokens: {0}")]
    Json(#[from] JsonError),
}

impl From<HandleError> for Unseen {
    // What is wrong may quote a label, or a name: files that hold keys are said to be unreadable and no more.
    fn from(_: HandleError) -> Self {
        Self::Unreadable
    }
}

impl Seen {
    /// Names it once.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Certificate(der) => {
                base64::decode(der).map(|der| Digest::sha256(&der).to_string()).unwrap_or_default()
            }
            Self::Token(token) => token.jws_input_s256.clone(),
            Self::Bundle(bundle) => format!("{}/{}", bundle.domain, bundle.digest),
        }
    }
}

/// Finds what can be seen in a file, by the end of its name.
///
/// # Errors
///
/// [`Unseen`]
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Seen>, Unseen> {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("jwt") => {
            let token = std::str::from_utf8(bytes).map_err(|_| Unseen::Unreadable)?;
            Ok(vec![Seen::Token(self::token(token.trim_ascii())?)])
        }
        Some("json") => printed(bytes),
        _ => pem(bytes).map(|seen| vec![seen]),
    }
}

/// Says whether a file of this name is looked into.
#[must_use]
pub fn is_looked_into(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ["pem", "crt", "cer", "jwt", "json"].contains(&ending))
}

/// Finds the leaf, or the bundle, in PEM text.
fn pem(text: &[u8]) -> Result<Seen, Unseen> {
    let first = certificate_from_pem(text)?;
    match CertificateHandles::from_der(&first) {
        Ok(_) => Ok(certificate(&first)),
        // An authority's certificate names its trust domain, which is no workload's SPIFFE ID.
        Err(HandleError::SpiffeId(uri)) => {
            let domain = uri.strip_prefix("spiffe://").filter(|domain| is_domain(domain)).ok_or(Unseen::Unreadable)?;
            let authorities = certificates(text);
            Ok(bundle(domain, &authorities.concat()))
        }
        Err(_) => Err(Unseen::Unreadable),
    }
}

/// Gives all certificates of PEM text, in DER.
fn certificates(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(begin) = find(rest, BEGIN) {
        rest = rest.get(begin..).unwrap_or_default();
        let Ok(der) = certificate_from_pem(rest) else { break };
        found.push(der);
        rest = rest.get(BEGIN.len()..).unwrap_or_default();
    }
    found
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

/// A leaf certificate.
#[must_use]
pub fn certificate(der: &[u8]) -> Seen {
    Seen::Certificate(base64::encode(der))
}

/// A bundle, by the bytes that the Workload API has of it.
#[must_use]
pub fn bundle(domain: &str, bytes: &[u8]) -> Seen {
    Seen::Bundle(Bundle { domain: domain.to_owned(), digest: Digest::sha256(bytes).to_string() })
}

/// A token's handles.
///
/// # Errors
///
/// It is none.
pub fn token(token: &str) -> Result<Token, Unseen> {
    let found = TokenHandles::from_compact(token)?;
    let short = |text: &String| (1..=MAX_TEXT_BYTES).contains(&text.len());
    let jti_iss = found.jti_iss().map(|(jti, iss)| (jti.to_owned(), iss.to_owned()));
    Ok(Token {
        tok_s256: found.tok_s256.to_string(),
        jws_input_s256: found.jws_input_s256.to_string(),
        jti_iss: jti_iss.filter(|(jti, iss)| short(jti) && short(iss)),
        kid: found.kid.filter(short),
        sub: found.sub.filter(short),
        aud: found.aud.into_iter().filter(short).take(MAX_AUDIENCE).collect(),
        exp_ms: found.exp_ms,
    })
}

/// Reads what `spire-agent api fetch jwt -output json` prints: a list of objects, with `svids` or `bundles`.
fn printed(bytes: &[u8]) -> Result<Vec<Seen>, Unseen> {
    let mut seen = Vec::new();
    for part in json::array(json::value(bytes)?, MAX_PARTS)? {
        let part = Object::parse(part)?;
        for svid in list(part.get("svids"))? {
            let svid = Object::parse(svid)?;
            seen.push(Seen::Token(token(&member(&svid, "svid")?)?));
        }
        let bundles = part.get("bundles").map(Object::parse).transpose()?;
        for (id, keys) in bundles.iter().flat_map(Object::members) {
            let domain = id.strip_prefix("spiffe://").filter(|domain| is_domain(domain)).ok_or(Unseen::Unreadable)?;
            let keys = base64::decode(&json::text(keys)?).map_err(|_| Unseen::Unreadable)?;
            seen.push(bundle(domain, &keys));
        }
    }
    if seen.is_empty() { Err(Unseen::Unreadable) } else { Ok(seen) }
}

fn list(raw: Option<&RawValue>) -> Result<Vec<&RawValue>, JsonError> {
    raw.map(|raw| json::array(raw, MAX_PARTS)).transpose().map(Option::unwrap_or_default)
}

fn member<'a>(object: &Object<'a>, name: &str) -> Result<Cow<'a, str>, Unseen> {
    Ok(json::text(object.get(name).ok_or(Unseen::Unreadable)?)?)
}

pub(super) fn is_domain(domain: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=255).contains(&domain.len()) && domain.bytes().all(plain)
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const MAX_PARTS: usize = 1_024;
const MAX_AUDIENCE: usize = 64;

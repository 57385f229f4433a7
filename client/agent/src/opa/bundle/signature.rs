//! The JWT in `.signatures.json`: who signed which files.

use govlog_formats::base64;
use govlog_formats::cose::{Algorithm, Curve, PublicKey};
use rustls::SignatureScheme;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::Signer;
use super::hash::Hashing;
use crate::json::{self, JsonError, Kind, Object};

/// The most files a signature may list.
const MAX_FILES: usize = 16_384;
/// The most bytes of a key id: it stands in clear.
const MAX_KEY_ID_BYTES: usize = 1024;
/// RFC 8017 §A.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A public key that may have signed bundles: on P-256 or P-384, or RSA of 2048 to 8192 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKey(Inner);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inner {
    Curve(PublicKey),
    /// An RSAPublicKey in DER.
    Rsa(Vec<u8>),
}

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PUBLIC KEY PEM of a P-256, P-384 or RSA key: {0}")]
pub struct SignerKeyError(String);

/// Why a signature is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// OPA wants exactly one.
    #[error("{0} signatures, should be exactly one JWT")]
    Count(usize),
    /// Something else than OPA's own verifier is to judge it.
    #[error("signed for a verifier plugin; only OPA's own form is read")]
    Plugin,
    /// It is no JWT.
    #[error("the signature is not a compact JWT")]
    Token,
    /// Header or payload cannot be read.
    #[error("the signature's {part}: {problem}")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What is wrong there.
        problem: JsonError,
    },
    /// Its header asks for what is not known.
    #[error("the signature's header has critical extensions, which are not known")]
    Critical,
    /// Whoever verifies it could have made it.
    #[error(
        "signed with a shared secret (HMAC): whoever can verify it can make it, so it is no evidence; sign with ES256, ES384, RS256 or PS256"
    )]
    Shared,
    /// Nobody signed it.
    #[error("the algorithm is none: nobody signed it")]
    Nobody,
    /// The algorithm is not known.
    #[error("the algorithm is not one of ES256, ES384, RS256, RS384, RS512, PS256, PS384, PS512")]
    Algorithm,
    /// The algorithm is for other keys.
    #[error("the algorithm is {0}, and the signer's key is of another kind")]
    KeyKind(&'static str),
    /// It is not the signer's.
    #[error("the signature is not the configured signer's")]
    Mismatch,
    /// It was signed for something else.
    #[error("the signature's scope is not the configured one")]
    Scope,
    /// A member of the list of files is not as it should be.
    #[error("signed file {0}: should have a name, a hash in hex, and one of SHA-256, SHA-384, SHA-512, SHA-512-256")]
    File(usize),
    /// A file is listed twice.
    #[error("a file is signed twice")]
    Twice,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) alg: &'static str,
    /// What the token calls its key.
    pub(super) key_id: Option<String>,
    pub(super) files: Vec<Listed>,
}

/// A file as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) hashing: Hashing,
    pub(super) hash: Vec<u8>,
}

impl SignerKey {
    /// Reads a `PUBLIC KEY` PEM.
    ///
    /// # Errors
    ///
    /// It is another PEM, or a key of another kind.
    pub fn from_pem(pem: &str) -> Result<Self, SignerKeyError> {
        let refused = |why: &dyn std::fmt::Display| SignerKeyError(why.to_string());
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|error| refused(&error))?;
        let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|error| refused(&error))?;
        if info.algorithm.oid == RSA {
            return Ok(Self(Inner::Rsa(info.subject_public_key.raw_bytes().to_vec())));
        }
        let key = PublicKey::from_spki_der(&der).map_err(|error| refused(&error))?;
        match key.curve() {
            Curve::P256 | Curve::P384 => Ok(Self(Inner::Curve(key))),
            Curve::Ed25519 => Err(refused(&"OPA signs no bundle with Ed25519")),
        }
    }

    fn verify(&self, alg: &'static str, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match (&self.0, alg) {
            (Inner::Curve(key), "ES256") if key.curve() == Curve::P256 => {
                key.verify(Algorithm::Es256, message, signature).map_err(|_| SignatureError::Mismatch)
            }
            (Inner::Curve(key), "ES384") if key.curve() == Curve::P384 => {
                key.verify(Algorithm::Es384, message, signature).map_err(|_| SignatureError::Mismatch)
            }
            (Inner::Rsa(key), alg) => verify_rsa(key, rsa_scheme(alg)?, message, signature),
            (Inner::Curve(_), alg) => Err(SignatureError::KeyKind(alg)),
        }
    }
}

fn rsa_scheme(alg: &'static str) -> Result<SignatureScheme, SignatureError> {
    Ok(match alg {
        "RS256" => SignatureScheme::RSA_PKCS1_SHA256,
        "RS384" => SignatureScheme::RSA_PKCS1_SHA384,
        "RS512" => SignatureScheme::RSA_PKCS1_SHA512,
        "PS256" => SignatureScheme::RSA_PSS_SHA256,
        "PS384" => SignatureScheme::RSA_PSS_SHA384,
        "PS512" => SignatureScheme::RSA_PSS_SHA512,
        alg => return Err(SignatureError::KeyKind(alg)),
    })
}

/// By the code that verifies certificates: it takes moduli of 2048 to 8192 bits, and for PSS a salt as long as the hash, as RFC 7518 §3.5 asks for.
fn verify_rsa(key: &[u8], scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let provider = govlog_tls::provider();
    let known = provider.signature_verification_algorithms.mapping.iter().find(|(known, _)| *known == scheme);
    let is_well = known.is_some_and(|(_, algorithms)| {
        algorithms.iter().any(|algorithm| algorithm.verify_signature(key, message, signature).is_ok())
    });
    if is_well { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// Verifies a token, and reads what it signs.
pub(super) fn verify(token: &str, signer: &Signer) -> Result<Signed, SignatureError> {
    let (message, signature) = token.rsplit_once('.').ok_or(SignatureError::Token)?;
    let (header, payload) = message.split_once('.').ok_or(SignatureError::Token)?;
    let decoded = |part: &str| base64::decode_url(part).map_err(|_| SignatureError::Token);
    let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
    let (alg, kid) = read_header(&header)?;
    signer.key.verify(alg, message.as_bytes(), &signature)?;
    // Nothing of the payload is looked at before it is known whose it is.
    let at = |problem| SignatureError::Json { part: "payload", problem };
    let payload = json::value(&payload).and_then(Object::parse).map_err(at)?;
    let scope = text(&payload, "scope").map_err(at)?.unwrap_or_default();
    if scope != signer.scope {
        return Err(SignatureError::Scope);
    }
    // The claim is what older signers wrote in place of the header's member.
    let key_id = match kid {
        Some(kid) => Some(kid),
        None => text(&payload, "keyid").map_err(at)?,
    };
    let files = payload.get("files").map(|raw| json::array(raw, MAX_FILES)).transpose().map_err(at)?;
    let files = files.unwrap_or_default().into_iter().enumerate();
    let files = files.map(|(position, raw)| Listed::read(raw).ok_or(SignatureError::File(position)));
    let key_id = key_id.filter(|id| (1..=MAX_KEY_ID_BYTES).contains(&id.len()));
    Ok(Signed { alg, key_id, files: files.collect::<Result<_, _>>()? })
}

/// Reads the algorithm, and what the key is called.
fn read_header(header: &[u8]) -> Result<(&'static str, Option<String>), SignatureError> {
    let at = |problem| SignatureError::Json { part: "header", problem };
    let header = json::value(header).and_then(Object::parse).map_err(at)?;
    if header.get("crit").is_some() {
        return Err(SignatureError::Critical);
    }
    let alg = text(&header, "alg").map_err(at)?.unwrap_or_default();
    let known = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    match alg.as_str() {
        "HS256" | "HS384" | "HS512" => Err(SignatureError::Shared),
        none if none.eq_ignore_ascii_case("none") => Err(SignatureError::Nobody),
        alg => {
            let alg = known.into_iter().find(|known| *known == alg).ok_or(SignatureError::Algorithm)?;
            Ok((alg, text(&header, "kid").map_err(at)?))
        }
    }
}

impl Listed {
    fn read(raw: &json::RawValue) -> Option<Self> {
        let file = Object::parse(raw).ok()?;
        let text = |name| text(&file, name).ok().flatten();
        let hashing = Hashing::of(&text("algorithm")?)?;
        let hash = hex(&text("hash")?)?;
        Some(Self { name: text("name")?, hashing, hash })
    }
}

/// Reads a member that is text; `null` is none.
fn text(object: &Object<'_>, name: &str) -> Result<Option<String>, JsonError> {
    let given = object.get(name).filter(|raw| json::kind(raw) != Kind::Null);
    Ok(given.map(json::text).transpose()?.map(std::borrow::Cow::into_owned))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

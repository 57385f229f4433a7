//! Making statements.

use super::header::SHA_256;
use super::{Claims, SignedStatement, Signer, StatementError};
use crate::cbor::Encoder;
use crate::cose::label::{
    ALG, AUD, CONTENT_TYPE, CWT_CLAIMS, IAT, ISS, KID, PAYLOAD_HASH_ALG, PAYLOAD_LOCATION, PREIMAGE_CONTENT_TYPE, SUB,
    X5CHAIN,
};
use crate::cose::{Algorithm, SigningKey, encode_sign1, sig_structure};

/// What a statement to be signed says in its header; `alg`, and `kid` or `x5chain`, are the key's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementHeader {
    /// What the payload is.
    pub content: Content,
    /// The claims.
    pub claims: Claims,
}

/// What the payload of a statement to be signed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The content itself, of this content type (label 3).
    Plain(String),
    /// The SHA-256 digest of the content (labels 258, 259, 260).
    HashEnvelope {
        /// The content type of what was hashed.
        content_type: String,
        /// Where it is.
        location: Option<String>,
    },
}

impl SignedStatement {
    /// Signs a payload under a header: −8 with an Ed25519 key, −7 with a P-256 one, −35 with a P-384 one; `kid` is the key's thumbprint.
    ///
    /// # Errors
    ///
    /// [`StatementError`] when the header or the payload breaks a rule: no statement is handed out that a log refuses for its bytes.
    pub fn sign(header: &StatementHeader, payload: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        Self::sign_as(header, payload, key, &Signer::Kid(key.public().thumbprint()))
    }

    /// Signs as [`SignedStatement::sign`] does, and names the key by a certificate chain, leaf first, instead of its thumbprint.
    ///
    /// # Errors
    ///
    /// As [`SignedStatement::sign`]. Whether the leaf is this key's is the caller's to know.
    pub fn sign_x509(
        header: &StatementHeader,
        payload: &[u8],
        key: &SigningKey,
        chain: &[Vec<u8>],
    ) -> Result<Self, StatementError> {
        Self::sign_as(header, payload, key, &Signer::X5chain(chain.to_vec()))
    }

    fn sign_as(
        header: &StatementHeader,
        payload: &[u8],
        key: &SigningKey,
        signer: &Signer,
    ) -> Result<Self, StatementError> {
        let protected = header.encode(key.algorithm(), signer);
        let signature = key.sign(&sig_structure(&protected, payload));
        Self::parse_entry(&encode_sign1(&protected, super::EMPTY_MAP, Some(payload), &signature))
    }
}

impl StatementHeader {
    /// Writes the protected header, labels ascending.
    pub(super) fn encode(&self, algorithm: Algorithm, signer: &Signer) -> Vec<u8> {
        let mut out = Encoder::default();
        let labels = match &self.content {
            Content::Plain(_) => 4,
            Content::HashEnvelope { location, .. } => 5 + usize::from(location.is_some()),
        };
        out.map(labels).int(ALG).int(algorithm.label());
        if let Content::Plain(content_type) = &self.content {
            out.int(CONTENT_TYPE).text(content_type);
        }
        if let Signer::Kid(kid) = signer {
            out.int(KID).bytes(kid.as_bytes());
        }
        self.claims.encode(out.int(CWT_CLAIMS));
        match signer {
            Signer::Kid(_) => {}
            // "COSE_X509 = bstr / [ 2*certs: bstr ]" (RFC 9360 §2)
            Signer::X5chain(chain) => match chain.as_slice() {
                [one] => {
                    out.int(X5CHAIN).bytes(one);
                }
                chain => {
                    out.int(X5CHAIN).array(chain.len());
                    for certificate in chain {
                        out.bytes(certificate);
                    }
                }
            },
        }
        if let Content::HashEnvelope { content_type, location } = &self.content {
            out.int(PAYLOAD_HASH_ALG).int(SHA_256).int(PREIMAGE_CONTENT_TYPE).text(content_type);
            if let Some(location) = location {
                out.int(PAYLOAD_LOCATION).text(location);
            }
        }
        out.into_vec()
    }
}

impl Claims {
    /// Writes the claims map, keys ascending.
    fn encode(&self, out: &mut Encoder) {
        let stream = if self.stream.is_some() { 3 } else { 0 };
        out.map(3 + usize::from(self.aud.is_some()) + stream + usize::from(self.head.is_some()));
        out.int(ISS).text(&self.iss).int(SUB).text(&self.sub);
        if let Some(aud) = &self.aud {
            out.int(AUD).text(aud);
        }
        out.int(IAT).int(self.iat);
        if let Some(position) = &self.stream {
            out.text("seq").uint(position.seq);
        }
        if let Some(head) = &self.head {
            out.text("head").bytes(head.as_bytes());
        }
        if let Some(position) = &self.stream {
            out.text("prev").bytes(position.prev.as_bytes()).text("stream").text(&position.stream);
        }
    }
}

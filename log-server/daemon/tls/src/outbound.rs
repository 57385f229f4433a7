//! How a program shows itself to servers, and which servers it believes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::Deserialize;

use crate::material::{self, MaterialError, PairText};
use crate::provider;
use crate::secret::{self, SecretError};

/// What a client is made from: a table of a configuration file, or options. All of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// Authorities that servers' certificates are verified against, PEM; else those that the system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate shown to servers that ask for one, leaf first, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub cert_key: Option<PathBuf>,
    /// A file whose one line is a bearer token.
    pub token_file: Option<PathBuf>,
}

impl Outbound {
    /// Takes relative paths from a folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        let within = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let Self { ca, cert, cert_key, token_file } = self;
        Self { ca: within(ca), cert: within(cert), cert_key: within(cert_key), token_file: within(token_file) }
    }

    /// Makes the TLS side; `None` when nothing is set, and the system's own authorities are to do.
    ///
    /// Certificate and key are read again at every handshake, so that short-lived ones may be replaced at any time.
    ///
    /// # Errors
    /// A file cannot be used, or certificate and key are not both there.
    pub fn tls(&self) -> Result<Option<ClientConfig>, MaterialError> {
        let pair = match (&self.cert, &self.cert_key) {
            (None, None) if self.ca.is_none() => return Ok(None),
            (None, None) => None,
            (Some(cert), Some(key)) => Some(FilePair::open(cert.clone(), key.clone())?),
            (Some(_), None) => return Err(MaterialError::Alone { found: "cert", missing: "cert_key" }),
            (None, Some(_)) => return Err(MaterialError::Alone { found: "cert_key", missing: "cert" }),
        };
        let failed = |error: rustls::Error| MaterialError::Tls(error.to_string());
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
        let builder = match &self.ca {
            Some(path) => builder.with_root_certificates(material::authorities(path, &material::read(path)?)?),
            None => builder.with_platform_verifier().map_err(failed)?,
        };
        let mut config = match pair {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(pair)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(config))
    }

    /// Opens the token file, where there is one.
    ///
    /// # Errors
    /// [`TokenError`] names it.
    pub fn token(&self) -> Result<Option<Token>, TokenError> {
        self.token_file.clone().map(Token::open).transpose()
    }
}

/// Certificate and key in files that others replace.
struct FilePair {
    cert: PathBuf,
    key: PathBuf,
    last: Mutex<(PairText, Arc<CertifiedKey>)>,
}

impl FilePair {
    fn open(cert: PathBuf, key: PathBuf) -> Result<Self, MaterialError> {
        let text = PairText::read(&cert, &key)?;
        let pair = text.parse()?;
        Ok(Self { cert, key, last: Mutex::new((text, pair)) })
    }

    /// Gives what is in the files now, or what was in them when they were last right.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match PairText::read(&self.cert, &self.key) {
            Ok(text) if text == last.0 => {}
            Ok(text) => match text.parse() {
                Ok(pair) => *last = (text, pair),
                Err(error) => tracing::warn!(%error, "the client certificate before this one is shown on"),
            },
            Err(error) => tracing::warn!(%error, "the client certificate before this one is shown on"),
        }
        Arc::clone(&last.1)
    }
}

impl ResolvesClientCert for FilePair {
    fn resolve(&self, _authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let pair = self.current();
        pair.key.choose_scheme(schemes).is_some().then_some(pair)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for FilePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilePair").field("cert", &self.cert).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A bearer token in a file, which is read again for every use.
pub struct Token {
    path: PathBuf,
    last: Mutex<String>,
}

/// Why a token is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read, or others can read it.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The content can be no token. It is not shown.
    #[error(
        "{}: holds no bearer token: one line of at least {LEAST_TOKEN_BYTES} letters, digits and -._~+/=, such as openssl rand -hex 32 makes",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// [`TokenError`] names it.
    pub fn open(path: PathBuf) -> Result<Self, TokenError> {
        let last = Mutex::new(read_token(&path)?);
        Ok(Self { path, last })
    }

    /// Gives the value of the header `Authorization`: what is in the file now, or what was in it when it was last right.
    #[must_use]
    pub fn authorization(&self) -> String {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read_token(&self.path) {
            Ok(token) => *last = token,
            Err(error) => tracing::warn!(%error, "the token before this one is used on"),
        }
        format!("Bearer {last}")
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("path", &self.path).finish_non_exhaustive()
    }
}

fn read_token(path: &Path) -> Result<String, TokenError> {
    let text = secret::read(path)?;
    let token = text.trim_end_matches(['\r', '\n']);
    // RFC 6750 §2.1: b64token
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.len() < LEAST_TOKEN_BYTES || !token.bytes().all(is_token) {
        return Err(TokenError::Malformed { path: path.to_owned() });
    }
    Ok(token.to_owned())
}

/// Servers know a token by its digest, which a shorter one could be guessed from.
const LEAST_TOKEN_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::Authority;

    fn secret_file(dir: &Path, text: &str) -> PathBuf {
        let path = dir.join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    #[test]
    fn a_token_is_one_line_that_can_stand_in_a_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = secret_file(dir.path(), "0123456789abcdef\n");
        let token = Token::open(path.clone()).unwrap();
        assert_eq!(token.authorization(), "Bearer 0123456789abcdef");
        for wrong in ["", "0123456789abcde", "0123456789abcdef 0", "0123456789\nabcdef0", "0123456789abcdé0"] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(Token::open(path.clone()), Err(TokenError::Malformed { .. })), "{wrong:?}");
            assert_eq!(token.authorization(), "Bearer 0123456789abcdef", "what was right is used on");
        }
        fs::write(&path, "fedcba9876543210").unwrap();
        assert_eq!(token.authorization(), "Bearer fedcba9876543210", "a new one is used at once");
        assert!(!format!("{token:?}").contains("fedcba"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Token::open(path), Err(TokenError::Secret(SecretError::Open { .. }))));
    }

    #[test]
    fn nothing_set_leaves_the_systems_own_way_and_halves_are_refused() {
        assert!(Outbound::default().tls().unwrap().is_none());
        let half = Outbound { cert: Some("c".into()), ..Outbound::default() };
        assert!(half.tls().unwrap_err().to_string().contains("cert_key"));
        let half = Outbound { cert_key: Some("k".into()), ..Outbound::default() };
        assert!(half.tls().unwrap_err().to_string().contains("cert_key"));
    }

    #[test]
    fn a_certificate_replaced_in_its_files_is_shown_at_the_next_handshake_and_a_broken_one_never() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let files = authority.client(&["spiffe://a/1"]).write(dir.path(), "client");
        let pair = FilePair::open(files.cert.clone(), files.key.clone()).unwrap();
        let first = pair.current();
        let second = authority.client(&["spiffe://a/2"]);
        fs::write(&files.cert, second.cert_pem.as_bytes()).unwrap();
        assert_eq!(pair.current().cert, first.cert, "the key is still the first one's");
        fs::write(&files.key, second.key_pem.as_bytes()).unwrap();
        assert_eq!(pair.current().cert[0].as_ref(), second.der);
        fs::remove_file(&files.key).unwrap();
        assert_eq!(pair.current().cert[0].as_ref(), second.der);
    }
}

//! What a person has at hand, found: an entry id, a file, a certificate, a token, a key, a digest, a name.
//!
//! Trust: none in what is named or fetched. An entry counts only once it verifies against the trust directory, unless the caller asks for
//! unverified ones; what is proved wrong is refused even then. Certificates and tokens give handles and no more: nobody checks here who
//! signed them. A token is read, hashed and dropped; it appears in no error and no summary.

mod found;
mod said;
mod sought;

pub use found::{Entry, Found, Standing, What};
pub use sought::Sought;
pub(crate) use sought::{OF_CREDENTIALS, thumbprint};

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use govlog_formats::cose::{KeyError, SigningKey};
use govlog_formats::entry_id::EntryId;
use govlog_formats::record::Handle;
use govlog_formats::record::handles::{
    CertificateHandles, HandleError, TokenHandles, certificate_from_pem, jwk_thumbprint, key_handles,
    public_key_from_pem,
};
use govlog_formats::statement::SignedStatement;
use govlog_formats::transparent::{TransparentError, TransparentStatement};

use crate::source::{Fetched, Http, SourceError};
use crate::trust::Trust;
use crate::verify::{self, Outcome};
use said::Said;

/// How long to wait for an entry that is committed and not yet published.
const PATIENCE: Duration = Duration::from_secs(10);
/// Above any certificate chain, token, key or transparent statement.
const MAX_BYTES: u64 = 1024 * 1024;

/// Finds what people name.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    /// What entries are verified against.
    pub trust: &'a Trust,
    /// Where entries are fetched from; without it an entry id cannot be found.
    pub http: Option<&'a Http>,
    /// Take entries that cannot be verified, too.
    pub unverified: bool,
    /// Who issued a decision that is named by its id alone.
    pub pdp: Option<&'a str>,
}

/// Why something that was named was not found, or is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The words have none of the forms.
    #[error(
        "{0:?} is not understood: give an entry id (1.57), a .cose file, a certificate, key or token file (- for stdin), a handle with its \
         name (cert_s256:…), a policy digest (sha256:…), a SPIFFE ID or URI, or with --pdp a decision id"
    )]
    NotUnderstood(String),
    /// A digest without a name.
    #[error(
        "{0}: a digest alone does not say what it is of; write its name before it, such as cert_s256:, jkt:, op_digest: or leaf:"
    )]
    BareDigest(String),
    /// What follows a name is not of the form that the name asks for.
    #[error("{text:?}: {expected} is needed")]
    Value {
        /// What was said.
        text: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A decision id without who issued it.
    #[error("decision {0:?}: a decision id is unique for its PDP only; say which with --pdp ISS")]
    NoPdp(String),
    /// A token was written on the command line.
    #[error(
        "that is a token: on the command line it stays in the shell's history; put it in a file, or pipe it in and write - for it"
    )]
    TokenOnCommandLine,
    /// A file cannot be read.
    #[error("{name}: {cause}")]
    File {
        /// The file.
        name: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// There is no such file.
    #[error("{0}: there is no such file; if that is a name, say of what: govlog query --resource {0}, --policy {0}, …")]
    NoFile(String),
    /// A file holds nothing that is known here.
    #[error("{0}: neither a signed statement, nor PEM text of a certificate or key, nor a JWK, nor a token")]
    Content(String),
    /// A file holds something broken.
    #[error("{name}: {why}")]
    Broken {
        /// The file.
        name: String,
        /// What is wrong.
        why: HandleError,
    },
    /// A private key cannot be read.
    #[error("{name}: {why}")]
    Key {
        /// The file.
        name: String,
        /// What is wrong.
        why: KeyError,
    },
    /// The log has no such entry.
    #[error("{0}: the log has no such entry")]
    Absent(EntryId),
    /// There is no server to ask for the entry.
    #[error("{0}: there is no log to fetch it from; give its address as --log, or the entry's .cose file")]
    NoLog(EntryId),
    /// The log could not be asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The entry does not verify.
    #[error("{name}: {why}{}", if *.outcome == Outcome::Refuted { "" } else { "; to link to it all the same, say --unverified" })]
    Unverified {
        /// What was named.
        name: String,
        /// How judging it ended; never [`Outcome::Verified`].
        outcome: Outcome,
        /// What is wrong.
        why: String,
    },
}

impl Resolver<'_> {
    /// Finds what words stand for.
    ///
    /// # Errors
    ///
    /// They stand for nothing, or for something that does not verify.
    pub fn find(&self, text: &str) -> Result<Found, ResolveError> {
        let found = |what| Found { name: text.to_owned(), what };
        match said::read(text, self.pdp, Path::is_file)? {
            Said::Entry(id) => self.fetch(id).map(|entry| found(What::Entry(Box::new(entry)))),
            Said::Leaf(leaf) if self.unverified => Ok(found(What::Leaf(leaf))),
            Said::Leaf(_) => {
                Err(unknown(text, "an entry is not read by its leaf hash; name it by its id or its .cose file"))
            }
            Said::Handle(handle) => Ok(found(What::Handle(handle))),
            Said::Uri(uri) => Ok(found(What::Name(uri))),
            Said::File(path) => {
                let bytes = File::open(&path).and_then(bounded).map_err(|cause| file(&path, cause))?;
                self.content(&path.display().to_string(), &bytes)
            }
            Said::Stdin => {
                let name = "stdin";
                let bytes =
                    bounded(std::io::stdin()).map_err(|cause| ResolveError::File { name: name.to_owned(), cause })?;
                self.content(name, &bytes)
            }
        }
    }

    /// Tells what bytes are by what they hold, whatever the file is called.
    ///
    /// # Errors
    ///
    /// They are none of the things known here, or broken, or an entry that does not verify.
    pub fn content(&self, name: &str, bytes: &[u8]) -> Result<Found, ResolveError> {
        let broken = |why| ResolveError::Broken { name: name.to_owned(), why };
        let found = |what| Ok(Found { name: name.to_owned(), what });
        if bytes.first() == Some(&TAG_18) {
            return found(What::Entry(Box::new(self.judge(name, bytes)?)));
        }
        let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
        if text.contains("-----BEGIN CERTIFICATE-----") {
            let der = certificate_from_pem(bytes).map_err(broken)?;
            return found(What::Certificate(Box::new(CertificateHandles::from_der(&der).map_err(broken)?)));
        }
        if text.contains("-----BEGIN PUBLIC KEY-----") {
            let der = public_key_from_pem(bytes).map_err(broken)?;
            return found(What::Key(key_handles(&der).map_err(broken)?));
        }
        if text.contains("-----BEGIN PRIVATE KEY-----") {
            // Of a private key only its public half is looked at.
            let key =
                SigningKey::from_pkcs8_pem(text).map_err(|why| ResolveError::Key { name: name.to_owned(), why })?;
            return found(What::Key(key_handles(&key.public().spki_der()).map_err(broken)?));
        }
        if text.starts_with('{') {
            let jkt = jwk_thumbprint(text).map_err(broken)?;
            return found(What::Key(vec![Handle::of_digest("jkt", &jkt)]));
        }
        match TokenHandles::from_compact(text) {
            Ok(token) => Ok(Found { name: format!("the token in {name}"), what: What::Token(Box::new(token)) }),
            Err(HandleError::Parts(_)) => Err(ResolveError::Content(name.to_owned())),
            Err(why) => Err(broken(why)),
        }
    }

    fn fetch(&self, id: EntryId) -> Result<Entry, ResolveError> {
        let name = id.to_string();
        let Some(http) = self.http else { return Err(ResolveError::NoLog(id)) };
        let bytes = match http.transparent_statement(id, PATIENCE)? {
            Fetched::Statement(bytes) => bytes,
            Fetched::Absent => return Err(ResolveError::Absent(id)),
            Fetched::NotPublished => {
                return Err(unknown(
                    &name,
                    "it is committed and not yet published, so it cannot be verified; try again later",
                ));
            }
        };
        let entry = self.judge(&name, &bytes)?;
        match entry.id() {
            Some(found) if found != id => {
                let why = format!("the log gave entry {found} for it");
                Err(ResolveError::Unverified { name, outcome: Outcome::Refuted, why })
            }
            _ => Ok(entry),
        }
    }

    /// Verifies a signed statement by the receipts it carries.
    fn judge(&self, name: &str, bytes: &[u8]) -> Result<Entry, ResolveError> {
        let unverified = |outcome, why: String| ResolveError::Unverified { name: name.to_owned(), outcome, why };
        let refuted = |why: String| unverified(Outcome::Refuted, why);
        let transparent = match TransparentStatement::parse(bytes) {
            Ok(transparent) => transparent,
            Err(TransparentError::NoReceipts) => {
                let why = "it carries no receipt, so it may be no entry of the log";
                let statement = SignedStatement::parse(bytes).map_err(|error| refuted(error.to_string()))?;
                let standing = Standing::Unverified(why.to_owned());
                return if self.unverified { Ok(Entry { statement, standing }) } else { Err(unknown(name, why)) };
            }
            Err(error) => return Err(refuted(error.to_string())),
        };
        let statement = transparent.statement().clone();
        match verify::transparent_statement(self.trust, name, bytes).result {
            Ok(entry) => Ok(Entry { statement, standing: Standing::Verified(Box::new(entry)) }),
            Err(failure) if self.unverified && failure.outcome != Outcome::Refuted => {
                Ok(Entry { statement, standing: Standing::Unverified(failure.why) })
            }
            Err(failure) => Err(unverified(failure.outcome, failure.why)),
        }
    }
}

/// The first byte of every `COSE_Sign1` with its tag.
const TAG_18: u8 = 0xd2;

fn unknown(name: &str, why: &str) -> ResolveError {
    ResolveError::Unverified { name: name.to_owned(), outcome: Outcome::CannotEvaluate, why: why.to_owned() }
}

fn file(path: &Path, cause: std::io::Error) -> ResolveError {
    ResolveError::File { name: path.display().to_string(), cause }
}

fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("more than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;

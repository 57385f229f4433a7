//! Signed bundles: the policies that decisions name by revision, verified and named by digest.
//!
//! ```text
//! file or address ─▶ feed ─▶ verify ─▶ policy record, and (name, revision) ─▶ policy_digest for the decisions
//! ```
//!
//! A revision is any text its publisher writes. What binds a decision to the bytes that decided is the digest of a bundle whose signature
//! was verified, as OPA verifies it: one JWT lists all files with their hashes.
//!
//! Trust: none in whoever serves or stores a bundle. The signer's public key is the operator's word. What OPA would take and is no evidence
//! is refused: signatures that whoever verifies could have made (HMAC), hashes for which collisions are made, deltas, which OPA takes unsigned.

mod archive;
mod feed;
mod hash;
mod policies;
mod raw;
mod record;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use govlog_formats::record::{Handle, Link, LinkTarget, SchemeDigest};

use super::upload::Refused;
use crate::json::{self, JsonError, Object};
pub use archive::ArchiveError;
pub use feed::{BundleFeed, look};
pub use hash::Hashing;
pub use policies::Policies;
pub(crate) use raw::is_address;
pub use raw::{BundleError, Origin, RawBundle, Table};
pub use record::{FORM, policy};
pub use signature::{SignatureError, SignerKey, SignerKeyError};

use archive::File;
use signature::Listed;

/// The most bytes of a bundle as it is stored.
pub const MAX_BUNDLE_BYTES: usize = 32 * 1024 * 1024;
/// The most bytes of its files, once unpacked.
const MAX_UNPACKED_BYTES: usize = 128 * 1024 * 1024;
/// The most bytes of a revision: it stands in clear.
const MAX_REVISION_BYTES: usize = 1024;

const SIGNATURES: &str = ".signatures.json";
const MANIFEST: &str = ".manifest";
/// What makes a bundle a change of another one. OPA takes such a bundle whatever its signature is.
const PATCH: &str = "patch.json";

/// Who must have signed, and for what.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The public key.
    pub key: SignerKey,
    /// How the key is called, if the operator says so.
    pub key_id: Option<String>,
    /// The scope that must be signed; empty: none.
    pub scope: String,
}

/// A bundle whose signature was verified, file by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What its manifest calls it.
    pub revision: Option<String>,
    /// What names the policy: the SHA-256 of its signed list of files.
    pub policy_digest: Digest,
    /// The SHA-256 of the bundle as it was stored.
    pub bundle_digest: Digest,
    /// What the signer's key is called.
    pub signer_key_id: Option<String>,
    /// With which algorithm it is signed, as JOSE names it.
    pub signer_alg: &'static str,
}

/// Why a bundle is no evidence. It repeats nothing of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// It is too long.
    #[error("a bundle of {0} bytes, should be at most {MAX_BUNDLE_BYTES}")]
    Long(usize),
    /// It is no gzip, or unpacks to too much.
    #[error(transparent)]
    Packed(#[from] Refused),
    /// It is no tar archive of plain files.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It changes another bundle.
    #[error("a delta bundle: OPA takes it whatever its signature is, so it is no evidence")]
    Delta,
    /// It has none.
    #[error("no {SIGNATURES}: the bundle is not signed")]
    Unsigned,
    /// OPA reads the manifest or the signature from any file whose name ends so, and would take the last one.
    #[error("a file other than {0} whose name ends in it")]
    Ambiguous(&'static str),
    /// A file that is JSON cannot be read.
    #[error("{at}: {problem}")]
    Json {
        /// Which.
        at: String,
        /// What is wrong there.
        problem: JsonError,
    },
    /// The signature is not the signer's, or no evidence.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A file is there that the signature does not list.
    #[error("file {0} of the archive is not in the signature")]
    NotListed(usize),
    /// A file is not what was signed.
    #[error("file {0} of the archive is not what was signed: it has another digest")]
    Changed(usize),
    /// A signed file is missing.
    #[error("{0} signed files are not in the archive")]
    Missing(usize),
    /// OPA hashes YAML by what it says.
    #[error(
        "file {0} of the archive is data.yaml, whose signed digest this version cannot check; `opa build` makes data.json of it"
    )]
    Yaml(usize),
    /// The revision cannot stand in clear.
    #[error("{MANIFEST}: a revision of {0} bytes, should be at most {MAX_REVISION_BYTES}")]
    Revision(usize),
}

impl Verified {
    /// The policy's digest with the name of its scheme.
    ///
    /// `opa-files`: SHA-256 over the canonical JSON (no spaces, members in ascending order) of the signed `files[]`, sorted by name, each an object of
    /// `algorithm`, `hash` in lower-case hex, and `name`.
    #[must_use]
    pub fn scheme_digest(&self) -> SchemeDigest {
        scheme_digest(&self.policy_digest)
    }
}

/// A policy's digest with the name of its scheme.
#[must_use]
pub fn scheme_digest(policy: &Digest) -> SchemeDigest {
    SchemeDigest { scheme: "opa-files".to_owned(), bytes: policy.as_bytes().to_vec() }
}

/// The link to a policy that is named by its digest.
#[must_use]
pub fn governed_by(policy: &Digest) -> Link {
    let handle = Handle { name: "policy_digest".to_owned(), value: scheme_digest(policy).to_value() };
    Link { rel: "governed_by".to_owned(), target: LinkTarget::Handle(handle) }
}

/// Verifies a bundle as OPA does: its one signature, and that the archive holds exactly the signed files.
///
/// # Errors
///
/// [`Unverified`] says what is wrong.
pub fn verify(bundle: &[u8], signer: &Signer) -> Result<Verified, Unverified> {
    if bundle.len() > MAX_BUNDLE_BYTES {
        return Err(Unverified::Long(bundle.len()));
    }
    let unpacked = super::upload::gunzip(bundle, MAX_UNPACKED_BYTES)?;
    let files = archive::files(&unpacked)?;
    refuse_ambiguous(&files)?;
    let token = token(&files)?;
    let signed = signature::verify(&token, signer)?;
    let policy_digest = check_files(&files, &signed.files)?;
    Ok(Verified {
        revision: revision(&files)?,
        policy_digest,
        bundle_digest: Digest::sha256(bundle),
        signer_key_id: signer.key_id.clone().or(signed.key_id),
        signer_alg: signed.alg,
    })
}

fn refuse_ambiguous(files: &[File<'_>]) -> Result<(), Unverified> {
    for file in files {
        if file.base() == PATCH {
            return Err(Unverified::Delta);
        }
        for name in [SIGNATURES, MANIFEST] {
            if file.name.ends_with(name) && file.name != name {
                return Err(Unverified::Ambiguous(name));
            }
        }
    }
    Ok(())
}

/// Finds the one JWT.
fn token(files: &[File<'_>]) -> Result<String, Unverified> {
    let at = |problem| Unverified::Json { at: SIGNATURES.to_owned(), problem };
    let file = files.iter().find(|file| file.name == SIGNATURES).ok_or(Unverified::Unsigned)?;
    let whole = json::value(file.bytes).and_then(Object::parse).map_err(at)?;
    if let Some(plugin) = whole.get("plugin") {
        let plugin = json::text(plugin).map_err(at)?;
        if !matches!(&*plugin, "" | "_default") {
            return Err(SignatureError::Plugin.into());
        }
    }
    let tokens = whole.get("signatures").ok_or(SignatureError::Count(0))?;
    let tokens = json::array(tokens, MAX_TOKENS).map_err(at)?;
    match tokens.as_slice() {
        [token] => Ok(json::text(token).map_err(at)?.into_owned()),
        tokens => Err(SignatureError::Count(tokens.len()).into()),
    }
}

/// Holds the archive against the signed list, and gives the digest of the list.
fn check_files(files: &[File<'_>], signed: &[Listed]) -> Result<Digest, Unverified> {
    let mut listed: BTreeMap<&str, &Listed> = BTreeMap::new();
    for file in signed {
        if listed.insert(&file.name, file).is_some() {
            return Err(SignatureError::Twice.into());
        }
    }
    let mut left: BTreeSet<&str> = listed.keys().copied().collect();
    for (position, file) in files.iter().enumerate().filter(|(_, file)| file.name != SIGNATURES) {
        let expected = listed.get(file.name.as_str()).ok_or(Unverified::NotListed(position))?;
        let found = match file.base() {
            "data.json" | MANIFEST => {
                let of = |problem| Unverified::Json { at: format!("file {position} of the archive"), problem };
                expected.hashing.digest(&hash::structured(json::value(file.bytes).map_err(of)?).map_err(of)?)
            }
            "data.yaml" => return Err(Unverified::Yaml(position)),
            _ => expected.hashing.digest(file.bytes),
        };
        if found != expected.hash {
            return Err(Unverified::Changed(position));
        }
        left.remove(file.name.as_str());
    }
    if !left.is_empty() {
        return Err(Unverified::Missing(left.len()));
    }
    Ok(Digest::sha256(&canonical_list(&listed)))
}

/// The canonical JSON of a signed list of files.
fn canonical_list(listed: &BTreeMap<&str, &Listed>) -> Vec<u8> {
    let files = listed.values().map(|file| {
        let mut name = Vec::new();
        hash::string(&file.name, &mut name);
        let hash: String = file.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let start = format!(r#"{{"algorithm":"{}","hash":"{hash}","name":"#, file.hashing.name());
        [start.as_bytes(), &name, b"}"].concat()
    });
    [b"[", files.collect::<Vec<_>>().join(&b',').as_slice(), b"]"].concat()
}

/// Reads the revision; one that is empty is none, as OPA has it.
fn revision(files: &[File<'_>]) -> Result<Option<String>, Unverified> {
    let at = |problem| Unverified::Json { at: MANIFEST.to_owned(), problem };
    let Some(file) = files.iter().find(|file| file.name == MANIFEST) else { return Ok(None) };
    let manifest = json::value(file.bytes).and_then(Object::parse).map_err(at)?;
    let revision = manifest.get("revision").filter(|raw| json::kind(raw) != json::Kind::Null);
    let revision = revision.map(json::text).transpose().map_err(at)?.filter(|text| !text.is_empty());
    match revision {
        Some(revision) if revision.len() > MAX_REVISION_BYTES => Err(Unverified::Revision(revision.len())),
        revision => Ok(revision.map(std::borrow::Cow::into_owned)),
    }
}

/// More than one is refused; this many are counted.
const MAX_TOKENS: usize = 64;

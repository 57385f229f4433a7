//! `govlog key`: signing keys, and identities that open what is encrypted to them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use govlog_formats::cose::{Curve, SigningKey};
use serde_json::json;

use super::output::Output;
use super::{Exit, files};
use crate::openings::NewIdentity;

/// `govlog key …`
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key pair: FILE is the private key (PKCS#8 PEM, mode 0600), FILE.pub the public one (SPKI PEM).
    /// With --alg age: FILE is an identity that opens what an opening store holds, FILE.pub and stdout its recipient
    New {
        /// The kind of key; stock SCITT verifiers know p256 best
        #[arg(long, value_enum, default_value = "ed25519")]
        alg: Alg,
        /// Where the private key goes; an existing file is not overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The kinds of keys: those that records are signed with, and the one that openings are encrypted to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Alg {
    /// Ed25519, signs as COSE algorithm −8
    Ed25519,
    /// ECDSA on P-256, signs as COSE algorithm −7
    P256,
    /// ECDSA on P-384, signs as COSE algorithm −35
    P384,
    /// X25519 for age files: signs nothing, opens what is encrypted to its recipient
    Age,
}

impl Key {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let Self::New { alg, out: path } = self;
        let curve = match alg {
            Alg::Ed25519 => Curve::Ed25519,
            Alg::P256 => Curve::P256,
            Alg::P384 => Curve::P384,
            Alg::Age => return identity(&path, out),
        };
        let key = generate(curve)?;
        let public = key.public();
        files::create_new(&path, 0o600, key.to_pkcs8_pem().as_bytes())?;
        files::create_new(&beside(&path), 0o644, public.to_spki_pem().as_bytes())?;
        let id = public.thumbprint().to_string();
        out.result(&id, json!({ "kid": id, "key": path.display().to_string() }));
        Ok(Exit::Ok)
    }
}

/// Makes an identity of an opening store.
fn identity(path: &Path, out: &Output) -> anyhow::Result<Exit> {
    let identity = NewIdentity::draw();
    files::create_new(path, 0o600, identity.file_bytes())?;
    files::create_new(&beside(path), 0o644, format!("{}\n", identity.recipient).as_bytes())?;
    out.result(&identity.recipient, json!({ "recipient": identity.recipient, "key": path.display().to_string() }));
    Ok(Exit::Ok)
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    PathBuf::from(beside)
}

/// Draws a key from the system's randomness.
fn generate(curve: Curve) -> anyhow::Result<SigningKey> {
    // Not every 32 bytes are a P-256 scalar; one draw in 2^32 fails.
    for _ in 0..8 {
        let mut seed = vec![0; curve.secret_bytes()];
        getrandom::fill(&mut seed).context("the system gives no randomness")?;
        if let Ok(key) = SigningKey::from_seed(curve, &seed) {
            return Ok(key);
        }
    }
    anyhow::bail!("the system's randomness is not random: eight draws in a row were no key")
}

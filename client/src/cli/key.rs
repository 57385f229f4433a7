//! `govlog key`: signing keys.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use govlog_formats::cose::{Curve, SigningKey};
use serde_json::json;

use super::output::Output;
use super::{Exit, files};

/// `govlog key …`
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key pair: FILE is the private key (PKCS#8 PEM, mode 0600), FILE.pub the public one (SPKI PEM)
    New {
        /// The kind of key; stock SCITT verifiers know p256 best
        #[arg(long, value_enum, default_value = "ed25519")]
        alg: Alg,
        /// Where the private key goes; an existing file is not overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The kinds of keys that records are signed with.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Alg {
    /// Ed25519, signs as COSE algorithm −8
    Ed25519,
    /// ECDSA on P-256, signs as COSE algorithm −7
    P256,
    /// ECDSA on P-384, signs as COSE algorithm −35
    P384,
}

impl Key {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let Self::New { alg, out: path } = self;
        let curve = match alg {
            Alg::Ed25519 => Curve::Ed25519,
            Alg::P256 => Curve::P256,
            Alg::P384 => Curve::P384,
        };
        let key = generate(curve)?;
        let public = key.public();
        let mut beside = path.clone().into_os_string();
        beside.push(".pub");
        files::create_new(&path, 0o600, key.to_pkcs8_pem().as_bytes())?;
        files::create_new(&PathBuf::from(beside), 0o644, public.to_spki_pem().as_bytes())?;
        let id = public.thumbprint().to_string();
        out.result(&id, json!({ "kid": id, "key": path.display().to_string() }));
        Ok(Exit::Ok)
    }
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

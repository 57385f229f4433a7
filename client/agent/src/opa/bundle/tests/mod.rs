//! The captured bundles, and bundles that are made like them and then spoilt.

mod archive;
mod feed;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use govlog_formats::base64;
use govlog_formats::cose::{Curve, SigningKey};
use serde_json::{Value, json};

use super::*;

pub(super) fn data(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

pub(super) fn captured(revision: &str) -> Vec<u8> {
    data(&format!("capture/opa/authz-{revision}.tar.gz"))
}

/// The signer of the captured bundles.
pub(super) fn captured_signer() -> Signer {
    let pem = String::from_utf8(data("capture/opa/bundle-signer.pub.pem")).unwrap();
    Signer { key: SignerKey::from_pem(&pem).unwrap(), key_id: None, scope: String::new() }
}

/// A signer of our own.
pub(super) fn key() -> SigningKey {
    SigningKey::from_seed(Curve::P256, &[7; 32]).unwrap()
}

pub(super) fn signer_of(key: &SigningKey) -> Signer {
    let key = SignerKey::from_pem(&key.public().to_spki_pem()).unwrap();
    Signer { key, key_id: None, scope: String::new() }
}

/// The files of a bundle, as `opa build` writes them, but for the signature.
pub(super) fn files(revision: &str) -> Vec<(String, Vec<u8>)> {
    let manifest = json!({ "revision": revision, "roots": [""] });
    vec![
        ("/data.json".into(), b"{ \"limit\": 1000, \"a\": [1.0, \"x\"] }".to_vec()),
        ("/policy/a.rego".into(), b"package a\n".to_vec()),
        ("/.manifest".into(), manifest.to_string().into_bytes()),
    ]
}

/// What a signature lists of files.
pub(super) fn list(files: &[(String, Vec<u8>)]) -> Vec<Value> {
    let of = |(name, bytes): &(String, Vec<u8>)| {
        let structured = ["data.json", ".manifest"].iter().any(|base| name.ends_with(&format!("/{base}")));
        let hashed = if structured { hash::structured(json::value(bytes).unwrap()).unwrap() } else { bytes.clone() };
        json!({ "name": name.trim_start_matches('/'), "hash": Digest::sha256(&hashed).to_string(), "algorithm": "SHA-256" })
    };
    files.iter().map(of).collect()
}

pub(super) fn jwt(header: &Value, payload: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| base64::encode_url(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(payload));
    let signature = base64::encode_url(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub(super) fn token(payload: &Value) -> String {
    jwt(&json!({ "alg": "ES256", "kid": "ours" }), payload, |message| key().sign(message))
}

/// Packs files with signatures.
pub(super) fn bundle(files: &[(String, Vec<u8>)], tokens: &[String]) -> Vec<u8> {
    let signatures = json!({ "signatures": tokens, "plugin": "_default" }).to_string().into_bytes();
    let all = files.iter().cloned().chain([("/.signatures.json".to_owned(), signatures)]);
    gzip(&tar(&all.map(|(name, bytes)| (name, b'0', bytes)).collect::<Vec<_>>()))
}

/// A bundle that is as it should be.
pub(super) fn good(revision: &str) -> Vec<u8> {
    signed(&files(revision))
}

pub(super) fn signed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    bundle(files, &[token(&json!({ "files": list(files) }))])
}

pub(super) fn tar(entries: &[(String, u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, bytes) in entries {
        out.extend_from_slice(&header(name.as_bytes(), *kind, bytes.len()));
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

pub(super) fn header(name: &[u8], kind: u8, size: usize) -> [u8; 512] {
    let mut block = [0; 512];
    let short = &name[..name.len().min(100)];
    block[..short.len()].copy_from_slice(short);
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[257..263].copy_from_slice(b"ustar\0");
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

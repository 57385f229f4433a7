//! Policies: the grammar, the judgement, the arithmetic.

mod grammar;
mod quorum;
mod verification;

use super::*;
use crate::note::{KeyName, Note, NoteSigner, SignatureLine, VerifyError};

const ROOT: &str = "G7l9zCFjXUfiZj79/QoXRobZjdcBNS3SzQbotD/T0wU=";

fn signer(name: &str, algorithm: SignatureAlgorithm, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

fn log() -> NoteSigner {
    signer("example.com/log", SignatureAlgorithm::Ed25519, 100)
}

/// The witness named `w<n>` in policies.
fn witness(n: u8) -> NoteSigner {
    signer(&format!("witness.example/w{n}"), SignatureAlgorithm::CosignatureEd25519, n)
}

/// A policy with the log, `count` witnesses and the given group and quorum lines.
fn policy(count: u8, groups: &str) -> Policy {
    let witnesses: String = (1..=count).map(|n| format!("witness w{n} {}\n", witness(n).vkey())).collect();
    format!("log {}\n{witnesses}{groups}", log().vkey()).parse().unwrap()
}

fn fault(file: &str) -> PolicyFault {
    match Policy::parse(file.as_bytes()).unwrap_err() {
        PolicyError::Line { fault, .. } | PolicyError::Whole(fault) => fault,
        other => panic!("{other}"),
    }
}

fn text() -> String {
    format!("example.com/log\n1\n{ROOT}\n")
}

/// A checkpoint with the log's line and cosignatures of these witnesses at these times.
fn note(cosigned: &[(u8, u64)]) -> Vec<u8> {
    let mut lines = vec![log().sign(&text(), None).unwrap()];
    lines.extend(cosigned.iter().map(|&(n, time)| witness(n).sign(&text(), Some(time)).unwrap()));
    Note::with_lines(&text(), &lines).unwrap().to_bytes()
}

fn word(name: &str) -> Word {
    Word::new(name).unwrap()
}

//! The vectors: keys from seeds, one checkpoint of 70,000 entries, one cosignature, one proof file.
//!
//! They were made independently of this crate and verified by other implementations. Entry i is the ASCII text `leaf i`.

use govlog_formats::merkle::{MemoryTree, leaf_hash};
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};

pub(crate) const LOG_VKEY: &str = "example.com/trial+917002f4+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
pub(crate) const WITNESS_VKEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
pub(crate) const COSIGNED_AT: u64 = 1_700_000_000;

pub(crate) const CHECKPOINT: &str = "\
example.com/trial
70000
2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=
";

pub(crate) const LOG_LINE: &str =
    "— example.com/trial kXAC9E5tX7/AXCLPF5zvzkYDdUVEiui0OhMADaQUqgVcx5XKczPSPyQ+PapUzlc1zvTZ8VtLvrvzCPwEhlOfCRYWMQw=";
pub(crate) const WITNESS_LINE: &str = "— witness.example/w1 \
    3xwKNQAAAABlU/EAp9vbjkVy6QxP7YWv+zTyqOwXWSj9gtU7rjxDRL6lNcWkm9tRV3OnGyM6Hngy3UQgK6ulCY5XkpldXROWwZB4Ag==";

pub(crate) const PROOF: &str = "\
c2sp.org/tlog-proof@v1
index 69999
3X4b2zAkiLqV+XxECUDHQfZPhxtrMd8iqCJmG0eyWf8=
ezenIb4hJ77PvYsAPDsTuugyH5zVZDIk99oxr+16aBo=
Zil+DYpqZ7W+8dRLlTtY1TJhGcJL8PwchDglIwO0+ik=
hZUlffB1vfX99UnH1IoGgUOWYPx+TCOH5GmMbApBl8A=
sl+TlJ+C7qQRArjU/sFZHYZCbh8Mb9rtLc1CND1LkVo=
C/exneiAnxkvU0dXzHpyM5a+zqrlcosin/XpHU83lwI=
QqZJOhkLZA2R9/p75UB8934RLI1rgGW/pLgHbPh+Ris=
yGbt9spLHbdV+E19IwTS5qk7TVmSwQ1tWA7dnzyg58c=
4QC6VNaakQEvwTt4kP6seNaZaglyaLb3NdFzEcdAKmA=

example.com/trial
70000
2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=

— example.com/trial kXAC9E5tX7/AXCLPF5zvzkYDdUVEiui0OhMADaQUqgVcx5XKczPSPyQ+PapUzlc1zvTZ8VtLvrvzCPwEhlOfCRYWMQw=
— witness.example/w1 3xwKNQAAAABlU/EAp9vbjkVy6QxP7YWv+zTyqOwXWSj9gtU7rjxDRL6lNcWkm9tRV3OnGyM6Hngy3UQgK6ulCY5XkpldXROWwZB4Ag==
";

pub(crate) fn note() -> String {
    format!("{CHECKPOINT}\n{LOG_LINE}\n{WITNESS_LINE}\n")
}

pub(crate) fn log() -> NoteSigner {
    let name = KeyName::new("example.com/trial").unwrap();
    NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[1; 32]).unwrap()
}

pub(crate) fn witness() -> NoteSigner {
    let name = KeyName::new("witness.example/w1").unwrap();
    NoteSigner::from_seed(name, SignatureAlgorithm::CosignatureEd25519, &[2; 32]).unwrap()
}

/// A policy with the log and the witness, and this quorum.
pub(crate) fn policy(quorum: &str) -> govlog_formats::tlog_policy::Policy {
    format!("log {LOG_VKEY}\nwitness w1 {WITNESS_VKEY}\nquorum {quorum}\n").parse().unwrap()
}

pub(crate) fn tree() -> MemoryTree {
    (0..70_000).map(|i| leaf_hash(format!("leaf {i}").as_bytes())).collect()
}

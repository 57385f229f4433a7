//! What must hold of every parser of `govlog-formats`, whatever the bytes.
//!
//! A property panics when it is broken. It takes the bytes as an attacker would choose them; where a parser stands behind a signature or a
//! tree, the property signs or builds with keys of its own, so that what lies behind is reached as well.
//!
//! These files are compiled twice: into the fuzz targets, and into a test of `govlog-formats` that runs seeds and regressions without a
//! fuzzer.

mod admission;
mod answers;
mod cbor;
mod handles;
mod keys;
mod note;
mod proof;
mod receipt;
mod record;
mod statement;
mod tlog_policy;
mod tree;
mod world;
mod x509;

pub(crate) use crate::target::{Target, choice, chosen};

/// All parsers of `govlog-formats`.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "cbor", check: cbor::check, seeds: cbor::seeds },
    Target { name: "statement", check: statement::check, seeds: statement::seeds },
    Target { name: "record", check: record::check, seeds: record::seeds },
    Target { name: "view", check: record::check_view, seeds: record::view_seeds },
    Target { name: "admission", check: admission::check, seeds: admission::seeds },
    Target { name: "receipt", check: receipt::check, seeds: receipt::seeds },
    Target { name: "note", check: note::check, seeds: note::seeds },
    Target { name: "tlog_policy", check: tlog_policy::check, seeds: tlog_policy::seeds },
    Target { name: "proof", check: proof::check, seeds: proof::seeds },
    Target { name: "tree", check: tree::check, seeds: tree::seeds },
    Target { name: "answers", check: answers::check, seeds: answers::seeds },
    Target { name: "keys", check: keys::check, seeds: keys::seeds },
    Target { name: "handles", check: handles::check, seeds: handles::seeds },
    Target { name: "x509", check: x509::check, seeds: x509::seeds },
];

/// Takes two bytes as a number.
pub(crate) fn number(data: &[u8]) -> (usize, &[u8]) {
    data.split_first_chunk::<2>().map_or((0, &[]), |(bytes, rest)| (usize::from(u16::from_be_bytes(*bytes)), rest))
}

/// Reads text as `T`, which must then print as the text that was read.
pub(crate) fn prints_as_read<T: std::str::FromStr + ToString>(text: &str) -> bool {
    text.parse::<T>().is_ok_and(|read| {
        assert_eq!(read.to_string(), text);
        true
    })
}

//! Sealing: values that stay out of the log, and what opens them.

use govlog_client::openings::FieldOpening;
use govlog_formats::digest::Digest;
use govlog_formats::record::sealed::{Opening, Sealed};

use ciborium::Value;

/// A record ready to be signed, and what opens its sealed values.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The kind, such as `decision`.
    pub kind: &'static str,
    /// The subject to sign for; `None`: the stream, as records about streams have it.
    pub sub: Option<String>,
    /// The payload: deterministic CBOR.
    pub payload: Vec<u8>,
    /// What opens its sealed values, in the order of their fields.
    pub openings: Vec<FieldOpening>,
}

/// Seals values, each under fresh randomness, and keeps what opens them.
pub struct Sealer<'a> {
    /// None where nothing is to be kept of what is made.
    random: Option<&'a mut dyn FnMut() -> [u8; 32]>,
    openings: Vec<FieldOpening>,
}

impl<'a> Sealer<'a> {
    /// Makes a sealer. `random` gives 32 bytes that nobody can guess, new ones at each call.
    pub fn new(random: &'a mut dyn FnMut() -> [u8; 32]) -> Self {
        Self { random: Some(random), openings: Vec::new() }
    }

    /// Makes one that computes nothing and keeps nothing: what it gives is as long as what is sealed, and nothing opens it. For who asks whether
    /// there would be a record.
    #[must_use]
    pub const fn blank() -> Self {
        Self { random: None, openings: Vec::new() }
    }

    /// Seals the value of a field and gives what stands in its place.
    pub fn seal(&mut self, path: &str, value: Value) -> Value {
        let Some(random) = &mut self.random else {
            return Sealed { digest: Digest::ZERO, reference: None }.to_value();
        };
        let opening = Opening { salt: random(), value };
        let sealed = opening.seal();
        self.openings.push(FieldOpening { path: path.to_owned(), opening });
        sealed.to_value()
    }

    /// Gives what opens all that was sealed.
    #[must_use]
    pub fn into_openings(self) -> Vec<FieldOpening> {
        self.openings
    }
}

impl std::fmt::Debug for Sealer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("openings", &self.openings.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use govlog_formats::cbor::to_deterministic;

    use super::*;

    #[test]
    fn each_value_has_its_own_salt_and_opens() {
        let mut count = 0;
        let mut random = || {
            count += 1;
            [count; 32]
        };
        let mut sealer = Sealer::new(&mut random);
        let sealed = ["input", "native"].map(|path| sealer.seal(path, Value::Bytes(b"{}".to_vec())));
        // What it holds is not for a log of its own.
        assert_eq!(format!("{sealer:?}"), "Sealer { openings: 2, .. }");
        let openings = sealer.into_openings();
        let paths: Vec<&str> = openings.iter().map(|opening| opening.path.as_str()).collect();
        assert_eq!(paths, ["input", "native"]);
        for (opening, value) in openings.iter().zip(&sealed) {
            assert_eq!(opening.opening.value, Value::Bytes(b"{}".to_vec()));
            Sealed::from_value(value).unwrap().open(&opening.opening).unwrap();
        }
        assert_ne!(sealed[0], sealed[1]);
    }

    #[test]
    fn what_is_blank_is_as_long_as_what_is_sealed_and_nothing_opens_it() {
        let (value, mut random) = (Value::Bytes(vec![7; 1_000]), || [1; 32]);
        let mut blank = Sealer::blank();
        let stands_for = blank.seal("input", value.clone());
        let sealed = Sealer::new(&mut random).seal("input", value);
        assert_eq!(to_deterministic(&stands_for).len(), to_deterministic(&sealed).len());
        assert!(Sealed::from_value(&stands_for).is_ok() && blank.into_openings().is_empty());
    }
}

//! Sealing: values that stay out of the log, and what opens them.

use govlog_client::openings::FieldOpening;
use govlog_formats::record::sealed::Opening;

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
    random: &'a mut dyn FnMut() -> [u8; 32],
    openings: Vec<FieldOpening>,
}

impl<'a> Sealer<'a> {
    /// Makes a sealer. `random` gives 32 bytes that nobody can guess, new ones at each call.
    pub fn new(random: &'a mut dyn FnMut() -> [u8; 32]) -> Self {
        Self { random, openings: Vec::new() }
    }

    /// Seals the value of a field and gives what stands in its place.
    pub fn seal(&mut self, path: &str, value: Value) -> Value {
        let opening = Opening { salt: (self.random)(), value };
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
    use govlog_formats::record::sealed::Sealed;

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
}

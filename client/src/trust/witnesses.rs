//! `trust.toml`: what you know about the log and its witnesses that no key can say.

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

/// The version of the file's layout.
const VERSION: u32 = 1;

/// The contents of `trust.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// SHA-256 of entry 0's bytes.
    pub genesis: Digest,
    /// What is known of each witness, by its name in `policy.txt`.
    pub witnesses: Vec<WitnessNote>,
}

/// Who runs a witness, as the owner of the trust directory knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessNote {
    /// The witness's name in `policy.txt`.
    pub name: String,
    /// Who runs it.
    #[serde(default)]
    pub operator: String,
    /// How to reach them.
    #[serde(default)]
    pub contact: String,
    /// How they stand to the log's operator.
    pub relation: Relation,
}

/// How a witness's operator stands to the log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The log's operator runs it, or nobody has said otherwise.
    #[serde(rename = "self")]
    Same,
    /// It is run by someone with ties to the log's operator.
    Affiliate,
    /// It is run by someone with none.
    Independent,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    genesis: String,
    #[serde(default)]
    witness: Vec<WitnessNote>,
}

impl Notes {
    /// Makes the notes for a new trust directory: every witness counts as the log operator's own until its owner says otherwise.
    #[must_use]
    pub fn new<'a>(genesis: Digest, witnesses: impl IntoIterator<Item = &'a str>) -> Self {
        let note = |name: &str| WitnessNote {
            name: name.to_owned(),
            operator: String::new(),
            contact: String::new(),
            relation: Relation::Same,
        };
        Self { genesis, witnesses: witnesses.into_iter().map(note).collect() }
    }

    /// Reads `trust.toml`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let layout: Layout = toml::from_str(text).map_err(|error| error.to_string())?;
        if layout.version != VERSION {
            return Err(format!("version {} is not {VERSION}", layout.version));
        }
        let genesis = Digest::from_hex_lenient(&layout.genesis).map_err(|error| format!("genesis: {error}"))?;
        Ok(Self { genesis, witnesses: layout.witness })
    }

    /// Prints `trust.toml`.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = format!(
            "# What you know that no key can say. Edit freely: `operator` and `contact` are for people,\n\
             # `relation` is \"self\", \"affiliate\" or \"independent\" and is printed with every verdict.\n\
             version = {VERSION}\n\
             # SHA-256 of entry 0, the first admission policy: trust in this log hangs on it.\n\
             genesis = \"{}\"\n",
            self.genesis
        );
        for witness in &self.witnesses {
            let table = toml::to_string(witness).unwrap_or_default();
            text.push_str("\n[[witness]]\n");
            text.push_str(&table);
        }
        text
    }

    /// How a witness stands to the log's operator; one that is not listed counts as the operator's own.
    #[must_use]
    pub fn relation(&self, name: &str) -> Relation {
        self.witnesses.iter().find(|witness| witness.name == name).map_or(Relation::Same, |witness| witness.relation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_reads() {
        let mut notes = Notes::new(Digest::sha256(b"entry 0"), ["w1", "w2"]);
        notes.witnesses[1].relation = Relation::Independent;
        notes.witnesses[1].contact = "ops@witness.example".into();
        assert_eq!(Notes::parse(&notes.print()).unwrap(), notes);
        assert_eq!(notes.relation("w1"), Relation::Same);
        assert_eq!(notes.relation("w2"), Relation::Independent);
        assert_eq!(notes.relation("w3"), Relation::Same);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["", "version = 1", "version = 2\ngenesis = \"00\"", "version = 1\ngenesis = \"xyz\""] {
            assert!(Notes::parse(text).is_err(), "{text:?}");
        }
    }
}

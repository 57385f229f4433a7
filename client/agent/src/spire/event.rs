//! What the feeds find: events, in the form in which they stand in the outbox until records are made of them.

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api::Entry;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record is to be made of it.
    Formed {
        /// What it is, one of [`Form`].
        form: Form,
        /// What names it once within this server.
        native_id: String,
        /// A digest of what the server says, and of nothing that was learned elsewhere.
        semantic: Digest,
        /// The thing itself.
        bytes: Vec<u8>,
    },
    /// A line that should be an event, and cannot be read.
    Input {
        /// Why not.
        reason: String,
        /// The line.
        bytes: Vec<u8>,
    },
    /// A line too long to keep.
    Long {
        /// SHA-256 of it.
        digest: Digest,
        /// How many bytes it has.
        size: u64,
    },
}

impl Event {
    /// How many bytes are kept of it.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Formed { bytes, .. } | Self::Input { bytes, .. } => bytes.len(),
            Self::Long { .. } => 0,
        }
    }
}

/// What an event is: which record is made of it, and of which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Lines about a credential: [`Told`].
    Issuance,
    /// A line about an entry: [`Told`].
    Registration,
    /// A line about an attested node: [`Told`].
    Attestation,
    /// A line about what is not good any more: [`Told`].
    Revocation,
    /// A line about an authority: [`Told`].
    SigningKey,
    /// A line about a bundle or a trust domain: [`Told`].
    Federation,
    /// An entry as found: [`Entry`].
    FoundEntry,
    /// An entry that is there no more: [`Entry`], as it was last.
    GoneEntry,
    /// An agent as found: [`super::api::Agent`].
    FoundAgent,
    /// An agent found to be banned: [`super::api::Agent`].
    BannedAgent,
    /// A bundle as found: [`super::api::Bundle`].
    FoundBundle,
    /// An authority as found: [`super::api::Authority`].
    FoundAuthority,
}

/// Forms with the names they have in the outbox.
const FORMS: [(Form, &str); 12] = [
    (Form::Issuance, "issuance"),
    (Form::Registration, "registration"),
    (Form::Attestation, "attestation"),
    (Form::Revocation, "revocation"),
    (Form::SigningKey, "signing-key"),
    (Form::Federation, "federation"),
    (Form::FoundEntry, "found-entry"),
    (Form::GoneEntry, "gone-entry"),
    (Form::FoundAgent, "found-agent"),
    (Form::BannedAgent, "banned-agent"),
    (Form::FoundBundle, "found-bundle"),
    (Form::FoundAuthority, "found-authority"),
];

impl Form {
    /// Gives the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        FORMS.iter().find(|(form, _)| *form == self).map_or("", |(_, name)| name)
    }

    /// Finds the form of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        FORMS.iter().find(|(_, known)| *known == name).map(|(form, _)| *form)
    }
}

/// Lines of the log, with what was known when they were read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told<'a> {
    /// The line of the audit log; of a credential that is only known to be signed, none.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub line: Option<&'a RawValue>,
    /// The line that says what was signed.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub signed: Option<&'a RawValue>,
    /// What was in force.
    #[serde(default)]
    pub state: InForce,
    /// The entry it is about, at the revision it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// The entry's id, where its content at that revision is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<String>,
    /// Whom the entry is for, where only that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// What was in force when a line was written, as the lines before it say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InForce {
    /// The server's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The authority that signs certificates: its key id, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509: Option<String>,
    /// The key that signs JWTs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<String>,
    /// The key that signs WITs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wit: Option<String>,
}

/// What names an event of a line once: the request it belongs to, if it belongs to one, and a digest of the line. Some lines tell of two things.
#[must_use]
pub fn native_id(request: Option<&str>, line: &str, form: Form) -> String {
    let digest = Digest::sha256(line.as_bytes()).to_string();
    let second = if form == Form::Revocation { "/revocation" } else { "" };
    format!("{}/{}{second}", request.unwrap_or("-"), digest.get(..32).unwrap_or_default())
}

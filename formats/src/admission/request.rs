//! What a new log asks its operator to sign: the request for entry 0.

use serde_json::{Value as Json, json};

use crate::cose::{PublicKey, SigningKey};
use crate::statement::SignedStatement;

use super::build::{BuildError, operator_statement};
use super::change::{Change, ChangeError, ChangeFields, LogRow};
use super::judge::Expected;
use super::names::shown;
use super::view::{log_from_view, log_to_view};

/// A new log's request to its operator: "sign an entry 0 that names these keys of mine".
///
/// Its file is JSON with two members: `govlog`, always `"genesis-request v1"`, and `log`, that row as the JSON view of an `admission-policy`
/// record prints it. The bytes are fixed by the row: two spaces of indentation, members in alphabetical order, one line feed at the end.
/// The operator sees what will be signed, and adds nothing but their own key and the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisRequest {
    log: LogRow,
}

/// Why a file is not a request for entry 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// The format's name is another.
    #[error("member govlog is {}; a request for entry 0 has {FORMAT:?}", shown(found))]
    Format {
        /// What stands there.
        found: String,
    },
    /// A member is there that the format does not know, or one is not.
    #[error("a request for entry 0 has exactly the members govlog and log")]
    Members,
    /// The log's row is not well-formed.
    #[error(transparent)]
    Log(#[from] ChangeError),
}

const FORMAT: &str = "genesis-request v1";

impl GenesisRequest {
    /// Makes a log's request.
    ///
    /// # Errors
    /// When the row is not one that a change can carry.
    pub fn new(log: LogRow) -> Result<Self, ChangeError> {
        Change::new(ChangeFields { log: Some(log.clone()), ..ChangeFields::default() })?;
        Ok(Self { log })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// When the text is no request; the error names the member.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let json: Json = serde_json::from_str(text).map_err(|error| RequestError::Json(error.to_string()))?;
        let members = json.as_object().filter(|members| members.len() == 2).ok_or(RequestError::Members)?;
        let (Some(format), Some(log)) = (members.get("govlog"), members.get("log")) else {
            return Err(RequestError::Members);
        };
        if format != FORMAT {
            return Err(RequestError::Format { found: format.to_string() });
        }
        Ok(Self::new(log_from_view(log)?)?)
    }

    /// Writes the request; the inverse of [`GenesisRequest::parse`].
    pub fn encode(&self) -> String {
        let json = json!({ "govlog": FORMAT, "log": log_to_view(&self.log) });
        format!("{json:#}\n")
    }

    /// Returns the row the log asks for.
    pub fn log(&self) -> &LogRow {
        &self.log
    }

    /// Makes the change that entry 0 will carry.
    ///
    /// # Errors
    /// Never for a request made by this module; the type is that of every change.
    pub fn change(&self, operators: Vec<PublicKey>, event_ms: u64) -> Result<Change, ChangeError> {
        Change::new(ChangeFields { event_ms, operators, log: Some(self.log.clone()), ..ChangeFields::default() })
    }

    /// Signs entry 0 with the one operator key it names; `now_ms`: POSIX milliseconds.
    ///
    /// # Errors
    /// When the statement can not be made, such as for its size.
    pub fn sign(&self, operator: &SigningKey, now_ms: u64) -> Result<SignedStatement, BuildError> {
        let change = self.change(vec![operator.public()], now_ms)?;
        operator_statement(&self.log.origin, &change, Expected::START, now_ms / 1000, operator)
    }
}

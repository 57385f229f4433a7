//! `agent`: an AI agent's identity, what it is and who stands behind it.

use ciborium::Value;
use govlog_formats::digest::Digest;
use govlog_formats::record::{SchemeDigest, view};
use serde_json::Value as Json;

use super::sheet::{BuildError, Built, Seals, Sheet};

/// What a person says of an agent.
#[derive(Clone, Debug, Default)]
pub struct AgentFacts {
    /// The same through all its versions.
    pub id: String,
    /// Who answers for what it does: a team, or a person's pseudonym.
    pub sponsor: String,
    /// Who serves the model, where that is known.
    pub model_provider: Option<String>,
    /// The provider's name of the model.
    pub model: Option<String>,
    /// SHA-256 of the model's weights.
    pub model_digest: Option<Digest>,
    /// The file that describes its tools, as the agent gets it.
    pub tools: Option<Vec<u8>>,
    /// The file with its standing instructions.
    pub system_prompt: Option<Vec<u8>>,
    /// The SPIFFE IDs it runs as.
    pub runs_as: Vec<String>,
    /// What it may do without asking.
    pub autonomy: Option<String>,
    /// Of the agent.
    pub version: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// The subject, where it is not the agent's id.
    pub sub: Option<String>,
}

/// Builds an `agent` record.
///
/// # Errors
///
/// As said in [`BuildError`]; standing instructions are sealed, so they need a place for the opening.
pub fn agent(facts: &AgentFacts, now_s: u64, seals: &mut Seals<'_>) -> Result<Built, BuildError> {
    if let Some(other) = facts.runs_as.iter().find(|id| !id.starts_with("spiffe://")) {
        return Err(BuildError::Unfit {
            name: other.clone(),
            why: "an agent runs as a SPIFFE ID, spiffe://…".to_owned(),
        });
    }
    let mut sheet = Sheet::new("agent", now_s, seals);
    sheet.put(&["agent_id"], facts.id.as_str())?;
    sheet.person(&["sponsor"], &facts.sponsor)?;
    sheet.put_some(&["purpose"], facts.purpose.as_deref())?;
    sheet.put_some(&["version"], facts.version.as_deref())?;
    sheet.put_some(&["model", "provider"], facts.model_provider.as_deref())?;
    sheet.put_some(&["model", "id"], facts.model.as_deref())?;
    let weights = |digest: Digest| SchemeDigest { scheme: "sha256".to_owned(), bytes: digest.as_bytes().to_vec() };
    sheet.put_some(&["model", "digest"], facts.model_digest.map(|digest| weights(digest).to_value()))?;
    if let Some(tools) = &facts.tools {
        sheet.put(&["tools_digest"], bytes(&Digest::sha256(tools)))?;
        let listed = tools_in(tools);
        if listed.is_empty() {
            sheet.warnings.push("the tools file lists no tools by name: only its digest is recorded".to_owned());
        } else {
            sheet.put(&["tools"], listed)?;
        }
    }
    if let Some(prompt) = &facts.system_prompt {
        // Whoever has an idea of the text could try it against a digest in the clear.
        sheet.guessable(&["system_prompt_digest"], bytes(&Digest::sha256(prompt)))?;
    }
    sheet.put_some(&["autonomy"], facts.autonomy.as_deref())?;
    if !facts.runs_as.is_empty() {
        sheet.put(&["runs_as"], facts.runs_as.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>())?;
    }
    sheet.finish(facts.sub.as_deref(), None)
}

fn bytes(digest: &Digest) -> Value {
    Value::Bytes(digest.as_bytes().to_vec())
}

/// The tools that a description lists by name: a JSON list of objects with `name`, or an object with such a list under `tools`.
fn tools_in(file: &[u8]) -> Vec<Value> {
    let json = std::str::from_utf8(file).ok().and_then(|text| view::parse_text(text).ok()).unwrap_or_default();
    let list = json.as_array().or_else(|| json.get("tools").and_then(Json::as_array));
    let text = |tool: &Json, key: &str| tool.get(key).and_then(Json::as_str).map(str::to_owned);
    let tool = |tool: &Json| {
        let name = text(tool, "name")?;
        let server = text(tool, "server").map(|server| (Value::from("server"), server.into()));
        Some(Value::Map(server.into_iter().chain([("name".into(), name.into())]).collect()))
    };
    list.into_iter().flatten().filter_map(tool).collect()
}

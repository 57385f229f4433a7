//! `govlog agent`.

use std::path::PathBuf;

use clap::Args;
use govlog_formats::digest::Digest;

use super::{Desk, Person};
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, files};
use crate::people::{AgentFacts, agent};

/// `govlog agent`
#[derive(Debug, Args)]
#[command(after_help = "\
For example:
  govlog agent --id ledger-assistant --sponsor team-ledger --model models.example/large \\
    --tools tools.json --system-prompt prompt.txt --autonomy 'asks before writing' \\
    --runs-as spiffe://prod.example/agent/ledger --openings openings \\
    --log https://log.example --trust trust --key platform.key --iss https://platform.example/agents

Of files only digests are signed; that of the system prompt is sealed, for whoever guesses a prompt could try it.")]
pub(crate) struct Agent {
    /// The agent's id, the same through all its versions
    #[arg(long, value_name = "ID")]
    id: String,
    /// Who answers for what it does: a team, or a person's pseudonym
    #[arg(long, value_name = "WHO")]
    sponsor: String,
    /// The model it thinks with; the provider is what stands before the first /
    #[arg(long, value_name = "[PROVIDER/]MODEL")]
    model: Option<String>,
    /// SHA-256 of the model's weights
    #[arg(long, value_name = "DIGEST")]
    model_digest: Option<String>,
    /// The description of its tools as it gets it; of JSON the tools' names are recorded too
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// Its standing instructions
    #[arg(long, value_name = "FILE")]
    system_prompt: Option<PathBuf>,
    /// A SPIFFE ID it runs as; may be given several times
    #[arg(long, value_name = "SPIFFE-ID", required = true)]
    runs_as: Vec<String>,
    /// What it may do without asking
    #[arg(long, value_name = "TEXT")]
    autonomy: Option<String>,
    /// The agent's version
    #[arg(long = "agent-version", value_name = "V")]
    version: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    #[command(flatten)]
    person: Person,
}

impl Agent {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        self.person.sign("agent", out, |desk, seals| Ok(agent(&self.facts(desk)?, desk.now_s, seals)?))
    }

    fn facts(&self, desk: &Desk<'_>) -> anyhow::Result<AgentFacts> {
        let digest = |text: &String| {
            Digest::from_hex_lenient(text).map_err(|error| Usage(format!("--model-digest {text}: {error}")))
        };
        let (provider, model) = match self.model.as_deref().map(|model| model.split_once('/').ok_or(model)) {
            Some(Ok((provider, model))) => (Some(provider.to_owned()), Some(model.to_owned())),
            Some(Err(model)) => (None, Some(model.to_owned())),
            None => (None, None),
        };
        Ok(AgentFacts {
            id: self.id.clone(),
            sponsor: self.sponsor.clone(),
            model_provider: provider,
            model,
            model_digest: self.model_digest.as_ref().map(digest).transpose()?,
            tools: self.tools.as_deref().map(files::read).transpose()?,
            system_prompt: self.system_prompt.as_deref().map(files::read).transpose()?,
            runs_as: self.runs_as.clone(),
            autonomy: self.autonomy.clone(),
            version: self.version.clone(),
            purpose: self.purpose.clone(),
            sub: desk.sub.clone(),
        })
    }
}

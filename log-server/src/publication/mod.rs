//! Publication: a committed head becomes a note that meets the witness policy, archived before anyone sees it.
//!
//! ```text
//! CommittedHead ─▶ Round ─▶ one Cosigner task per witness ─▶ lines, verified ─▶ quorum ─▶ archive (synced) ─▶ Published
//! ```
//!
//! A round asks all witnesses at once. It publishes when the quorum is met and all others have answered or 100 ms have passed; those go on in
//! the background, for "cancelling them makes a slow witness fall behind for good" (exact.md §5). The log commits meanwhile, whoever is away.

mod backoff;
mod claim;
mod cosigner;
mod door;
mod published;
mod round;
mod signer;
mod task;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use govlog_formats::merkle::TreeSize;
use govlog_formats::note::Vkey;
use govlog_formats::tlog_policy::{Policy, Witness};
use govlog_tls::material::MaterialError;
use govlog_tls::outbound::{Outbound, Token, TokenError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::backoff::Backoff;
use self::cosigner::Cosigner;
use self::door::Door;
use self::task::{Confirmed, Task};
use crate::config;
use crate::sequencer::Sequencer;
use crate::store::StoreError;
use crate::telemetry::Telemetry;
use crate::tree::ReadError;

pub(crate) use claim::root_at;
pub use published::Published;
pub use signer::LogSigner;

/// The newest published note, and news of it. `None` until size 1 is published.
pub type PublishedNotes = watch::Receiver<Option<Published>>;

/// What publication works with.
pub struct Parts {
    /// Which witnesses there are, and how many must cosign.
    pub policy: Policy,
    /// The log's checkpoint key.
    pub log: Vkey,
    /// Intervals and timeouts.
    pub settings: config::Publication,
    /// Whose heads are published; poisoned when a witness proves that the log contradicts itself.
    pub sequencer: Sequencer,
    /// Where what happens is counted.
    pub telemetry: Telemetry,
}

/// Why publication can not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublicationError {
    /// The witness policy does not list the log's own key, so no note could ever meet it.
    #[error("the witness policy lists no log with the key {0}: no note of this log could meet it")]
    ForeignPolicy(String),
    /// A witness can not be asked.
    #[error("witness {0:?} of the policy has no URL that can be read")]
    Url(String),
    /// The HTTP client can not be made.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// What witnesses are shown, or believed by, can not be used.
    #[error("client: {0}")]
    Material(#[from] MaterialError),
    /// The token for a witness can not be used.
    #[error("client.token_files: {0}")]
    Token(#[from] TokenError),
    /// A token is for nobody.
    #[error("client.token_files: the policy has no witness {0:?}")]
    NoSuchWitness(String),
    /// Whoever is on the way could take the token.
    #[error("client.token_files: witness {0:?} is reached without TLS; a token is of use over https:// alone")]
    OpenToken(String),
    /// The newest archived note can not be read.
    #[error("the newest archived note: {0}")]
    Archive(#[from] StoreError),
    /// The root of the newest archived note can not be computed.
    #[error("the newest archived note: {0}")]
    Read(#[from] ReadError),
}

/// The publisher's tasks. Dropped, they end.
#[derive(Debug)]
pub struct Publisher {
    tasks: JoinSet<()>,
    published: PublishedNotes,
}

impl Publisher {
    /// Starts to publish. Statements are let in once enough witnesses have accepted the head that is committed now.
    ///
    /// Reads the store: call it where blocking is allowed, within a runtime.
    ///
    /// # Errors
    /// When the policy can not be met, or the store not be read.
    pub fn start(parts: Parts) -> Result<Self, PublicationError> {
        let Parts { policy, log, settings, sequencer, telemetry } = parts;
        if policy.logs().iter().all(|listed| *listed.vkey() != log) {
            return Err(PublicationError::ForeignPolicy(log.to_string()));
        }
        let newest = newest_archived(&sequencer)?;
        let (published, notes) = watch::channel(newest);
        let (targets, asked) = watch::channel(None);
        let (reports, inbox) = mpsc::channel(REPORTS);
        let client = client(&settings.client)?;
        let mut tokens = settings.tokens.clone();
        let mut tasks = JoinSet::new();
        for (at, witness) in policy.witnesses().iter().enumerate() {
            let token = tokens.remove(&witness.name().to_string()).map(Token::open).transpose()?;
            let cosigner = Cosigner {
                witness: at,
                name: witness.name().to_string(),
                vkey: witness.vkey().clone(),
                log: log.clone(),
                door: door(&client, token, witness, &log, settings.witness_timeout)?,
                sequencer: sequencer.clone(),
                telemetry: telemetry.clone(),
                targets: asked.clone(),
                reports: reports.clone(),
                accepted: TreeSize::ZERO,
                backoff: Backoff::default(),
            };
            tasks.spawn(cosigner.run());
        }
        if let Some(name) = tokens.into_keys().next() {
            return Err(PublicationError::NoSuchWitness(name));
        }
        let heads = sequencer.committed();
        let task = Task {
            policy: Arc::new(policy),
            settings,
            sequencer,
            telemetry,
            heads,
            targets,
            inbox,
            published,
            round: None,
            confirmed: Confirmed::default(),
        };
        tasks.spawn(async move {
            // As long as this task lives, so does the channel of reports: it ends when the sequencer stops.
            let _reports = reports;
            task.run().await;
        });
        Ok(Self { tasks, published: notes })
    }

    /// Returns what is published, and tells when that changes.
    #[must_use]
    pub fn published(&self) -> PublishedNotes {
        self.published.clone()
    }

    /// Ends all tasks. What was handed to the sequencer to be archived is archived, or not, as a whole.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Reports on their way; each witness has at most one or two.
const REPORTS: usize = 64;

/// Shows what was published before the start.
fn newest_archived(sequencer: &Sequencer) -> Result<Option<Published>, PublicationError> {
    let head = sequencer.committed().borrow().clone();
    let Some(archived) = head.tree().store().newest_archived()? else { return Ok(None) };
    let root = root_at(head.tree(), archived.size)?;
    let served = archived.note.clone();
    Ok(Some(Published::new(archived, served, head, root)))
}

fn client(shown: &Outbound) -> Result<reqwest::Client, PublicationError> {
    // Whoever installed a provider before has made the choice for the whole process.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let mut builder = reqwest::Client::builder();
    if let Some(tls) = shown.tls()? {
        builder = builder.tls_backend_preconfigured(tls);
    }
    let client = builder
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(2)
        .tcp_nodelay(true)
        .user_agent(concat!("govlog-server/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

fn door(
    client: &reqwest::Client,
    token: Option<Token>,
    witness: &Witness,
    log: &Vkey,
    timeout: Duration,
) -> Result<Door, PublicationError> {
    let unreadable = || PublicationError::Url(witness.name().to_string());
    let url = witness.url().and_then(|url| url.as_str()).ok_or_else(unreadable)?;
    let parsed = reqwest::Url::parse(url).map_err(|_| unreadable())?;
    if token.is_some() && parsed.scheme() != "https" {
        return Err(PublicationError::OpenToken(witness.name().to_string()));
    }
    Ok(Door::new(client.clone(), token, url, &log.name().clone().into(), timeout))
}

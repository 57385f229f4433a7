//! What the agent counts.

use anyhow::Context as _;
use reqwest::Client;

/// A reading of the agent's metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    /// Events, alone or in a batch.
    pub(crate) committed: u64,
    pub(crate) published: u64,
    /// What they became.
    pub(crate) statements: u64,
    pub(crate) batches: u64,
    pub(crate) waiting: u64,
    pub(crate) signed: u64,
}

impl Metrics {
    /// Asks the admin interface.
    pub(crate) async fn read(client: &Client, admin: &str) -> anyhow::Result<Self> {
        let text = client.get(format!("{admin}/metrics")).send().await?.text().await?;
        let of = |name: &str| -> anyhow::Result<u64> {
            // A counter that nothing was added to yet is not there.
            let Some(value) = text.lines().find_map(|line| line.strip_prefix(name)) else { return Ok(0) };
            value.trim().parse().with_context(|| name.to_owned())
        };
        Ok(Self {
            committed: of("govlog_agent_committed_events_total ")?,
            published: of("govlog_agent_published_events_total ")?,
            statements: of("govlog_agent_published_total ")?,
            batches: of("govlog_agent_batches_total ")?,
            waiting: of("govlog_agent_outbox_depth{state=\"waiting\"} ")?,
            signed: of("govlog_agent_outbox_depth{state=\"signed\"} ")?,
        })
    }
}

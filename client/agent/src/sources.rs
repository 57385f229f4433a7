//! The one place where what is configured becomes adapters, and what feeds them.

use std::sync::Arc;

use crate::adapter::Adapters;
use crate::config::Config;
use crate::feed::Feed;

/// What an agent listens to.
#[derive(Default)]
pub struct Sources {
    /// Who makes records of what comes in.
    pub adapters: Adapters,
    /// What the agent reads itself.
    pub feeds: Vec<Box<dyn Feed>>,
}

impl Sources {
    /// Puts together what a configuration names.
    ///
    /// # Errors
    ///
    /// The route that two of its tables share.
    pub fn of(config: &Config) -> Result<Self, String> {
        let mut sources = Self::default();
        for group in &config.groups {
            sources.adapters.add(Arc::new(group.clone()))?;
        }
        Ok(sources)
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("adapters", &self.adapters).field("feeds", &self.feeds.len()).finish()
    }
}

//! The one place where what is configured becomes adapters, and what feeds them.

use std::sync::Arc;

use crate::adapter::Adapters;
use crate::config::Config;
use crate::credentials::{self, Observations, Watched, Watcher, Where};
use crate::envoy::{AccessLog, Effects};
use crate::feed::Feed;
use crate::keys::Rotating;
use crate::opa::bundle::{BundleFeed, Policies};
use crate::opa::{Group, OpaAdapter};
use crate::outbox::{Finds, Joining};
use crate::spire;

/// What an agent listens to.
#[derive(Default)]
pub struct Sources {
    /// Who makes records of what comes in.
    pub adapters: Adapters,
    /// What the agent reads itself.
    pub feeds: Vec<Box<dyn Feed>>,
}

impl Sources {
    /// Puts together what a configuration names; `signs`: what the agent signs with, if that is to be seen.
    ///
    /// # Errors
    ///
    /// The route that two of its tables share.
    pub fn of(config: &Config, signs: Option<&Arc<Rotating>>) -> Result<Self, String> {
        let mut sources = Self::default();
        for group in &config.groups {
            sources.add_opa(group)?;
        }
        for envoy in &config.envoys {
            let envoy = Arc::new(envoy.clone());
            sources.adapters.add(Arc::new(Effects::new(Arc::clone(&envoy), &config.iss)))?;
            sources.feeds.push(Box::new(AccessLog::new(envoy).with_room(held_bytes(config))));
        }
        for watched in &config.watched {
            let watched = Arc::new(watched.clone());
            sources.adapters.add(Arc::new(Observations::new(Arc::clone(&watched), &config.iss)))?;
            sources.feeds.extend(watcher(watched, signs));
        }
        for server in &config.spire {
            let server = Arc::new(server.clone());
            sources.feeds.extend(spire::feeds(&server));
            sources.adapters.add(Arc::new(spire::Server::new(server, &config.iss)))?;
        }
        Ok(sources)
    }

    fn add_opa(&mut self, group: &Group) -> Result<(), String> {
        let policies = Arc::new(Policies::default());
        for table in group.bundles() {
            let feed = BundleFeed::new(group.prefix(), table.clone(), Arc::clone(&policies));
            self.feeds.push(Box::new(feed));
        }
        self.adapters.add(Arc::new(OpaAdapter::new(group.clone(), policies)))
    }
}

/// What looks at a place where credentials lie, if that is here to be seen.
fn watcher(watched: Arc<Watched>, signs: Option<&Arc<Rotating>>) -> Option<Box<dyn Feed>> {
    match &watched.place {
        Where::Folder(path) => {
            let folder = credentials::Folder::new(path);
            Some(Box::new(Watcher::new(watched, folder)))
        }
        Where::Own => {
            let own = credentials::Own::new(Arc::clone(signs?));
            Some(Box::new(Watcher::new(watched, own)))
        }
        #[cfg(feature = "spiffe")]
        Where::Workload(endpoint) => {
            let workload = credentials::workload::Workload::new(endpoint, &watched.audiences);
            Some(Box::new(Watcher::new(watched, workload)))
        }
        // A configuration that names one is refused before.
        #[cfg(not(feature = "spiffe"))]
        Where::Workload(_) => None,
    }
}

/// How many bytes of one Envoy's lines may wait: an eighth of the outbox, and of all of theirs a quarter. Feeds together have half of it, and the
/// others are read on while an Envoy is flooded with what nobody decides.
fn held_bytes(config: &Config) -> u64 {
    let logs = u64::try_from(config.envoys.len()).unwrap_or(u64::MAX).max(2);
    config.hold.bytes / 4 / logs
}

/// What is kept of decisions so that effects find theirs; nothing where no effects are read.
#[must_use]
pub fn joining(config: &Config) -> Option<Joining> {
    let keep = config.envoys.iter().map(|envoy| envoy.join).max()?;
    let late_after = config.settle().unwrap_or_default();
    let finder = |group: &Group| (group.prefix().to_owned(), Arc::new(group.clone()) as Arc<dyn Finds>);
    let finders = config.groups.iter().map(finder).collect();
    let readers = config.envoys.iter().map(|envoy| envoy.route.clone()).collect();
    Some(Joining { finders, readers, keep, late_after })
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("adapters", &self.adapters).field("feeds", &self.feeds.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_wait_have_an_eighth_of_the_outbox_and_all_of_them_no_more_than_a_quarter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        let of = |envoys: usize| {
            let envoy = |number| {
                format!(
                    "[[envoy]]\nname = \"e-{number}\"\nnode = \"n-{number}\"\nlog = \"{number}.jsonl\"\n\
                    performer = \"spiffe://prod.example/envoy\"\n"
                )
            };
            let tables: String = (0..envoys).map(envoy).collect();
            std::fs::write(
                &path,
                format!(
                    "iss = \"spiffe://prod.example/agent\"\nlog = \"http://127.0.0.1:8080\"\naccess.submit = \"loopback\"\n\
                    openings.plaintext = true\n[limits]\noutbox_mib = 80\n{tables}"
                ),
            )
            .unwrap();
            held_bytes(&Config::load(&path).unwrap()) >> 20
        };
        assert_eq!([1, 2, 4, 5].map(of), [10, 10, 5, 4]);
    }
}

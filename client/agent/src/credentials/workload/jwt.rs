//! JWT bundles, which a Workload API sends whenever they change, and JWT-SVIDs, which are asked for again when half their life is over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::api::{ApiError, Client};
use crate::credentials::read::{Seen, Token};
use crate::world::{Machine, World as _};

/// A Workload API that is asked in the background, on a thread of its own, and asked again until it answers.
pub(super) struct Jwts {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// What there is now.
pub(super) struct Shown {
    pub(super) seen: Vec<Seen>,
    /// How much of what was asked for is not answered.
    pub(super) missing: u64,
    /// Whether something was never answered.
    pub(super) is_partial: bool,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bundles: Vec<Seen>,
    /// By audience, the last that were given.
    svids: BTreeMap<String, Vec<Token>>,
    /// What is not answered: an audience, or bundles.
    missing: BTreeSet<String>,
    /// What was never answered.
    unanswered: BTreeSet<String>,
}

impl Jwts {
    /// Begins to ask; nothing need answer yet.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    pub(super) fn start(endpoint: &str, audiences: &[String]) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("jwts").enable_all().build()?;
        let unanswered = audiences.iter().cloned().chain([BUNDLES.to_owned()]).collect();
        let shared = Arc::new(Shared(Mutex::new(State { unanswered, ..State::default() })));
        runtime.spawn(follow(endpoint.to_owned(), Arc::clone(&shared)));
        for audience in audiences {
            runtime.spawn(renew(endpoint.to_owned(), audience.clone(), Arc::clone(&shared)));
        }
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// Gives what there is now.
    pub(super) fn shown(&self) -> Shown {
        let state = self.shared.state();
        let svids = state.svids.values().flatten().cloned().map(Seen::Token);
        Shown {
            seen: state.bundles.iter().cloned().chain(svids).collect(),
            missing: state.missing.union(&state.unanswered).count() as u64,
            is_partial: !state.unanswered.is_empty(),
        }
    }
}

impl Drop for Jwts {
    fn drop(&mut self) {
        // Whoever drops it may be async itself, where waiting for a runtime's end is a mistake.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Jwts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwts").finish_non_exhaustive()
    }
}

impl Shared {
    /// Notes that something is answered; what stays so is said once.
    fn answered(&self, what: &str, keep: impl FnOnce(&mut State)) {
        let mut state = self.state();
        keep(&mut state);
        state.unanswered.remove(what);
        if state.missing.remove(what) {
            tracing::info!(what, "the Workload API answers again");
        }
    }

    /// Notes that something is not answered; what there was is shown on.
    fn failed(&self, what: &str, why: &dyn std::fmt::Display) {
        if self.state().missing.insert(what.to_owned()) {
            tracing::warn!(%why, what, "the Workload API does not answer; it is asked again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(endpoint: String, shared: Arc<Shared>) {
    loop {
        match bundles(&endpoint, &shared).await {
            Ok(()) => shared.failed(BUNDLES, &"it ended what it was sending"),
            Err(error) => shared.failed(BUNDLES, &error),
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

async fn bundles(endpoint: &str, shared: &Shared) -> Result<(), ApiError> {
    let mut stream = Client::connect(endpoint).await?.bundles().await?;
    while let Some(bundles) = stream.next().await? {
        shared.answered(BUNDLES, |state| state.bundles = bundles);
    }
    Ok(())
}

async fn renew(endpoint: String, audience: String, shared: Arc<Shared>) {
    loop {
        let wait = match svids(&endpoint, &audience).await {
            Ok(tokens) => {
                let wait = half_life(&tokens, Machine.now_ms());
                shared.answered(&audience, |state| drop(state.svids.insert(audience.clone(), tokens)));
                wait
            }
            Err(error) => {
                shared.failed(&audience, &error);
                BETWEEN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// A connection for each time: minutes lie between.
async fn svids(endpoint: &str, audience: &str) -> Result<Vec<Token>, ApiError> {
    Client::connect(endpoint).await?.svids(audience).await
}

/// Half of what is left of the one that ends first.
fn half_life(tokens: &[Token], now_ms: u64) -> Duration {
    let left = tokens.iter().filter_map(|token| token.exp_ms).map(|exp_ms| exp_ms.saturating_sub(now_ms)).min();
    left.map_or(UNKNOWN, |left| Duration::from_millis(left / 2).clamp(BETWEEN, MOST))
}

/// What bundles are called beside audiences.
const BUNDLES: &str = "bundles";
const BETWEEN: Duration = Duration::from_secs(1);
/// Of tokens that do not say when they end.
const UNKNOWN: Duration = Duration::from_secs(150);
/// Long enough for any; a clock that jumps is found out.
const MOST: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not answered yet is no more there than what is refused, and no less.
    #[tokio::test]
    async fn what_was_not_answered_yet_is_missing_from_the_first_moment() {
        let jwts = Jwts::start("unix:///nowhere/api.sock", &["a".to_owned(), "b".to_owned()]).unwrap();
        let Shown { seen, missing, is_partial } = jwts.shown();
        assert_eq!((seen, missing, is_partial), (vec![], 3, true));
        for (what, left) in [("a", 2), (BUNDLES, 1), ("b", 0)] {
            jwts.shared.answered(what, |_| ());
            assert_eq!(jwts.shared.state().unanswered.len(), left);
        }
        jwts.shared.failed("a", &"it is away");
        assert!(!jwts.shown().is_partial, "what there was is shown on");
    }

    #[test]
    fn half_of_what_is_left_is_waited_for_within_bounds() {
        let ending = |exp_ms| Token {
            tok_s256: String::new(),
            jws_input_s256: String::new(),
            kid: None,
            jti_iss: None,
            sub: None,
            aud: Vec::new(),
            exp_ms,
        };
        let wait =
            |ends: &[Option<u64>]| half_life(&ends.iter().copied().map(ending).collect::<Vec<_>>(), 10_000).as_millis();
        assert_eq!(wait(&[Some(310_000)]), 150_000);
        assert_eq!(wait(&[Some(310_000), None, Some(20_000)]), 5_000);
        assert_eq!((wait(&[Some(9_000)]), wait(&[Some(u64::MAX)]), wait(&[None])), (1_000, 3_600_000, 150_000));
    }
}

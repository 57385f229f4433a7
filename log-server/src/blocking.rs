//! Work that blocks, kept off the async workers and bounded in how much of it runs and waits.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Why blocking work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDone {
    /// As much waits already as may.
    #[error("too many requests wait for {0}")]
    Busy(&'static str),
    /// The work panicked.
    #[error("{0} could not be finished")]
    Panicked(&'static str),
}

/// A bounded share of the runtime's blocking threads.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    name: &'static str,
    queue: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Pool {
    /// At most `running` pieces of work run at a time, and at most `waiting` more wait.
    pub(crate) fn new(name: &'static str, running: usize, waiting: usize) -> Self {
        Self { name, queue: Arc::new(Semaphore::new(running + waiting)), running: Arc::new(Semaphore::new(running)) }
    }

    /// Runs a piece of work; it goes on to its end, and holds its place, even if nobody waits for it any more.
    ///
    /// # Errors
    /// When there is no room, or the work panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
        let busy = |_| NotDone::Busy(self.name);
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| NotDone::Busy(self.name))?;
        let done = tokio::task::spawn_blocking(move || {
            let value = work();
            drop((place, turn));
            value
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "work on a blocking thread failed");
            NotDone::Panicked(self.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_refused_at_once_and_room_comes_back() {
        let pool = Pool::new("a test", 1, 1);
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || held.recv().is_ok()).await }
        });
        let second = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(|| 2).await }
        });
        while pool.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| 3).await, Err(NotDone::Busy("a test")));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        assert_eq!(second.await.unwrap(), Ok(2));
        assert_eq!(pool.run(|| 4).await, Ok(4));
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let pool = Pool::new("a test", 1, 0);
        let panicked = pool.run(|| assert_eq!(1, 2)).await;
        assert_eq!(panicked, Err(NotDone::Panicked("a test")));
        assert_eq!(pool.run(|| 4).await, Ok(4));
    }
}

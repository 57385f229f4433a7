//! The threads that verify signatures, and the bound on what waits for them.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

/// How long what waits for verification may take the workers. DESIGN §7: "429 / 503 […] when queued verification exceeds 100 ms".
pub(super) const BUDGET: Duration = Duration::from_millis(100);

/// What one verification is taken to cost until one was measured.
const FIRST_GUESS_NS: u64 = 150_000;

/// Threads that run blocking jobs, fed by a queue whose length is bounded in time, not in number.
///
/// Who finds the queue within its budget may add one request's statements to it, however many they are; who finds it over the budget may add
/// none. So at most the budget and one request wait. The threads end when the pool is dropped and the queue is empty.
pub(super) struct Pool {
    jobs: Sender<Job>,
    backlog: Arc<Backlog>,
}

/// Leave to hand in a number of statements. What was not handed in is given back when it is dropped.
pub(super) struct Room<'a> {
    pool: &'a Pool,
    left: u64,
}

/// More work waits than the budget allows.
#[derive(Debug)]
pub(super) struct OverBudget;

type Job = Box<dyn FnOnce() + Send>;

struct Backlog {
    workers: u64,
    /// Statements handed in, or about to be, and not yet done.
    waiting: AtomicU64,
    /// What one statement costs a worker, in nanoseconds: a running mean.
    each_ns: AtomicU64,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(super) fn start(workers: NonZeroUsize) -> std::io::Result<Self> {
        let (jobs, queue) = unbounded::<Job>();
        let count = u64::try_from(workers.get()).unwrap_or(u64::MAX);
        for number in 0..workers.get() {
            let queue = queue.clone();
            thread::Builder::new().name(format!("verify-{number}")).spawn(move || work(&queue))?;
        }
        let backlog = Backlog { workers: count, waiting: AtomicU64::new(0), each_ns: AtomicU64::new(FIRST_GUESS_NS) };
        Ok(Self { jobs, backlog: Arc::new(backlog) })
    }

    /// Asks for leave to hand in `statements`.
    ///
    /// # Errors
    /// When more waits already than the budget allows.
    pub(super) fn reserve(&self, statements: usize) -> Result<Room<'_>, OverBudget> {
        let left = u64::try_from(statements).map_err(|_| OverBudget)?;
        let before = self.backlog.waiting.fetch_add(left, Ordering::Relaxed);
        let room = Room { pool: self, left };
        if self.backlog.delay(before) > BUDGET { Err(OverBudget) } else { Ok(room) }
    }
}

impl Room<'_> {
    /// Hands in a job over `statements` of those that leave was given for; the receiver gets its value.
    ///
    /// A job whose receiver has gone is not begun.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        statements: usize,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, receiver) = oneshot::channel();
        let part = u64::try_from(statements).unwrap_or(u64::MAX).min(self.left);
        self.left -= part;
        let done = Done { backlog: Arc::clone(&self.pool.backlog), statements: part };
        let job = move || {
            if answer.is_closed() {
                return;
            }
            let started = Instant::now();
            let value = job();
            done.backlog.measured(started.elapsed(), part);
            drop(done);
            // The receiver may have gone meanwhile: nobody waits for the answer any more.
            drop(answer.send(value));
        };
        // A send fails only when no worker is left; the job is then dropped, and the receiver told.
        drop(self.pool.jobs.send(Box::new(job)));
        receiver
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.pool.backlog.waiting.fetch_sub(self.left, Ordering::Relaxed);
    }
}

/// Counts statements out of the backlog when it is dropped, whether their job was done, skipped or cut short.
struct Done {
    backlog: Arc<Backlog>,
    statements: u64,
}

impl Drop for Done {
    fn drop(&mut self) {
        self.backlog.waiting.fetch_sub(self.statements, Ordering::Relaxed);
    }
}

impl Backlog {
    /// How long the workers will take over this many statements.
    fn delay(&self, waiting: u64) -> Duration {
        let each_ns = self.each_ns.load(Ordering::Relaxed);
        Duration::from_nanos(waiting.saturating_mul(each_ns) / self.workers.max(1))
    }

    /// Notes what a job cost. Two workers may overwrite one another's mean; it is a mean all the same.
    fn measured(&self, took: Duration, statements: u64) {
        let each = took.as_nanos() / u128::from(statements.max(1));
        let each = u64::try_from(each).unwrap_or(u64::MAX);
        let mean = self.each_ns.load(Ordering::Relaxed);
        self.each_ns.store((mean - mean / 8).saturating_add(each / 8).max(1), Ordering::Relaxed);
    }
}

fn work(queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        // A job that panics loses its own answer, not the worker.
        if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a verification panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn one_worker() -> Pool {
        Pool::start(NonZeroUsize::new(1).unwrap()).unwrap()
    }

    /// Statements that fill the budget exactly, at the cost that is assumed at first.
    fn budgetful() -> usize {
        usize::try_from(BUDGET.as_nanos() / u128::from(FIRST_GUESS_NS)).unwrap() + 1
    }

    #[tokio::test]
    async fn a_job_is_run_and_answered() {
        let pool = one_worker();
        let mut room = pool.reserve(1).unwrap();
        assert_eq!(room.run(1, || 7).await.unwrap(), 7);
        drop(room);
        assert_eq!(pool.backlog.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn over_the_budget_nothing_more_is_taken_and_later_it_is() {
        let pool = one_worker();
        let (open, gate) = mpsc::channel::<()>();
        let mut room = pool.reserve(budgetful()).unwrap();
        let held = room.run(budgetful(), move || gate.recv().unwrap());
        drop(room);
        assert!(pool.reserve(1).is_err());
        // A refusal leaves nothing behind.
        assert_eq!(pool.backlog.waiting.load(Ordering::Relaxed), u64::try_from(budgetful()).unwrap());
        open.send(()).unwrap();
        held.await.unwrap();
        assert!(pool.reserve(1).is_ok());
    }

    #[tokio::test]
    async fn one_request_may_be_larger_than_the_budget() {
        let pool = one_worker();
        let mut room = pool.reserve(50 * budgetful()).unwrap();
        let receiver = room.run(50 * budgetful(), || ());
        drop(room);
        receiver.await.unwrap();
    }

    #[tokio::test]
    async fn room_that_is_not_used_is_given_back() {
        let pool = one_worker();
        drop(pool.reserve(budgetful()).unwrap());
        assert!(pool.reserve(1).is_ok());
    }

    #[tokio::test]
    async fn a_job_nobody_waits_for_is_not_begun() {
        let pool = one_worker();
        let (open, gate) = mpsc::channel::<()>();
        let mut room = pool.reserve(3).unwrap();
        let held = room.run(1, move || gate.recv().unwrap());
        let (ran, runs) = mpsc::channel::<()>();
        drop(room.run(1, move || ran.send(()).unwrap()));
        let last = room.run(1, || ());
        open.send(()).unwrap();
        held.await.unwrap();
        last.await.unwrap();
        assert!(runs.recv().is_err());
        drop(room);
        assert_eq!(pool.backlog.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_worker() {
        let pool = one_worker();
        let mut room = pool.reserve(2).unwrap();
        assert!(room.run(1, || panic!("on purpose")).await.is_err());
        assert_eq!(room.run(1, || 1).await.unwrap(), 1);
        drop(room);
        assert_eq!(pool.backlog.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_mean_follows_what_was_measured() {
        let pool = one_worker();
        for _ in 0..200 {
            pool.backlog.measured(Duration::from_micros(8), 8);
        }
        let each = pool.backlog.each_ns.load(Ordering::Relaxed);
        assert!((900..=1100).contains(&each), "{each}");
        pool.backlog.measured(Duration::from_secs(u64::MAX), 1);
        assert!(pool.backlog.delay(u64::MAX) > BUDGET);
    }
}

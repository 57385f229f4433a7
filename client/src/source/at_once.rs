//! Asking for several things at a time, over connections that stay open: far away from a log most of the time is spent waiting for it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many requests are under way at a time.
const AT_A_TIME: usize = 8;

/// Asks for each, several at a time; the answers come in the order of what was asked. After the first error no more is asked, and what was not is
/// left out.
pub(crate) fn at_once<Q: Sync, A: Send, E: Send>(
    asked: &[Q],
    ask: impl Fn(&Q) -> Result<A, E> + Sync,
) -> Vec<Result<A, E>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let answers: Mutex<Vec<(usize, Result<A, E>)>> = Mutex::new(Vec::with_capacity(asked.len()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let question = asked.get(at).filter(|_| at < failed.load(Ordering::Relaxed));
            let Some(question) = question else { break };
            let answer = ask(question);
            if answer.is_err() {
                failed.fetch_min(at, Ordering::Relaxed);
            }
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..AT_A_TIME.min(asked.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|(at, _)| *at);
    // Up to the first error nothing is missing, for they are taken in order.
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn answers_come_in_order_and_several_at_a_time() {
        let asked: Vec<usize> = (0..64).collect();
        // Nobody gets on until so many are there.
        let together = Barrier::new(AT_A_TIME);
        let answers = at_once(&asked, |at| {
            together.wait();
            Ok::<_, ()>(at * 2)
        });
        assert_eq!(
            answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            (0..128).step_by(2).collect::<Vec<_>>()
        );
        assert!(at_once(&[], |at: &usize| Ok::<_, ()>(*at)).is_empty());
    }

    #[test]
    fn after_an_error_no_more_is_asked() {
        let asked: Vec<usize> = (0..10_000).collect();
        let answers = at_once(&asked, |at| if *at == 20 { Err(*at) } else { Ok(()) });
        assert!(answers.len() < 10_000);
        assert_eq!(answers.iter().position(Result::is_err), Some(20), "all before it were asked");
    }
}

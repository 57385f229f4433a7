//! How a program learns that it is to end.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Listens for SIGTERM and SIGINT from this call on; the future returned resolves at the first of either.
///
/// From then on neither ends the process by itself, for as long as it lives: whoever calls this ends it in good order.
///
/// # Errors
/// Names the signal that cannot be listened for.
///
/// # Panics
/// Outside of a tokio runtime with I/O.
pub fn told_to_end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
    let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn listen(kind: SignalKind, name: &str) -> io::Result<Signal> {
    signal(kind).map_err(|error| io::Error::new(error.kind(), format!("cannot listen for {name}: {error}")))
}

/// Resolves when `stop` is true, or can become so no more because its sender is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("whoever could stop this is gone, which is a stop too");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{self, Signal};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(20);

    /// One test, for a signal reaches everything in the process that listens for it.
    #[tokio::test]
    async fn either_signal_is_a_wish_to_end() {
        for signal in [Signal::TERM, Signal::INT] {
            let mut told = std::pin::pin!(told_to_end().unwrap());
            assert!(timeout(SHORT, told.as_mut()).await.is_err(), "nobody wished for it yet");
            process::kill_process(process::getpid(), signal).unwrap();
            timeout(PATIENCE, told).await.unwrap();
        }
    }

    #[tokio::test]
    async fn it_stops_when_told_and_when_nobody_can_tell_any_more() {
        let (tell, mut stop) = watch::channel(false);
        let mut late = stop.clone();
        assert!(timeout(SHORT, stopped(&mut stop)).await.is_err(), "nobody told it yet");
        tell.send_replace(false);
        assert!(timeout(SHORT, stopped(&mut stop)).await.is_err(), "it was told to go on");
        tell.send_replace(true);
        timeout(PATIENCE, stopped(&mut stop)).await.unwrap();
        timeout(PATIENCE, stopped(&mut late)).await.expect("one that asks late is told as well");
        let (tell, mut stop) = watch::channel(false);
        drop(tell);
        timeout(PATIENCE, stopped(&mut stop)).await.expect("its sender being gone is a stop too");
    }
}

//! The newest X.509-SVID that is valid.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Svid, Svids, Unsigned};

/// X.509-SVIDs that others renew.
///
/// The source is asked once a second: all that is signed in one second, and so has one `iat`, has one certificate.
pub struct Rotating {
    source: Box<dyn Svids>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    asked_s: Option<i64>,
    /// The last one that could be used.
    svid: Option<Arc<Svid>>,
    /// What the source said when it gave none that could be.
    why: Option<String>,
}

impl Rotating {
    /// Takes what comes from a source.
    #[must_use]
    pub fn new(source: Box<dyn Svids>) -> Self {
        Self { source, last: Mutex::default() }
    }

    /// Gives the newest one that is valid; the one before it for as long as that is valid, when there is no newer one, or not yet.
    ///
    /// # Errors
    ///
    /// None is valid now.
    pub fn at(&self, now_ms: u64) -> Result<Arc<Svid>, Unsigned> {
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let mut last = self.last();
        if last.asked_s != Some(now_s) {
            last.asked_s = Some(now_s);
            self.ask(&mut last, now_s);
        }
        match &last.svid {
            None => Err(Unsigned(last.why.clone().unwrap_or_default())),
            Some(svid) => match svid.check_at(now_s) {
                Ok(()) => Ok(Arc::clone(svid)),
                Err(ended) => Err(Unsigned(last.why.clone().unwrap_or(ended))),
            },
        }
    }

    fn ask(&self, last: &mut Last, now_s: i64) {
        let newest = self.source.newest().map_err(|error| error.to_string());
        match newest.and_then(|svid| svid.check_at(now_s).map(|()| svid)) {
            Ok(svid) => {
                let is_same = last.svid.as_ref().is_some_and(|before| before.chain() == svid.chain());
                if !is_same {
                    let until = govlog_client::time::utc(u64::try_from(svid.validity_s().1).unwrap_or(0));
                    let kid = svid.key().public().thumbprint();
                    tracing::info!(%kid, until, "a new X.509-SVID signs from now on");
                    last.svid = Some(svid);
                }
                last.why = None;
            }
            Err(why) => {
                // Once, not every second until somebody comes.
                if last.why.as_ref() != Some(&why) {
                    tracing::warn!(why, "there is no newer X.509-SVID; the one before it signs until it ends");
                }
                last.why = Some(why);
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Rotating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotating").field("svid", &self.last().svid).finish_non_exhaustive()
    }
}

//! Reading a body within bounds: of its own size, of all bodies together, and of time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use govlog_formats::digest::Digest;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// A body that was read to its end.
#[derive(Debug)]
pub(super) enum Read {
    /// All of it, and its share of the room for all bodies.
    Whole(Vec<u8>, Vec<OwnedSemaphorePermit>),
    /// It was longer than what is kept.
    Long {
        /// SHA-256 of it.
        digest: Digest,
        /// How many bytes it had.
        size: u64,
    },
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It took too long.
    Slow,
    /// Other bodies take all the room.
    Busy,
    /// The connection broke, or what came is no HTTP.
    Broken,
    /// Even its digest is not worth the while.
    Endless,
}

/// What bodies may take.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// Bytes of one body.
    pub(super) most: usize,
    /// For the whole of one body.
    pub(super) time: Duration,
    /// Room for all bodies, in units of [`UNIT`].
    pub(super) all: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(most: usize, all: usize, time: Duration) -> Self {
        Self { most, time, all: Arc::new(Semaphore::new(all / UNIT)) }
    }

    /// Reads a body. Room is taken as bytes come, so that who sends slowly holds no more than what was sent.
    pub(super) async fn read(&self, mut body: Body) -> Result<Read, Unread> {
        let end = Instant::now() + self.time;
        let (mut bytes, mut permits, mut room) = (Vec::new(), Vec::new(), 0);
        let mut long: Option<(Sha256, u64)> = None;
        loop {
            let frame = timeout_at(end, body.frame()).await.map_err(|_| Unread::Slow)?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if let Some((hash, size)) = &mut long {
                hash.update(&data);
                *size += u64::try_from(data.len()).unwrap_or(u64::MAX);
                if *size > ENDLESS {
                    return Err(Unread::Endless);
                }
                continue;
            }
            if bytes.len() + data.len() > self.most {
                let size = u64::try_from(bytes.len() + data.len()).unwrap_or(u64::MAX);
                long = Some((Sha256::new().chain_update(&bytes).chain_update(&data), size));
                (bytes, permits) = (Vec::new(), Vec::new());
                continue;
            }
            while room < bytes.len() + data.len() {
                let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Unread::Busy)?;
                permits.push(permit);
                room += UNIT;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(match long {
            Some((hash, size)) => Read::Long { digest: Digest::from_bytes(hash.finalize().into()), size },
            None => Read::Whole(bytes, permits),
        })
    }
}

/// The room that bodies take is counted in pieces of this size.
const UNIT: usize = 64 * 1024;
/// Above this nobody sends a decision log; who sends it is cut off.
const ENDLESS: u64 = 1 << 30;

//! A server's interfaces, on its socket.

use std::path::{Path, PathBuf};

use tokio::runtime::{Builder, Runtime};

use super::super::api::grpc::Client;
use super::poll::{Look, Looked};
use crate::feed::FeedError;

/// The socket. A connection is made when there is none, and again after any failure.
pub(super) struct Socket {
    path: PathBuf,
    /// Asking is done on the feed's own thread.
    connected: Option<(Runtime, Client)>,
}

impl Socket {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), connected: None }
    }

    fn connect(&self) -> Result<(Runtime, Client), FeedError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(FeedError::new)?;
        let client = runtime.block_on(Client::connect(&self.path)).map_err(FeedError::new)?;
        Ok((runtime, client))
    }
}

impl Look for Socket {
    fn look(&mut self, _now_ms: u64) -> Result<Looked, FeedError> {
        let (runtime, mut client) = match self.connected.take() {
            Some(connected) => connected,
            None => self.connect()?,
        };
        let listing = runtime.block_on(client.listing()).map_err(FeedError::new)?;
        self.connected = Some((runtime, client));
        Ok(Looked { listing, is_whole: false, trouble: None })
    }
}

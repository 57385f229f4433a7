//! What the agent itself signs with: the certificate of its own that others renew.

use std::sync::Arc;

use super::read::certificate;
use super::watch::{Look, Looked};
use crate::feed::FeedError;
use crate::keys::Rotating;

/// The agent's own X.509-SVID, the newest that signs.
#[derive(Debug)]
pub struct Own(Arc<Rotating>);

impl Own {
    /// Looks at what is signed with.
    #[must_use]
    pub fn new(signs: Arc<Rotating>) -> Self {
        Self(signs)
    }
}

impl Look for Own {
    fn reads(&self) -> &'static str {
        AT
    }

    fn unreadable(&self) -> &'static str {
        "answers that are missing"
    }

    fn look(&mut self, now_ms: u64) -> Result<Looked, FeedError> {
        let svid = self.0.at(now_ms).map_err(FeedError::new)?;
        let seen = svid.chain().first().map(|leaf| (AT.to_owned(), certificate(leaf))).into_iter().collect();
        Ok(Looked { seen, ..Looked::default() })
    }
}

/// Where it is seen, as the configuration calls it.
const AT: &str = "[x509]";

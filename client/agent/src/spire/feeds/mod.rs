//! What the agent reads of a server: its log, and what it has.

mod folder;
mod follow;
mod poll;
#[cfg(any(test, feature = "spiffe"))]
mod socket;

use std::sync::Arc;

use follow::Follow;
use poll::Poll;

use super::event::Event;
use super::known::Known;
use super::{Polled, SYSTEM, Settings};
use crate::feed::Feed;
use crate::outbox::{Arrival, Content, idempotency_key};
use govlog_formats::digest::Digest;

/// Makes the feeds of a server.
#[must_use]
pub fn feeds(settings: &Arc<Settings>) -> Vec<Box<dyn Feed>> {
    let known = Arc::new(Known::new(settings.polled.is_some(), settings.log.is_some()));
    let mut feeds: Vec<Box<dyn Feed>> = Vec::new();
    match &settings.polled {
        Some(Polled::Folder(folder)) => {
            let look = folder::Folder::new(folder, &settings.trust_domain);
            feeds.push(Box::new(Poll::new(Arc::clone(settings), Arc::clone(&known), look, folder)));
        }
        #[cfg(any(test, feature = "spiffe"))]
        Some(Polled::Socket(path)) => {
            let look = socket::Socket::new(path);
            feeds.push(Box::new(Poll::new(Arc::clone(settings), Arc::clone(&known), look, path)));
        }
        #[cfg(not(any(test, feature = "spiffe")))]
        Some(Polled::Socket(_)) => {}
        None => {}
    }
    if let Some(log) = &settings.log {
        feeds.push(Box::new(Follow::new(Arc::clone(settings), known, log)));
    }
    feeds
}

/// Puts an event into the form in which the outbox takes it.
fn arrival(settings: &Settings, event: Event) -> Arrival {
    let named = |native_id: &str| idempotency_key(SYSTEM, settings.name(), native_id);
    let (key, semantic, content) = match event {
        Event::Formed { form, native_id, semantic, bytes } => {
            (named(&native_id), semantic, Content::Formed { form: form.as_str().to_owned(), bytes })
        }
        Event::Input { reason, bytes } => {
            let digest = Digest::sha256(&bytes);
            (named(&format!("line/{digest}")), digest, Content::Input { reason, bytes })
        }
        Event::Long { digest, size } => {
            (named(&format!("line/{digest}")), digest, Content::Digest { reason: TOO_LONG.to_owned(), digest, size })
        }
    };
    Arrival { instance: settings.name().to_owned(), key, semantic, content }
}

const TOO_LONG: &str = "line: longer than any that SPIRE writes; only its digest is kept";

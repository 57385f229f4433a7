//! Certificates from files, read again while the program serves.
//!
//! Files are compared by content: whatever replaces them, a rename, a link or a write in place, is seen, and half of a change is not a change yet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use govlog_tls::material::{MaterialError, PairText, authorities, read};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::settings::Paths;
use super::{Fresh, Health, Material, Tls, material, verifier};

/// How often files are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(2);

/// What the files say.
#[derive(PartialEq, Eq)]
struct Text {
    pair: PairText,
    client_ca: Option<Vec<u8>>,
}

impl Text {
    fn read(paths: &Paths) -> Result<Self, MaterialError> {
        let client_ca = paths.client_ca.as_deref().map(read).transpose()?;
        Ok(Self { pair: PairText::read(&paths.cert, &paths.key)?, client_ca })
    }

    fn material(&self, paths: &Paths, health: &Health) -> Result<Material, MaterialError> {
        let pair = self.pair.parse()?;
        let path = paths.client_ca.as_deref().unwrap_or(Path::new("client_ca"));
        let roots = self.client_ca.as_ref().map(|pem| authorities(path, pem)).transpose()?;
        let made = material(Arc::clone(&pair), roots.map(verifier).transpose()?)?;
        health.shows(&pair);
        Ok(made)
    }
}

/// Reads the files for the first time, and from then on every so often.
pub(super) fn start(paths: Paths, every: Duration) -> Result<Tls, MaterialError> {
    let health = Arc::new(Health::default());
    let text = Text::read(&paths)?;
    let (tell, current) = watch::channel(Arc::new(text.material(&paths, &health)?));
    let task = tokio::spawn(follow(paths, text, every, tell, Arc::clone(&health)));
    Ok(Tls { current, health, _fresh: Arc::new(Fresh(task.abort_handle())) })
}

async fn follow(
    paths: Paths,
    mut seen: Text,
    every: Duration,
    tell: watch::Sender<Arc<Material>>,
    health: Arc<Health>,
) {
    let paths = Arc::new(paths);
    let mut look = interval(every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_unreadable = false;
    loop {
        look.tick().await;
        let reading = {
            let paths = Arc::clone(&paths);
            tokio::task::spawn_blocking(move || Text::read(&paths))
        };
        let text = match reading.await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                // Once, not every two seconds until somebody comes.
                if !std::mem::replace(&mut was_unreadable, true) {
                    health.refused(&error);
                }
                continue;
            }
            // The runtime is ending.
            Err(_) => return,
        };
        was_unreadable = false;
        if text == seen {
            continue;
        }
        match text.material(&paths, &health) {
            Ok(material) => {
                tell.send_replace(Arc::new(material));
                health.replaced();
                tracing::info!(cert = %paths.cert.display(), "new TLS material is used from now on");
            }
            Err(error) => health.refused(&error),
        }
        seen = text;
    }
}

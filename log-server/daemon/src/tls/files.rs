//! Certificates from files, read again while the program serves.
//!
//! Files are compared by content: whatever replaces them, a rename, a link or a write in place, is seen. Half of a change is not a change yet: it is
//! one when two looks in a row find the same.

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
    let (follow, current, health) = Follow::start(paths)?;
    let task = tokio::spawn(follow.run(every));
    Ok(Tls { current, health, _fresh: Arc::new(Fresh(task.abort_handle())) })
}

/// Looks at the files, again and again.
struct Follow {
    paths: Arc<Paths>,
    /// What was taken or refused last.
    settled: Text,
    /// What the last look found instead. It may be half of what is being written, and is a change only when the next look finds the same: half a
    /// file of authorities is a file of authorities, and would cut off those who are believed by the other half.
    found: Option<Text>,
    was_unreadable: bool,
    tell: watch::Sender<Arc<Material>>,
    health: Arc<Health>,
}

/// Where changes are told, and how they went.
type Followed = (Follow, watch::Receiver<Arc<Material>>, Arc<Health>);

impl Follow {
    fn start(paths: Paths) -> Result<Followed, MaterialError> {
        let health = Arc::new(Health::default());
        let settled = Text::read(&paths)?;
        let (tell, current) = watch::channel(Arc::new(settled.material(&paths, &health)?));
        let (paths, shared) = (Arc::new(paths), Arc::clone(&health));
        Ok((Self { paths, settled, found: None, was_unreadable: false, tell, health }, current, shared))
    }

    async fn run(mut self, every: Duration) {
        let mut look = interval(every);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let paths = Arc::clone(&self.paths);
            match tokio::task::spawn_blocking(move || Text::read(&paths)).await {
                Ok(read) => self.look(read),
                // The runtime is ending.
                Err(_) => return,
            }
        }
    }

    /// Reads the files, and takes a change over if it is one.
    #[cfg(test)]
    fn look_now(&mut self) {
        self.look(Text::read(&self.paths));
    }

    fn look(&mut self, read: Result<Text, MaterialError>) {
        let text = match read {
            Ok(text) => text,
            Err(error) => {
                self.found = None;
                // Once, not every two seconds until somebody comes.
                if !std::mem::replace(&mut self.was_unreadable, true) {
                    self.health.refused(&error);
                }
                return;
            }
        };
        self.was_unreadable = false;
        let before = self.found.take();
        if text == self.settled {
            return;
        }
        if before.as_ref() == Some(&text) {
            self.settle(text);
        } else {
            self.found = Some(text);
        }
    }

    fn settle(&mut self, text: Text) {
        match text.material(&self.paths, &self.health) {
            Ok(material) => {
                self.tell.send_replace(Arc::new(material));
                self.health.replaced();
                tracing::info!(cert = %self.paths.cert.display(), "new TLS material is used from now on");
            }
            Err(error) => self.health.refused(&error),
        }
        self.settled = text;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use govlog_tls::testing::Authority;
    use rustls::pki_types::CertificateDer;
    use tempfile::TempDir;

    use super::*;

    /// Files of a server that believes clients of two authorities, looked at when a test says so.
    struct World {
        dir: TempDir,
        authorities: [Authority; 2],
        clients: [CertificateDer<'static>; 2],
        follow: Follow,
        current: watch::Receiver<Arc<Material>>,
        health: Arc<Health>,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let authorities = [Authority::new(), Authority::new()];
            let clients = [0, 1].map(|of| {
                let client = authorities[of].client(&["spiffe://prod.example/pay"]);
                CertificateDer::from(client.der)
            });
            let _files = authorities[0].server("first").write(dir.path(), "server");
            fs::write(dir.path().join("ca.pem"), both(&authorities)).unwrap();
            let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|name| dir.path().join(name));
            let (follow, current, health) = Follow::start(Paths { cert, key, client_ca: Some(ca) }).unwrap();
            Self { dir, authorities, clients, follow, current, health }
        }

        /// Writes the file of authorities and looks at it.
        fn look_at(&mut self, ca: &str) {
            fs::write(self.dir.path().join("ca.pem"), ca).unwrap();
            self.follow.look_now();
        }

        fn believed(&self) -> [bool; 2] {
            let material = self.current.borrow();
            [0, 1].map(|of| material.believes(std::slice::from_ref(&self.clients[of])))
        }
    }

    fn both(authorities: &[Authority; 2]) -> String {
        format!("{}{}", authorities[0].pem(), authorities[1].pem())
    }

    /// The file is emptied, then written: whoever reads it meanwhile finds one authority of two, which is no mistake in itself.
    #[test]
    fn half_a_file_is_no_change_whoever_writes_it() {
        let mut world = World::new();
        let (whole, half) = (both(&world.authorities), world.authorities[0].pem());
        let more = format!("{whole}{}", Authority::new().pem());
        for text in [half.as_str(), "", &whole, &half, &more, &half, &whole] {
            world.look_at(text);
            assert_eq!(world.believed(), [true, true]);
        }
        assert_eq!((world.health.replacements(), world.health.refusals()), (0, 0));
        assert!(!world.current.has_changed().unwrap(), "no connection is judged again");
    }

    #[test]
    fn what_two_looks_find_is_a_change() {
        let mut world = World::new();
        let half = world.authorities[1].pem();
        world.look_at(&half);
        world.look_at(&half);
        assert_eq!(world.believed(), [false, true]);
        assert_eq!(world.health.replacements(), 1);
        // And what can not be used is none, however often it is found: it is told once.
        for _ in 0..5 {
            world.look_at("no certificates");
        }
        assert_eq!(world.believed(), [false, true]);
        assert_eq!((world.health.replacements(), world.health.refusals()), (1, 1));
        // A file that is away for a moment begins anew.
        let whole = both(&world.authorities);
        world.look_at(&whole);
        fs::remove_file(world.dir.path().join("ca.pem")).unwrap();
        world.follow.look_now();
        world.look_at(&whole);
        assert_eq!(world.believed(), [false, true]);
        world.look_at(&whole);
        assert_eq!(world.believed(), [true, true]);
    }
}

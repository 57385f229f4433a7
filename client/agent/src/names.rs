//! Names of streams, and which of them carried a source's events last.
//!
//! That is in the outbox as well, and kept once more beside the key: where the outbox is lost, a new stream can still name the one it continues.
//! Trust: none is needed. Whoever changes the file makes a stream name a predecessor that is none, and the log shows that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use govlog_client::durable;
use govlog_tls::secret;
use serde::{Deserialize, Serialize};

use crate::world::World;

/// The names that streams get.
pub struct Names {
    path: PathBuf,
    world: Arc<dyn World>,
    last: Mutex<BTreeMap<(String, String), String>>,
}

/// The name of a new stream, and of the one it continues if that is known from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The name.
    pub name: String,
    /// The stream that carried the events of this source before.
    pub predecessor: Option<String>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    streams: Vec<Row>,
}

/// A source and its stream.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    route: String,
    instance: String,
    stream: String,
}

impl Names {
    /// Reads what is kept beside a key; nothing when there is no such file.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read, or is not one of ours.
    pub fn beside(key: &Path, world: Arc<dyn World>) -> io::Result<Self> {
        let mut name = key.as_os_str().to_owned();
        name.push(".agent-streams");
        let path = PathBuf::from(name);
        let wrong = |why: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}; it may be removed", path.display()))
        };
        let layout = match secret::open(&path).and_then(io::read_to_string) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Layout { version: VERSION, streams: Vec::new() },
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        };
        if layout.version != VERSION {
            return Err(wrong(format!("version {} is not {VERSION}", layout.version)));
        }
        let last = layout.streams.into_iter().map(|row| ((row.route, row.instance), row.stream)).collect();
        Ok(Self { path, world, last: Mutex::new(last) })
    }

    /// Makes the name of a new stream for an instance of a system; of the agent's own where there is none.
    ///
    /// records.md §1: "A stream name ends in a random instance id". Names have no `:` and no `/`, so that none can pose as a subject.
    #[must_use]
    pub fn fresh(&self, system: &str, route: &str, instance: &str) -> Fresh {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
        let shown: String = instance.chars().take(SHOWN).map(plain).collect();
        // Without randomness the time has to do: a name that is taken is refused by the log, and another is made.
        let bytes = self.world.random().unwrap_or_default();
        let random = if bytes == [0; 32] { self.world.now_ms().to_be_bytes().to_vec() } else { bytes[..8].to_vec() };
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = if shown.is_empty() { format!("agent-{random}") } else { format!("{system}-{shown}-{random}") };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Fresh { name, predecessor: last.get(&(route.to_owned(), instance.to_owned())).cloned() }
    }

    /// Keeps which streams carry these sources' events from now on. That it fails is told and no more: the outbox knows it too.
    pub fn remember(&self, opened: Vec<(String, String, String)>) {
        if opened.is_empty() {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, instance, stream) in opened {
            last.insert((route, instance), stream);
        }
        while last.len() > MOST {
            last.pop_first();
        }
        let row = |((route, instance), stream): (&(String, String), &String)| Row {
            route: route.clone(),
            instance: instance.clone(),
            stream: stream.clone(),
        };
        let layout = Layout { version: VERSION, streams: last.iter().map(row).collect() };
        let written = serde_json::to_vec_pretty(&layout).map_err(io::Error::from);
        if let Err(error) = written.and_then(|bytes| durable::replace(&self.path, 0o600, &bytes)) {
            tracing::warn!(%error, path = %self.path.display(), "which streams are open is not kept beside the key");
        }
    }

    /// Names the streams that one upload may open, and hands on which did.
    pub(crate) fn naming<T, E>(
        &self,
        (system, route): (&str, &str),
        open: impl FnOnce(&dyn Fn(&str) -> Fresh) -> Result<T, E>,
    ) -> Result<T, E> {
        let opened = RefCell::new(Vec::new());
        let done = open(&|instance| {
            let fresh = self.fresh(system, route, instance);
            opened.borrow_mut().push((route.to_owned(), instance.to_owned(), fresh.name.clone()));
            fresh
        });
        // Only where they are opened for good: a stream that never was is nobody's predecessor.
        if done.is_ok() {
            self.remember(opened.into_inner());
        }
        done
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("path", &self.path).finish_non_exhaustive()
    }
}

const VERSION: u32 = 1;
/// As long as a UUID, and a little more.
const SHOWN: usize = 64;
/// Some are dropped beyond: then a stream names no predecessor.
const MOST: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Machine;

    fn names(dir: &tempfile::TempDir) -> io::Result<Names> {
        Names::beside(&dir.path().join("agent.key"), Arc::new(Machine))
    }

    #[test]
    fn names_are_those_of_streams_and_never_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(&dir).unwrap();
        for instance in ["", "3abbf636-0276-4f35-9507-61f3e0574466", "a/b:c ü", &"x".repeat(3_000)] {
            let Fresh { name, predecessor } = names.fresh("opa", "/r", instance);
            assert!((1..=255).contains(&name.len()), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name}");
            assert_ne!(name, names.fresh("opa", "/r", instance).name);
            assert_eq!(predecessor, None);
        }
    }

    #[test]
    fn the_last_stream_of_a_source_is_known_to_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = names(&dir).unwrap();
        let opened = first.naming(("opa", "/r"), |name| Ok::<_, ()>(name("a").name)).unwrap();
        assert_eq!(first.naming(("opa", "/r"), |name| Err::<(), _>(name("b").predecessor)), Err(None));
        let second = names(&dir).unwrap();
        assert_eq!(second.fresh("opa", "/r", "a").predecessor, Some(opened));
        assert_eq!(second.fresh("opa", "/r", "b").predecessor, None, "it was not opened");
        assert_eq!(second.fresh("opa", "/other", "a").predecessor, None);
    }

    #[test]
    fn a_damaged_file_is_refused_and_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.key.agent-streams");
        for text in ["", "{}", "{\"version\":2,\"streams\":[]}"] {
            write(&path, text, 0o600);
            let error = names(&dir).unwrap_err();
            assert!(error.to_string().contains("agent-streams"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        write(&path, "{\"version\":1,\"streams\":[]}", 0o600);
        names(&dir).unwrap();
        write(&path, "{\"version\":1,\"streams\":[]}", 0o644);
        let error = names(&dir).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    fn write(path: &Path, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

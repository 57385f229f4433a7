//! Reading a bundle, now and then, from where OPA has it too.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use govlog_client::source::{Http, Source};
use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use super::policies::{Policies, Revision};
use super::{MAX_BUNDLE_BYTES, Origin, Signer, SignerKey, Table, Verified, record, verify};
use crate::feed::{Alarm, Feed, FeedError, Found};
use crate::opa::SYSTEM;
use crate::outbox::{Arrival, Content, idempotency_key};
use crate::stamp::Stamp;

/// How often it is asked whether a decision named a revision that is not known.
const LOOK: Duration = Duration::from_secs(1);
/// A public key has a few hundred bytes.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// Reads one bundle of a group of OPA instances.
#[derive(Debug)]
pub struct BundleFeed {
    route: String,
    table: Table,
    reads: String,
    policies: Arc<Policies>,
    /// What was seen last, and with which key it was judged.
    seen: Option<Digest>,
    /// When the next look is due.
    due: Option<Instant>,
    /// What it was like when it was read last.
    mark: Option<Mark>,
    /// The signer's key with which that was judged.
    judged_with: Option<Digest>,
    server: Option<(Http, String)>,
}

/// What tells that a bundle is the one that was read.
#[derive(Clone, Debug)]
enum Mark {
    File(Stamp),
    /// `ETag` of its server.
    Tag(String),
}

/// A bundle, and what it was like.
type Fetched = (Vec<u8>, Option<Mark>);

/// How far it was read: what was seen last, and what all bundles before told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    v: u32,
    seen: Option<String>,
    revisions: Vec<Revision>,
}

impl BundleFeed {
    /// Makes the feed of a table, which tells `policies` what it reads.
    #[must_use]
    pub fn new(route: &str, table: Table, policies: Arc<Policies>) -> Self {
        let reads = format!("bundle {}", table.name);
        let route = route.to_owned();
        Self { route, table, reads, policies, seen: None, due: None, mark: None, judged_with: None, server: None }
    }

    fn place(&self) -> Result<Vec<u8>, FeedError> {
        let seen = self.seen.map(|seen| seen.to_string());
        let place = Place { v: VERSION, seen, revisions: self.policies.of(&self.table.name) };
        serde_json::to_vec(&place).map_err(FeedError::new)
    }

    /// Reads the bundle; `None`: it is the one that was read before.
    fn fetch(&mut self, now_ms: u64) -> Result<Option<Fetched>, FeedError> {
        match &self.table.origin {
            Origin::File(path) => {
                let file = File::open(path).map_err(at(path))?;
                let metadata = file.metadata().map_err(at(path))?;
                if !metadata.is_file() {
                    return Err(FeedError(format!("{}: not a file", path.display())));
                }
                let stamp = Stamp::of(&metadata, now_ms);
                if matches!(&self.mark, Some(Mark::File(read)) if read.is_still(&stamp)) {
                    return Ok(None);
                }
                let most = u64::try_from(MAX_BUNDLE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
                let mut bytes = Vec::new();
                file.take(most).read_to_end(&mut bytes).map_err(at(path))?;
                Ok(Some((bytes, Some(Mark::File(stamp)))))
            }
            Origin::Url { url, client } => {
                if self.server.is_none() {
                    self.server = Some(split(url, client)?);
                }
                let Some((server, path)) = &self.server else { return Ok(None) };
                let known =
                    self.mark.as_ref().and_then(|mark| if let Mark::Tag(tag) = mark { Some(&**tag) } else { None });
                let reply = server.ask_unless(path, known, MAX_BUNDLE_BYTES).map_err(FeedError::new)?;
                match reply.status {
                    200 => Ok(Some((reply.body, reply.etag.map(Mark::Tag)))),
                    // An answer to nobody who knows nothing.
                    304 if known.is_some() => Ok(None),
                    status => Err(FeedError::new(server.unexpected(path, status, &reply.body))),
                }
            }
        }
    }

    /// Judges a bundle that was not seen before.
    fn judge(&mut self, bundle: &[u8], key: SignerKey, found: &mut Found) -> Result<(), FeedError> {
        let (key_id, scope) = (self.table.key_id.clone(), self.table.scope.clone());
        let verified = match verify(bundle, &Signer { key, key_id, scope }) {
            Ok(verified) => verified,
            Err(error) => {
                let name = &self.table.name;
                found.alarms.push(Alarm {
                    kind: "bundle",
                    what: format!("bundle {name} is not evidence, and is quarantined: {error}"),
                });
                found.arrivals.push(refused(&self.table.name, bundle, &error.to_string()));
                return Ok(());
            }
        };
        self.learn(&verified, found);
        found.arrivals.push(record::arrival(&self.table, &verified, bundle).map_err(FeedError::new)?);
        Ok(())
    }

    fn learn(&self, verified: &Verified, found: &mut Found) {
        let (name, policy) = (&self.table.name, verified.policy_digest);
        let Some(revision) = &verified.revision else { return };
        if !self.policies.learn(name, revision, policy) {
            found.alarms.push(Alarm {
                kind: "revision",
                what: format!(
                    "bundle {name} bears revision {revision:?}, and so did one with another policy: decisions under this revision \
                     are bound to neither; give every bundle a revision of its own"
                ),
            });
        }
    }
}

impl Feed for BundleFeed {
    fn route(&self) -> &str {
        &self.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn reads(&self) -> &str {
        &self.reads
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let foreign = || FeedError::new("the place of a bundle in another form than this version writes");
        let place = place.map(serde_json::from_slice::<Place>).transpose().map_err(|_| foreign())?;
        let (seen, revisions) = match place {
            Some(Place { v: VERSION, seen, revisions }) => (seen, revisions),
            Some(_) => return Err(foreign()),
            None => (None, Vec::new()),
        };
        self.seen = seen.map(|seen| seen.parse()).transpose().map_err(|_| foreign())?;
        self.policies.restore(&self.table.name, revisions);
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let mut found = Found { again: LOOK.min(self.table.poll), ..Found::default() };
        let is_wanted = self.policies.take_wanted(&self.table.name);
        if self.due.is_some_and(|due| Instant::now() < due) && !is_wanted {
            return Ok(found);
        }
        let pem = key_text(&self.table.key)?;
        // Judged again when another key is there: the signer may have been known too late.
        let judged_with = Digest::sha256(pem.as_bytes());
        if self.judged_with != Some(judged_with) {
            self.mark = None;
        }
        let fetched = self.fetch(now_ms)?;
        self.due = Instant::now().checked_add(self.table.poll);
        let Some((bundle, mark)) = fetched else { return Ok(found) };
        let seen = Digest::sha256_of(&[judged_with.as_bytes(), &bundle]);
        if self.seen != Some(seen) {
            let key = SignerKey::from_pem(&pem)
                .map_err(|error| FeedError(format!("{}: {error}", self.table.key.display())))?;
            self.judge(&bundle, key, &mut found)?;
            self.seen = Some(seen);
            found.place = Some(self.place()?);
        }
        (self.mark, self.judged_with) = (mark, Some(judged_with));
        Ok(found)
    }
}

/// Reads and verifies a bundle once, for whoever wants to know whether that goes well.
///
/// # Errors
///
/// Why it does not, for people.
pub fn look(table: &Table) -> Result<String, String> {
    let policies = Arc::new(Policies::default());
    let mut feed = BundleFeed::new("", table.clone(), Arc::clone(&policies));
    let found = feed.read(0).map_err(|error| error.to_string())?;
    if let Some(alarm) = found.alarms.first() {
        return Err(alarm.what.clone());
    }
    Ok(match policies.of(&table.name).first() {
        Some(Revision { revision, policy: Some(policy) }) => format!("revision {revision}, policy {policy}"),
        _ => "verified; it bears no revision, so no decision can be bound to it".to_owned(),
    })
}

/// A bundle that is no evidence: known again by its bytes and by why, in the agent's own stream.
fn refused(name: &str, bundle: &[u8], reason: &str) -> Arrival {
    let digest = Digest::sha256(bundle);
    let key = idempotency_key(SYSTEM, "", &format!("unverified/{name}/{digest}/{reason}"));
    let reason = format!("a bundle that cannot be verified: {reason}");
    // Not the bytes: whoever serves bundles could fill the outbox with any.
    let content = Content::Digest { reason, digest, size: u64::try_from(bundle.len()).unwrap_or(u64::MAX) };
    Arrival { instance: String::new(), key, semantic: digest, content }
}

fn key_text(path: &Path) -> Result<String, FeedError> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_KEY_BYTES).read_to_string(&mut text)).map_err(at(path))?;
    Ok(text)
}

/// Makes a client for an address, and the path to ask it for.
fn split(url: &str, client: &govlog_client::source::Outbound) -> Result<(Http, String), FeedError> {
    let slash = url.find("://").and_then(|scheme| {
        let from = scheme + 3;
        url.get(from..)?.find('/').map(|slash| from + slash)
    });
    let (base, path) = url.split_at_checked(slash.unwrap_or(url.len())).unwrap_or((url, ""));
    match Source::open_as(base, client).map_err(FeedError::new)? {
        Source::Http(http) => Ok((http, path.to_owned())),
        Source::Folder(_) => Err(FeedError(format!("{url}: no address"))),
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> FeedError {
    move |error| FeedError(format!("{}: {error}", path.display()))
}

const VERSION: u32 = 1;

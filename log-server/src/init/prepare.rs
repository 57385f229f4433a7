//! The first step: keys, configuration, witness policy, and the request for entry 0.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use govlog_formats::admission::{GenesisRequest, LogRow, ReceiptKey};
use govlog_formats::note::{KeyName, Vkey};
use govlog_formats::tlog_policy::{Log, Policy, Witness, Word};

use crate::config::{self, check_origin};
use crate::files::{self, Readers};
use crate::keys::LogKeys;

use super::{CONFIG, InitError, REQUEST};

/// What a new log shall be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it shall lie; made if it is not there.
    pub dir: PathBuf,
    /// Its name.
    pub origin: String,
    /// Where its public routes are served.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    /// Who witnesses it.
    pub witnesses: Vec<WitnessLine>,
    /// How many witnesses a checkpoint needs.
    pub quorum: Option<Quorum>,
}

/// A witness as it is named on the command line: `NAME VKEY URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessLine {
    /// Its name within the policy.
    pub name: String,
    /// Its vkey.
    pub vkey: Vkey,
    /// Where it takes checkpoints.
    pub url: String,
}

/// How many witnesses a checkpoint needs to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// None: published is committed, and every verdict says "no witness".
    None,
    /// This many of those named.
    AtLeast(usize),
}

const CHECKPOINT_KEY: &str = "checkpoint.key";
const RECEIPT_KEY: &str = "receipt.key";
const POLICY: &str = "policy.txt";
const NEW_CONFIG: &str = "log.toml.new";

/// Does the first step, and returns the log's vkey.
///
/// # Errors
/// When something is there already, when the plan makes no log, or when a file can not be written. Nothing is written before the whole
/// plan was found sound.
pub fn prepare(plan: &Plan) -> Result<Vkey, InitError> {
    Ok(prepare_request(plan, &[])?.log().checkpoint.clone())
}

/// Does the first step, and returns what the operator has to sign. `also`: other names that must be free.
pub(super) fn prepare_request(plan: &Plan, also: &[&'static str]) -> Result<GenesisRequest, InitError> {
    let origin = check_origin(&plan.origin)?;
    let threshold = threshold(plan)?;
    check_vacant(&plan.dir, also)?;
    let keys = LogKeys::generate(&origin)?;
    let policy = witness_policy(plan, &keys, threshold)?;
    let request = request(&origin, &keys)?;
    write_files(plan, &keys, &policy, &request)?;
    Ok(request)
}

impl WitnessLine {
    /// Reads `NAME VKEY URL`.
    ///
    /// # Errors
    /// When it has not these three parts, or the vkey is none.
    pub fn parse(text: &str) -> Result<Self, InitError> {
        let refused = |why: String| InitError::Witness { found: text.to_owned(), why };
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        let [name, vkey, url] = parts.as_slice() else {
            return Err(refused(format!("{} parts instead of three", parts.len())));
        };
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(refused(format!("{url:?} is no http:// or https:// URL")));
        }
        let vkey = vkey.parse().map_err(|error: govlog_formats::note::KeyError| refused(error.to_string()))?;
        Ok(Self { name: (*name).to_owned(), vkey, url: (*url).to_owned() })
    }
}

/// Says how many witnesses are needed; `None`: none. Without a word about it a majority is: two disjoint quorums, which could vouch for two
/// different trees, then do not exist.
fn threshold(plan: &Plan) -> Result<Option<usize>, InitError> {
    let witnesses = plan.witnesses.len();
    match plan.quorum {
        Some(Quorum::None) => Ok(None),
        None if witnesses == 0 => Err(InitError::NoWitness),
        None => Ok(Some(witnesses / 2 + 1)),
        Some(Quorum::AtLeast(quorum)) if (1..=witnesses).contains(&quorum) => Ok(Some(quorum)),
        Some(Quorum::AtLeast(quorum)) => Err(InitError::Quorum { quorum, witnesses }),
    }
}

/// Refuses a directory in which an init ran before, whether to its end or not. Files of others are left alone.
fn check_vacant(dir: &Path, also: &[&'static str]) -> Result<(), InitError> {
    if files::is_there(&dir.join(CONFIG)) {
        return Err(InitError::Already(dir.to_owned()));
    }
    let ours = [CHECKPOINT_KEY, RECEIPT_KEY, POLICY, REQUEST, NEW_CONFIG, "store", "head"];
    match ours.iter().chain(also).find(|name| files::is_there(&dir.join(name))) {
        Some(found) => Err(InitError::CutShort { dir: dir.to_owned(), found }),
        None => Ok(()),
    }
}

fn witness_policy(plan: &Plan, keys: &LogKeys, threshold: Option<usize>) -> Result<Policy, InitError> {
    let log = Log::new(keys.checkpoint.vkey().clone(), None)?;
    let mut witnesses = Vec::with_capacity(plan.witnesses.len());
    for line in &plan.witnesses {
        let url = Word::new(line.url.as_str())?;
        witnesses.push(Witness::new(Word::new(line.name.as_str())?, line.vkey.clone(), Some(url))?);
    }
    Ok(Policy::of_log(log, witnesses, threshold)?)
}

fn request(origin: &KeyName, keys: &LogKeys) -> Result<GenesisRequest, InitError> {
    let receipt = ReceiptKey { key: keys.receipt.public(), from: 0, below: None };
    Ok(GenesisRequest::new(LogRow {
        origin: origin.to_string(),
        checkpoint: keys.checkpoint.vkey().clone(),
        receipts: vec![receipt],
    })?)
}

fn write_files(plan: &Plan, keys: &LogKeys, policy: &Policy, request: &GenesisRequest) -> Result<(), InitError> {
    let dir = &plan.dir;
    files::make_dir(dir)?;
    let checkpoint = format!("{}\n", keys.checkpoint.to_secret_text());
    let config = config::template(&plan.origin, plan.listen, plan.admin);
    files::write_new(&dir.join(CHECKPOINT_KEY), checkpoint.as_bytes(), Readers::Owner)?;
    files::write_new(&dir.join(RECEIPT_KEY), keys.receipt.to_pkcs8_pem().as_bytes(), Readers::Owner)?;
    files::write_new(&dir.join(POLICY), &policy.to_bytes(), Readers::Everybody)?;
    files::write_new(&dir.join(REQUEST), request.encode().as_bytes(), Readers::Everybody)?;
    files::sync_dir(dir)?;
    files::write_new(&dir.join(NEW_CONFIG), config.as_bytes(), Readers::Everybody)?;
    // A crash before this leaves files without a configuration: the next init says so, and nothing was signed with the keys. The rename is
    // all or nothing, and what it leads to is synced: who finds a configuration finds it whole, and all the rest beside it.
    files::rename(&dir.join(NEW_CONFIG), &dir.join(CONFIG))?;
    Ok(())
}

//! The second step: the store with entry 0 as the operator signed it, and the head file.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use govlog_formats::admission::PolicyState;
use govlog_formats::note::Vkey;
use govlog_formats::statement::SignedStatement;

use crate::clock::{Clock, Millis};
use crate::config::Config;
use crate::files::{self, FileError, Readers};
use crate::head::{HeadFile, HeadOwner};
use crate::keys::{KeyFileError, LogKeys};
use crate::sequencer::{Batch, EntryRow};
use crate::store::{Identity, LogStore as _, RocksStore, StoreId, StreamKey};
use crate::tree::{RightEdge, TreeHead};

use super::{InitError, MARKER, load_config};

/// The first tree of a log is epoch 1.
const FIRST_EPOCH: u64 = 1;

/// Does the second step with the statement in the file `genesis`, and returns the log's vkey.
///
/// # Errors
/// When the statement is not entry 0 of this log, when the log was begun before, or when store or head file can not be made.
pub fn begin(dir: &Path, genesis: &Path, clock: &dyn Clock) -> Result<Vkey, InitError> {
    let config = load_config(dir)?;
    config.load_policy()?;
    let keys = LogKeys::load(&config)?;
    let statement = read_genesis(genesis, &config, &keys)?;
    take_place(&config)?;
    make(&config, &statement, clock.now())?;
    files::remove(&marker(&config))?;
    Ok(keys.checkpoint.vkey().clone())
}

/// Refuses a log whose second step was cut short; for whoever is about to open its store.
///
/// # Errors
/// [`InitError::Unfinished`].
pub fn check_finished(config: &Config) -> Result<(), InitError> {
    if files::is_there(&marker(config)) { Err(InitError::Unfinished(config.files.dir.clone())) } else { Ok(()) }
}

fn marker(config: &Config) -> PathBuf {
    config.files.dir.join(MARKER)
}

/// Reads entry 0, and makes sure that it names this log and its keys.
fn read_genesis(path: &Path, config: &Config, keys: &LogKeys) -> Result<SignedStatement, InitError> {
    let path = path.to_owned();
    let statement = SignedStatement::parse(&files::read(&path)?)
        .map_err(|source| InitError::Statement { path: path.clone(), source })?;
    let policy =
        PolicyState::genesis(&statement).map_err(|source| InitError::Genesis { path: path.clone(), source })?;
    let log = policy.log();
    let differs = |field, found: String, expected: String| {
        if found == expected { Ok(()) } else { Err(InitError::OtherLog { path: path.clone(), field, found, expected }) }
    };
    differs("log.origin", log.origin.clone(), config.origin.to_string())?;
    differs("log.checkpoint", log.checkpoint.to_string(), keys.checkpoint.vkey().to_string())?;
    let receipt = keys.receipt.public();
    // A receipt is first made at size 2.
    if !policy.receipt_keys_at(2).any(|key| *key == receipt) {
        let found = policy.receipt_keys_at(2).map(|key| key.thumbprint().to_string()).collect::<Vec<_>>().join(", ");
        differs("log.receipts at size 2", found, receipt.thumbprint().to_string())?;
    }
    Ok(statement)
}

/// Makes sure that store and head file are this step's to make, and leaves the marker that says so.
///
/// The marker names both places, and is written only where neither was taken. So what is found there beside a marker that names them was
/// made by a step that was cut short: no log has run on it, and it is removed. Anything else is refused.
fn take_place(config: &Config) -> Result<(), InitError> {
    let (marker, said) = (marker(config), places(config)?);
    let (store, head) = (&config.files.store, config.files.head_file());
    let left = if files::is_there(&marker) { Some(files::read(&marker)?) } else { None };
    if left.as_deref() == Some(said.as_bytes()) {
        remove_tree(store)?;
        return if files::is_there(&head) { Ok(files::remove(&head)?) } else { Ok(()) };
    }
    if let Some(found) = [store, &head].into_iter().find(|path| files::is_there(path)) {
        return Err(InitError::Begun(found.clone()));
    }
    if left.is_some() {
        files::remove(&marker)?;
    }
    // A crash from here to the removal of the marker leaves the marker: run refuses, and this step begins again.
    files::write_new(&marker, said.as_bytes(), Readers::Everybody)?;
    Ok(files::sync_dir(config.files.dir_or_here())?)
}

/// Names store and head file the same way from wherever init is called.
fn places(config: &Config) -> Result<String, InitError> {
    let full = |path: &Path| {
        std::path::absolute(path).map_err(|source| FileError::Io {
            path: path.to_owned(),
            what: "find the full name of",
            source,
        })
    };
    Ok(format!(
        "init --genesis was cut short: run it again\nstore {}\nhead {}\n",
        full(&config.files.store)?.display(),
        full(&config.files.head_file())?.display()
    ))
}

fn remove_tree(path: &Path) -> Result<(), InitError> {
    if !files::is_there(path) {
        return Ok(());
    }
    fs::remove_dir_all(path).map_err(|source| {
        InitError::File(FileError::Io { path: path.to_owned(), what: "remove the unfinished store", source })
    })
}

/// Makes the store with one entry, then the head file that says so.
fn make(config: &Config, statement: &SignedStatement, now: Millis) -> Result<(), InitError> {
    let id = StoreId::random().map_err(|error| InitError::Keys(KeyFileError::Randomness(error.to_string())))?;
    let identity = Identity { store: id, epoch: FIRST_EPOCH, origin: config.origin.to_string() };
    let entry = Bytes::copy_from_slice(statement.entry());
    let row = EntryRow { leaf: statement.leaf_hash(), key: StreamKey::of(statement), entry };
    let batch =
        Batch::build(&mut RightEdge::new(), vec![row], now).map_err(|error| InitError::Tree(error.to_string()))?;
    RocksStore::create(&config.files.store, &identity)?;
    let store = RocksStore::open(&config.files.store)?;
    store.commit(&batch)?;
    check_stored(&store, statement, batch.head())?;
    drop(store);
    files::make_dir(&config.files.head)?;
    Ok(HeadFile::create(&config.files.head_file(), HeadOwner::new(id, &identity.origin), batch.head())?)
}

/// Nothing is put under a head that was not read back.
fn check_stored(store: &RocksStore, statement: &SignedStatement, head: &TreeHead) -> Result<(), InitError> {
    let entry = store.entry(govlog_formats::merkle::LeafIndex::new(0))?;
    if entry.as_deref() != Some(statement.entry()) || store.head()? != *head {
        return Err(InitError::Tree("entry 0 is not what was written".to_owned()));
    }
    Ok(())
}

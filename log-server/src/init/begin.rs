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
    clear(&config)?;
    // A crash from here to the removal of the marker leaves the marker: run refuses, and this step begins again by removing what there is of
    // store and head. No log has run on them.
    files::write_new(&marker(&config), b"init --genesis was cut short: run it again\n", Readers::Everybody)?;
    files::sync_dir(config.files.dir_or_here())?;
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

/// Removes what a second step that was cut short has left; refuses to touch anything else.
fn clear(config: &Config) -> Result<(), InitError> {
    let (store, head) = (&config.files.store, config.files.head_file());
    if files::is_there(&marker(config)) {
        remove_tree(store)?;
        if files::is_there(&head) {
            files::remove(&head)?;
        }
        return Ok(files::remove(&marker(config))?);
    }
    match [store, &head].into_iter().find(|path| files::is_there(path)) {
        Some(found) => Err(InitError::Begun(found.clone())),
        None => Ok(()),
    }
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

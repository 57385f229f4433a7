//! The embedded store: one RocksDB, five column families, one synced write for each batch.
//!
//! `sync = true` makes a write behave like write + fdatasync; what that rests on, and which settings were measured to
//! lose acknowledged rows, is in `options.rs`.

mod manifest;
mod options;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::TileId;
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, DBRawIterator, ReadOptions, WriteBatch, WriteOptions};

use super::keys::{self, CHECKPOINTS, ENTRIES, META, META_HEAD, META_NEXT_CONFLICT, META_STORE, STREAMS, TILES};
use super::meta::{
    decode_conflict, decode_head, decode_next_conflict, decode_note, encode_conflict, encode_head, encode_note,
    next_conflict,
};
use super::{ArchivedNote, ConflictRow, ConflictTable, Identity, LogStore, StoreError, StreamId, StreamKey, StreamRow};
use crate::failpoints;
use crate::sequencer::Batch;
use crate::tree::TreeHead;

pub(crate) use manifest::{End, ManifestError, check as check_manifest};
pub use options::{Bounds, SETTINGS, Scope, Setting};

/// The store on RocksDB.
///
/// One owner closes it: [`RocksStore::close`] takes the last handle, stops RocksDB's background work and waits for it.
/// Dropping the last handle does the same.
pub struct RocksStore {
    db: DB,
    path: PathBuf,
}

/// Size and state of one column family, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyStatistics {
    /// The column family.
    pub family: &'static str,
    /// Estimated number of rows.
    pub rows: u64,
    /// Bytes in table files.
    pub table_bytes: u64,
    /// Bytes in memtables.
    pub memtable_bytes: u64,
    /// Memtables waiting to be flushed.
    pub immutable_memtables: u64,
    /// Files in level 0, the first sign of a stall.
    pub level0_files: u64,
    /// Bytes waiting to be compacted.
    pub pending_compaction_bytes: u64,
    /// Errors of background work since the store was opened.
    pub background_errors: u64,
}

impl From<ManifestError> for StoreError {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::File { path, source } => Self::File { path, source },
            ManifestError::Content(why) => Self::Engine { during: "reading its list of files", why: why.to_owned() },
        }
    }
}

/// Files in level 0 from which on the store counts as strained; the engine slows writes down at 20.
const LEVEL0_STRAIN: u64 = 16;

const FAMILIES: [&str; 5] = [ENTRIES, TILES, STREAMS, CHECKPOINTS, META];

impl RocksStore {
    /// Makes a store where nothing is, holding its identity and the head of the empty tree, durable on return.
    ///
    /// A crash in here leaves a directory that holds no identity, which [`open`](Self::open) refuses, or a whole store
    /// without a head file, which start-up refuses; `init` is then begun again in an empty place.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is anything at `path`; else when the engine fails.
    pub fn create(path: &Path, identity: &Identity) -> Result<(), StoreError> {
        if !is_vacant(path).map_err(|source| StoreError::File { path: path.to_owned(), source })? {
            return Err(StoreError::Exists(path.to_owned()));
        }
        let db = options::open(path, options::Mode::Create, &Bounds::default())?;
        let store = Self { db, path: path.to_owned() };
        let meta = store.family(META)?;
        let mut batch = WriteBatch::default();
        batch.put_cf(meta, META_STORE, identity.encode());
        batch.put_cf(meta, META_HEAD, encode_head(&TreeHead::EMPTY));
        store.write(batch, "making the store")?;
        drop(store);
        // The directory's own name must survive a power cut as well.
        path.parent().map_or(Ok(()), sync_directory)
    }

    /// Opens the store at `path` within the default bounds; see [`open_with`](Self::open_with).
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, &Bounds::default())
    }

    /// Opens the store at `path`, and refuses it when a setting on which safety rests is not in force.
    ///
    /// # Errors
    /// [`StoreError::Absent`] when there is none; [`StoreError::Setting`]; else when the engine refuses, among other
    /// reasons because another process has the store open or a part of it is corrupt.
    pub fn open_with(path: &Path, bounds: &Bounds) -> Result<Self, StoreError> {
        if !path.join("CURRENT").is_file() {
            return Err(StoreError::Absent(path.to_owned()));
        }
        check_manifest(path, End::Torn)?;
        let db = options::open(path, options::Mode::Existing, bounds)?;
        options::assert_settings(path, bounds)?;
        let store = Self { db, path: path.to_owned() };
        for name in FAMILIES {
            store.family(name)?;
        }
        store.identity()?;
        Ok(store)
    }

    /// Closes the store: stops background work, waits for it, and releases the directory.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when other handles exist; the store is closed with the last of them.
    pub fn close(self: Arc<Self>) -> Result<(), StoreError> {
        let handles = Arc::strong_count(&self);
        Arc::into_inner(self).map(drop).ok_or(StoreError::InUse(handles.saturating_sub(1)))
    }

    /// Returns the directory the store is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns sizes and states of all column families.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn statistics(&self) -> Result<Vec<FamilyStatistics>, StoreError> {
        FAMILIES.iter().map(|name| self.family_statistics(name)).collect()
    }

    fn family_statistics(&self, name: &'static str) -> Result<FamilyStatistics, StoreError> {
        let family = self.family(name)?;
        let read = |property: &str| {
            let value = self.db.property_int_value_cf(family, property).map_err(engine("reading statistics"))?;
            Ok::<u64, StoreError>(value.unwrap_or(0))
        };
        Ok(FamilyStatistics {
            family: name,
            rows: read("rocksdb.estimate-num-keys")?,
            table_bytes: read("rocksdb.total-sst-files-size")?,
            memtable_bytes: read("rocksdb.size-all-mem-tables")?,
            immutable_memtables: read("rocksdb.num-immutable-mem-table")?,
            level0_files: self.level0_files(family)?,
            pending_compaction_bytes: read("rocksdb.estimate-pending-compaction-bytes")?,
            background_errors: read("rocksdb.background-errors")?,
        })
    }

    fn level0_files(&self, family: &ColumnFamily) -> Result<u64, StoreError> {
        let text =
            self.db.property_value_cf(family, "rocksdb.num-files-at-level0").map_err(engine("reading statistics"))?;
        Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    fn family(&self, name: &'static str) -> Result<&ColumnFamily, StoreError> {
        self.db.cf_handle(name).ok_or(StoreError::Missing { family: name, key: "the column family".into() })
    }

    fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        self.db.get_pinned_cf(self.family(family)?, key).map_err(engine("reading a row"))
    }

    /// Opens an iterator that cannot leave `from..to`.
    fn range(&self, family: &'static str, from: &[u8], to: &[u8]) -> Result<DBRawIterator<'_>, StoreError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(from);
        bounds.set_iterate_upper_bound(to);
        // What is read in a row is read once: it must not push out what look-ups need.
        bounds.fill_cache(false);
        Ok(self.db.raw_iterator_cf_opt(self.family(family)?, bounds))
    }

    /// Reads where the numbers of the table of conflicts go on; a store from before it was noted has none.
    fn next_conflict(&self) -> Result<u64, StoreError> {
        self.get(META, META_NEXT_CONFLICT)?.map_or(Ok(0), |row| decode_next_conflict(&row))
    }

    /// Writes rows atomically and syncs them.
    fn write(&self, batch: WriteBatch, during: &'static str) -> Result<(), StoreError> {
        let mut how = WriteOptions::default();
        how.set_sync(!failpoints::off("skip_sync"));
        how.disable_wal(false);
        self.db.write_opt(batch, &how).map_err(engine(during))
    }
}

impl Drop for RocksStore {
    /// Waits for background work: closing while it runs is undefined in the engine.
    fn drop(&mut self) {
        self.db.cancel_all_background_work(true);
    }
}

impl LogStore for RocksStore {
    fn identity(&self) -> Result<Identity, StoreError> {
        let row = self.get(META, META_STORE)?.ok_or(StoreError::Missing { family: META, key: "store".into() })?;
        Identity::decode(&row)
    }

    fn head(&self) -> Result<TreeHead, StoreError> {
        let row = self.get(META, META_HEAD)?.ok_or(StoreError::Missing { family: META, key: "head".into() })?;
        decode_head(&row)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let stored = self.head()?.size;
        if batch.first().get() != stored.get() {
            return Err(StoreError::NotNext { stored, offered: batch.first() });
        }
        let (entries, streams, tiles) = (self.family(ENTRIES)?, self.family(STREAMS)?, self.family(TILES)?);
        let mut rows = WriteBatch::default();
        for (row, index) in batch.rows().iter().zip(batch.first().get()..) {
            let index = keys::index_key(LeafIndex::new(index));
            rows.put_cf(entries, index, row.entry());
            rows.put_cf(streams, row.key().encode(), index);
        }
        for tile in batch.tiles() {
            rows.put_cf(tiles, keys::tile_key(tile.id), &tile.bytes);
        }
        rows.put_cf(self.family(META)?, META_HEAD, encode_head(batch.head()));
        // A crash before or in this write leaves nothing of the batch, for a torn record at the end of the write-ahead log
        // is dropped as a whole; start-up finds the store at the head's size. A crash after it leaves the whole batch
        // unsigned above the head; start-up adopts it.
        self.write(rows, "writing a batch")?;
        failpoints::hit("store::after_write")?;
        Ok(())
    }

    fn archive(&self, note: &ArchivedNote) -> Result<(), StoreError> {
        let key = note.size.get().to_be_bytes();
        if let Some(there) = self.get(CHECKPOINTS, &key)? {
            if decode_note(&key, &there)? == *note {
                return Ok(());
            }
            return Err(StoreError::Rewrite { family: CHECKPOINTS, key: note.size.to_string() });
        }
        let mut rows = WriteBatch::default();
        rows.put_cf(self.family(CHECKPOINTS)?, key, encode_note(note));
        // A crash before or in this write leaves the size without a note, which no reader has seen either; it is published
        // anew. A crash after it leaves a note that no reader has seen; start-up serves it.
        failpoints::hit("archive::before")?;
        self.write(rows, "archiving a note")?;
        failpoints::hit("archive::after")?;
        Ok(())
    }

    fn keep_conflicts(&self, add: &[ConflictRow], remove: &[u64]) -> Result<(), StoreError> {
        let meta = self.family(META)?;
        let mut rows = WriteBatch::default();
        for row in add {
            rows.put_cf(meta, keys::conflict_key(row.number), encode_conflict(row));
        }
        for number in remove {
            rows.delete_cf(meta, keys::conflict_key(*number));
        }
        let next = next_conflict(self.next_conflict()?, add);
        rows.put_cf(meta, META_NEXT_CONFLICT, next.to_be_bytes());
        // A crash before or in this write leaves the table as it was, one after it leaves all of the change; no other row knows of either.
        self.write(rows, "keeping statements that collided")
    }

    fn conflicts(&self, from: u64, limit: usize) -> Result<Vec<ConflictRow>, StoreError> {
        let mut rows = self.range(META, &keys::conflict_key(from), keys::CONFLICTS_END)?;
        rows.seek_to_first();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some((key, row)) = rows.item() else { break };
            found.extend(decode_conflict(key, row));
            rows.next();
        }
        rows.status().map_err(engine("reading conflicts"))?;
        Ok(found)
    }

    fn conflict_table(&self) -> Result<ConflictTable, StoreError> {
        let mut table = ConflictTable { next: self.next_conflict()?, malformed: Vec::new() };
        let mut rows = self.range(META, &keys::conflict_key(0), keys::CONFLICTS_END)?;
        rows.seek_to_first();
        while let Some((key, row)) = rows.item() {
            // By its key alone: a row that is damaged has its number all the same.
            let after = keys::parse_conflict(key).map_or(0, |number| number.saturating_add(1));
            table.next = table.next.max(after);
            table.malformed.extend(decode_conflict(key, row).err());
            rows.next();
        }
        rows.status().map_err(engine("reading conflicts"))?;
        Ok(table)
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get(ENTRIES, &keys::index_key(index))?.map(|row| row.to_vec()))
    }

    fn read_entries(
        &self,
        first: LeafIndex,
        end: TreeSize,
        visit: &mut dyn FnMut(LeafIndex, &[u8]),
    ) -> Result<(), StoreError> {
        let mut rows = self.range(ENTRIES, &keys::index_key(first), &end.get().to_be_bytes())?;
        rows.seek_to_first();
        for index in (first.get()..end.get()).map(LeafIndex::new) {
            match rows.item() {
                Some((key, entry)) if key == keys::index_key(index) => visit(index, entry),
                _ => {
                    rows.status().map_err(engine("reading entries"))?;
                    return Err(StoreError::missing_entry(index));
                }
            }
            rows.next();
        }
        rows.status().map_err(engine("reading entries"))
    }

    fn last_entry(&self) -> Result<Option<LeafIndex>, StoreError> {
        let mut rows = self.range(ENTRIES, &[], &[0xff; 9])?;
        rows.seek_to_last();
        rows.status().map_err(engine("reading the last entry"))?;
        let Some(key) = rows.key() else { return Ok(None) };
        let index = keys::parse_u64(key).ok_or_else(|| StoreError::malformed(ENTRIES, key, "key is not 8 bytes"))?;
        Ok(Some(LeafIndex::new(index)))
    }

    fn tiles(&self, ids: &[TileId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| keys::tile_key(*id)).collect();
        let rows = self.db.batched_multi_get_cf(self.family(TILES)?, &keys, false);
        rows.into_iter()
            .map(|row| Ok(row.map_err(engine("reading tiles"))?.map(|tile| Bytes::copy_from_slice(&tile))))
            .collect()
    }

    fn find(&self, key: &StreamKey) -> Result<Option<LeafIndex>, StoreError> {
        let key = key.encode();
        self.get(STREAMS, &key)?.map(|row| parse_index(&key, &row)).transpose()
    }

    fn stream_tail(&self, stream: &StreamId, below: TreeSize) -> Result<Option<StreamRow>, StoreError> {
        let mut rows = self.stream_range(stream, 0)?;
        rows.seek_to_last();
        while let Some(row) = next_position(stream, &rows)? {
            if row.index.get() < below.get() {
                return Ok(Some(row));
            }
            rows.prev();
        }
        Ok(None)
    }

    fn stream_rows(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<StreamRow>, StoreError> {
        let mut rows = self.stream_range(stream, from)?;
        rows.seek_to_first();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = next_position(stream, &rows)? else { break };
            found.push(row);
            rows.next();
        }
        Ok(found)
    }

    fn archived(&self, from: TreeSize, to: TreeSize, limit: usize) -> Result<Vec<ArchivedNote>, StoreError> {
        // The first key past `to`, also where `to` is the greatest size.
        let end = [to.get().to_be_bytes().as_slice(), &[0]].concat();
        if from > to {
            return Ok(Vec::new());
        }
        let mut rows = self.range(CHECKPOINTS, &from.get().to_be_bytes(), &end)?;
        rows.seek_to_first();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some((key, row)) = rows.item() else { break };
            found.push(decode_note(key, row)?);
            rows.next();
        }
        rows.status().map_err(engine("reading notes"))?;
        Ok(found)
    }

    fn is_strained(&self) -> Result<bool, StoreError> {
        for property in ["rocksdb.is-write-stopped", "rocksdb.actual-delayed-write-rate"] {
            let value = self.db.property_int_value(property).map_err(engine("reading its state"))?;
            if value.is_some_and(|value| value > 0) {
                return Ok(true);
            }
        }
        Ok(self.level0_files(self.family(ENTRIES)?)? >= LEVEL0_STRAIN
            || self.level0_files(self.family(STREAMS)?)? >= LEVEL0_STRAIN)
    }

    fn newest_archived(&self) -> Result<Option<ArchivedNote>, StoreError> {
        let mut rows = self.range(CHECKPOINTS, &[], &[0xff; 9])?;
        rows.seek_to_last();
        rows.status().map_err(engine("reading the newest note"))?;
        rows.item().map(|(key, row)| decode_note(key, row)).transpose()
    }
}

impl RocksStore {
    /// Opens an iterator over one stream's rows from a sequence number on. The last sequence number, 2^64 − 1, is left
    /// out: statements have less than 2^63.
    fn stream_range(&self, stream: &StreamId, from: u64) -> Result<DBRawIterator<'_>, StoreError> {
        self.range(STREAMS, &keys::stream_key(stream, from), &keys::stream_key(stream, u64::MAX))
    }
}

/// Reads the row an iterator over a stream stands at.
fn next_position(stream: &StreamId, rows: &DBRawIterator<'_>) -> Result<Option<StreamRow>, StoreError> {
    rows.status().map_err(engine("reading a stream"))?;
    let Some((key, row)) = rows.item() else { return Ok(None) };
    let seq = keys::parse_seq(stream, key)
        .ok_or_else(|| StoreError::malformed(STREAMS, key, "not a position in its stream"))?;
    Ok(Some(StreamRow { seq, index: parse_index(key, row)? }))
}

fn parse_index(key: &[u8], row: &[u8]) -> Result<LeafIndex, StoreError> {
    let index = keys::parse_u64(row).ok_or_else(|| StoreError::malformed(STREAMS, key, "value is not 8 bytes"))?;
    Ok(LeafIndex::new(index))
}

pub(super) fn engine(during: &'static str) -> impl Fn(rocksdb::Error) -> StoreError {
    move |error| StoreError::Engine { during, why: error.into_string() }
}

/// Tells whether nothing, or an empty directory, is at `path`.
fn is_vacant(path: &Path) -> std::io::Result<bool> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::fs::File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| StoreError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;

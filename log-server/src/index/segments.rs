//! The written segments: a RocksDB of its own, which is only ever given whole sorted files.
//!
//! A file is made beside the database, synced, and taken in by one atomic change of its list of files; there is no write-ahead log. A crash
//! before that leaves a file that nobody knows, which the next one overwrites; a crash after it leaves the whole segment.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRawIterator, Env, IngestExternalFileOptions, Options,
    ReadOptions, SstFileWriter,
};

use super::fault::{Fault, engine, file};
use super::rows::{
    BLOCKS, Posting, SEGMENTS, Segment, Span, decode_blocks, decode_offsets, encode_blocks, encode_offsets, parse_base,
    posting_key, segment_key,
};
use super::tail::Tail;
use crate::failpoints;
use crate::store::{End, StoreId, check_manifest};

/// The file that says that a directory is an index, and may be emptied.
pub(super) const MARKER: &str = "govlog-index";
/// A segment that is being written.
const DRAFT: &str = "draft.segment";
/// For blocks that are read again and again: those of the lists' own indexes, first of all.
const CACHE_BYTES: usize = 8 << 20;
const INFO_LOG_BYTES: usize = 1 << 20;

/// The database.
pub(super) struct Segments {
    db: DB,
    path: PathBuf,
    store: StoreId,
}

impl Segments {
    /// Opens the database at `path`, or makes an empty one; lists its segments, in order and without a hole.
    ///
    /// # Errors
    /// [`Fault`], of which all but [`Fault::NotOurs`] are mended by [`clear`].
    pub(super) fn open(path: &Path, store: StoreId) -> Result<(Self, Vec<Segment>), Fault> {
        prepare(path)?;
        check_manifest(path, End::Whole)?;
        let db = DB::open(&options()?, path).map_err(engine("opening"))?;
        let segments = Self { db, path: path.to_owned(), store };
        let listed = segments.list()?;
        Ok((segments, listed))
    }

    fn list(&self) -> Result<Vec<Segment>, Fault> {
        let mut rows = self.range(&[SEGMENTS], &[SEGMENTS + 1]);
        rows.seek_to_first();
        let mut found: Vec<Segment> = Vec::new();
        while let Some((key, row)) = rows.item() {
            let segment = Segment::decode(key, row, &self.store)?;
            let end = found.last().map_or(0, |last| last.end);
            if segment.base != end {
                return Err(Fault::Hole(end));
            }
            found.push(segment);
            rows.next();
        }
        rows.status().map_err(engine("listing segments"))?;
        Ok(found)
    }

    /// Writes a segment; all of it is there when this returns, or nothing.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) fn write(&self, tail: &Tail) -> Result<Segment, Fault> {
        let (segment, draft, options) = (tail.segment(), self.path.join(DRAFT), options()?);
        let failed = || engine("writing a segment");
        let mut writer = SstFileWriter::create(&options);
        writer.open(&draft).map_err(failed())?;
        // In the order of the keys: blocks, segment, terms.
        writer.put(segment_key(BLOCKS, segment.base), encode_blocks(tail.blocks())).map_err(failed())?;
        writer.put(segment_key(SEGMENTS, segment.base), segment.encode(&self.store)).map_err(failed())?;
        tail.each(|posting, offsets| {
            writer.put(posting_key(posting, segment.base), encode_offsets(offsets)).map_err(failed())
        })?;
        writer.finish().map_err(failed())?;
        drop(writer);
        // A crash up to here leaves a draft that is overwritten; the entries are read from the store again.
        failpoints::hit("index::before_take_in")?;
        let mut how = IngestExternalFileOptions::default();
        how.set_move_files(true);
        // A crash after it leaves the segment; the next start goes on behind it.
        self.db.ingest_external_file_opts(&how, vec![draft]).map_err(engine("taking a segment in"))?;
        failpoints::hit("index::after_take_in")?;
        Ok(segment)
    }

    /// Goes through the offsets of a posting, segment by segment, below an index.
    pub(super) fn lists(&self, posting: Posting, below: u64) -> Lists<'_> {
        let rows = self.range(&posting_key(posting, 0), &posting_key(posting, below));
        Lists { rows, posting }
    }

    /// Reads the times of a segment's blocks.
    ///
    /// # Errors
    /// When the engine fails, or there are none.
    pub(super) fn blocks(&self, segment: &Segment) -> Result<Vec<Span>, Fault> {
        let key = segment_key(BLOCKS, segment.base);
        let row = self.db.get_pinned(&key).map_err(engine("reading times"))?;
        decode_blocks(&key, &row.ok_or_else(|| Fault::row(&key, "missing"))?)
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.db.property_int_value("rocksdb.total-sst-files-size").ok().flatten().unwrap_or(0)
    }

    fn range(&self, from: &[u8], to: &[u8]) -> DBRawIterator<'_> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(from);
        bounds.set_iterate_upper_bound(to);
        self.db.raw_iterator_opt(bounds)
    }
}

impl Drop for Segments {
    /// Waits for background work: closing while it runs is undefined in the engine.
    fn drop(&mut self) {
        self.db.cancel_all_background_work(true);
    }
}

/// The offsets of one posting, segment by segment.
pub(super) struct Lists<'a> {
    rows: DBRawIterator<'a>,
    posting: Posting,
}

impl Lists<'_> {
    /// Goes to the first segment from `base` on that has the posting; `None` when there is none.
    ///
    /// # Errors
    /// When the engine fails, among other reasons because a block does not match its checksum.
    pub(super) fn seek(&mut self, base: u64) -> Result<Option<u64>, Fault> {
        self.rows.seek(posting_key(self.posting, base));
        self.rows.status().map_err(engine("reading offsets"))?;
        match self.rows.key() {
            None => Ok(None),
            Some(key) => parse_base(key).map(Some).ok_or_else(|| Fault::row(key, "no base")),
        }
    }

    /// Reads the offsets in the segment it stands at.
    ///
    /// # Errors
    /// When the row is malformed.
    pub(super) fn offsets(&self) -> Result<Vec<u16>, Fault> {
        self.rows.item().map_or(Ok(Vec::new()), |(key, row)| decode_offsets(key, row))
    }
}

/// Makes the directory, and marks it where there is nothing in it.
fn prepare(path: &Path) -> Result<(), Fault> {
    fs::create_dir_all(path).map_err(file(path))?;
    let marker = path.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    if fs::read_dir(path).map_err(file(path))?.next().is_some() {
        return Err(Fault::NotOurs { path: path.to_owned() });
    }
    let said =
        "The search index of a govlog log: derived from its store, deletable at any time, built anew by itself.\n";
    // Synced before anything else is made beside it, so that what is left by a crash is known to be an index.
    let write = || {
        fs::write(&marker, said)?;
        fs::File::open(&marker)?.sync_all()?;
        fs::File::open(path)?.sync_all()
    };
    write().map_err(file(&marker))
}

/// Empties the directory of an index. The marker stays, for a crash in here must leave a directory that is known to be one.
///
/// # Errors
/// [`Fault::NotOurs`], or when a file can not be removed.
pub(super) fn clear(path: &Path) -> Result<(), Fault> {
    if path.exists() && !path.join(MARKER).exists() {
        // Nothing is touched but an empty place.
        return prepare(path);
    }
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(file(path))?,
    };
    for entry in entries {
        let entry = entry.map_err(file(path))?;
        if entry.file_name() != MARKER {
            let gone =
                if entry.path().is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            gone.map_err(file(path))?;
        }
    }
    Ok(())
}

fn options() -> Result<Options, Fault> {
    // The threads are the process's: were there but one, the store would wait while the index is compacted.
    let mut env = Env::new().map_err(engine("setting options"))?;
    env.set_background_threads(2);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    options.set_max_open_files(-1);
    // One compaction at a time, on a thread besides the store's own.
    options.set_max_background_jobs(2);
    options.set_env(&env);
    // Little by little, so that the store's syncs do not wait for a whole file.
    options.set_bytes_per_sync(1 << 20);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_compression_type(DBCompressionType::Lz4);
    // Nothing is ever written but whole files.
    options.set_write_buffer_size(64 << 10);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    table.set_block_size(16 << 10);
    options.set_block_based_table_factory(&table);
    Ok(options)
}

//! The settings of the engine, and the proof that they are in force.
//!
//! Why each is as it is stands in the table [`SETTINGS`]; the figures behind them are in the operator's documentation.
//! Forbidden here, because each rewrites or loses history: TTL, compaction filters, merge operators, `DeleteRange`,
//! FIFO compaction, `repair`, `destroy`, manual flushing of the write-ahead log.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompactionStyle, DBCompressionType, DBRecoveryMode, Options,
};

use super::super::StoreError;
use super::super::keys::{CHECKPOINTS, ENTRIES, STREAMS, TILES};
use super::{FAMILIES, engine};

/// What the store may take of memory and disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all memtables together.
    pub memtables: usize,
    /// Bytes of all block caches together.
    pub block_cache: usize,
    /// Bytes of write-ahead log on disk after which memtables are flushed to let it go.
    pub wal: u64,
}

impl Default for Bounds {
    /// "memtables 96 MiB, block caches 80, […] WAL 256 MiB on disk" (DESIGN §7).
    fn default() -> Self {
        Self { memtables: 96 << 20, block_cache: 80 << 20, wal: 256 << 20 }
    }
}

/// Bytes of one information log file, of which few are kept.
const INFO_LOG_BYTES: usize = 8 << 20;

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Create,
    Existing,
}

/// One setting that must be in force, as the engine's own `OPTIONS` file spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The scope it is looked up in.
    pub scope: Scope,
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// Where a setting applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole database.
    Database,
    /// Every column family.
    EveryFamily,
    /// One column family.
    Family(&'static str),
    /// The table format of every column family.
    EveryTable,
    /// The table format of one column family.
    Table(&'static str),
}

const fn set(scope: Scope, name: &'static str, value: &'static str) -> Setting {
    Setting { scope, name, value }
}

/// What is compared with the engine's newest `OPTIONS` file at every start, beside the [`Bounds`].
pub const SETTINGS: &[Setting] = &[
    // An empty store must never start signing under an old key: only `init` makes one.
    set(Scope::Database, "create_if_missing", "false"),
    set(Scope::Database, "create_missing_column_families", "false"),
    // The engine's default drops acknowledged rows in silence when a bit flips in the middle of the log; this mode
    // refuses to open, and tolerates only a record torn at the end.
    set(Scope::Database, "wal_recovery_mode", "kTolerateCorruptedTailRecords"),
    set(Scope::Database, "track_and_verify_wals_in_manifest", "true"),
    // Experimental; left off by the engine's own crash tests.
    set(Scope::Database, "track_and_verify_wals", "false"),
    set(Scope::Database, "paranoid_checks", "true"),
    set(Scope::Database, "verify_sst_unique_id_in_manifest", "true"),
    set(Scope::Database, "best_efforts_recovery", "false"),
    // Each of these has a history of lost or reordered writes, and nothing here needs them.
    set(Scope::Database, "manual_wal_flush", "false"),
    set(Scope::Database, "enable_pipelined_write", "false"),
    set(Scope::Database, "unordered_write", "false"),
    set(Scope::Database, "two_write_queues", "false"),
    set(Scope::Database, "recycle_log_file_num", "0"),
    set(Scope::Database, "wal_compression", "kNoCompression"),
    set(Scope::Database, "allow_mmap_writes", "false"),
    set(Scope::Database, "use_direct_io_for_flush_and_compaction", "false"),
    set(Scope::Database, "use_fsync", "false"),
    // It does not sync logs in order and can leave a hole.
    set(Scope::Database, "wal_bytes_per_sync", "0"),
    set(Scope::Database, "WAL_ttl_seconds", "0"),
    set(Scope::Database, "max_open_files", "-1"),
    // Any other style, or a filter, a merge or a time to live, deletes or rewrites rows.
    set(Scope::EveryFamily, "compaction_style", "kCompactionStyleLevel"),
    set(Scope::EveryFamily, "disable_auto_compactions", "false"),
    set(Scope::EveryFamily, "ttl", "0"),
    set(Scope::EveryFamily, "periodic_compaction_seconds", "0"),
    set(Scope::EveryFamily, "merge_operator", "nullptr"),
    set(Scope::EveryFamily, "compaction_filter", "nullptr"),
    set(Scope::EveryFamily, "compaction_filter_factory", "nullptr"),
    set(Scope::EveryFamily, "inplace_update_support", "false"),
    // Every file is read again after it was written, and every key in memory carries a checksum.
    set(Scope::EveryFamily, "paranoid_file_checks", "true"),
    set(Scope::EveryFamily, "force_consistency_checks", "true"),
    set(Scope::EveryFamily, "memtable_protection_bytes_per_key", "8"),
    set(Scope::EveryFamily, "block_protection_bytes_per_key", "8"),
    set(Scope::EveryFamily, "enable_blob_files", "false"),
    set(Scope::EveryFamily, "bottommost_compression", "kDisableCompressionOption"),
    set(Scope::EveryTable, "checksum", "kXXH3"),
    set(Scope::Family(ENTRIES), "compression", "kZSTD"),
    set(Scope::Family(TILES), "compression", "kNoCompression"),
    set(Scope::Family(STREAMS), "compression", "kLZ4Compression"),
    set(Scope::Family(CHECKPOINTS), "compression", "kZSTD"),
    set(Scope::Table(ENTRIES), "block_size", "16384"),
    set(Scope::Table(ENTRIES), "filter_policy", "nullptr"),
];

/// Opens the database with every setting as it must be.
pub(super) fn open(path: &Path, mode: Mode, bounds: &Bounds) -> Result<DB, StoreError> {
    let database = database(mode, bounds)?;
    let cache = Cache::new_lru_cache(bounds.block_cache);
    let families = FAMILIES
        .iter()
        .map(|name| Ok(ColumnFamilyDescriptor::new(*name, family(name, &cache, bounds)?)))
        .chain([Ok(ColumnFamilyDescriptor::new("default", family("default", &cache, bounds)?))])
        .collect::<Result<Vec<_>, StoreError>>()?;
    DB::open_cf_descriptors(&database, path, families).map_err(engine("opening"))
}

fn database(mode: Mode, bounds: &Bounds) -> Result<Options, StoreError> {
    // For these the binding has no setter.
    let mut options = Options::default()
        .get_options_from_string("track_and_verify_wals=false;best_efforts_recovery=false")
        .map_err(engine("setting options"))?;
    options.create_if_missing(mode == Mode::Create);
    options.create_missing_column_families(mode == Mode::Create);
    options.set_error_if_exists(mode == Mode::Create);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_manual_wal_flush(false);
    options.set_enable_pipelined_write(false);
    options.set_unordered_write(false);
    options.set_recycle_log_file_num(0);
    options.set_wal_compression_type(DBCompressionType::None);
    options.set_wal_bytes_per_sync(0);
    options.set_max_open_files(-1);
    options.set_max_total_wal_size(bounds.wal);
    options.set_db_write_buffer_size(bounds.memtables);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_keep_log_file_num(4);
    options.set_max_background_jobs(2);
    // No periodic dumps: the metrics say the same.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    Ok(options)
}

/// Makes the options of one column family.
fn family(name: &str, cache: &Cache, bounds: &Bounds) -> Result<Options, StoreError> {
    // For these the binding has no setter.
    let mut options = Options::default()
        .get_options_from_string(
            "paranoid_file_checks=true;force_consistency_checks=true;\
             memtable_protection_bytes_per_key=8;block_protection_bytes_per_key=8",
        )
        .map_err(engine("setting options"))?;
    options.set_compaction_style(DBCompactionStyle::Level);
    options.set_disable_auto_compactions(false);
    options.set_ttl(0);
    options.set_periodic_compaction_seconds(0);
    options.set_enable_blob_files(false);
    options.set_max_write_buffer_number(2);
    options.set_write_buffer_size(memtable(name, bounds));
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    match name {
        ENTRIES => {
            options.set_compression_type(DBCompressionType::Zstd);
            options.set_compression_options(-14, 1, 0, 0);
            table.set_block_size(16 << 10);
        }
        // Hashes do not compress; two tiles fill a block.
        TILES => {
            options.set_compression_type(DBCompressionType::None);
            table.set_block_size(16 << 10);
        }
        // Most look-ups are for statements that are new: the filter answers those without touching a file.
        STREAMS => {
            options.set_compression_type(DBCompressionType::Lz4);
            table.set_bloom_filter(10.0, false);
        }
        CHECKPOINTS => options.set_compression_type(DBCompressionType::Zstd),
        _ => options.set_compression_type(DBCompressionType::None),
    }
    options.set_block_based_table_factory(&table);
    Ok(options)
}

/// Bytes of one memtable of a family; at most two of each exist, so that all fill the bound.
fn memtable(name: &str, bounds: &Bounds) -> usize {
    let share = match name {
        ENTRIES => 32,
        STREAMS => 8,
        TILES => 4,
        CHECKPOINTS => 2,
        _ => 1,
    };
    bounds.memtables / 96 * share
}

/// Reads the engine's newest `OPTIONS` file and compares.
pub(super) fn assert_settings(path: &Path, bounds: &Bounds) -> Result<(), StoreError> {
    let file = newest_options_file(path)?;
    let text = std::fs::read_to_string(&file).map_err(|source| StoreError::File { path: file, source })?;
    compare(&text, bounds)
}

fn newest_options_file(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let mut newest = None;
    for file in std::fs::read_dir(path).map_err(failed)? {
        let file = file.map_err(failed)?;
        let number = file.file_name().to_str().and_then(|name| name.strip_prefix("OPTIONS-")?.parse::<u64>().ok());
        newest = newest.max(number.map(|number| (number, file.path())));
    }
    newest.map(|(_, file)| file).ok_or(StoreError::Missing { family: "OPTIONS", key: "the file".into() })
}

/// Compares an `OPTIONS` file with [`SETTINGS`] and the bounds.
fn compare(text: &str, bounds: &Bounds) -> Result<(), StoreError> {
    let file = sections(text);
    for setting in SETTINGS {
        for section in setting.scope.sections() {
            check(&file, section, setting.name, setting.value)?;
        }
    }
    check(&file, "DBOptions".to_owned(), "max_total_wal_size", &bounds.wal.to_string())?;
    check(&file, "DBOptions".to_owned(), "db_write_buffer_size", &bounds.memtables.to_string())
}

fn check(file: &[Section<'_>], section: String, name: &'static str, wanted: &str) -> Result<(), StoreError> {
    let values = file.iter().find(|(name, _)| *name == section).map(|(_, values)| values);
    let found =
        values.and_then(|values| values.iter().find(|(key, _)| *key == name)).map_or("absent", |(_, value)| value);
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Setting { section, name, found: found.to_owned(), wanted: wanted.to_owned() })
}

impl Scope {
    /// Returns the sections of the file that the scope covers. `default`, which holds nothing, is held to the common rules as well.
    fn sections(self) -> Vec<String> {
        let every = || FAMILIES.iter().copied().chain(["default"]);
        match self {
            Self::Database => vec!["DBOptions".to_owned()],
            Self::EveryFamily => every().map(family_section).collect(),
            Self::Family(name) => vec![family_section(name)],
            Self::EveryTable => every().map(table_section).collect(),
            Self::Table(name) => vec![table_section(name)],
        }
    }
}

fn family_section(name: &str) -> String {
    format!("CFOptions \"{name}\"")
}

fn table_section(name: &str) -> String {
    format!("TableOptions/BlockBasedTable \"{name}\"")
}

type Section<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// Splits an `OPTIONS` file into its sections of `name=value` lines.
fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name, Vec::new()));
        } else if let (Some((_, values)), Some(pair)) = (sections.last_mut(), line.split_once('=')) {
            values.push(pair);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes an `OPTIONS` file in which every setting is as it must be, but for one.
    fn file_with(change: Option<(&str, &str)>) -> String {
        let bounds = [("max_total_wal_size", "268435456"), ("db_write_buffer_size", "100663296")];
        let mut text = String::from("# comment\n[Version]\n  rocksdb_version=11.8.1\n");
        let mut names: Vec<String> = SETTINGS.iter().flat_map(|setting| setting.scope.sections()).collect();
        names.sort();
        names.dedup();
        for section in names {
            text.push_str(&format!("\n[{section}]\n"));
            let settings = SETTINGS.iter().filter(|setting| setting.scope.sections().contains(&section));
            let bounds = bounds.iter().copied().filter(|_| section == "DBOptions");
            for (name, value) in settings.map(|setting| (setting.name, setting.value)).chain(bounds) {
                let value = change.filter(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
                text.push_str(&format!("  {name}={value}\n"));
            }
        }
        text
    }

    #[test]
    fn each_setting_that_differs_is_named() {
        compare(&file_with(None), &Bounds::default()).unwrap();
        let names = SETTINGS.iter().map(|setting| setting.name).chain(["max_total_wal_size", "db_write_buffer_size"]);
        for name in names {
            let error = compare(&file_with(Some((name, "other"))), &Bounds::default()).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("is other"), "{error}");
        }
    }

    #[test]
    fn an_absent_setting_or_section_is_refused() {
        let text = file_with(None).replace("  wal_recovery_mode=kTolerateCorruptedTailRecords\n", "");
        let refused = compare(&text, &Bounds::default());
        assert!(matches!(refused, Err(StoreError::Setting { name: "wal_recovery_mode", .. })));
        assert!(compare("", &Bounds::default()).is_err());
    }

    #[test]
    fn memtables_fill_their_bound_and_no_more() {
        for bounds in [Bounds::default(), Bounds { memtables: 50_000_000, ..Bounds::default() }] {
            let families = FAMILIES.iter().copied().chain(["default"]);
            let sum: usize = families.map(|name| memtable(name, &bounds)).sum();
            assert!(sum * 2 <= bounds.memtables && sum * 2 > bounds.memtables - 96);
        }
    }
}

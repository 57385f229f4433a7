//! Names of metrics, and nothing else that measures.
//!
//! Every log has its own registry, so that several can run in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// A station on the way of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Station {
    /// Bytes are parsed and bounded.
    Submission,
    /// The signature is verified and the policy asked.
    Admission,
    /// From the queue to the acknowledgement.
    Sequencer,
    /// One synced write of a batch.
    Store,
    /// A batch is read back, the head advanced and signed.
    Finisher,
    /// From the start of a round to the note that readers see.
    Publication,
    /// A proof, with or without a signature.
    Proof,
    /// Up to 256 entries are read and taken into the index.
    Index,
}

/// How a witness stands with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessState {
    /// It accepted the last head it was asked about.
    Accepting,
    /// It can not be reached, or asks for patience.
    Away,
    /// It refuses the log.
    Refusing,
    /// It contradicts itself or the protocol.
    Unreliable,
}

/// Counts and times what a log does. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Registry>);

struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Telemetry {
    /// Makes an empty registry.
    ///
    /// # Errors
    /// Only if the buckets below were none.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(SECONDS)?
            .set_buckets_for_metric(Matcher::Full(BATCH_ENTRIES.to_owned()), COUNTS)?
            .build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        Ok(Self(Arc::new(Registry { recorder, handle })))
    }

    /// Returns the metrics in Prometheus's text form.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// Folds gathered samples together; called now and then, so that they do not pile up where nobody scrapes.
    pub(crate) fn fold(&self) {
        self.0.handle.run_upkeep();
    }

    /// A station did its part of the work.
    pub(crate) fn passed(&self, station: Station, begun: Instant) {
        let took = begun.elapsed();
        self.record(|| histogram!(STATION_SECONDS, "station" => station.name()).record(took));
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &'static str, status: u16, took: Duration) {
        self.record(|| {
            counter!(REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
            histogram!(REQUEST_SECONDS, "route" => route).record(took);
        });
    }

    /// A batch of entries was committed, and the tree has now this size.
    pub(crate) fn committed(&self, entries: u64, size: u64) {
        self.record(|| {
            histogram!(BATCH_ENTRIES).record(float(entries));
            gauge!(TREE_SIZE, "state" => "committed").set(float(size));
        });
    }

    /// A note of this size was published, or one of the same size replaced it.
    pub(crate) fn published(&self, size: u64, time_s: u64) {
        self.record(|| {
            gauge!(TREE_SIZE, "state" => "published").set(float(size));
            gauge!(PUBLISHED_TIME).set(float(time_s));
        });
    }

    /// So many statements and bytes are between admission and acknowledgement.
    pub(crate) fn queued(&self, statements: usize, bytes: usize) {
        let whole = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
        self.record(|| {
            gauge!(QUEUE_STATEMENTS).set(whole(statements));
            gauge!(QUEUE_BYTES).set(whole(bytes));
        });
    }

    /// A witness answered, or did not.
    pub(crate) fn witness(&self, name: &str, state: WitnessState) {
        self.record(|| {
            for known in [WitnessState::Accepting, WitnessState::Away, WitnessState::Refusing, WitnessState::Unreliable]
            {
                let on = if known == state { 1.0 } else { 0.0 };
                gauge!(WITNESS_STATE, "witness" => name.to_owned(), "state" => known.name()).set(on);
            }
        });
    }

    /// A witness cosigned a head of this size.
    pub(crate) fn cosigned(&self, name: &str, size: u64, took: Duration) {
        self.record(|| {
            gauge!(WITNESS_SIZE, "witness" => name.to_owned()).set(float(size));
            histogram!(WITNESS_SECONDS, "witness" => name.to_owned()).record(took);
        });
    }

    /// The index covers so many entries, and lacks so many that are committed; searches are answered, or not.
    pub(crate) fn index(&self, size: u64, lag: u64, ready: bool) {
        self.record(|| {
            gauge!(INDEX_SIZE).set(float(size));
            gauge!(INDEX_LAG).set(float(lag));
            gauge!(INDEX_READY).set(if ready { 1.0 } else { 0.0 });
        });
    }

    /// The index has caught up with the log, from where a start or a fault left it.
    pub(crate) fn index_built(&self, took: Duration) {
        self.record(|| gauge!(INDEX_BUILD_SECONDS).set(took.as_secs_f64()));
    }

    /// The index was wrong, and is built anew.
    pub(crate) fn index_rebuilt(&self) {
        self.record(|| counter!(INDEX_REBUILDS).increment(1));
    }

    /// Writes are taken, or not.
    pub(crate) fn writable(&self, yes: bool) {
        self.record(|| gauge!(WRITABLE).set(if yes { 1.0 } else { 0.0 }));
    }

    fn record(&self, what: impl FnOnce()) {
        with_local_recorder(&self.0.recorder, what);
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Station {
    const fn name(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::Admission => "admission",
            Self::Sequencer => "sequencer",
            Self::Store => "store",
            Self::Finisher => "finisher",
            Self::Publication => "publication",
            Self::Proof => "proof",
            Self::Index => "index",
        }
    }
}

impl WitnessState {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepting => "accepting",
            Self::Away => "away",
            Self::Refusing => "refusing",
            Self::Unreliable => "unreliable",
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts up to 2^53 are exact")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn describe() {
    describe_histogram!(STATION_SECONDS, Unit::Seconds, "time a station took for its part, by station");
    describe_counter!(REQUESTS, "requests answered, by route and status");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "time from a request's head to its answer, by route");
    describe_histogram!(BATCH_ENTRIES, "entries of a committed batch");
    describe_gauge!(TREE_SIZE, "entries of the tree, committed and published");
    describe_gauge!(PUBLISHED_TIME, Unit::Seconds, "when /checkpoint was last renewed, in POSIX seconds");
    describe_gauge!(QUEUE_STATEMENTS, "statements between admission and acknowledgement");
    describe_gauge!(QUEUE_BYTES, Unit::Bytes, "bytes of those statements");
    describe_gauge!(WITNESS_STATE, "1 for the state a witness is in: accepting, away, refusing or unreliable");
    describe_gauge!(WITNESS_SIZE, "tree size a witness cosigned last");
    describe_histogram!(WITNESS_SECONDS, Unit::Seconds, "time a witness took to cosign");
    describe_gauge!(WRITABLE, "1 while statements are taken");
    describe_gauge!(INDEX_SIZE, "entries that the search index covers");
    describe_gauge!(INDEX_LAG, "committed entries that the search index lacks");
    describe_gauge!(INDEX_READY, "1 while searches are answered");
    describe_gauge!(
        INDEX_BUILD_SECONDS,
        Unit::Seconds,
        "time the search index took to catch up after the last start or fault"
    );
    describe_counter!(INDEX_REBUILDS, "times the search index was found wrong and built anew");
}

const STATION_SECONDS: &str = "govlog_station_seconds";
const REQUESTS: &str = "govlog_requests_total";
const REQUEST_SECONDS: &str = "govlog_request_seconds";
const BATCH_ENTRIES: &str = "govlog_batch_entries";
const TREE_SIZE: &str = "govlog_tree_size";
const PUBLISHED_TIME: &str = "govlog_published_time_seconds";
const QUEUE_STATEMENTS: &str = "govlog_queue_statements";
const QUEUE_BYTES: &str = "govlog_queue_bytes";
const WITNESS_STATE: &str = "govlog_witness_state";
const WITNESS_SIZE: &str = "govlog_witness_tree_size";
const WITNESS_SECONDS: &str = "govlog_witness_seconds";
const WRITABLE: &str = "govlog_writable";
const INDEX_SIZE: &str = "govlog_index_size";
const INDEX_LAG: &str = "govlog_index_lag_entries";
const INDEX_READY: &str = "govlog_index_ready";
const INDEX_BUILD_SECONDS: &str = "govlog_index_build_seconds";
const INDEX_REBUILDS: &str = "govlog_index_rebuilds_total";

/// Upper bounds of the buckets of every time.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of the buckets of counts.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

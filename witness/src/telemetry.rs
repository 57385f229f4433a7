//! Names of metrics, and nothing else that measures.
//!
//! Every witness has its own registry, so that several can run in one process.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::{decision::Misbehaviour, evidence::Kept, remembered::Remembered};

/// Counts and times what the witness does.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Telemetry {
    /// Makes an empty registry.
    ///
    /// # Errors
    /// Only if the buckets below were none.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        Ok(Self { recorder, handle })
    }

    /// Returns the metrics in Prometheus's text form.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds gathered samples together; called now and then, so that they do not pile up where nobody scrapes.
    pub(crate) fn fold(&self) {
        self.handle.run_upkeep();
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &'static str, status: u16, took: Duration) {
        self.record(|| {
            counter!(REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
            histogram!(REQUEST_SECONDS, "route" => route).record(took);
        });
    }

    /// A checkpoint was cosigned, or found cosigned at start.
    pub(crate) fn remembers(&self, held: &Remembered) {
        let origin = held.checkpoint().origin.to_string();
        self.record(|| {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; sizes and times up to 2^53 are exact")]
            {
                gauge!(TREE_SIZE, "origin" => origin.clone()).set(held.size().get() as f64);
                gauge!(COSIGNED_TIME, "origin" => origin).set(held.timestamp() as f64);
            }
        });
    }

    /// A note was made durable.
    pub(crate) fn persisted(&self, took: Duration) {
        self.record(|| histogram!(PERSIST_SECONDS).record(took));
    }

    /// A refused checkpoint spoke against its log.
    pub(crate) fn misbehaviour(&self, origin: &str, kind: Misbehaviour, kept: Option<Kept>) {
        let kept = match kept {
            Some(Kept::New) => "new",
            Some(Kept::Already) => "already",
            Some(Kept::Full) => "full",
            None => "failed",
        };
        self.record(|| {
            counter!(MISBEHAVIOUR, "origin" => origin.to_owned(), "kind" => kind.name(), "kept" => kept).increment(1)
        });
    }

    /// The state of a log could not be read or written.
    pub(crate) fn state_failed(&self) {
        self.record(|| counter!(STATE_FAILURES).increment(1));
    }

    fn record(&self, what: impl FnOnce()) {
        with_local_recorder(&self.recorder, what);
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

fn describe() {
    describe_counter!(REQUESTS, "requests answered, by route and status");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "time from a request's head to its answer, by route");
    describe_histogram!(PERSIST_SECONDS, Unit::Seconds, "time to make a cosigned note durable");
    describe_gauge!(TREE_SIZE, "tree size cosigned last, by origin");
    describe_gauge!(COSIGNED_TIME, Unit::Seconds, "time stated in the last cosignature, in POSIX seconds, by origin");
    describe_counter!(
        MISBEHAVIOUR,
        "refused checkpoints that speak against the log that signed them, by origin, kind and whether kept"
    );
    describe_counter!(STATE_FAILURES, "failures to read or write the state of a log");
}

const REQUESTS: &str = "govlog_witness_requests_total";
const REQUEST_SECONDS: &str = "govlog_witness_request_seconds";
const PERSIST_SECONDS: &str = "govlog_witness_persist_seconds";
const TREE_SIZE: &str = "govlog_witness_tree_size";
const COSIGNED_TIME: &str = "govlog_witness_cosigned_time_seconds";
const MISBEHAVIOUR: &str = "govlog_witness_misbehaviour_total";
const STATE_FAILURES: &str = "govlog_witness_state_failures_total";

/// From a cached read to a disk in trouble.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

//! Names of metrics, and nothing else that measures.
//!
//! Every agent has its own registry, so that several can run in one process.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::outbox::{Backlog, Taken};
use crate::sign::Step;

/// Counts and times what the agent does.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// What is read from the outbox when metrics are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depth {
    /// How much is there.
    pub backlog: Backlog,
    /// How long the oldest input has waited to be signed, in seconds.
    pub age_s: f64,
    /// How long the oldest input or statement has waited to be published, in seconds.
    pub unpublished_s: f64,
}

/// What became of an upload that another sink is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// It arrived.
    Sent,
    /// It did not now, and is tried again.
    Failed,
    /// It was refused for good.
    Refused,
    /// There was no room for it, or the disk did not take it.
    Dropped,
}

impl Forwarded {
    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

impl Telemetry {
    /// Makes an empty registry.
    ///
    /// # Errors
    ///
    /// Only if the buckets below were none.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        Ok(Self { recorder, handle })
    }

    /// Writes the metrics in Prometheus's text form.
    #[must_use]
    pub fn render(&self, depth: &Depth) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts up to 2^53 are exact")]
        self.record(|| {
            gauge!(DEPTH, "state" => "waiting").set(depth.backlog.waiting as f64);
            gauge!(DEPTH, "state" => "held").set(depth.backlog.held as f64);
            gauge!(DEPTH, "state" => "signed").set(depth.backlog.signed as f64);
            gauge!(BYTES).set(depth.backlog.bytes() as f64);
            gauge!(AGE).set(depth.age_s);
            gauge!(UNPUBLISHED).set(depth.unpublished_s);
        });
        self.handle.render()
    }

    /// Folds gathered samples together; called now and then, so that they do not pile up where nobody scrapes.
    pub fn fold(&self) {
        self.handle.run_upkeep();
    }

    /// An upload was answered.
    pub fn answered(&self, route: &str, status: u16, took: Duration) {
        self.record(|| {
            counter!(UPLOADS, "route" => route.to_owned(), "status" => status.to_string()).increment(1);
            histogram!(UPLOAD_SECONDS, "route" => route.to_owned()).record(took);
        });
    }

    /// What an upload held is durable.
    pub fn received(&self, taken: Taken) {
        let Taken { new, duplicate, conflicting, inputs, forgotten } = taken;
        self.record(|| {
            counter!(RECEIVED).increment(new + duplicate + conflicting + inputs);
            counter!(DUPLICATES).increment(duplicate);
            if conflicting > 0 {
                counter!(ALARMS, "kind" => "conflict").increment(conflicting);
            }
            if forgotten > 0 {
                counter!(ALARMS, "kind" => "joins").increment(forgotten);
            }
        });
    }

    /// Records were signed.
    pub fn signed(&self, step: Step) {
        self.record(|| {
            counter!(EMITTED).increment(step.emitted);
            counter!(QUARANTINED).increment(step.quarantined);
            counter!(TOLD).increment(step.told);
            counter!(BATCHES).increment(step.batches);
            counter!(HEADERS_IGNORED, "why" => "not-trusted").increment(step.untrusted);
            counter!(HEADERS_IGNORED, "why" => "malformed").increment(step.malformed);
        });
    }

    /// The log proved that it has committed so many statements.
    /// They record so many events.
    pub fn committed(&self, count: u64, events: u64) {
        self.record(|| {
            counter!(COMMITTED).increment(count);
            counter!(COMMITTED_EVENTS).increment(events);
        });
    }

    /// So many statements are proved to be published, and are deleted.
    /// They record so many events.
    pub fn published(&self, count: u64, events: u64) {
        self.record(|| {
            counter!(PUBLISHED).increment(count);
            counter!(PUBLISHED_EVENTS).increment(events);
        });
    }

    /// The log gave no answer.
    pub fn unreachable(&self) {
        self.record(|| counter!(UNREACHABLE).increment(1));
    }

    /// A feed was read, or could not be.
    pub fn feed(&self, route: &str, reads: &str, is_well: bool) {
        let labels = [("route", route.to_owned()), ("reads", reads.to_owned())];
        self.record(|| {
            gauge!(FEED_FAILING, &labels).set(if is_well { 0.0 } else { 1.0 });
            if !is_well {
                counter!(FEED_FAILURES, &labels).increment(1);
            }
        });
    }

    /// What a source that is read counts itself; counts that are no numbers are passed over.
    pub fn heard(&self, route: &str, instance: &str, counters: &BTreeMap<String, String>) {
        self.record(|| {
            for (name, count) in counters {
                let Ok(count) = count.parse::<f64>() else { continue };
                let labels = [("route", route.to_owned()), ("instance", instance.to_owned()), ("count", name.clone())];
                gauge!(SOURCE_COUNTS, &labels).set(count);
            }
        });
    }

    /// What became of uploads that another sink is to get.
    pub fn forwarded(&self, route: &str, what: Forwarded, count: u64) {
        let labels = [("route", route.to_owned()), ("result", what.name().to_owned())];
        self.record(|| counter!(FORWARDED, &labels).increment(count));
    }

    /// So many uploads wait for the other sink, with so many bytes.
    pub fn forward_depth(&self, route: &str, count: usize, bytes: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts up to 2^53 are exact")]
        self.record(|| {
            gauge!(FORWARD_DEPTH, "route" => route.to_owned()).set(count as f64);
            gauge!(FORWARD_BYTES, "route" => route.to_owned()).set(bytes as f64);
        });
    }

    /// Somebody must look.
    pub fn alarm(&self, kind: &'static str) {
        self.record(|| counter!(ALARMS, "kind" => kind).increment(1));
    }

    /// Statements are signed, with a certificate until this second, POSIX; or nothing is.
    pub fn signs_until(&self, until_s: Result<Option<i64>, ()>) {
        self.record(|| {
            gauge!(UNSIGNED).set(if until_s.is_ok() { 0.0 } else { 1.0 });
            if let Ok(Some(until_s)) = until_s {
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; seconds up to 2^53 are exact")]
                gauge!(SVID_UNTIL).set(until_s as f64);
            }
        });
    }

    /// So many streams are held back.
    pub fn held(&self, count: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; there are a few thousand streams at most")]
        self.record(|| gauge!(HELD).set(count as f64));
    }

    fn record<T>(&self, what: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.recorder, what)
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

fn describe() {
    describe_counter!(UPLOADS, "uploads answered, by route and status");
    describe_histogram!(UPLOAD_SECONDS, Unit::Seconds, "time from an upload's head to its answer, by route");
    describe_counter!(RECEIVED, "events and other inputs received, repeated ones too");
    describe_counter!(DUPLICATES, "events that had come before");
    describe_counter!(EMITTED, "events that became records of their own kind");
    describe_counter!(QUARANTINED, "inputs and refused statements that became a quarantine");
    describe_counter!(TOLD, "records of the agent's own: streams opened, heartbeats, streams closed, capture rules");
    describe_counter!(BATCHES, "statements that hold the decisions of several events: decision-batch");
    describe_counter!(COMMITTED_EVENTS, "events whose records the log proved to have committed, alone or in a batch");
    describe_counter!(PUBLISHED_EVENTS, "events whose records are proved to be published, alone or in a batch");
    describe_counter!(COMMITTED, "statements that the log proved to have committed");
    describe_counter!(PUBLISHED, "statements proved to be published, and deleted from the outbox");
    describe_counter!(UNREACHABLE, "batches that got no answer from the log");
    describe_gauge!(FEED_FAILING, "1: what this feed reads cannot be read now");
    describe_counter!(FEED_FAILURES, "how often what a feed reads could not be read, or not be kept");
    describe_gauge!(SOURCE_COUNTS, "what a source that is read counts, since the start, by route, instance and count");
    describe_counter!(HEADERS_IGNORED, "client certificates named by a header that is not believed, by why");
    describe_counter!(FORWARDED, "uploads for another sink, by what became of them: a failed one is tried again");
    describe_gauge!(FORWARD_DEPTH, "uploads that wait for another sink");
    describe_gauge!(FORWARD_BYTES, Unit::Bytes, "bytes of them");
    describe_counter!(ALARMS, "what somebody must look at, by kind");
    describe_gauge!(UNSIGNED, "1: nothing is signed, for there is no valid X.509-SVID to sign with");
    describe_gauge!(SVID_UNTIL, Unit::Seconds, "when the X.509-SVID that signs ends, seconds since 1970");
    describe_gauge!(HELD, "streams that the log refuses for now");
    describe_gauge!(
        DEPTH,
        "inputs that wait to be signed, lines that wait for a decision, and statements that are not proved to be published"
    );
    describe_gauge!(BYTES, Unit::Bytes, "bytes of all of these in the outbox");
    describe_gauge!(AGE, Unit::Seconds, "how long the oldest input has waited to be signed");
    describe_gauge!(UNPUBLISHED, Unit::Seconds, "how long the oldest input has waited to be published");
}

const UPLOADS: &str = "govlog_agent_uploads_total";
const UPLOAD_SECONDS: &str = "govlog_agent_upload_seconds";
const RECEIVED: &str = "govlog_agent_received_total";
const DUPLICATES: &str = "govlog_agent_duplicates_total";
const EMITTED: &str = "govlog_agent_emitted_total";
const QUARANTINED: &str = "govlog_agent_quarantined_total";
const TOLD: &str = "govlog_agent_stream_records_total";
const BATCHES: &str = "govlog_agent_batches_total";
const COMMITTED_EVENTS: &str = "govlog_agent_committed_events_total";
const PUBLISHED_EVENTS: &str = "govlog_agent_published_events_total";
const COMMITTED: &str = "govlog_agent_committed_total";
const PUBLISHED: &str = "govlog_agent_published_total";
const UNREACHABLE: &str = "govlog_agent_log_unreachable_total";
const FEED_FAILING: &str = "govlog_agent_feed_failing";
const FEED_FAILURES: &str = "govlog_agent_feed_failures_total";
const SOURCE_COUNTS: &str = "govlog_agent_source_counts";
const HEADERS_IGNORED: &str = "govlog_agent_headers_ignored_total";
const FORWARDED: &str = "govlog_agent_forward_total";
const FORWARD_DEPTH: &str = "govlog_agent_forward_depth";
const FORWARD_BYTES: &str = "govlog_agent_forward_bytes";
const ALARMS: &str = "govlog_agent_alarms_total";
const UNSIGNED: &str = "govlog_agent_unsigned";
const SVID_UNTIL: &str = "govlog_agent_svid_not_after_seconds";
const HELD: &str = "govlog_agent_streams_held";
const DEPTH: &str = "govlog_agent_outbox_depth";
const BYTES: &str = "govlog_agent_outbox_bytes";
const AGE: &str = "govlog_agent_outbox_age_seconds";
const UNPUBLISHED: &str = "govlog_agent_oldest_unpublished_seconds";

/// From a small upload on a good disk to one that waits.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_that_are_forgotten_early_are_an_alarm() {
        let telemetry = Telemetry::new().unwrap();
        let told = || {
            let told = telemetry.render(&Depth::default());
            told.lines().filter(|line| line.starts_with(ALARMS)).map(str::to_owned).collect::<Vec<_>>()
        };
        telemetry.received(Taken { new: 1, ..Taken::default() });
        assert_eq!(told(), [""; 0]);
        telemetry.received(Taken { new: 1, forgotten: 2, ..Taken::default() });
        assert_eq!(told(), [format!("{ALARMS}{{kind=\"joins\"}} 2")]);
    }
}

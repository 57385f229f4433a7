//! How a listener's certificate stands, in Prometheus's text form.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use govlog_tls::identity::not_after_s;
use rustls::sign::CertifiedKey;

/// What became of the certificates there were.
#[derive(Debug, Default)]
pub struct Health {
    not_after_s: AtomicU64,
    replaced: AtomicU64,
    refused: AtomicU64,
}

impl Health {
    /// Another certificate is shown from now on.
    pub(super) fn shows(&self, pair: &CertifiedKey) {
        let not_after = pair.cert.first().and_then(|leaf| not_after_s(leaf));
        self.not_after_s.store(not_after.unwrap_or_default(), Ordering::Relaxed);
    }

    /// A change was taken over.
    pub(super) fn replaced(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// A change can not be used, and what was there before stays.
    pub(super) fn refused(&self, error: &dyn std::fmt::Display) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, "the new TLS material can not be used; what was there before is used on");
    }

    /// How many changes were taken over.
    #[must_use]
    pub fn replacements(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// How many changes could not be used.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Writes the metrics of a listener's TLS, to stand behind a program's own.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, kind, about, value) in [
            (
                "govlog_tls_certificate_not_after_seconds",
                "gauge",
                "end of the certificate that is shown, in seconds since 1970",
                self.not_after_s.load(Ordering::Relaxed),
            ),
            (
                "govlog_tls_replacements_total",
                "counter",
                "changes of certificates or authorities that were taken over",
                self.replacements(),
            ),
            (
                "govlog_tls_refusals_total",
                "counter",
                "changes of certificates or authorities that can not be used",
                self.refusals(),
            ),
        ] {
            // Writing to a `String` cannot fail.
            writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}").unwrap_or_default();
        }
        text
    }
}

//! A histogram of durations with fixed buckets. It takes no lock; the library's own histogram takes
//! one for each observation.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A histogram. Clones share their counts.
#[derive(Clone, Debug)]
pub(super) struct Latency(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// Upper bounds, in microseconds.
    bounds: &'static [u64; 10],
    /// Counts per bucket, and one count above the last bound.
    counts: [AtomicU64; 11],
    nanoseconds: AtomicU64,
}

impl Latency {
    pub(super) fn new(bounds: &'static [u64; 10]) -> Latency {
        Latency(Arc::new(Buckets {
            bounds,
            counts: Default::default(),
            nanoseconds: AtomicU64::new(0),
        }))
    }

    pub(super) fn observe(&self, duration: Duration) {
        // Nanoseconds in a u64 last for 500 years of work.
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let is_below = |bound: &u64| bound * 1000 < nanoseconds;
        let bucket = self.0.bounds.partition_point(is_below);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let sum = &self.0.nanoseconds;
        sum.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self
            .0
            .counts
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        #[allow(clippy::cast_precision_loss)] // microseconds to seconds, for people
        let seconds = |micros: u64| micros as f64 / 1e6;
        let bounds = self
            .0
            .bounds
            .iter()
            .map(|bound| seconds(*bound))
            .chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        // The total is the sum of the counts read above: another thread may observe meanwhile.
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

//! A histogram of durations with fixed buckets. It takes no lock; the library's own histogram takes
//! one for each observation.

use super::per_thread::PerThread;
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
    observed: PerThread<Observed>,
}

#[derive(Debug, Default)]
struct Observed {
    /// Counts per bucket, and one count above the last bound.
    counts: [AtomicU64; 11],
    nanoseconds: AtomicU64,
}

impl Latency {
    pub(super) fn new(bounds: &'static [u64; 10]) -> Latency {
        Latency(Arc::new(Buckets {
            bounds,
            observed: PerThread::default(),
        }))
    }

    pub(super) fn observe(&self, duration: Duration) {
        // Nanoseconds in a u64 last for 500 years of work.
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let is_below = |bound: &u64| bound * 1000 < nanoseconds;
        let bucket = self.0.bounds.partition_point(is_below);
        let observed = self.0.observed.own();
        observed.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let sum = &observed.nanoseconds;
        sum.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let (mut counts, mut nanoseconds) = ([0_u64; 11], 0_u64);
        for observed in self.0.observed.all() {
            for (sum, count) in counts.iter_mut().zip(&observed.counts) {
                *sum += count.load(Ordering::Relaxed);
            }
            nanoseconds += observed.nanoseconds.load(Ordering::Relaxed);
        }
        #[allow(clippy::cast_precision_loss)] // microseconds to seconds, for people
        let seconds = |micros: u64| micros as f64 / 1e6;
        let bounds = self
            .0
            .bounds
            .iter()
            .map(|bound| seconds(*bound))
            .chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let sum = Duration::from_nanos(nanoseconds).as_secs_f64();
        // The total is the sum of the counts read above: another thread may observe meanwhile.
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

//! What the gate tells its operators: log and metrics.

pub(crate) mod log;
pub(crate) mod metrics;

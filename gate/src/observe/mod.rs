//! Log and metrics, for administrators. Neither holds a secret, and metrics hold no user.

pub(crate) mod log;
pub(crate) mod metrics;

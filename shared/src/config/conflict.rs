//! A contradiction between keys.

/// What is wrong between keys, and the key to name.
pub(super) struct Conflict {
    pub(super) path: &'static [&'static str],
    pub(super) message: String,
}

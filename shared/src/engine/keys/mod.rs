//! The store together with its keys, and their rotation.

pub(super) mod keyed_store;
pub(super) mod rotation;

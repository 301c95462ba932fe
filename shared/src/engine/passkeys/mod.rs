//! Passkeys of an account: requested, registered, listed, renamed, removed, and their use in one
//! transaction. The decision itself is in `crate::verify::passkey`.

pub(in crate::engine) mod assertion;
pub(super) mod changes;
pub(in crate::engine) mod demand;
pub(super) mod error;
pub(in crate::engine) mod relying_party;
pub(super) mod request;

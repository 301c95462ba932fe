//! Backup of the store to one sealed file, and the restoring of a store from it: a restored store
//! accepts nothing that was used or revoked since the backup.

pub(super) mod replaced;
pub(super) mod restoring;
pub(super) mod writing;

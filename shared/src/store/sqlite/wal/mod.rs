//! The WAL: its checkpoints, which bound its length, and its end after a commit that failed.

pub(super) mod checkpoint;
mod wal_end;

pub(super) use wal_end::WalEnd;

//! Errors of SQLite as errors of the store.

use crate::store::StoreError;
use rusqlite::Error;

impl From<Error> for StoreError {
    fn from(error: Error) -> StoreError {
        StoreError::from(&error)
    }
}

impl From<&Error> for StoreError {
    fn from(error: &Error) -> StoreError {
        use rusqlite::ErrorCode::*;
        match error.sqlite_error_code() {
            // the last one is reported when another process recovers the WAL for too long
            Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed) => StoreError::Busy,
            Some(DiskFull) => StoreError::Full,
            Some(OperationInterrupted) => StoreError::TooLong,
            Some(TooBig) => StoreError::Damaged("it holds a value that is too long".to_owned()),
            Some(ReadOnly | CannotOpen | PermissionDenied) => StoreError::ReadOnly,
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged(error.to_string()),
            _ => StoreError::Engine(error.to_string()),
        }
    }
}

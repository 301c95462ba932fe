//! Errors of PostgreSQL as errors of the store.

use crate::store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

impl From<Error> for StoreError {
    fn from(error: Error) -> StoreError {
        let Some(reported) = error.as_db_error() else {
            return StoreError::Engine(with_causes(&error));
        };
        let code = reported.code();
        match () {
            () if [
                &SqlState::T_R_SERIALIZATION_FAILURE,
                &SqlState::T_R_DEADLOCK_DETECTED,
                // two hosts added the same row at once
                &SqlState::UNIQUE_VIOLATION,
            ]
            .contains(&code) =>
            {
                StoreError::Conflict
            }
            () if *code == SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
            () if *code == SqlState::UNDEFINED_TABLE => StoreError::Engine(
                "the database holds no store of Postern; create it with postern init".to_owned(),
            ),
            () if *code == SqlState::QUERY_CANCELED => StoreError::TooLong,
            () if *code == SqlState::DISK_FULL => StoreError::Full,
            () if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Engine(
                "PostgreSQL takes no writes: it is a standby, or default_transaction_read_only is on"
                    .to_owned(),
            ),
            () if [&SqlState::DATA_CORRUPTED, &SqlState::INDEX_CORRUPTED].contains(&code) => {
                StoreError::Damaged(reported.message().to_owned())
            }
            () => StoreError::Engine(format!(
                "PostgreSQL reports {} ({})",
                reported.message(),
                code.code()
            )),
        }
    }
}

/// Returns an error of the library with its causes, which alone say what happened.
pub(super) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    let mut text = error.to_string();
    for cause in causes.map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

//! Marks of a transfer. A store that was moved away, and one that is not complete yet, have a version
//! of their own, which no program opens, and a table that says where the other one is.

use crate::config::StoreUrl;
use crate::store::{StoreError, StoreResult};
use crate::system::clock::Timestamp;
use crate::system::random::{RandomError, random_bytes};

/// Version of a store that was moved to another place.
pub(in crate::store) const MOVED: i64 = -1;
/// Version of a store that is a copy, while the one that it was copied from is in force.
pub(in crate::store) const INCOMPLETE: i64 = -2;

/// Table of the mark, as both databases read it after the words of SQLite are replaced.
pub(in crate::store) const MARK_TABLE: &str = "CREATE TABLE store_transfer (\n    id  BLOB NOT NULL,\n    url TEXT NOT NULL,\n    at  INTEGER NOT NULL\n) STRICT;";
pub(in crate::store) const ADD_MARK: &str =
    "INSERT INTO store_transfer (id, url, at) VALUES (?1, ?2, ?3)";
pub(in crate::store) const READ_MARK: &str = "SELECT id, url, at FROM store_transfer LIMIT 1";
pub(in crate::store) const DROP_MARK: &str = "DROP TABLE store_transfer";

/// Number of one transfer, which both of its stores have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferId(pub(in crate::store) [u8; 16]);

impl TransferId {
    pub(super) fn random() -> Result<TransferId, RandomError> {
        random_bytes().map(TransferId)
    }
}

/// Mark of a store that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct TransferMark {
    pub(in crate::store) id: TransferId,
    /// Where the other store is.
    pub(in crate::store) url: StoreUrl,
    pub(in crate::store) at: Timestamp,
}

impl TransferMark {
    /// Returns the mark from the columns of its table.
    pub(in crate::store) fn from_columns(
        id: Vec<u8>,
        url: String,
        at: i64,
    ) -> StoreResult<TransferMark> {
        let wrong = || StoreError::Damaged("the mark of a transfer".to_owned());
        Ok(TransferMark {
            id: TransferId(id.try_into().map_err(|_| wrong())?),
            url: StoreUrl::try_from(url).map_err(|_| wrong())?,
            at: Timestamp(u64::try_from(at).map_err(|_| wrong())?),
        })
    }

    /// Returns why a store with this version and this mark is not opened.
    pub(in crate::store) fn error(self, version: i64) -> StoreError {
        match version {
            MOVED => StoreError::MovedTo {
                url: self.url,
                at: self.at,
            },
            _ => StoreError::Incomplete { from: self.url },
        }
    }
}

/// What is at the place of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum StoreState {
    /// There is no store yet.
    Missing,
    /// A store of this program's version.
    InForce,
    Moved(TransferMark),
    Incomplete(TransferMark),
}

impl StoreState {
    /// Returns the state of a store with a mark.
    pub(in crate::store) fn of_mark(version: i64, mark: TransferMark) -> StoreState {
        match version {
            MOVED => StoreState::Moved(mark),
            _ => StoreState::Incomplete(mark),
        }
    }
}

//! The store. Every change happens in a [`Transaction`], which either commits completely and durably
//! or changes nothing.
//!
//! - `records`: what transactions take and return.
//! - `error`: errors, and the word that logs give for each.
//! - `transaction`: reads and changes by subject, with their SQL.
//! - `column`: values of columns and parameters.
//! - `database`: the database below a transaction, one of two.
//! - `sqlite`: connections, files, locks, the WAL, the schema and its migration.
//! - `postgres`: connections, locks, and the SQL where the two databases differ.
//! - `table`: tables and columns of the schema.
//! - `transfer`: a store that is moved from one database to the other.
//! - `sealed_file`: what a host of a fleet keeps while no server answers.
//!
//! MUST NOT expose a type of the database library.

mod column;
mod database;
mod error;
mod open;
mod postgres;
mod records;
pub mod sealed_file;
mod sqlite;
mod table;
mod transaction;
mod transfer;

pub use crate::account::record::AccountRecord;
pub use database::Store;
pub use error::{LockHolder, StoreError, StoreResult, log_cause};
pub use open::{
    RevisionListener, UpgradeResult, create, create_temporary, exists, has_current_version,
    make_missing_files, open, upgrade,
};
pub use records::*;
pub use sqlite::{STORE_VERSION, TemporaryStore, UnchangedFiles};
pub use transaction::{Intent, Transaction};
pub use transfer::{CountedTable, StoreTransfer, TransferId, TransferPlan, plan, put_in_force};

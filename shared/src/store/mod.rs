//! Interface of the store, and its implementation with SQLite. Every change happens in a
//! [`Transaction`], which either commits completely and durably or changes nothing.
//!
//! MUST NOT expose a type of the database library.

mod interface;
mod location;
mod sqlite;
mod unchanged_files;

pub use crate::account::record::AccountRecord;
pub use interface::*;
pub use unchanged_files::UnchangedFiles;

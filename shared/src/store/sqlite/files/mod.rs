//! Files of the store: which are trusted, whether they are still the ones that were checked, and
//! what their header says before SQLite opens them.

mod database_path;
pub(super) mod header;
pub(super) mod location;
mod unchanged_files;

pub(super) use database_path::DatabasePath;
pub use unchanged_files::UnchangedFiles;

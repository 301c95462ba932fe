//! Tables of the store as a whole.

use super::Transaction;
use super::convert::unsigned;
use crate::store::sqlite::schema_tables;
use crate::store::{CountedTable, StoreResult};

impl Transaction<'_> {
    /// Returns the number of rows of each table.
    ///
    /// Reads whole tables: MUST be called in a transaction that only reads.
    pub fn count_rows(&mut self) -> StoreResult<Vec<CountedTable>> {
        let mut counted = Vec::new();
        for table in schema_tables()? {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            counted.push(CountedTable {
                rows: unsigned(self.query_row(&sql, (), |row| row.get(0))?),
                name: table.name,
            });
        }
        Ok(counted)
    }
}

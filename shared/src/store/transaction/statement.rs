//! Running of statements in a transaction, whatever the database below.

use super::Transaction;
use crate::store::column::{NextRow, Parameters, Row};
use crate::store::{Intent, StoreError, StoreResult};

impl Transaction<'_> {
    /// Runs a statement whose answer nothing needs.
    pub(super) fn execute(&self, sql: &str, parameters: impl Parameters) -> StoreResult<()> {
        self.check(sql);
        parameters.with_values(|values| self.open.send(sql, values))
    }

    /// Runs a statement. Returns the number of changed rows.
    pub(super) fn execute_counted(
        &self,
        sql: &str,
        parameters: impl Parameters,
    ) -> StoreResult<usize> {
        self.check(sql);
        parameters.with_values(|values| self.open.execute(sql, values))
    }

    /// Runs a statement that may read a whole table, since no attempt waits for this store.
    pub(super) fn execute_unchecked(&self, sql: &str) -> StoreResult<()> {
        self.open.execute(sql, &[]).map(drop)
    }

    pub(super) fn query_rows<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        mut read: impl FnMut(&Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        self.check(sql);
        let mut found = Vec::new();
        let mut add = |row: &Row<'_>| {
            found.push(read(row)?);
            Ok(NextRow::Read)
        };
        parameters.with_values(|values| self.open.query(sql, values, &mut add))?;
        Ok(found)
    }

    /// Returns the first row, if there is one.
    pub(super) fn find_row<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        mut read: impl FnMut(&Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        self.check(sql);
        let mut found = None;
        let mut keep = |row: &Row<'_>| {
            found = Some(read(row)?);
            Ok(NextRow::Skip)
        };
        parameters.with_values(|values| self.open.query(sql, values, &mut keep))?;
        Ok(found)
    }

    /// Returns the first row. No row is an error.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnMut(&Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let none = || StoreError::Damaged("a row is missing".to_owned());
        self.find_row(sql, parameters, read)?.ok_or_else(none)
    }

    /// With debug assertions (all unit tests), plans each statement of a writing transaction first.
    fn check(&self, sql: &str) {
        if cfg!(debug_assertions) && self.intent != Intent::Read {
            self.open.check_plan(sql);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "under the write lock")]
    fn a_writing_transaction_refuses_to_read_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::store::sqlite::new_store(&folder);
        let transaction = store.begin(crate::store::Intent::Write).unwrap();
        let _ = transaction.execute("DELETE FROM failure WHERE cost = ?1", [1_i64]);
    }
}

//! Tables of the schema with their columns, which both databases have.

/// A table. Its rows are read in the order of its primary key.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<TableColumn>,
    /// Whether the database numbers the rows, and gives no number twice.
    pub(super) is_numbered: bool,
    /// Statement that creates it, as SQLite reads it.
    pub(super) sql: String,
}

pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    pub(super) is_nullable: bool,
    /// Position in the primary key, from 1; 0 for any other column.
    pub(super) key_position: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Integer,
    Text,
    Bytes,
}

impl Table {
    /// Returns the names of the columns, with commas.
    pub(super) fn column_list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|one| one.name.as_str()).collect();
        names.join(", ")
    }

    /// Returns a statement that reads all rows, in the order of the primary key.
    pub(super) fn select(&self) -> String {
        let mut key: Vec<&TableColumn> = self.columns.iter().collect();
        key.retain(|column| column.key_position > 0);
        key.sort_by_key(|column| column.key_position);
        let key: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
        let order = match key.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", key.join(", ")),
        };
        format!("SELECT {} FROM {}{order}", self.column_list(), self.name)
    }
}

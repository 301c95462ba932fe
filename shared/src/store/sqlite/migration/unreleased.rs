//! Schemas of builds before the first release. Errors name their commit, since some of them call
//! themselves version 3 too.

use crate::store::StoreError;
use crate::store::sqlite::schema_check;
use rusqlite::Connection;

/// Commits, and the hash of the schema that each created.
const SHAPES: [(&str, &str); 4] = [
    (
        "a537922",
        "2b47c701cda5cf40663cd027396b70ad16af3954eb56ff869a0ec11975f491b0",
    ),
    (
        "7d66434",
        "5e9655837fcd84fa5993099bb61beffaf4d162149adaf50d658ec50e1b402392",
    ),
    (
        "c4ca64a",
        "2f9fcb55716f64e8ad11ca890453d9cfffcbc25f5939f894ec86a49b4a0391ab",
    ),
    (
        "7ea6c5b",
        "65ea4ae8b77a9037b29d302cc72a1fa510ae74bcc405ea2732cc1c04fd4a94a3",
    ),
];

/// Returns the commit whose unreleased schema a store has.
pub(super) fn find_commit(connection: &Connection) -> Result<Option<&'static str>, StoreError> {
    let mark = schema_check::schema_hash(connection)?;
    Ok(SHAPES
        .iter()
        .find(|(_, known)| *known == mark)
        .map(|(commit, _)| *commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// `tests/stores/unreleased` holds each schema as its commit created it.
    #[test]
    fn each_unreleased_shape_is_told_by_its_commit() {
        for (commit, known) in SHAPES {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/unreleased");
            let schema = std::fs::read_to_string(folder.join(format!("{commit}.sql"))).unwrap();
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(&schema).unwrap();
            assert_eq!(
                schema_check::schema_hash(&connection).unwrap(),
                known,
                "{commit}"
            );
            assert_eq!(find_commit(&connection).unwrap(), Some(commit));
        }
    }
}

//! Every row of every table is moved as it is, and a large store in little memory.

use super::*;

/// Returns each row of each table of a file.
fn dump(path: &std::path::Path) -> Vec<(String, Vec<Value>)> {
    let opened = Connection::open(path).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = opened.prepare(sql).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut rows = Vec::new();
    for table in names.map(Result::unwrap) {
        let mut all = opened
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
            .or_else(|_| opened.prepare(&format!("SELECT * FROM {table}")))
            .unwrap();
        let columns = all.column_count();
        let found = all
            .query_map([], |row| {
                (0..columns).map(|column| row.get(column)).collect()
            })
            .unwrap();
        rows.extend(found.map(|row| (table.clone(), row.unwrap())));
    }
    rows
}

/// Adds rows with the extremes of their kinds to every table.
fn fill(path: &std::path::Path) {
    const KEPT: [&str; 5] = [
        "data_key",
        "renewal",
        "revision",
        "app_password_revision",
        "sqlite_sequence",
    ];
    let opened = Connection::open(path).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
    let mut names = opened.prepare(sql).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for table in names.map(Result::unwrap) {
        if KEPT.contains(&table.as_str()) {
            continue;
        }
        let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)";
        let mut columns = opened.prepare(sql).unwrap();
        let columns = columns.query_map([&table], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, bool>(2)? || row.get::<_, bool>(3)?,
            ))
        });
        let columns: Vec<_> = columns.unwrap().map(Result::unwrap).collect();
        for number in 1..=3_i64 {
            let value = |(column, kind, is_needed): &(String, String, bool)| {
                let counts = [
                    "id",
                    "account",
                    "host",
                    "browser",
                    "authenticator",
                    "number",
                ];
                let is_counted = counts.contains(&column.as_str()) && kind == "INTEGER";
                match (number, kind.as_str()) {
                    _ if is_counted => Value::Integer(number),
                    (1, _) if !is_needed => Value::Null,
                    (1, "INTEGER") => Value::Integer(i64::MIN),
                    (2, "INTEGER") => Value::Integer(i64::MAX),
                    (_, "INTEGER") => Value::Integer(-1),
                    (1, "TEXT") => Value::Text(String::new()),
                    (2, "TEXT") => Value::Text("\\x27 ' \" \u{1F512} é\n\t\\N".to_owned()),
                    (_, "TEXT") => Value::Text(format!("{column} {number}")),
                    (1, _) => Value::Blob(Vec::new()),
                    (2, _) => Value::Blob((0..=255).collect()),
                    _ if column == "sealed" => Value::Blob(vec![0; 300_000]),
                    _ => Value::Blob(vec![255; 32]),
                }
            };
            let names: Vec<&str> = columns.iter().map(|column| column.0.as_str()).collect();
            let values: Vec<Value> = columns.iter().map(value).collect();
            let places: Vec<&str> = values.iter().map(|_| "?").collect();
            let sql = format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                names.join(", "),
                places.join(", ")
            );
            let added = opened.execute(&sql, rusqlite::params_from_iter(values));
            assert_eq!(added.unwrap_or_else(|error| panic!("{table}: {error}")), 1);
        }
    }
}

/// Through PostgreSQL and back, if this run has a server.
#[test]
fn every_row_of_every_table_arrives_byte_for_byte() {
    let file = |test: &Config| test.store.url.sqlite_path().unwrap().to_owned();
    let first = match is_postgres() {
        true => Move::new((Place::File, Place::Server), ""),
        false => Move::new((Place::File, Place::File), ""),
    };
    fill(&file(&first.from.config));
    let before = dump(&file(&first.from.config));
    let tables: std::collections::BTreeSet<&String> = before.iter().map(|(name, _)| name).collect();
    let all = count_rows(&first.from.config);
    let empty = all.iter().find(|table| !tables.contains(&table.name));
    assert_eq!(empty, None, "it has no row");
    let mut transfer = first.begin();
    let id = transfer.id();
    let counted = count_rows(&first.from.config);
    let copied = first.copy(&mut transfer);
    assert_eq!(copied, counted);
    let rows = before.iter().filter(|(name, _)| name != "sqlite_sequence");
    assert_eq!(
        counted.iter().map(|one| one.rows).sum::<u64>(),
        rows.count() as u64
    );
    transfer.mark_moved(&first.to.store.url, NOW).unwrap();
    store::put_in_force(&first.to.store, id).unwrap();
    let after = match first.to.store.url.sqlite_path() {
        Some(path) => dump(path),
        None => {
            let second = Move::new((Place::File, Place::File), "");
            let back = Move {
                from: TestStore {
                    config: first.to.clone(),
                    ..second.from
                },
                ..second
            };
            let mut transfer = back.begin();
            let id = transfer.id();
            back.copy(&mut transfer);
            transfer.mark_moved(&back.to.store.url, NOW).unwrap();
            store::put_in_force(&back.to.store, id).unwrap();
            dump(&file(&back.to))
        }
    };
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!(
            before == after,
            "{}: {:?} became {:?}",
            before.0,
            before.1,
            after.1
        );
    }
}

/// Returns the most memory that this process has had, in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// Memory does not grow with the store. `POSTERN_ACCOUNTS` is how many it has, in thousands.
#[test]
fn a_large_store_is_moved_in_little_memory() {
    let thousands = std::env::var("POSTERN_ACCOUNTS").ok();
    let accounts = thousands.map_or(5_000, |text| 1000 * text.parse::<u32>().unwrap());
    for way in ways().into_iter().filter(|way| way.0 == Place::File) {
        let test = Move::new(way, "");
        test.from.changes(&format!(
            "PRAGMA synchronous = OFF; BEGIN;
             CREATE TEMP TABLE number AS WITH RECURSIVE n (i) AS
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {accounts}) SELECT i FROM n;
             INSERT INTO account (id, name, name_key, created)
                 SELECT i, 'user' || i, 'user' || i, 1 FROM number;
             INSERT INTO authenticator (id, account, name, algorithm, digits, period, created)
                 SELECT i, i, 'phone', 'sha1', 6, 30, 1 FROM number;
             INSERT INTO secret SELECT i, randomblob(60) FROM number;
             INSERT INTO floor SELECT randomblob(32), i FROM number;
             INSERT INTO recovery_code SELECT i, randomblob(32), 10, NULL FROM number;
             INSERT INTO recovery_code SELECT i, randomblob(32), 10, i FROM number;
             COMMIT"
        ));
        let (began, before) = (std::time::Instant::now(), peak_memory());
        drop(test.complete());
        let (seconds, grown) = (
            began.elapsed().as_secs(),
            peak_memory().saturating_sub(before),
        );
        println!("{way:?}: {accounts} accounts in {seconds} s, {grown} KiB more");
        // the page cache of a file that is filled is 64 MiB
        assert!(grown < 100 * 1024, "{grown} KiB");
    }
}

//! `postern migrate-store`: a store that was moved accepts nothing that was used or revoked at the
//! old place, and at no moment two stores are in force. Between files; with a server (tests/postgres)
//! also from a file to PostgreSQL, and back.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::{Config, StoreConfig, StoreUrl};
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterPassword, Engine};
use postern_shared::store::{self, CountedTable, Intent, StoreError, StoreTransfer, TransferPlan};
use postern_shared::token::session::RevokedSessions;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use test_store::{
    NOW, PASSWORD, TestDatabase, TestStore, accepted, assert_contains, attempt_at, browser_with,
    code_of, is_postgres, name, password, recovery, refused, remote,
};

const GATE: [u8; 16] = [7; 16];

/// Where a store is, or where it is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    Server,
}

/// The ways that this run can go.
fn ways() -> Vec<(Place, Place)> {
    let mut ways = vec![(Place::File, Place::File)];
    if is_postgres() {
        ways.extend([(Place::File, Place::Server), (Place::Server, Place::File)]);
    }
    ways
}

/// A store, and an empty place for it.
struct Move {
    from: TestStore,
    to: Config,
    target: Option<TestDatabase>,
}

impl Move {
    fn new((from, to): (Place, Place), extra: &str) -> Move {
        let database = |place| (place == Place::Server).then(|| TestDatabase::new().unwrap());
        let from = TestStore::in_database(extra, database(from));
        let target = database(to);
        let folder = from.folder.path().join("moved");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o750)).unwrap();
        let url = match &target {
            Some(database) => database.url(),
            None => format!("sqlite:{}", folder.join("db").display()),
        };
        let to = Config {
            store: StoreConfig {
                url: StoreUrl::try_from(url).unwrap(),
                ..from.config.store.clone()
            },
            ..from.config.clone()
        };
        Move { from, to, target }
    }

    fn plan(&self) -> Result<TransferPlan, StoreError> {
        store::plan(&self.from.config.store, &self.to.store)
    }

    fn begin(&self) -> StoreTransfer {
        StoreTransfer::begin(&self.from.config.store).unwrap()
    }

    /// Copies, and puts a file in its place, incomplete.
    fn copy(&self, transfer: &mut StoreTransfer) -> Vec<CountedTable> {
        let Some(path) = self.to.store.url.sqlite_path() else {
            return transfer.copy(&self.to.store, NOW).unwrap();
        };
        let user = nix::unistd::geteuid().as_raw();
        let temporary = store::create_temporary(&self.to.store.url, user).unwrap();
        let new = format!("sqlite:{}", temporary.path().display());
        let new = StoreConfig {
            url: StoreUrl::try_from(new).unwrap(),
            ..self.to.store.clone()
        };
        let copied = transfer.copy(&new, NOW).unwrap();
        temporary.replace(path, ".before").unwrap();
        copied
    }

    /// Moves the store, as the command does, and returns the engine at its new place.
    fn complete(&self) -> Engine {
        assert_eq!(self.plan().unwrap(), TransferPlan::Copy);
        let mut transfer = self.begin();
        let id = transfer.id();
        self.copy(&mut transfer);
        transfer.mark_moved(&self.to.store.url, NOW).unwrap();
        store::put_in_force(&self.to.store, id).unwrap();
        Engine::open(self.to.clone()).unwrap()
    }
}

fn count_rows(config: &Config) -> Vec<CountedTable> {
    let mut store = store::open(&config.store).unwrap();
    let mut transaction = store.begin(Intent::Read).unwrap();
    transaction.count_rows().unwrap()
}

fn error_of(config: &Config) -> String {
    let opened = Engine::open(config.clone());
    opened.err().expect("the store is not opened").to_string()
}

fn snapshot(engine: &mut Engine) -> RevokedSessions {
    let mut found = None;
    let mut sessions = engine.sessions();
    let seen = sessions.update_revocations(&GATE, None, NOW, |seen| found = Some(seen.revoked));
    seen.unwrap();
    sessions.remove_gate(&GATE).unwrap();
    found.unwrap()
}

#[test]
fn a_code_that_was_used_before_is_refused_after_the_move() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
        accepted(&test.from.attempt("alice", &recovery(&app, 0), NOW));
        let (code, _) = test.from.issues_one_time_code("alice", NOW);
        let one_time = code.grouped().to_string();
        accepted(&test.from.attempt("alice", &one_time, NOW));
        let mut moved = test.complete();
        let mut attempt = |typed: &str| {
            attempt_at(
                &mut moved,
                "alice",
                &Origin::Unknown,
                Phase::After,
                typed,
                NOW,
            )
        };
        for typed in [code_of(&app, 0), recovery(&app, 0), one_time] {
            assert!(attempt(&typed).result.is_err(), "{way:?}");
        }
        accepted(&attempt(&code_of(&app, 1)));
        accepted(&attempt(&recovery(&app, 1)));
    }
}

#[test]
fn a_revoked_session_stays_revoked_and_another_one_goes_on() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        test.from.sets_password("alice");
        let origin = remote("192.0.2.7");
        let first = test_store::opens(&mut test.from, &origin, &code_of(&app, -1), NOW).session;
        let second = test_store::opens(&mut test.from, &origin, &code_of(&app, 0), NOW).session;
        let revoked =
            test.from
                .sessions()
                .revoke_sessions(&name("alice"), Some(first.id), "root", NOW);
        assert_eq!(revoked.unwrap(), 1);
        let mut moved = test.complete();
        let snapshot = snapshot(&mut moved);
        assert!(
            snapshot.covers(&first) && !snapshot.covers(&second),
            "{way:?}"
        );
        let listed = moved.sessions().list_sessions(&name("alice"), NOW).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, second.id);
    }
}

#[test]
fn a_lock_of_the_throttle_a_trusted_browser_and_an_app_password_stay() {
    for way in ways() {
        let mut test = Move::new(way, "[throttle]\nlock_after = 10\nfree = 10\n");
        let app = test.from.enrols("alice");
        test.from.sets_password("alice");
        let origin = remote("192.0.2.7");
        let opened = {
            let (engine, who) = (&mut test.from.engine, name("alice"));
            let browser = browser_with(&origin, None);
            let none = Input::parse(b"");
            let asked = engine.login().enter_password(
                &browser,
                &who,
                Some(&password(PASSWORD)),
                &none,
                NOW,
            );
            let AfterPassword::Code(token) = asked.unwrap() else {
                panic!("no code is asked")
            };
            let code = Input::parse(code_of(&app, 0).as_bytes());
            let entered = engine.login().enter_code(
                &browser,
                &token,
                &code,
                postern_shared::engine::TrustRequest::Asked,
                NOW,
            );
            match entered.unwrap() {
                postern_shared::engine::AfterCode::Opened(opened) => *opened,
                postern_shared::engine::AfterCode::Refused(_) => panic!("refused"),
            }
        };
        for _ in 0..10 {
            test.from.attempt("alice", "000000", NOW);
        }
        let locked = test.from.attempt("alice", &code_of(&app, 1), NOW);
        refused(&locked, Refusal::Locked);
        let mut moved = test.complete();
        let right = code_of(&app, 1);
        let after = attempt_at(
            &mut moved,
            "alice",
            &Origin::Unknown,
            Phase::After,
            &right,
            NOW,
        );
        refused(&after, Refusal::Locked);
        let cookie = opened.browser_cookie.unwrap().to_string();
        let entered = moved.login().enter_password(
            &browser_with(&origin, Some(&cookie)),
            &name("alice"),
            Some(&password(PASSWORD)),
            &Input::parse(b""),
            NOW,
        );
        assert!(
            matches!(entered.unwrap(), AfterPassword::Opened(_)),
            "{way:?}"
        );
    }
}

/// Secrets and hashes are bound to these numbers.
#[test]
fn no_number_is_given_twice() {
    for way in ways() {
        let mut test = Move::new(way, "");
        test.from.adds_account("alice");
        test.from.adds_account("bob");
        let last: i64 = test.from.number("SELECT max(id) FROM account");
        let removed = test
            .from
            .accounts()
            .remove_account(&name("bob"), "root", NOW);
        removed.unwrap();
        let mut moved = test.complete();
        let distinct = postern_shared::account::name::Distinct::No;
        let added = moved
            .accounts()
            .add_account(&name("carol"), distinct, "root", NOW);
        added.unwrap();
        let sql = "SELECT max(id) FROM account";
        let next: i64 = match &test.target {
            Some(database) => database.number(sql),
            None => {
                let path = test.to.store.url.sqlite_path().unwrap();
                let opened = Connection::open(path).unwrap();
                opened.query_row(sql, [], |row| row.get(0)).unwrap()
            }
        };
        assert!(next > last, "{way:?}: {next} after {last}");
    }
}

#[test]
fn a_process_that_has_the_old_store_open_or_opens_it_is_refused_with_its_new_place() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        test.complete();
        let place = format!("was moved to {}", test.to.store.url);
        // a daemon that has it open
        let opened = test.from.accounts().account_status(&name("alice"));
        assert_contains(opened.unwrap_err().to_string(), &place);
        let typed = Input::parse(code_of(&app, 0).as_bytes());
        let (alice, origin) = (name("alice"), Origin::Unknown);
        let request = test_store::request(&alice, &origin);
        let attempt = test.from.verification().verify_input(&request, &typed, NOW);
        let refused = attempt.expect_err("it was verified").to_string();
        assert_contains(&refused, &place);
        assert_contains(&refused, "set store.url in postern.toml");
        // one that starts, an upgrade, and another transfer
        assert_contains(error_of(&test.from.config), &place);
        let upgraded = store::upgrade(&test.from.config.store).unwrap_err();
        assert_contains(upgraded.to_string(), &place);
        assert_contains(test.plan().unwrap_err().to_string(), &place);
        let begun = StoreTransfer::begin(&test.from.config.store).err().unwrap();
        assert_contains(begun.to_string(), &place);
    }
}

#[test]
fn nothing_is_written_to_the_old_store_while_it_is_copied() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let transfer = test.begin();
        let typed = Input::parse(code_of(&app, 0).as_bytes());
        let (alice, origin) = (name("alice"), Origin::Unknown);
        let request = test_store::request(&alice, &origin);
        let attempt = test.from.verification().verify_input(&request, &typed, NOW);
        let refused = attempt.expect_err("it was verified").to_string();
        assert_contains(&refused, "busy for 5 seconds");
        drop(transfer);
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
    }
}

/// Daemons go on while the store is moved, some with the old configuration and some with the new one.
#[test]
fn a_code_is_accepted_once_while_the_store_is_moved() {
    for way in ways() {
        for _ in 0..3 {
            let mut test = Move::new(way, "");
            let app = test.from.enrols("alice");
            let code = code_of(&app, 0);
            let (count, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
            let attempts = |config: &Config| {
                let (alice, origin) = (name("alice"), Origin::Unknown);
                let request = test_store::request(&alice, &origin);
                let typed = Input::parse(code.as_bytes());
                loop {
                    let is_last = stop.load(Ordering::SeqCst);
                    if let Ok(mut engine) = Engine::open(config.clone()) {
                        let attempt = engine.verification().verify_input(&request, &typed, NOW);
                        if attempt.is_ok_and(|attempt| attempt.result.is_ok()) {
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    if is_last {
                        break;
                    }
                }
            };
            std::thread::scope(|scope| {
                scope.spawn(|| attempts(&test.from.config));
                scope.spawn(|| attempts(&test.to));
                drop(test.complete());
                stop.store(true, Ordering::SeqCst);
            });
            assert_eq!(count.load(Ordering::SeqCst), 1, "{way:?}");
        }
    }
}

#[test]
fn an_interruption_before_the_copy_is_complete_leaves_the_old_store_and_an_empty_place() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let transfer = test.begin();
        drop(transfer);
        assert_eq!(test.plan().unwrap(), TransferPlan::Copy);
        assert!(Engine::open(test.to.clone()).is_err());
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
        test.complete();
    }
}

/// PostgreSQL stores no text with a zero byte: the copy fails in its middle.
#[test]
fn a_copy_that_fails_leaves_the_old_store_and_an_empty_place() {
    if !is_postgres() {
        return;
    }
    let mut test = Move::new((Place::File, Place::Server), "");
    let app = test.from.enrols("alice");
    test.from.changes("UPDATE event SET cause = char(0)");
    let mut transfer = test.begin();
    let copied = transfer.copy(&test.to.store, NOW);
    assert_contains(copied.unwrap_err().to_string(), "invalid byte sequence");
    drop(transfer);
    let database = test.target.as_ref().unwrap();
    assert!(database.tables().is_empty());
    accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
    test.from.changes("UPDATE event SET cause = ''");
    test.complete();
}

#[test]
fn an_interruption_before_the_old_store_is_marked_leaves_it_in_force() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let mut transfer = test.begin();
        test.copy(&mut transfer);
        drop(transfer);
        let refused = error_of(&test.to);
        assert_contains(&refused, "is not complete");
        assert_contains(&refused, "run postern migrate-store again");
        // codes that are used now are known after the next run
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
        let mut moved = test.complete();
        let used = code_of(&app, 0);
        let after = attempt_at(
            &mut moved,
            "alice",
            &Origin::Unknown,
            Phase::After,
            &used,
            NOW,
        );
        assert!(after.result.is_err(), "{way:?}");
    }
}

#[test]
fn an_interruption_after_the_old_store_is_marked_is_completed_by_the_next_run() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let mut transfer = test.begin();
        let id = transfer.id();
        test.copy(&mut transfer);
        transfer.mark_moved(&test.to.store.url, NOW).unwrap();
        assert_contains(error_of(&test.from.config), "was moved to");
        assert_contains(error_of(&test.to), "is not complete");
        assert_eq!(test.plan().unwrap(), TransferPlan::Finish(id));
        store::put_in_force(&test.to.store, id).unwrap();
        let mut moved = Engine::open(test.to.clone()).unwrap();
        let code = code_of(&app, 0);
        let after = attempt_at(
            &mut moved,
            "alice",
            &Origin::Unknown,
            Phase::After,
            &code,
            NOW,
        );
        accepted(&after);
        // once only
        assert!(store::put_in_force(&test.to.store, id).is_err());
    }
}

#[test]
fn a_place_that_is_not_empty_is_refused_and_keeps_what_it_has() {
    for way in ways() {
        let test = Move::new(way, "");
        drop(test.complete());
        // another store, to the same place
        let mut other = Move::new(way, "");
        other.to.store.url = test.to.store.url.clone();
        assert_contains(other.plan().unwrap_err().to_string(), "holds a store");
        if let Some(database) = &test.target {
            let mut transfer = other.begin();
            let copied = transfer.copy(&other.to.store, NOW);
            assert_contains(copied.unwrap_err().to_string(), "holds a store");
            assert_eq!(database.number("SELECT version FROM store_version"), 7);
        }
        Engine::open(test.to.clone()).unwrap();
    }
}

#[test]
fn a_database_with_tables_of_another_program_is_refused() {
    if !is_postgres() {
        return;
    }
    let test = Move::new((Place::File, Place::Server), "");
    test.target
        .as_ref()
        .unwrap()
        .run("CREATE TABLE other (n int)");
    let refused = test.plan().unwrap_err().to_string();
    assert_contains(&refused, "holds other, which is not of Postern");
}

/// Created there, or moved there.
#[test]
fn the_space_of_overwritten_secrets_is_soon_reused() {
    if !is_postgres() {
        return;
    }
    let test = Move::new((Place::File, Place::Server), "");
    drop(test.complete());
    let created = TestStore::new("");
    for database in [&test.target, &created.folder.database] {
        let sql = "SELECT count(*) FROM pg_class WHERE relname IN ('secret', 'outbox', 'data_key') \
                   AND 'autovacuum_vacuum_scale_factor=0' = ANY (reloptions)";
        assert_eq!(database.as_ref().unwrap().number(sql), 3);
    }
}

#[test]
fn a_store_that_was_moved_to_a_server_is_moved_back_to_its_file() {
    if !is_postgres() {
        return;
    }
    let mut there = Move::new((Place::File, Place::Server), "");
    let app = there.from.enrols("alice");
    let mut engine = there.complete();
    let code = code_of(&app, 0);
    let used = attempt_at(
        &mut engine,
        "alice",
        &Origin::Unknown,
        Phase::After,
        &code,
        NOW,
    );
    accepted(&used);
    drop(engine);
    let file = there.from.config.clone();
    let back = Move {
        to: file.clone(),
        from: TestStore {
            config: there.to.clone(),
            ..there.from
        },
        target: None,
    };
    let mut engine = back.complete();
    let again = attempt_at(
        &mut engine,
        "alice",
        &Origin::Unknown,
        Phase::After,
        &code,
        NOW,
    );
    assert!(again.result.is_err());
    let kept = file
        .store
        .url
        .sqlite_path()
        .unwrap()
        .with_extension("before");
    assert!(kept.exists(), "{}", kept.display());
    assert_contains(error_of(&there.to), "was moved to sqlite:");
}

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

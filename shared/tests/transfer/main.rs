//! `postern migrate-store`: a store that was moved accepts nothing that was used or revoked at the
//! old place, and at no moment two stores are in force. Between files; with a server (tests/postgres)
//! also from a file to PostgreSQL, and back.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod interruptions;
mod rows;
#[path = "../test_store/mod.rs"]
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

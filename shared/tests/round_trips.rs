//! What a login costs at PostgreSQL: its statements, and how often it waits for the network. Counted
//! between this process and the server. docs/performance.md has the numbers.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::file;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterCode, AfterPassword, Engine, TrustRequest};
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, attempt_at, browser, code_at, is_postgres, name,
    password, remote,
};

/// A wrong number shows a statement that is sent alone again. Each bound is what was measured, and a
/// few more.
const MOST_ROUND_TRIPS: usize = 30;

/// A Unix socket before the server's, which counts what passes.
struct CountingProxy {
    counts: Arc<Counts>,
    url: String,
}

#[derive(Default)]
struct Counts {
    /// Statements that are executed.
    statements: AtomicUsize,
    /// Answers of the server that this process waited for: one to all that was sent before it.
    waits: AtomicUsize,
}

impl CountingProxy {
    fn start(test: &TestStore, folder: &Path) -> CountingProxy {
        let url = test.folder.database.as_ref().unwrap().url();
        let (server, database) = url.rsplit_once('/').unwrap();
        let host = server.split_once('@').unwrap().1.replace("%2F", "/");
        let socket = PathBuf::from(host).join(".s.PGSQL.5432");
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming() {
                let server = UnixStream::connect(&socket).unwrap();
                pass(client.unwrap(), server, &counted);
            }
        });
        let host = folder.to_str().unwrap().replace('/', "%2F");
        CountingProxy {
            counts,
            url: format!("postgres://postgres@{host}/{database}"),
        }
    }

    /// Returns the statements and the waits of an act.
    fn count(&self, act: impl FnOnce()) -> (usize, usize) {
        let now = || {
            (
                self.counts.statements.load(Ordering::SeqCst),
                self.counts.waits.load(Ordering::SeqCst),
            )
        };
        let before = now();
        act();
        let after = now();
        (after.0 - before.0, after.1 - before.1)
    }
}

/// Passes the bytes of one connection on.
fn pass(client: UnixStream, server: UnixStream, counts: &Arc<Counts>) {
    let (mut from_server, mut to_client) =
        (server.try_clone().unwrap(), client.try_clone().unwrap());
    // whether something was sent that the server has not answered
    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, answered) = (Arc::clone(counts), Arc::clone(&asked));
    thread::spawn(move || {
        let mut bytes = [0; 1 << 16];
        while let Ok(length @ 1..) = from_server.read(&mut bytes) {
            if answered.swap(0, Ordering::SeqCst) > 0 {
                counted.waits.fetch_add(1, Ordering::SeqCst);
            }
            if to_client.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client, server);
    let counts = Arc::clone(counts);
    thread::spawn(move || {
        let mut is_started = false;
        while let Some(message) = read_message(&mut from_client, is_started) {
            is_started = true;
            let statements = match message[0] {
                // the text of a simple query may hold several statements
                b'Q' => String::from_utf8_lossy(&message).split("; ").count(),
                b'E' => 1,
                _ => 0,
            };
            counts.statements.fetch_add(statements, Ordering::SeqCst);
            asked.fetch_add(1, Ordering::SeqCst);
            if to_server.write_all(&message).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
    });
}

/// Reads one message of the protocol: a letter, unless it is the first one, and its length.
fn read_message(from: &mut UnixStream, has_letter: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; 4 + usize::from(has_letter)];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(*message.last_chunk().unwrap());
    let mut rest = vec![0; length as usize - 4];
    from.read_exact(&mut rest).ok()?;
    message.extend(rest);
    Some(message)
}

#[test]
fn a_login_waits_for_the_database_a_bounded_number_of_times() {
    if !is_postgres() {
        return;
    }
    let (test, app) = alice_at_the_web("");
    let folder = tempfile::tempdir().unwrap();
    let proxy = CountingProxy::start(&test, folder.path());
    let path = test.folder.path().join("postern.toml");
    let text = fs::read_to_string(&path).unwrap();
    let direct = test.folder.database.as_ref().unwrap().url();
    fs::write(&path, text.replace(&direct, &proxy.url)).unwrap();
    let config = file::read_config(&path).unwrap().config;
    let from = remote("198.51.100.7");
    let mut engine = None;
    let report = |what: &str, (statements, waits): (usize, usize)| {
        println!("| {what} | {statements} | {waits} |");
        assert!(waits <= MOST_ROUND_TRIPS, "{what}: {waits} round trips");
    };
    let opening = proxy.count(|| engine = Some(Engine::open(config.clone()).unwrap()));
    let engine = engine.as_mut().unwrap();
    report("a connection, and opening the store", opening);
    let enters = |engine: &mut Engine, step: i64| {
        let now = NOW.plus(step.unsigned_abs() * 30);
        let code = code_at(&app, 0, now);
        let entered = attempt_at(engine, "alice", &from, Phase::After, &code, now);
        assert!(entered.result.is_ok(), "{:?}", entered.result);
    };
    report(
        "a code at PAM, first of a connection",
        proxy.count(|| enters(engine, 1)),
    );
    // the second use prepares the statements
    enters(engine, 2);
    enters(engine, 3);
    report("a code at PAM", proxy.count(|| enters(engine, 4)));
    let now = NOW.plus(4 * 30);
    let refused = |engine: &mut Engine, typed: &str| {
        let entered = attempt_at(engine, "alice", &from, Phase::After, typed, now);
        assert!(entered.result.is_err());
    };
    (0..3).for_each(|number| refused(engine, &format!("00000{number}")));
    report(
        "a wrong code at PAM",
        proxy.count(|| refused(engine, "000003")),
    );
    let signs_in = |engine: &mut Engine, step: u64| {
        let now = NOW.plus(step * 30);
        let (who, none) = (name("alice"), Input::parse(b""));
        let mut login = engine.login();
        let entered =
            login.enter_password(&browser(&from), &who, Some(&password(PASSWORD)), &none, now);
        let AfterPassword::Code(token) = entered.unwrap() else {
            panic!("no code is asked")
        };
        let code = Input::parse(code_at(&app, 0, now).as_bytes());
        let entered = login.enter_code(&browser(&from), &token, &code, TrustRequest::NotAsked, now);
        assert!(matches!(entered.unwrap(), AfterCode::Opened(_)));
    };
    (100..103).for_each(|step| signs_in(engine, step));
    let all = proxy.count(|| signs_in(engine, 103));
    println!(
        "| a password and a code at the web | {} | {} |",
        all.0, all.1
    );
    assert!(all.1 <= 3 * MOST_ROUND_TRIPS, "{} round trips", all.1);
    let read = || {
        let engine = &mut *engine;
        engine.load_policy_facts(&name("alice")).unwrap();
    };
    report("what the policy needs, read", proxy.count(read));
}

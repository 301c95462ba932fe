//! Two gates on one store in PostgreSQL. Without a server (tests/postgres) there is nothing to test
//! here: one gate on a store in a file is tested by the stories.

use super::*;
use crate::http::cookies::sample_session;
use postern_shared::config::file;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::token::session::{SecondFactorMethod, SessionId};
use server::TestDatabase;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;
use tempfile::TempDir;

#[allow(dead_code, reason = "the tests of the library use the rest")]
#[path = "../../../../shared/tests/test_store/server.rs"]
mod server;

/// What a revocation may take while all gates hear of it.
const REPORTED: Duration = Duration::from_millis(500);

struct Gates {
    gates: [RevocationCache; 2],
    /// A host that revokes.
    engine: Engine,
    database: TestDatabase,
    _folder: TempDir,
}

impl Gates {
    /// Starts two gates, if there is a server.
    fn start() -> Option<Gates> {
        let database = TestDatabase::new()?;
        let folder = tempfile::tempdir().unwrap();
        let (masters, key) = MasterKeys::generate().unwrap();
        let key_file = folder.path().join("key");
        fs::write(&key_file, key.as_bytes()).unwrap();
        fs::set_permissions(&key_file, PermissionsExt::from_mode(0o600)).unwrap();
        let path = folder.path().join("postern.toml");
        let text = format!(
            "[store]\nurl = \"{}\"\nkey_file = \"{}\"\n",
            database.url(),
            key_file.display()
        );
        fs::write(&path, text).unwrap();
        let config = file::read_config(&path).unwrap().config;
        let keys = Vault::create(&masters).unwrap();
        postern_shared::store::create(&config.store, None, &keys).unwrap();
        let start = || RevocationCache::start(&config).unwrap().0;
        Some(Gates {
            gates: [start(), start()],
            engine: Engine::open(config.clone()).unwrap(),
            database,
            _folder: folder,
        })
    }

    /// Revokes a session that every gate accepts. Returns how long that took.
    fn revoke(&mut self) -> Duration {
        let id = SessionId::random().unwrap();
        let session = sample_session("alice", id, SecondFactorMethod::Code);
        for gate in &self.gates {
            assert!(!gate.refuses_session(&session), "it is valid");
        }
        let began = Instant::now();
        self.engine.sessions().sign_out(id).unwrap();
        let took = began.elapsed();
        for gate in &self.gates {
            assert!(
                gate.refuses_session(&session),
                "the revocation was reported"
            );
        }
        took
    }

    fn run(&self, sql: &str) {
        self.database.run(sql);
    }

    fn count(&self, sql: &str) -> i64 {
        self.database.number(sql)
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        self.gates.iter().for_each(RevocationCache::stop);
    }
}

const LISTENERS: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

/// Waits until a condition holds. Returns how long that took.
fn until(limit: Duration, holds: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

#[test]
fn a_revocation_is_reported_within_half_a_second_and_holds_at_every_gate() {
    let Some(mut gates) = Gates::start() else {
        return;
    };
    until(LEASE, || {
        gates.count(&format!("SELECT count(*) {LISTENERS}")) == 2
    });
    let mut took: Vec<_> = (0..20).map(|_| gates.revoke()).collect();
    took.sort_unstable();
    assert!(took[19] < REPORTED, "{took:?}");
    // reading every 200 ms alone takes 100 ms at the middle, and the slower of two gates more
    assert!(took[10] < INTERVAL / 2, "{took:?}");
}

/// The interval finds what a listener misses that was cut off, and the listener comes back.
#[test]
fn a_gate_whose_listener_is_cut_off_sees_a_revocation_all_the_same() {
    let Some(mut gates) = Gates::start() else {
        return;
    };
    let listening = format!("SELECT count(*) {LISTENERS}");
    until(LEASE, || gates.count(&listening) == 2);
    for _ in 0..3 {
        gates.run(&format!("SELECT pg_terminate_backend(pid) {LISTENERS}"));
        assert!(gates.revoke() < LEASE);
    }
    until(2 * LEASE, || gates.count(&listening) == 2);
    assert!(gates.revoke() < REPORTED);
}

/// A gate that cannot read its store denies after its lease, and a revocation is reported then.
#[test]
fn a_gate_that_is_cut_off_from_the_database_accepts_nothing_after_its_lease() {
    let Some(gates) = Gates::start() else {
        return;
    };
    let url = gates.database.url();
    let name = url.rsplit('/').next().unwrap();
    assert!(gates.gates.iter().all(RevocationCache::has_lease));
    gates.database.run_at_server(&format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS false; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    ));
    let lost = || !gates.gates.iter().any(RevocationCache::has_lease);
    let took = until(LEASE + Duration::from_secs(1), lost);
    assert!(took > LEASE - 2 * COMMIT_INTERVAL, "{took:?}");
    gates
        .database
        .run_at_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    until(2 * LEASE, || {
        gates.gates.iter().all(RevocationCache::has_lease)
    });
}

/// The server is read, but takes no commits, as a primary that was cut off from its standbys: another
/// one may take revocations meanwhile.
#[test]
fn a_gate_that_reads_a_server_which_commits_nothing_accepts_nothing_after_its_lease() {
    let Some(mut gates) = Gates::start() else {
        return;
    };
    gates.revoke();
    let database = (*gates.database).clone();
    let holding = std::thread::spawn(move || {
        database.run("BEGIN; LOCK TABLE gate IN EXCLUSIVE MODE; SELECT pg_sleep(8); ROLLBACK");
    });
    until(LEASE + Duration::from_secs(1), || {
        !gates.gates.iter().any(RevocationCache::has_lease)
    });
    holding.join().unwrap();
    until(2 * LEASE, || {
        gates.gates.iter().all(RevocationCache::has_lease)
    });
}

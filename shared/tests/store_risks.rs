//! What `postern check` says of a PostgreSQL server, on servers that have the setting. With
//! tests/postgres; without it, the tests end at once.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::{Config, StoreConfig, StoreUrl};
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::store::{self, StoreRisk};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use test_store::cluster::Cluster;
use test_store::is_postgres;
use test_store::server::run_at_url;

/// Runs statements as the superuser of a server.
fn administer(cluster: &Cluster, sql: &str) {
    for statement in sql.split("; ") {
        run_at_url(&format!("{}/postgres", cluster.url("postgres")), statement);
    }
}

/// Makes a role with a database of its own, and a store in it.
fn store_of(cluster: &Cluster, role: &str) -> StoreConfig {
    administer(
        cluster,
        &format!("CREATE ROLE {role} LOGIN; CREATE DATABASE {role} OWNER {role}"),
    );
    let settings = settings(&format!("{}/{role}", cluster.url(role)));
    let (masters, _) = MasterKeys::generate().unwrap();
    store::create(&settings, None, &Vault::create(&masters).unwrap()).unwrap();
    settings
}

fn settings(url: &str) -> StoreConfig {
    StoreConfig {
        url: StoreUrl::try_from(url.to_owned()).unwrap(),
        ..Config::default().store
    }
}

#[track_caller]
fn risks(settings: &StoreConfig) -> Vec<StoreRisk> {
    store::open(settings).unwrap().risks().unwrap()
}

/// Waits until a server has these risks: it takes settings up a little later.
#[track_caller]
fn await_risks(settings: &StoreConfig, expected: &[StoreRisk]) {
    let began = Instant::now();
    loop {
        let found = risks(settings);
        if found == expected {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{found:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn reload(cluster: &Cluster, sql: &str) {
    administer(cluster, &format!("{sql}; SELECT pg_reload_conf()"));
}

#[test]
fn a_role_that_owns_its_database_on_a_durable_server_has_no_risk() {
    if !is_postgres() {
        return;
    }
    let cluster = Cluster::start("");
    let settings = store_of(&cluster, "postern");
    assert_eq!(risks(&settings), []);

    for might in ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "REPLICATION"] {
        administer(&cluster, &format!("ALTER ROLE postern {might}"));
        assert_eq!(risks(&settings), [StoreRisk::MightyRole(might)]);
        administer(&cluster, &format!("ALTER ROLE postern NO{might}"));
    }
    for role in [
        "pg_execute_server_program",
        "pg_write_server_files",
        "pg_read_server_files",
    ] {
        administer(&cluster, &format!("GRANT {role} TO postern"));
        assert_eq!(risks(&settings), [StoreRisk::MightyRole(role)]);
        administer(&cluster, &format!("REVOKE {role} FROM postern"));
    }

    for setting in ["fsync", "full_page_writes"] {
        reload(&cluster, &format!("ALTER SYSTEM SET {setting} = off"));
        await_risks(&settings, &[StoreRisk::NotDurable(setting)]);
        reload(&cluster, &format!("ALTER SYSTEM RESET {setting}"));
        await_risks(&settings, &[]);
    }

    for subject in ["ROLE postern", "DATABASE postern", "ROLE ALL"] {
        administer(
            &cluster,
            &format!("ALTER {subject} SET synchronous_commit = off"),
        );
        assert_eq!(
            risks(&settings),
            [StoreRisk::AsynchronousCommit],
            "{subject}"
        );
        administer(
            &cluster,
            &format!("ALTER {subject} RESET synchronous_commit"),
        );
    }
    administer(&cluster, "ALTER ROLE postgres SET synchronous_commit = off");
    assert_eq!(risks(&settings), [], "another role");

    let few = |limit| StoreRisk::FewConnections { limit, needed: 50 };
    administer(&cluster, "ALTER ROLE postern CONNECTION LIMIT 20");
    assert_eq!(risks(&settings), [few(20)]);
    administer(&cluster, "ALTER DATABASE postern CONNECTION LIMIT 10");
    assert_eq!(risks(&settings), [few(10)]);
    administer(
        &cluster,
        "ALTER ROLE postern CONNECTION LIMIT -1; ALTER DATABASE postern CONNECTION LIMIT 60",
    );
    assert_eq!(risks(&settings), []);
}

#[test]
fn a_standby_that_no_commit_waits_for_is_a_risk() {
    if !is_postgres() {
        return;
    }
    let primary = Cluster::start("-c max_connections=60");
    let settings = store_of(&primary, "postern");
    assert_eq!(risks(&settings), []);
    let _standby = primary.start_standby();
    await_risks(&settings, &[StoreRisk::AsynchronousReplication]);
    reload(&primary, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    await_risks(&settings, &[]);
}

#[test]
fn a_connection_without_tls_to_a_port_is_a_risk() {
    if !is_postgres() {
        return;
    }
    let port = unused_port();
    let cluster = Cluster::start(&format!("-c listen_addresses=127.0.0.1 -c port={port}"));
    let folder = cluster.url("postgres");
    let administration = format!("{folder}:{port}/postgres");
    run_at_url(&administration, "CREATE ROLE postern LOGIN");
    run_at_url(&administration, "CREATE DATABASE postern OWNER postern");
    let (masters, _) = MasterKeys::generate().unwrap();
    let at_port = settings(&format!("postgres://postern@127.0.0.1:{port}/postern"));
    store::create(&at_port, None, &Vault::create(&masters).unwrap()).unwrap();
    assert_eq!(risks(&at_port), [StoreRisk::NotEncrypted]);
    let socket = settings(&format!("{}:{port}/postern", cluster.url("postern")));
    assert_eq!(risks(&socket), []);
}

fn unused_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// As a pooler with `ignore_startup_parameters = options` does.
#[test]
fn a_pooler_that_drops_the_settings_of_sessions_is_a_risk() {
    if !is_postgres() {
        return;
    }
    let cluster = Cluster::start("");
    let settings_there = store_of(&cluster, "postern");
    assert_eq!(risks(&settings_there), []);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = cluster.socket().join(".s.PGSQL.5432");
    thread::spawn(move || {
        for client in listener.incoming() {
            relay_without_options(client.unwrap(), &server);
        }
    });
    let through = settings(&format!("postgres://postern@127.0.0.1:{port}/postern"));
    assert_eq!(risks(&through), [StoreRisk::SettingsNotInForce]);
    administer(&cluster, "ALTER ROLE postern SET synchronous_commit = off");
    let both = [StoreRisk::AsynchronousCommit, StoreRisk::SettingsNotInForce];
    assert_eq!(risks(&through), both);
}

/// Passes a connection on, without the parameter `options` of its first message.
fn relay_without_options(mut client: TcpStream, server: &Path) {
    let mut length = [0; 4];
    client.read_exact(&mut length).unwrap();
    let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut message).unwrap();
    let (version, parameters) = message.split_at(4);
    let texts: Vec<&[u8]> = parameters.split(|byte| *byte == 0).collect();
    let mut kept = version.to_vec();
    for pair in texts
        .chunks(2)
        .filter(|pair| pair.len() == 2 && !pair[0].is_empty())
    {
        if pair[0] != b"options" {
            kept.extend([pair[0], b"\0", pair[1], b"\0"].concat());
        }
    }
    kept.push(0);
    let mut server = UnixStream::connect(server).unwrap();
    let length = u32::try_from(kept.len() + 4).unwrap();
    server.write_all(&length.to_be_bytes()).unwrap();
    server.write_all(&kept).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    thread::spawn(move || {
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn a_server_whose_clock_differs_is_a_risk() {
    let library = PathBuf::from("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    if !is_postgres() || !library.exists() {
        return;
    }
    let preload = library.display().to_string();
    let variables = [("LD_PRELOAD", preload.as_str()), ("FAKETIME", "+600s")];
    let cluster = Cluster::start_with("", &variables);
    let found = risks(&store_of(&cluster, "postern"));
    let [StoreRisk::ClocksApart { seconds }] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!((590..=610).contains(seconds), "{seconds}");
}

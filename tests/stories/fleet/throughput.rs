//! Logins per second with several posternd on one database, and what the relay of a host without a
//! store adds to a login. `tests/fleet --bench` prints the tables of docs/performance.md; without it
//! the rounds are short, and show only that every login is granted.

use super::guide;
use super::load::SERVICE;
use crate::pam::process::PAM_HOST;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{
    Algorithm, OtpKind, OtpParameters, Step, generate_code,
};
use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use testhost::{
    CONFIG, Fleet, FleetHost, KEY, Machine, PamHost, Postern, Posternd, PostgresServer, finished,
};

/// Users who sign in at the same time, each with an account of their own.
const USERS: usize = 16;
/// Numbers of hosts that are compared.
const HOST_COUNTS: [usize; 3] = [1, 2, 4];
const NAMES: [&str; 4] = ["one", "two", "three", "four"];
/// Port of the server for hosts without a store.
const FLEET_PORT: u16 = 7443;
/// Time limit of a login.
const LOGIN: Duration = Duration::from_secs(30);

/// How much is measured.
struct Extent {
    rounds: usize,
    turn: Duration,
    logins: usize,
    accounts: usize,
}

impl Extent {
    fn of_environment() -> Extent {
        match std::env::var("POSTERN_BENCH_ACCOUNTS") {
            Ok(accounts) => Extent {
                rounds: 5,
                turn: Duration::from_secs(3),
                logins: 100,
                accounts: accounts.parse().expect("a number of accounts"),
            },
            Err(_) => Extent {
                rounds: 1,
                turn: Duration::from_millis(300),
                logins: 3,
                accounts: 1000,
            },
        }
    }
}

/// An account with a secret by counter, which makes any number of unused codes.
struct CounterAccount {
    name: String,
    secret: Secret,
    next: Mutex<u64>,
}

impl CounterAccount {
    fn new(number: usize) -> CounterAccount {
        CounterAccount {
            name: format!("counter{number}"),
            secret: Secret::random().expect("there is randomness"),
            next: Mutex::default(),
        }
    }

    fn otpauth_uri(&self) -> String {
        let secret = self.secret.to_base32();
        format!(
            "otpauth://hotp/{}?secret={}&counter=0\n",
            self.name,
            secret.as_str()
        )
    }

    /// Signs in by PAM on a machine, and returns how long it took.
    #[track_caller]
    fn signs_in(&self, machine: &Machine) -> Duration {
        let parameters = OtpParameters {
            algorithm: Algorithm::Sha1,
            digits: 6,
            moving: OtpKind::Counter,
        };
        let mut next = self.next.lock().expect("no login panics");
        let code = generate_code(&self.secret, parameters, Step(*next)).to_string();
        *next += 1;
        machine.run(|| {
            let begin = Instant::now();
            let mut pam = PamHost::start(PAM_HOST, SERVICE, self.name.as_bytes(), &[]);
            pam.types(&code);
            let ended = pam.ends_within(LOGIN).expect("a login is bounded");
            assert!(ended.entered(), "{}: {ended:?}", self.name);
            begin.elapsed()
        })
    }
}

/// DESIGN 10 and 11: hosts do not wait for one another, whatever the number of accounts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn logins_at_several_hosts_and_through_the_relay() {
    let extent = Extent::of_environment();
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let hosts = start_hosts(&fleet);
    let (relaying, _posternd) = join_relaying_host(&fleet, &hosts[0]);
    fleet.host.requires_totp(SERVICE, "first_factor=passed");
    let accounts: Vec<_> = (0..USERS).map(CounterAccount::new).collect();
    import(&hosts[0], &accounts);

    println!("{} accounts in the store", accounts.len());
    measure(&extent, &hosts, &relaying, &accounts);
    fill(&database, extent.accounts);
    println!("{} accounts in the store", extent.accounts);
    measure(&extent, &hosts, &relaying, &accounts);
}

#[track_caller]
fn start_hosts(fleet: &Fleet) -> Vec<FleetHost> {
    let mut hosts = vec![guide::first_host(fleet, NAMES[0], "db.example.com")];
    for name in &NAMES[1..] {
        hosts.push(guide::further_host(
            fleet,
            name,
            "db.example.com",
            &hosts[0],
        ));
    }
    let first = &hosts[0].machine;
    first.run(|| {
        let mut config = fs::OpenOptions::new().append(true).open(CONFIG);
        let config = config.as_mut().expect("the host has a configuration");
        writeln!(
            config,
            "\n[fleet]\nlisten = \"tcp:{}:{FLEET_PORT}\"",
            first.address
        )
        .expect("root may do it");
    });
    hosts.iter_mut().for_each(FleetHost::start);
    hosts
}

/// Makes a host without a store that asks `server`.
#[track_caller]
fn join_relaying_host(fleet: &Fleet, server: &FleetHost) -> (Machine, Posternd) {
    let invited = server
        .machine
        .run(|| Postern::call("host invite web1 --json").does().json());
    let invitation = invited["invitation"].as_str().expect("a one-time code");
    let join = format!("host join https://{}:{FLEET_PORT}", server.machine.address);
    let machine = fleet.machine("web1");
    let posternd = machine.run(|| {
        for path in [CONFIG, KEY, "/etc/postern/postern.toml.valid"] {
            // those of the test host
            let _ = fs::remove_file(path);
        }
        Postern::call(&join).types(invitation).does();
        Posternd::start()
    });
    (machine, posternd)
}

#[track_caller]
fn import(host: &FleetHost, accounts: &[CounterAccount]) {
    let uris: String = accounts.iter().map(CounterAccount::otpauth_uri).collect();
    host.machine.run(|| {
        fs::write("/run/accounts.uris", uris).expect("/run can be written");
        Postern::call("import otpauth /run/accounts.uris --yes").does();
    });
}

/// Adds accounts that no person signs in to, without the engine, which would seal and log each one.
#[track_caller]
fn fill(database: &PostgresServer, count: usize) {
    let statements = format!(
        "INSERT INTO account (name, name_key, created, first_sign_in, last_sign_in)
             SELECT 'filler-' || n, 'filler-' || n, 1800000000, 1800000000, 1800000000
             FROM generate_series(1, {count}) AS n;
         INSERT INTO authenticator (account, name, algorithm, digits, period, created)
             SELECT id, 'app', 'SHA1', 6, 30, 1800000000 FROM account WHERE name LIKE 'filler-%';
         INSERT INTO secret (authenticator, sealed)
             SELECT authenticator.id, sha512(authenticator.id::text::bytea)
             FROM authenticator JOIN account ON account.id = account WHERE account.name LIKE 'filler-%';
         INSERT INTO floor (fingerprint, step)
             SELECT sha256(n::text::bytea), 60000000 FROM generate_series(1, {count}) AS n;
         ANALYZE;"
    );
    database.machine.run(|| {
        let psql = [
            "psql",
            "-Xq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            "postern",
            "-c",
            &statements,
        ];
        finished(&mut database.run_as_postgres(&psql));
    });
}

/// Prints logins per second at one, two and four hosts, and the time of a login with and without the
/// relay. Short turns follow one another, so that other load meets all of them alike.
#[track_caller]
fn measure(extent: &Extent, hosts: &[FleetHost], relaying: &Machine, accounts: &[CounterAccount]) {
    let mut rates = HOST_COUNTS.map(|_| Vec::new());
    for _ in 0..extent.rounds {
        for (rates, count) in rates.iter_mut().zip(HOST_COUNTS) {
            rates.push(logins_per_second(&hosts[..count], accounts, extent.turn));
        }
    }
    for (rates, count) in rates.into_iter().zip(HOST_COUNTS) {
        println!("{count} posternd: {:.0} logins per second", median(rates));
    }
    let (mut direct, mut relayed) = (Vec::new(), Vec::new());
    for _ in 0..extent.logins {
        direct.push(milliseconds(accounts[0].signs_in(&hosts[0].machine)));
        relayed.push(milliseconds(accounts[1].signs_in(relaying)));
    }
    println!(
        "a login at a server: {:.2} ms, through the relay: {:.2} ms",
        median(direct),
        median(relayed)
    );
}

fn logins_per_second(hosts: &[FleetHost], accounts: &[CounterAccount], turn: Duration) -> f64 {
    let begin = Instant::now();
    let logins: usize = thread::scope(|scope| {
        let users = accounts.iter().enumerate().map(|(number, account)| {
            let machine = &hosts[number % hosts.len()].machine;
            scope.spawn(move || {
                let mut logins = 0;
                while begin.elapsed() < turn {
                    account.signs_in(machine);
                    logins += 1;
                }
                logins
            })
        });
        let users: Vec<_> = users.collect();
        let logins = users.into_iter().map(|user| user.join());
        logins
            .map(|logins| logins.expect("every login is granted"))
            .sum()
    });
    logins as f64 / begin.elapsed().as_secs_f64()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

//! A real PostgreSQL of Debian on a machine: TLS by an authority of the story, passwords by SCRAM,
//! streaming replication. Its files are in memory, and durable as long as the machine exists.

use crate::fleet::machine::Machine;
use crate::machine::files::{WORK, set_mode};
use crate::process::processes::{Running, below, end, finished, patiently};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = "/run/postgresql";
const DATA: &str = "/run/postgresql/data";
/// Password of the role for replication.
const REPLICATOR: &str = "the password of the standbys";

/// A PostgreSQL server, and the machine that it runs on.
pub struct PostgresServer {
    pub machine: Machine,
    running: Option<Running>,
}

impl PostgresServer {
    /// Starts an empty server, which takes connections by TLS alone, from roles that `access` lists
    /// in the words of pg_hba.conf.
    #[track_caller]
    pub(crate) fn start(machine: Machine, access: &str) -> PostgresServer {
        let certificate = DatabaseCertificate::issue(&machine.name);
        let mut server = PostgresServer {
            machine,
            running: None,
        };
        server.machine.run(|| {
            prepare();
            certificate.install();
            let options = [
                "-D",
                DATA,
                "--auth=peer",
                "--no-sync",
                "--no-instructions",
                "--encoding=UTF8",
            ];
            finished(as_postgres("initdb").args(options));
            append("postgresql.conf", SETTINGS);
            let access =
                format!("{access}\nhostssl replication replicator 192.0.2.0/24 scram-sha-256\n");
            append("pg_hba.conf", &access);
        });
        server.restart();
        server.sql(&format!(
            "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '{REPLICATOR}'"
        ));
        server
    }

    /// Starts a standby of this server on another machine.
    #[track_caller]
    pub(crate) fn start_standby(&self, machine: Machine) -> PostgresServer {
        let mut standby = PostgresServer {
            machine,
            running: None,
        };
        let certificate = DatabaseCertificate::issue(&standby.machine.name);
        standby.machine.run(|| {
            prepare();
            certificate.install();
        });
        standby.follow(self);
        standby
    }

    /// Makes this server, which does not run, a standby of `primary`, with a new copy of its data.
    #[track_caller]
    pub fn follow(&mut self, primary: &PostgresServer) {
        let (from, name) = (&primary.machine, &self.machine.name);
        let source = format!(
            "host={}.example.com hostaddr={} user=replicator application_name={name} \
             sslmode=verify-full sslrootcert={FOLDER}/ca.crt",
            from.name, from.address
        );
        self.machine.run(|| {
            finished(Command::new("rm").args(["-rf", DATA]));
            let mut copy = as_postgres("pg_basebackup");
            copy.env("PGPASSWORD", REPLICATOR)
                .args(["-d", &source, "-D", DATA]);
            finished(copy.args([
                "--checkpoint=fast",
                "--wal-method=stream",
                "--write-recovery-conf",
                "--no-sync",
            ]));
        });
        self.restart();
    }

    /// Starts the server again, and waits until it takes connections.
    #[track_caller]
    pub fn restart(&mut self) {
        self.running = None;
        self.running = Some(self.machine.run(|| {
            // a server that was killed leaves it, and its number may belong to another process
            let _ = fs::remove_file(format!("{DATA}/postmaster.pid"));
            let mut postgres = as_postgres("postgres");
            postgres.args(["-D", DATA]);
            let mut running = Running::start(postgres, "postgres.log");
            patiently("PostgreSQL takes connections", || {
                assert!(running.is_running(), "{}", running.output());
                let ready = as_postgres("pg_isready")
                    .args(["-q", "-h", "/run/postgresql"])
                    .status()?;
                Ok(ready.success().then_some(()))
            });
            running
        }));
    }

    /// Runs statements as the superuser, on the machine itself, and returns what they print.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        self.machine.run(|| {
            let mut psql = as_postgres("psql");
            psql.args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                "postgres",
                "-c",
                statements,
            ]);
            finished(&mut psql).trim_end().to_owned()
        })
    }

    /// Runs a command of PostgreSQL's user on the machine.
    #[track_caller]
    pub fn run_as_postgres(&self, words: &[&str]) -> Command {
        let mut command = as_postgres(words[0]);
        command.args(&words[1..]);
        command
    }

    /// Makes commits wait until one of these servers has written them, too; of none if it is empty.
    #[track_caller]
    pub fn replicate_to(&self, standbys: &str) {
        self.sql(&format!(
            "ALTER SYSTEM SET synchronous_standby_names = '{standbys}'"
        ));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Waits until a standby of this name writes each commit before it is answered.
    #[track_caller]
    pub fn has_synchronous_standby(&self, name: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' \
             AND sync_state IN ('sync', 'quorum') AND state = 'streaming'"
        );
        patiently("the standby is synchronous", || {
            Ok((self.sql(&sql) == "1").then_some(()))
        });
    }

    /// Makes a standby the primary, which waits for no standby of its own.
    #[track_caller]
    pub fn promote(&self) {
        self.replicate_to("");
        assert_eq!(self.sql("SELECT pg_promote()"), "t");
    }

    /// Kills every process of the server at once.
    pub fn kill(&mut self) {
        self.all_processes().into_iter().for_each(end);
        self.running = None;
    }

    /// Stops every process of the server, as a machine does that hangs.
    pub fn hang(&self) {
        self.send(Signal::SIGSTOP);
    }

    /// Resumes a server after [`PostgresServer::hang`].
    pub fn go_on(&self) {
        self.send(Signal::SIGCONT);
    }

    fn send(&self, signal: Signal) {
        for process in self.all_processes() {
            let process = Pid::from_raw(i32::try_from(process).expect("a process"));
            // a worker may have ended meanwhile
            let _ = kill(process, signal);
        }
    }

    /// Returns the processes of the server, the first one first; none if it does not run.
    fn all_processes(&self) -> Vec<u32> {
        let first = self.running.as_ref().map(Running::process);
        first
            .into_iter()
            .flat_map(|first| [vec![first], below(first)].concat())
            .collect()
    }

    /// Returns the log since the last start.
    pub fn log(&self) -> String {
        self.running
            .as_ref()
            .map(Running::output)
            .unwrap_or_default()
    }
}

const SETTINGS: &str = "
listen_addresses = '*'
unix_socket_directories = '/run/postgresql'
shared_buffers = 16MB
ssl = on
ssl_cert_file = '/run/postgresql/server.crt'
ssl_key_file = '/run/postgresql/server.key'
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_retrieve_retry_interval = 500ms
";

fn prepare() {
    fs::create_dir_all("/run/postgresql").expect("/run can be written");
    finished(Command::new("chown").args(["postgres:postgres", "/run/postgresql"]));
}

fn append(file: &str, text: &str) {
    let path = format!("{DATA}/{file}");
    let before = fs::read_to_string(&path).expect("initdb wrote it");
    fs::write(&path, before + text).expect("root may do it");
}

/// A program of PostgreSQL as its user.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
        "env",
        "--chdir=/",
        "LC_ALL=C",
    ]);
    command.args(["HOME=/run/postgresql", "PGHOST=/run/postgresql"]);
    command.arg(programs().join(program));
    command
}

/// Returns the folder with the programs of Debian's newest PostgreSQL.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("tests/run installs PostgreSQL");
    let newest = versions
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .max();
    newest.expect("tests/run installs PostgreSQL")
}

/// A certificate of a database by the authority of the story; all in PEM.
struct DatabaseCertificate {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Returns the certificate of the authority that issues those of the databases.
pub(crate) fn database_authority() -> Vec<u8> {
    let (certificate, key) = (in_work("database-ca.crt"), in_work("database-ca.key"));
    if fs::metadata(&certificate).is_err() {
        let words = [
            "-subj",
            "/CN=Database authority",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ];
        finished(new_certificate().args(words));
    }
    fs::read(certificate).expect("openssl wrote it")
}

impl DatabaseCertificate {
    fn issue(name: &str) -> DatabaseCertificate {
        let authority = database_authority();
        let [ca, ca_key, key, certificate] = [
            "database-ca.crt",
            "database-ca.key",
            "database.key",
            "database.crt",
        ]
        .map(in_work);
        let names = format!("subjectAltName=DNS:{name}.example.com,DNS:db.example.com");
        let subject = ["-subj", &format!("/CN={name}"), "-addext", &names];
        let kind = ["-addext", "basicConstraints=critical,CA:FALSE"];
        let by = [
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ];
        finished(new_certificate().args(subject).args(kind).args(by));
        let read = |path| fs::read(path).expect("openssl wrote it");
        DatabaseCertificate {
            authority,
            certificate: read(certificate),
            key: read(key),
        }
    }

    /// Installs the files on the machine of this thread.
    fn install(&self) {
        for (name, bytes) in [
            ("ca.crt", &self.authority),
            ("server.crt", &self.certificate),
            ("server.key", &self.key),
        ] {
            let path = format!("{FOLDER}/{name}");
            fs::write(&path, bytes).expect("root may do it");
            finished(Command::new("chown").args(["postgres:postgres", &path]));
            set_mode(&path, 0o600);
        }
    }
}

fn in_work(name: &str) -> String {
    format!("{WORK}/{name}")
}

fn new_certificate() -> Command {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    openssl.args(["-nodes", "-days", "30"]);
    openssl
}

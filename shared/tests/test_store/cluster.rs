//! A PostgreSQL server of a test's own, with settings of its own, which is gone afterwards. Runs as
//! user postgres where the caller is root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A running server, or a stopped one.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
}

impl Cluster {
    /// Starts a primary with these settings beside those of tests, which listens on a Unix socket.
    pub(crate) fn start(settings: &str) -> Cluster {
        let cluster = Cluster::new();
        let data = cluster.data();
        let made = cluster.run("initdb", &[], |command| {
            let options = "--username postgres --auth trust --no-sync --encoding UTF8 --pgdata";
            command.args(options.split(' ')).arg(&data);
        });
        assert!(made.status.success(), "{made:?}");
        cluster.serve(settings, &[]);
        cluster
    }

    /// Starts a server with variables in its environment.
    pub(crate) fn start_with(settings: &str, variables: &[(&str, &str)]) -> Cluster {
        let cluster = Cluster::start("");
        cluster.stop();
        cluster.serve(settings, variables);
        cluster
    }

    /// Starts a standby of this server, which follows it.
    pub(crate) fn start_standby(&self) -> Cluster {
        let standby = Cluster::new();
        let (from, data) = (self.folder.path().to_owned(), standby.data());
        let copied = standby.run("pg_basebackup", &[], |command| {
            let options = "--username postgres --write-recovery-conf --checkpoint fast --no-sync";
            command.args(options.split(' '));
            command.arg("--host").arg(&from).arg("--pgdata").arg(&data);
        });
        assert!(copied.status.success(), "{copied:?}");
        standby.serve("", &[]);
        standby
    }

    fn new() -> Cluster {
        let folder = tempfile::Builder::new()
            .prefix("postern-postgres.")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        if let Some((user, group)) = user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let versions = fs::read_dir("/usr/lib/postgresql").expect("install postgresql");
        let versions = versions.map(|entry| entry.unwrap().path().join("bin"));
        let programs = versions.filter(|path| path.join("postgres").exists()).max();
        Cluster {
            folder,
            programs: programs.expect("install postgresql"),
        }
    }

    fn serve(&self, settings: &str, variables: &[(&str, &str)]) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} {settings}",
            self.folder.path().display()
        );
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let started = self.run("pg_ctl", variables, |command| {
            command.args(["start", "--silent", "--wait", "--options", &options]);
            command.arg("--pgdata").arg(&data).arg("--log").arg(&log);
        });
        let told = fs::read_to_string(&log).unwrap_or_default();
        assert!(started.status.success(), "{started:?} {told}");
    }

    fn stop(&self) {
        let data = self.data();
        self.run("pg_ctl", &[], |command| {
            command.args(["stop", "--silent", "--mode", "immediate", "--pgdata"]);
            command.arg(&data);
        });
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(
        &self,
        program: &str,
        variables: &[(&str, &str)],
        arguments: impl FnOnce(&mut Command),
    ) -> Output {
        let mut command = match user() {
            Some(_) => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    "postgres",
                    "--regid",
                    "postgres",
                    "--clear-groups",
                ]);
                command.arg("env");
                command
            }
            None => Command::new("env"),
        };
        // not for setpriv itself: a library may make files, which would be root's
        command.args(
            variables
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command.arg(self.programs.join(program));
        command.current_dir("/").env("LC_ALL", "C");
        arguments(&mut command);
        command.output().unwrap()
    }

    /// Returns the folder of the Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the server's URL for a role, without a database.
    pub(crate) fn url(&self, role: &str) -> String {
        let folder = self.folder.path().display().to_string();
        format!("postgres://{role}@{}", folder.replace('/', "%2F"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Returns user and group postgres, if this process is root, as which no server runs.
fn user() -> Option<(u32, u32)> {
    let user = nix::unistd::User::from_name("postgres").ok().flatten();
    let is_root = nix::unistd::geteuid().is_root();
    is_root.then(|| user.map(|user| (user.uid.as_raw(), user.gid.as_raw())))?
}

//! Key file and store: owners, modes, who can read them, and free space. Whether key and store
//! belong together shows when the engine opens them.

use crate::check::finding::Finding;
use crate::check::installation::{DebianPackage, reinstall};
use crate::check::machine::{AccessHolder, Machine};
use postern_shared::config::{Config, StoreConfig};
use postern_shared::store::StoreRisk;
use postern_shared::system::trusted_file::{self, FileError, Follow, Privacy};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Free bytes below which logins will soon fail, and below which that should be known.
const TOO_LITTLE: u64 = 16 * 1024 * 1024;
const LITTLE: u64 = 128 * 1024 * 1024;
const KIB: u64 = 1024;

/// Returns the findings that need no open store.
pub(crate) fn findings(machine: &Machine, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !machine.is_root() {
        findings.push(Finding::skipped(
            "store",
            "only root can look at key and store; run postern check as root",
        ));
        return findings;
    }
    if !is_set_up(machine, config) {
        findings.push(
            Finding::fault(
                "store",
                "there is neither a key nor a store, so everyone who needs a code is denied",
            )
            .in_file(config.store.key_file.path())
            .remedy("create both with postern init, or restore both from one backup"),
        );
        return findings;
    }
    findings.extend(key(machine, config.store.key_file.path()));
    match config.store.url.sqlite_path() {
        Some(store) => {
            findings.extend(files(machine, store));
            findings.extend(space(machine, store));
        }
        None => findings.extend(password_file(machine, &config.store)),
    }
    findings
}

/// Whether `postern init` has run: a key or a store exists.
pub(crate) fn is_set_up(machine: &Machine, config: &Config) -> bool {
    let store = config.store.url.sqlite_path();
    machine.exists(config.store.key_file.path()) || store.is_some_and(|path| machine.exists(path))
}

/// The finding for an engine that does not open.
pub(crate) fn not_opened(error: impl std::fmt::Display) -> Finding {
    let error = error.to_string();
    let remedy = match () {
        () if error.contains("postern init")
            || error.contains("postern upgrade")
            || error.contains("chmod") =>
        {
            None
        }
        () => Some("restore key and store from one backup"),
    };
    let finding = Finding::fault("store", error);
    remedy.map_or(finding.clone(), |remedy| finding.remedy(remedy))
}

/// The finding for a setting of PostgreSQL.
pub(crate) fn risk(risk: StoreRisk) -> Finding {
    let (what, remedy) = match risk {
        StoreRisk::MightyRole(might) => (
            format!("the role in store.url has {might} on the PostgreSQL server, which no store needs"),
            "make a role without attributes and memberships, and let it own its database alone",
        ),
        StoreRisk::AsynchronousCommit => (
            "synchronous_commit is off in PostgreSQL for the role or its database: after a crash, used codes are \
             valid again"
                .to_owned(),
            "ALTER ROLE ... RESET synchronous_commit, and ALTER DATABASE ... RESET synchronous_commit",
        ),
        StoreRisk::SettingsNotInForce => (
            "the time limits of statements and locks are not in force in PostgreSQL: a pooler drops the settings of \
             sessions"
                .to_owned(),
            "let store.url name the server itself, or a pooler in session mode that passes the options of a connection on",
        ),
        StoreRisk::NotEncrypted => (
            "the connection to PostgreSQL is not encrypted, and the server does not prove who it is: while it is \
             stopped, any user of this host can listen in its place"
                .to_owned(),
            "let store.url name the folder of the server's Unix socket, such as %2Frun%2Fpostgresql, or its name with TLS",
        ),
        StoreRisk::FewConnections { limit, needed } => (
            format!("PostgreSQL takes {limit} connections of this role, and its hosts may need {needed}: then some are denied"),
            "raise max_connections in postgresql.conf, or the CONNECTION LIMIT of the role or the database",
        ),
        StoreRisk::NotDurable(setting) => (
            format!("{setting} is off in PostgreSQL: after a crash of its host, used codes are valid again"),
            "turn it on in postgresql.conf",
        ),
        StoreRisk::AsynchronousReplication => (
            "PostgreSQL has standbys, and no commit waits for one: after a failover, used codes are valid again \
             and revoked sessions live"
                .to_owned(),
            "set synchronous_standby_names in postgresql.conf",
        ),
        StoreRisk::ClocksApart { seconds } => (
            format!("the clock of this host and that of PostgreSQL differ by {seconds} s"),
            "let all hosts take the time from the same servers (chrony, systemd-timesyncd)",
        ),
    };
    Finding::warning("store", what).remedy(remedy)
}

fn key(machine: &Machine, path: &Path) -> Vec<Finding> {
    let read = trusted_file::read_trusted(path, Privacy::Secret, Follow::Yes, 64 * KIB);
    if let Err(error) = read {
        let remedy = match error.is_missing() {
            true => "restore it from the backup; without it the store cannot be read".to_owned(),
            false => format!("chown root:postern {0} && chmod 0640 {0}", path.display()),
        };
        return vec![Finding::fault("key", error).in_file(path).remedy(remedy)];
    }
    if let Some(finding) = listed(machine, "key", path) {
        return vec![finding];
    }
    let unreadable = readers(machine, path);
    match unreadable {
        Some((user, at)) => vec![
            Finding::fault(
                "key",
                format_args!(
                    "user {user} cannot read {}, so its daemon denies access or does not start",
                    path.display()
                ),
            )
            .in_file(&at)
            .remedy(format_args!(
                "chown root:postern {0} && chmod 0640 {0}",
                path.display()
            )),
        ],
        None => vec![Finding::ok(
            "key",
            format_args!(
                "{} is readable by root and the daemons only",
                path.display()
            ),
        )],
    }
}

/// The file with the password at PostgreSQL.
fn password_file(machine: &Machine, store: &StoreConfig) -> Option<Finding> {
    let path = store.password_file.as_ref()?.path();
    let wrong = ["posternd", "postern-gate"]
        .into_iter()
        .find_map(|reader| secret_file(machine, path, reader).err());
    if let Some(finding) = listed(machine, "store", path) {
        return Some(finding);
    }
    Some(match wrong {
        Some(wrong) => Finding::fault("store", format_args!("store.password_file: {wrong}"))
            .in_file(path)
            .remedy(format_args!(
                "chown root:postern {0} && chmod 0640 {0}",
                path.display()
            )),
        None => Finding::ok(
            "store",
            format_args!(
                "{} is readable by root and the daemons only",
                path.display()
            ),
        ),
    })
}

/// Reports an access control list that lets others than the daemons have a file.
fn listed(machine: &Machine, subject: &'static str, path: &Path) -> Option<Finding> {
    let holders = match machine.named_holders(path) {
        Ok(holders) => holders,
        Err(error) => {
            return Some(Finding::skipped(
                subject,
                format_args!(
                    "the access control list of {} cannot be read: {error}",
                    path.display()
                ),
            ));
        }
    };
    let daemons = ["posternd", "postern-gate"].map(|name| machine.user(name).map(|user| user.uid));
    let group = machine.group("postern");
    let other = holders.into_iter().find_map(|holder| match holder {
        AccessHolder::User(id) => {
            (id != 0 && !daemons.contains(&Some(id))).then(|| format!("user {id}"))
        }
        AccessHolder::Group(id) => (id != 0 && group != Some(id)).then(|| format!("group {id}")),
        _ => None,
    })?;
    Some(
        Finding::fault(
            subject,
            format_args!(
                "an access control list gives {other} access to {}",
                path.display()
            ),
        )
        .in_file(path)
        .remedy(format_args!(
            "setfacl --remove-all {}; see getfacl",
            path.display()
        )),
    )
}

/// Returns the first daemon's user who cannot read a file, and the path that keeps it from that.
fn readers(machine: &Machine, path: &Path) -> Option<(&'static str, PathBuf)> {
    ["posternd", "postern-gate"].into_iter().find_map(|name| {
        let user = machine.user(name)?;
        let at = machine.blocking_path(path, &machine.reader(&user))?;
        Some((name, at))
    })
}

fn files(machine: &Machine, store: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = store.parent().unwrap_or(Path::new("/"));
    let Some(group) = machine.group("postern") else {
        return vec![
            Finding::fault("store", "there is no group postern")
                .in_file("/etc/group")
                .remedy(reinstall(machine, DebianPackage::Command)),
        ];
    };
    if !machine.exists(store) {
        return vec![
            Finding::fault(
                "store",
                format_args!("{} is missing, so everyone is denied", store.display()),
            )
            .in_file(store)
            .remedy("create it with postern init, or restore it from the backup"),
        ];
    }
    let mut expect = |path: &Path, owned_by_root: bool, allowed: u32, needed: u32, remedy: &str| {
        let Ok(metadata) = machine.metadata(path) else {
            return;
        };
        let mode = metadata.mode() & 0o7777;
        let is_wrong = owned_by_root && metadata.uid() != 0
            || mode & !allowed != 0
            || mode & needed != needed
            || metadata.gid() != group;
        if is_wrong {
            findings.push(
                Finding::fault(
                    "store",
                    format_args!(
                        "has owner {}, group {} and mode {mode:04o}",
                        metadata.uid(),
                        metadata.gid()
                    ),
                )
                .in_file(path)
                .remedy(format_args!("{remedy} {}", path.display())),
            );
        }
    };
    expect(
        folder,
        true,
        0o2750,
        0o750,
        "it needs root:postern and 0750: chown root:postern and chmod 0750",
    );
    let names = ["", "-wal", "-shm"].map(|suffix| {
        let mut name = store.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    for name in &names {
        expect(
            name,
            false,
            0o660,
            0o660,
            "it needs root:postern and 0660: chown root:postern and chmod 0660",
        );
    }
    let listed = names.iter().map(|name| listed(machine, "store", name));
    findings.extend(listed.flatten());
    if findings.is_empty() {
        findings.push(Finding::ok(
            "store",
            format_args!("{} has the right owner and mode", store.display()),
        ));
    }
    findings
}

fn space(machine: &Machine, store: &Path) -> Option<Finding> {
    let folder = store.parent().unwrap_or(Path::new("/"));
    let free = machine.free_space(folder)?;
    let what = format!("{} has {} MiB free", folder.display(), free / KIB / KIB);
    let remedy = "free space, since a login that cannot be recorded is denied";
    Some(match free {
        0..TOO_LITTLE => Finding::fault("space", what).in_file(folder).remedy(remedy),
        TOO_LITTLE..LITTLE => Finding::warning("space", what)
            .in_file(folder)
            .remedy(remedy),
        LITTLE.. => Finding::ok("space", what),
    })
}

/// Whether a file of secrets may be read by everyone.
pub(crate) fn is_public(machine: &Machine, path: &Path) -> bool {
    machine
        .metadata(path)
        .is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

/// A secret that a daemon cannot read, or that others can.
pub(crate) fn secret_file(machine: &Machine, path: &Path, reader: &str) -> Result<(), String> {
    trusted_file::read_trusted(path, Privacy::Secret, Follow::Yes, 64 * KIB)
        .map_err(|error: FileError| error.to_string())?;
    let user = machine
        .user(reader)
        .ok_or_else(|| format!("there is no user {reader}"))?;
    match machine.blocking_path(path, &machine.reader(&user)) {
        Some(at) => Err(format!(
            "{}: user {reader} cannot read {}",
            at.display(),
            path.display()
        )),
        None => Ok(()),
    }
}

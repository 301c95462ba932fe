//! The engines that conversations share: each is opened once and used by one worker at a time.
//! Conversations wait by origin, and one that has passed the first factor never waits behind one
//! that has not.
//!
//! MUST NOT use an engine whose key file, store or folder has changed since it was opened, such as
//! a key that was removed or a folder that others can write now: opening an engine again reports
//! what is wrong.

use super::origin::ClientOrigin;
use crate::daemon::watchdog::ACTIVITIES;
use postern_shared::config::Config;
use postern_shared::engine::{Engine, EngineError, report_waiting};
use postern_shared::store::UnchangedFiles;
use postern_shared::system::admission::{
    Admission, AdmissionClass, AdmissionLimits, AdmissionRefusal, ClassLimits,
};
use postern_shared::system::trusted_file::FolderStates;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

/// Operations at the same time. One that reads is short; one that writes waits for the disk, and
/// shares its commit.
const WORKERS: AdmissionLimits = AdmissionLimits {
    shared: 4,
    // with a mark: a code was consumed, so such a conversation must not be turned away as busy
    authenticated: ClassLimits {
        own: 4,
        per_key: 4,
        waiting_per_key: 1024,
        waiting: 1024,
    },
    // after the first factor
    familiar: ClassLimits {
        own: 4,
        per_key: 4,
        waiting_per_key: 256,
        waiting: 512,
    },
    unauthenticated: ClassLimits {
        own: 4,
        per_key: 4,
        waiting_per_key: 64,
        waiting: 256,
    },
};
/// The same for users of this host, each of whom has one operation; services that
/// `pam.socket_users` names have some of their own.
const WORKERS_OF_USERS: AdmissionLimits = AdmissionLimits {
    shared: 1,
    authenticated: ClassLimits {
        own: 2,
        per_key: 2,
        waiting_per_key: 64,
        waiting: 256,
    },
    familiar: ClassLimits {
        own: 2,
        per_key: 1,
        waiting_per_key: 16,
        waiting: 256,
    },
    unauthenticated: ClassLimits {
        own: 0,
        per_key: 0,
        waiting_per_key: 0,
        waiting: 0,
    },
};
/// Time limit of waiting for a worker.
const WORKER_WAIT: Duration = Duration::from_secs(8);
/// Time limit of an operation, which follows from the time limits of its parts. It is longer than
/// any client waits for the result.
const LONGEST_OPERATION: Duration = Duration::from_secs(40);
/// Idle engines that are kept open.
const MAX_IDLE: usize = 4;

pub struct Engines {
    workers: Admission<ClientOrigin>,
    /// The class of every write at the store, whatever the class of its conversation.
    writes_as: Option<AdmissionClass>,
    idle: Mutex<Vec<PooledEngine>>,
}

/// The engines, for one conversation.
#[derive(Clone)]
pub struct Worker {
    pub engines: Arc<Engines>,
    /// The origin of the conversation.
    pub origin: ClientOrigin,
    /// What the conversation has passed.
    pub class: AdmissionClass,
}

struct PooledEngine {
    engine: Engine,
    /// `None` where the files were in doubt: the engine is used once.
    opened: Option<EngineFiles>,
    /// The length of the store at its last use, in bytes. A store that has become shorter was
    /// overwritten by another program, and the engine's caches are invalid.
    length: u64,
}

/// The state of the files from which an engine was opened.
struct EngineFiles {
    key: KeyFileState,
    above_key: FolderStates,
    store: UnchangedFiles,
}

/// Device, inode, size, mode, owner, group and last change (seconds, nanoseconds) of the key file.
type KeyFileState = [i64; 8];

/// Why no operation was run.
#[derive(Debug)]
pub enum WorkerError {
    /// All workers are in use.
    Busy(AdmissionRefusal),
    Open(EngineError),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerError::Busy(busy) => write!(f, "posternd is busy: {busy}"),
            WorkerError::Open(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WorkerError::Busy(busy) => Some(busy),
            WorkerError::Open(error) => Some(error),
        }
    }
}

impl Engines {
    /// Returns engines for root's hosts; none is open yet.
    pub fn new() -> Arc<Engines> {
        Engines::limited(WORKERS, None)
    }

    /// Returns engines for hosts and commands of users; they never make a host of root's wait.
    pub fn of_users() -> Arc<Engines> {
        Engines::limited(WORKERS_OF_USERS, Some(AdmissionClass::Unauthenticated))
    }

    fn limited(limits: AdmissionLimits, writes_as: Option<AdmissionClass>) -> Arc<Engines> {
        Arc::new(Engines {
            workers: Admission::new(limits),
            writes_as,
            idle: Mutex::default(),
        })
    }

    /// Returns a worker for one conversation.
    pub fn worker(self: &Arc<Engines>, origin: ClientOrigin, class: AdmissionClass) -> Worker {
        Worker {
            engines: Arc::clone(self),
            origin,
            class,
        }
    }

    /// Returns an idle engine that is still usable with this configuration, or opens one.
    fn acquire_engine(&self, config: &Config) -> Result<PooledEngine, EngineError> {
        let kept = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(engine) = kept {
            if let Some(length) = engine.usable_length(config) {
                return Ok(PooledEngine { length, ..engine });
            }
            // the other engines were opened from the same files, and must not be used beside new
            // ones
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
        // before the files are read; where they do not exist, opening the engine reports why
        let opened = EngineFiles::of(config);
        let length = opened
            .as_ref()
            .and_then(|files| files.store.length_if_unchanged())
            .unwrap_or(0);
        let engine = Engine::open(config.clone())?;
        Ok(PooledEngine {
            engine,
            opened,
            length,
        })
    }

    fn return_engine(&self, engine: PooledEngine) {
        if engine.engine.is_read_only() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(engine);
        }
    }
}

impl Worker {
    /// Runs an operation in turn. One that fails or panics closes its engine: the disk may have
    /// been read-only when the engine was opened.
    pub fn run_operation<R, E>(
        &self,
        config: &Config,
        act: impl FnOnce(&mut Engine) -> Result<R, E>,
    ) -> Result<Result<R, E>, WorkerError> {
        let turn = self
            .engines
            .workers
            .acquire(self.class, self.origin.clone())
            .map_err(WorkerError::Busy)?;
        let _permit = turn.wait(WORKER_WAIT).map_err(WorkerError::Busy)?;
        // waiting for the turn may have taken some seconds
        report_waiting();
        let _activity = ACTIVITIES.begin("an act on the store", LONGEST_OPERATION);
        let mut engine = self
            .engines
            .acquire_engine(config)
            .map_err(WorkerError::Open)?;
        engine
            .engine
            .set_write_class(self.engines.writes_as.unwrap_or(self.class));
        let ran = act(&mut engine.engine);
        if ran.is_ok() {
            self.engines.return_engine(engine);
        }
        Ok(ran)
    }
}

impl PooledEngine {
    /// Returns the length of the store, if this engine is usable with a configuration.
    fn usable_length(&self, config: &Config) -> Option<u64> {
        let files = self.opened.as_ref()?;
        let length = files.store.length_if_unchanged()?;
        let is_key = files.key == key_file(config).ok()? && files.above_key == above_key(config)?;
        let is_good = is_key && self.length <= length && self.engine.config() == config;
        is_good.then_some(length)
    }
}

impl EngineFiles {
    /// Returns their current state, or `None` where they cannot be trusted. MUST be called before
    /// the files are read.
    fn of(config: &Config) -> Option<EngineFiles> {
        let key = key_file(config).ok()?;
        Some(EngineFiles {
            key,
            above_key: above_key(config)?,
            store: UnchangedFiles::check(&config.store.url).ok()?,
        })
    }
}

fn above_key(config: &Config) -> Option<FolderStates> {
    FolderStates::capture(config.store.key_file.path()).ok()
}

fn key_file(config: &Config) -> io::Result<KeyFileState> {
    let key = config.store.key_file.path().metadata()?;
    let signed = |value: u64| i64::from_ne_bytes(value.to_ne_bytes());
    Ok([
        signed(key.dev()),
        signed(key.ino()),
        signed(key.len()),
        key.mode().into(),
        key.uid().into(),
        key.gid().into(),
        key.ctime(),
        key.ctime_nsec(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::config::file;
    use postern_shared::crypto::master_key::MasterKeys;
    use postern_shared::crypto::vault::Vault;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// Makes a store and a key, each two folders deep.
    fn config(folder: &Path) -> Config {
        for name in ["etc/postern", "lib/store"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        fs::set_permissions(folder.join("lib/store"), Permissions::from_mode(0o750)).unwrap();
        let (key, store) = (folder.join("etc/postern/key"), folder.join("lib/store/db"));
        let (masters, text) = MasterKeys::generate().unwrap();
        fs::write(&key, text.as_bytes()).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let path = folder.join("etc/postern/postern.toml");
        let text = format!(
            "[store]\nurl = \"sqlite:{}\"\nkey_file = \"{}\"\n",
            store.display(),
            key.display()
        );
        fs::write(&path, text).unwrap();
        let config = file::read_config(&path).unwrap().config;
        postern_shared::store::create(&config.store, None, &Vault::create(&masters).unwrap())
            .unwrap();
        config
    }

    /// Who can write a folder above the key or the store can replace it: no engine that was opened
    /// before is used.
    #[test]
    fn a_folder_that_is_opened_to_others_denies_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().canonicalize().unwrap());
        let worker = Engines::new().worker(ClientOrigin::User(0), AdmissionClass::Authenticated);
        let name = "alice".parse().unwrap();
        let act =
            || worker.run_operation(&config, |engine| engine.load_policy_facts(&name).map(drop));
        act().unwrap().unwrap();
        for (changed, mode) in [
            ("etc/postern", 0o755),
            ("etc", 0o755),
            ("lib/store", 0o750),
            ("lib", 0o755),
        ] {
            let changed = folder.path().join(changed);
            fs::set_permissions(&changed, Permissions::from_mode(0o777)).unwrap();
            let Err(WorkerError::Open(doubt)) = act() else {
                panic!("{changed:?} is open to others")
            };
            assert!(
                doubt
                    .to_string()
                    .contains("the folder has mode 0777, too open"),
                "{doubt}"
            );
            fs::set_permissions(&changed, Permissions::from_mode(mode)).unwrap();
            act().unwrap().unwrap();
        }
    }
}

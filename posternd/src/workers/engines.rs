//! The engines that conversations share: opened once, used by one worker at a time. Who waits for one waits by origin,
//! and whoever has passed the first factor never behind whoever has not.
//!
//! MUST NOT use an engine whose key file, store or folder has changed since it was opened: a key that was taken away,
//! or a mode that anyone can write by, is a doubt, and the next opening says which.

use super::origin::ClientOrigin;
use crate::daemon::watchdog::ACTIVITIES;
use shared::config::Config;
use shared::engine::{Engine, EngineError, report_waiting};
use shared::store::UnchangedFiles;
use shared::system::admission::{Admission, Busy, Class, ClassLimits, Limits};
use shared::system::trusted_file::FolderStates;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Acts at once. One that reads is short; one that writes waits for the disk, and then shares it.
const WORKERS: Limits = Limits {
    shared: 4,
    // with a mark: a code was spent for it, so nobody is told that others wait
    authenticated: ClassLimits {
        own: 4,
        per_key: 4,
        waiting_per_key: 1024,
        waiting: 1024,
    },
    // whose first factor has passed
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
/// The same for users of this host, each of whom has one: services that ask about others have some of their own.
const WORKERS_OF_USERS: Limits = Limits {
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
/// How long an act waits for its turn.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long an act takes at most, by the time limits of what it does: longer than anyone waits for its result.
const LONGEST: Duration = Duration::from_secs(40);
/// Engines that are kept open while nobody uses them.
const IDLE: usize = 4;

/// The engines of this process.
pub struct Engines {
    workers: Admission<ClientOrigin>,
    /// What everyone counts as at the store, whatever they have proven here.
    writes_as: Option<Class>,
    idle: Mutex<Vec<PooledEngine>>,
}

/// The engines, for one conversation.
#[derive(Clone)]
pub struct Worker {
    /// The engines.
    pub engines: Arc<Engines>,
    /// Where the conversation comes from.
    pub origin: ClientOrigin,
    /// What it has proven.
    pub class: Class,
}

struct PooledEngine {
    door: Engine,
    /// None where they were in doubt: it is used once.
    opened: Option<EngineFiles>,
    /// Bytes of the store when it was last used. One that has become shorter was overwritten from outside, and what the
    /// engine remembers of it holds no longer.
    length: u64,
}

/// What an engine was opened from, as the file system tells one state from another.
struct EngineFiles {
    key: KeyFileState,
    above_key: FolderStates,
    store: UnchangedFiles,
}

/// Device, number, size, mode, owner, group and last change of the key file.
type KeyFileState = [i64; 8];

/// Why no act was run.
#[derive(Debug)]
pub enum WorkerError {
    /// Others have all workers.
    Busy(Busy),
    /// The engine cannot be opened.
    Open(EngineError),
}

impl Engines {
    /// None is open yet.
    pub fn new() -> Arc<Engines> {
        Engines::limited(WORKERS, None)
    }

    /// None is open yet; for hosts and commands of users, who keep no host of root's waiting.
    pub fn of_users() -> Arc<Engines> {
        Engines::limited(WORKERS_OF_USERS, Some(Class::Unauthenticated))
    }

    fn limited(limits: Limits, writes_as: Option<Class>) -> Arc<Engines> {
        Arc::new(Engines {
            workers: Admission::new(limits),
            writes_as,
            idle: Mutex::default(),
        })
    }

    /// An engine under this configuration, opened before if it can still be used.
    fn take(&self, config: &Config) -> Result<PooledEngine, EngineError> {
        let kept = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(engine) = kept {
            if let Some(length) = engine.length_if_good_for(config) {
                return Ok(PooledEngine { length, ..engine });
            }
            // the others were opened from the same files, and hold what must not be held beside new ones
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
        // before they are read; where they are not there, opening says what is wrong with them
        let opened = EngineFiles::of(config);
        let length = opened
            .as_ref()
            .and_then(|files| files.store.length_if_unchanged())
            .unwrap_or(0);
        Engine::open(config.clone()).map(|door| PooledEngine {
            door,
            opened,
            length,
        })
    }

    fn keep(&self, engine: PooledEngine) {
        if engine.door.is_read_only() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(engine);
        }
    }
}

impl Worker {
    /// Runs an act, when it is its turn. One that fails or panics takes its engine along: a disk may have been read-only
    /// while the engine was opened.
    pub fn run<R, E>(
        &self,
        config: &Config,
        act: impl FnOnce(&mut Engine) -> Result<R, E>,
    ) -> Result<Result<R, E>, WorkerError> {
        let turn = self
            .engines
            .workers
            .acquire(self.class, self.origin.clone())
            .map_err(WorkerError::Busy)?;
        let _place = turn.wait(PATIENCE).map_err(WorkerError::Busy)?;
        // the turn alone may have taken some seconds
        report_waiting();
        let _activity = ACTIVITIES.begin("an act on the store", LONGEST);
        let mut engine = self.engines.take(config).map_err(WorkerError::Open)?;
        engine
            .door
            .set_write_class(self.engines.writes_as.unwrap_or(self.class));
        let ran = act(&mut engine.door);
        if ran.is_ok() {
            self.engines.keep(engine);
        }
        Ok(ran)
    }
}

impl PooledEngine {
    /// The length of the store, if this engine can be used under a configuration.
    fn length_if_good_for(&self, config: &Config) -> Option<u64> {
        let files = self.opened.as_ref()?;
        let length = files.store.length_if_unchanged()?;
        let is_key = files.key == key_file(config).ok()? && files.above_key == above_key(config)?;
        let is_good = is_key && self.length <= length && self.door.config() == config;
        is_good.then_some(length)
    }
}

impl EngineFiles {
    /// As they are now; none where they cannot be trusted. MUST be taken before they are read.
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
    use shared::config::file;
    use shared::crypto::master_key::MasterKeys;
    use shared::crypto::vault::Vault;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// A store and a key, each in a folder below another.
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
        shared::store::create(&config.store.url, None, &Vault::create(&masters).unwrap()).unwrap();
        config
    }

    /// Whoever can write a folder above the key or the store can exchange it: no engine that was opened before is used.
    #[test]
    fn a_folder_that_is_opened_to_others_denies_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().canonicalize().unwrap());
        let (origin, class) = (ClientOrigin::User(0), Class::Authenticated);
        let worker = Worker {
            engines: Engines::new(),
            origin,
            class,
        };
        let name = "alice".parse().unwrap();
        let act = || worker.run(&config, |door| door.load_policy_facts(&name).map(drop));
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

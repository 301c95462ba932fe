//! `postern restore`: puts a backup in the place of the store. The whole backup is verified before
//! anything is changed, and the old store is kept. A restored store accepts nothing that was used or
//! revoked since the backup; what cannot be known is reported.

mod report;
mod store_processes;

use super::backup::read_passphrase;
use crate::arguments::backup::RestoreArguments;
use crate::context::{self, Invocation};
use crate::store_files::{FileTask, StoreFiles};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use crate::terminal::prompt;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::geteuid;
use postern_shared::config::{Config, StoreUrl, file};
use postern_shared::crypto::backup_file::{BackupFileError, BackupHeader, key_fingerprint};
use postern_shared::crypto::master_key::{MasterKeys, OwnKeyFile};
use postern_shared::engine::{Engine, EngineError, RestoreOptions, RestoreReport, privileges};
use postern_shared::store::{self, STORE_VERSION, StoreError, TemporaryStore};
use postern_shared::system::clock;
use postern_shared::system::trusted_file::FileError;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(super) fn run(run: Invocation<'_>, what: &RestoreArguments) -> CommandResult {
    let mut in_force = file::load_config(run.config_path)
        .map_err(|error| CommandFailure::new(error.with_remedy()))?;
    if let Some(problem) = &in_force.fallback {
        run.output.warn(problem)?;
    }
    let config = &mut in_force.config;
    let store = config
        .store
        .url
        .sqlite_path()
        .ok_or(StoreError::OnlySqlite)?
        .to_owned();
    let mut backup = BackupInput::open(&what.file)?;
    let masters = read_keys(run.output, what, &backup, config)?;
    backup.verify(&masters)?;
    store_processes::refuse_running(&store)?;
    confirm(run.output, what, &backup.header)?;
    // a service may have been started while the question was shown
    store_processes::refuse_running(&store)?;

    let key_file = config.store.key_file.path().to_owned();
    let folder = lock_folder(&store)?;
    // held to the end: a rotation meanwhile could remove the keys that the restored store needs
    let mut locked_keys = None;
    if what.with_key {
        locked_keys = Some(OwnKeyFile::lock(&key_file)?);
    }
    let added = match &mut locked_keys {
        Some(keys) => keys.add_restored(masters)?,
        None => false,
    };
    let restored = replace_store(run.output, config, &backup, what, (&store, &folder));
    let report = restored.map_err(|failure| match failure {
        CommandFailure::Message(message) if added => CommandFailure::new(format_args!(
            "{message}; the keys of the backup were added to {} before, where they can stay",
            key_file.display()
        )),
        failure => failure,
    })?;
    drop(locked_keys);
    report::tell(run.output, config, &backup.header, &report)
}

/// Locks the store's folder against another restore, which would move files of the store that this
/// one puts in place. The process that exchanges the files inherits the lock: it ends with the last
/// of the two.
pub(super) fn lock_folder(store: &Path) -> CommandResult<Flock<File>> {
    let folder = store.parent().unwrap_or(Path::new("/"));
    let opened = File::open(folder).map_err(|error| FileError::io(folder, error))?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => CommandFailure::new(format_args!(
            "another restore is running in {}; nothing was changed",
            folder.display()
        )),
        errno => FileError::io(folder, errno.into()).into(),
    })
}

/// Makes the temporary store and the process that puts it in place, and restores as the user who
/// reads stores.
fn replace_store(
    output: Output,
    config: &mut Config,
    backup: &BackupInput,
    what: &RestoreArguments,
    (store, folder): (&Path, &File),
) -> CommandResult<Restored> {
    let user = privileges::user_and_group()?.0.as_raw();
    let temporary = store::create_temporary(&config.store.url, user)?;
    let ending = format!(
        ".before-restore-{}",
        clock::now()?.to_string().replace(':', "")
    );
    let task = FileTask::ReplaceStore(store, &ending, folder);
    let mut files = StoreFiles::start(temporary.path(), &task)?;
    context::give_root_up(config)?;
    // the store that is replaced may be the only one that cannot be read
    restore(output, config, backup, &temporary, what, &mut files)
}

/// The report, and the path of the store that was replaced.
struct Restored {
    report: RestoreReport,
    found_version: i64,
    kept: Option<String>,
}

/// Makes a store of the backup, and lets it take the place of the old one. The old one is locked
/// from before the time of restoring is read.
fn restore(
    output: Output,
    config: &Config,
    backup: &BackupInput,
    temporary: &TemporaryStore,
    what: &RestoreArguments,
    files: &mut StoreFiles,
) -> CommandResult<Restored> {
    let masters = MasterKeys::read_file(config.store.key_file.path())?;
    backup.open_into(&masters, temporary)?;
    let found_version = temporary.become_store()?;
    let mut old = match Engine::open(config.clone()) {
        Ok(engine) => Some(engine),
        Err(
            error @ EngineError::Store(StoreError::Busy | StoreError::Held(_) | StoreError::Moved),
        ) => return Err(error.into()),
        Err(EngineError::Store(StoreError::File(error))) if error.is_missing() => None,
        Err(error) => {
            warn_of_unreadable(output, &error)?;
            None
        }
    };
    let mut lock = match old.as_mut().map(Engine::lock_replaced) {
        Some(Ok(lock)) => Some(lock),
        Some(Err(
            error @ EngineError::Store(StoreError::Busy | StoreError::Held(_) | StoreError::Moved),
        )) => return Err(error.into()),
        Some(Err(error)) => {
            warn_of_unreadable(output, &error)?;
            None
        }
        None => None,
    };
    let mut restored = config.clone();
    restored.store.url = StoreUrl::try_from(format!("sqlite:{}", temporary.path().display()))
        .map_err(CommandFailure::new)?;
    let mut engine = Engine::open(restored)?;
    let options = RestoreOptions {
        revoke_app_passwords: what.revoke_app_passwords,
        revoke_recovery_codes: what.revoke_recovery_codes,
    };
    let report = engine.backups().end_revived(
        lock.as_mut(),
        backup.header.created,
        options,
        &context::actor(),
        clock::now()?,
    )?;
    if let Some(why) = &report.unreadable {
        warn_of_unreadable(output, why)?;
    }
    drop(engine);
    let kept = files.finish()?;
    drop(lock);
    Ok(Restored {
        report,
        found_version,
        kept: Some(kept).filter(|kept| !kept.is_empty()),
    })
}

fn warn_of_unreadable(output: Output, why: &dyn std::fmt::Display) -> CommandResult {
    Ok(output.warn(format_args!(
        "the store that is replaced does not tell what was used in it since the backup: {why}"
    ))?)
}

/// The opened file of a backup.
struct BackupInput {
    path: PathBuf,
    file: File,
    header: BackupHeader,
}

impl BackupInput {
    /// Opens a regular file of root that no other user can write, and reads its header.
    fn open(path: &Path) -> CommandResult<BackupInput> {
        let path = std::path::absolute(path)?;
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(&path)
            .map_err(|error| match path.is_symlink() {
                true => FileError::link(&path),
                false => FileError::io(&path, error),
            })?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(FileError::not_a_file(&path).into());
        }
        if found.uid() != 0 && found.uid() != geteuid().as_raw() {
            return Err(FileError::owner(&path, found.uid()).into());
        }
        if found.mode() & 0o022 != 0 {
            return Err(FileError::mode(&path, found.mode() & 0o7777, 0o600).into());
        }
        let header = BackupHeader::read(&mut &file).map_err(|error| named(&path, error))?;
        if header.store_version > STORE_VERSION {
            return Err(CommandFailure::new(format_args!(
                "{}: its store has version {}, this program knows version {STORE_VERSION}; install the Postern that made it or a newer one",
                path.display(),
                header.store_version
            )));
        }
        Ok(BackupInput { path, file, header })
    }

    /// Opens the whole file, and keeps nothing of it.
    fn verify(&mut self, masters: &MasterKeys) -> CommandResult {
        self.open_to(masters, &mut io::sink())
    }

    /// Opens the whole file again, into the temporary store.
    fn open_into(&self, masters: &MasterKeys, temporary: &TemporaryStore) -> CommandResult {
        let mut to = File::options()
            .write(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(temporary.path())?;
        self.open_to(masters, &mut to)
    }

    fn open_to(&self, masters: &MasterKeys, output: &mut impl io::Write) -> CommandResult {
        let mut input = BufReader::new(&self.file);
        input.seek(SeekFrom::Start(0))?;
        let header = BackupHeader::read(&mut input).map_err(|error| named(&self.path, error))?;
        if header != self.header {
            return Err(named(&self.path, BackupFileError::Damaged));
        }
        header
            .open(masters, &mut input, output)
            .map_err(|error| named(&self.path, error))
    }
}

fn named(path: &Path, error: BackupFileError) -> CommandFailure {
    CommandFailure::new(format_args!(
        "{}: {error}; nothing was changed",
        path.display()
    ))
}

/// Returns the keys that open the backup: those of the host, or those in the backup.
fn read_keys(
    output: Output,
    what: &RestoreArguments,
    backup: &BackupInput,
    config: &Config,
) -> CommandResult<MasterKeys> {
    let key_file = config.store.key_file.path();
    if !what.with_key {
        return Ok(MasterKeys::read_file(key_file)?);
    }
    if !backup.header.contains_key_file() {
        return Err(named(&backup.path, BackupFileError::NoKeyFile));
    }
    let file = what.passphrase_file.as_deref();
    let passphrase = read_passphrase(output, file, "Passphrase of the backup: ")?;
    let text = backup
        .header
        .open_key_file(&passphrase)
        .map_err(|error| named(&backup.path, error))?;
    Ok(MasterKeys::parse(&backup.path, &text)?)
}

fn confirm(output: Output, what: &RestoreArguments, header: &BackupHeader) -> CommandResult {
    if what.yes {
        return Ok(());
    }
    if !prompt::is_watched(output) {
        return Err(CommandFailure::new(
            "this replaces the store; nothing was changed; give --yes to confirm it without a terminal",
        ));
    }
    output.text(format_args!(
        "This replaces the store by that of {} (master key {}). What was changed since is lost; the store of now is kept beside it.\n",
        header.created,
        key_fingerprint(&header.master)
    ))?;
    match prompt::ask(output, "Type \"restore\" to continue: ")?.trim() {
        "restore" => Ok(()),
        _ => Err(CommandFailure::new("not confirmed; nothing was changed")),
    }
}

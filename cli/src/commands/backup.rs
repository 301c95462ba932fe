//! `postern backup`: writes the store to one sealed file, while services run. Root opens the file and
//! gives it its name; what reads the store runs as user posternd.

use crate::arguments::backup::BackupArguments;
use crate::context::{self, Invocation};
use crate::store_files::{FileTask, StoreFiles};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use crate::terminal::prompt;
use postern_shared::crypto::backup_file::{self, BackupFileError, key_fingerprint};
use postern_shared::engine::{BackupError, Engine, privileges};
use postern_shared::store::{self, StoreError};
use postern_shared::system::clock;
use postern_shared::system::trusted_file::{self, Existing, FileError, Follow, Privacy};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most bytes of a passphrase file.
const LARGEST_PASSPHRASE_FILE: u64 = 4096;

pub(super) fn run(run: Invocation<'_>, what: &BackupArguments) -> CommandResult {
    let config = run.config()?;
    if config.store.url.sqlite_path().is_none() {
        return Err(StoreError::OnlySqlite.into());
    }
    let target = BackupTarget::open(what, run.output)?;
    let passphrase = match what.with_key {
        true => Some(new_passphrase(run.output, what.passphrase_file.as_deref())?),
        false => None,
    };
    let user = privileges::user_and_group()?.0.as_raw();
    let temporary = store::create_temporary(&config.store.url, user)?;
    let task = FileTask::NameBackup(target.names());
    let mut files = StoreFiles::start(temporary.path(), &task)?;
    let mut engine = context::open(config)?;

    let mut file = target.file.try_clone()?;
    let now = clock::now()?;
    let passphrase = passphrase.as_deref().map(String::as_str);
    let written = engine
        .backups()
        .write_backup(&temporary, passphrase, &mut file, now)
        .and_then(|header| {
            if target.path.is_some() {
                file.sync_all().map_err(BackupFileError::Io)?;
            }
            Ok(header)
        });
    let header = written.map_err(|error| target.failure(error))?;
    files.finish()?;
    log(run.output, &mut engine)?;
    let Some(path) = &target.path else {
        return Ok(());
    };
    let length = file.metadata()?.len();
    let fingerprint = key_fingerprint(&header.master);
    if run.output.is_json() {
        return run.output.json(&json!({
            "success": true,
            "file": path.display().to_string(),
            "bytes": length,
            "created": header.created.to_string(),
            "store_version": header.store_version,
            "key": fingerprint,
            "with_key": header.contains_key_file(),
        }));
    }
    let key = match header.contains_key_file() {
        true => "it contains the key file: keep the passphrase apart from it".to_owned(),
        false => format!(
            "it is useless without master key {fingerprint}: keep a copy of the key file apart from it"
        ),
    };
    run.output.text(format_args!(
        "wrote {} ({length} bytes); {key}\n",
        path.display()
    ))
}

/// The file of a backup, opened under a temporary name; or standard output.
struct BackupTarget {
    /// `None` is standard output.
    path: Option<PathBuf>,
    temporary: PathBuf,
    file: File,
    existing: Existing,
}

impl BackupTarget {
    fn open(what: &BackupArguments, output: Output) -> CommandResult<BackupTarget> {
        let existing = match what.replace {
            true => Existing::Replace,
            false => Existing::Refuse,
        };
        if what.file == Path::new("-") {
            if output.is_json() || io::stdout().is_terminal() {
                return Err(CommandFailure::Usage(
                    "a backup to standard output goes to a pipe or a file, and without --json",
                ));
            }
            let file = io::stdout().as_fd().try_clone_to_owned()?;
            return Ok(BackupTarget {
                path: None,
                temporary: PathBuf::new(),
                file: File::from(file),
                existing,
            });
        }
        let path = std::path::absolute(&what.file)?;
        let name = path
            .file_name()
            .ok_or(CommandFailure::Usage("give the file a name"))?;
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(FileError::io(&path, error).into()),
            Ok(_) if !what.replace => {
                return Err(CommandFailure::new(format_args!(
                    "{} exists; give another name, or --replace",
                    path.display()
                )));
            }
            Ok(found) if !found.is_file() => {
                return Err(CommandFailure::new(format_args!(
                    "{} is not a regular file; give another name",
                    path.display()
                )));
            }
            Ok(_) => {}
        }
        trusted_file::remove_abandoned(&path)?;
        let name = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| FileError::io(&path, error))?;
        Ok(BackupTarget {
            path: Some(path),
            temporary,
            file,
            existing,
        })
    }

    fn names(&self) -> Option<(&Path, &Path, Existing)> {
        let path = self.path.as_deref()?;
        Some((&self.temporary, path, self.existing))
    }

    /// Names the file in an error of writing it.
    fn failure(&self, error: BackupError) -> CommandFailure {
        match (error, &self.path) {
            (BackupError::File(BackupFileError::Io(error)), Some(path)) => {
                CommandFailure::new(format_args!(
                    "{} cannot be written: {error}; nothing was changed",
                    path.display()
                ))
            }
            (BackupError::File(BackupFileError::Io(error)), None)
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                CommandFailure::Closed
            }
            (error, _) => error.into(),
        }
    }
}

impl Drop for BackupTarget {
    fn drop(&mut self) {
        // while this process is root; later the other one does it
        if self.path.is_some() {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Records the backup in the audit log. A store that cannot be written does not spoil a backup.
fn log(output: Output, engine: &mut Engine) -> CommandResult {
    let now = clock::now()?;
    if let Err(error) = engine.backups().log_backup(&context::actor(), now) {
        output.warn(format_args!(
            "the audit log does not name this backup: {error}"
        ))?;
    }
    Ok(())
}

/// Reads a passphrase that protects the key file, from the terminal twice.
fn new_passphrase(output: Output, file: Option<&Path>) -> CommandResult<Zeroizing<String>> {
    let passphrase = read_passphrase(output, file, "Passphrase for the key file: ")?;
    backup_file::check_passphrase(&passphrase)?;
    let is_typed = file.is_none() && prompt::is_watched(output);
    if is_typed && prompt::ask_hidden(output, "Once more: ")? != passphrase {
        return Err(CommandFailure::new(
            "the two passphrases differ; nothing was changed",
        ));
    }
    Ok(passphrase)
}

/// Reads a passphrase from the first line of a file, or from the terminal or standard input.
pub(super) fn read_passphrase(
    output: Output,
    file: Option<&Path>,
    asked: &str,
) -> CommandResult<Zeroizing<String>> {
    let Some(file) = file else {
        return prompt::ask_hidden(output, asked);
    };
    let path = std::path::absolute(file)?;
    let bytes =
        trusted_file::read_trusted(&path, Privacy::Secret, Follow::Yes, LARGEST_PASSPHRASE_FILE)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        CommandFailure::new(format_args!(
            "{}: the passphrase is not UTF-8",
            path.display()
        ))
    })?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

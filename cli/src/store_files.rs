//! The process that renames files at the end of a backup or a restore. The command reads the store
//! and therefore runs without root, but only root can write the folders. This program is started
//! once more for that. That process stays root, has one operation, and removes the temporary files
//! when the command ends, however that ends.
//!
//! MUST NOT open a store, and MUST NOT take a path from the command after that has read a store.

use crate::root_process::{self, RootProcess, receive_request};
use crate::terminal::output::{CommandFailure, CommandResult};
use nix::sys::signal::{SigSet, Signal};
use postern_shared::store::TemporaryStore;
use postern_shared::system::trusted_file::{self, Existing};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `argv[0]` of the process.
const NAME: &str = "postern-store-files";
const BACKUP: &str = "backup";
const RESTORE: &str = "restore";
/// The only request that the process accepts.
const FINISH: &[u8] = b"finish";
/// Maximum length of a request, in bytes.
const LONGEST_REQUEST: u32 = 64;
/// First byte of a reply: the operation is done, or why it is not.
const DONE: u8 = b'd';
const FAILED: u8 = b'f';

/// What the process does at the end. The temporary store is removed in each case.
pub(crate) enum FileTask<'a> {
    /// Gives the file of a backup its name. `None`: the backup goes to standard output.
    NameBackup(Option<(&'a Path, &'a Path, Existing)>),
    /// Puts the temporary store in the place of the store, which is kept under its name and this
    /// ending. The folder is locked, and the process keeps the lock.
    ReplaceStore(&'a Path, &'a str, &'a File),
}

/// The command's connection to the process. The process ends when this value is dropped.
pub(crate) struct StoreFiles(RootProcess);

impl StoreFiles {
    /// Starts the process. The caller is root.
    pub(crate) fn start(temporary: &Path, task: &FileTask<'_>) -> CommandResult<StoreFiles> {
        let mut arguments = vec![temporary.into()];
        let mut kept = None;
        match task {
            FileTask::NameBackup(None) => arguments.push(BACKUP.into()),
            FileTask::NameBackup(Some((new, file, existing))) => {
                let word = match existing {
                    Existing::Replace => "replace",
                    Existing::Refuse => "refuse",
                };
                arguments.extend([BACKUP.into(), new.into(), file.into(), word.into()]);
            }
            FileTask::ReplaceStore(store, ending, folder) => {
                kept = Some(folder.try_clone()?.into());
                arguments.extend([RESTORE.into(), store.into(), ending.into()]);
            }
        }
        Ok(StoreFiles(RootProcess::start(NAME, &arguments, kept)?))
    }

    /// Lets the process do its task, and returns its text. A signal of the terminal waits meanwhile.
    pub(crate) fn finish(&mut self) -> CommandResult<String> {
        let _waiting = SignalsWait::new()?;
        let gone = |error: io::Error| {
            CommandFailure::new(format_args!(
                "the process that owns the files has ended: {error}"
            ))
        };
        let reply = self.0.ask(FINISH).map_err(gone)?;
        let text = String::from_utf8_lossy(reply.get(1..).unwrap_or_default()).into_owned();
        match reply.first() {
            Some(&DONE) => Ok(text),
            _ => Err(CommandFailure::new(text)),
        }
    }
}

/// Holds back the signals that a terminal and an administrator send, until it is dropped.
struct SignalsWait(SigSet);

impl SignalsWait {
    fn new() -> nix::Result<SignalsWait> {
        let before = SigSet::thread_get_mask()?;
        let mut waiting = SigSet::empty();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGTSTP,
        ] {
            waiting.add(signal);
        }
        waiting.thread_block()?;
        Ok(SignalsWait(before))
    }
}

impl Drop for SignalsWait {
    fn drop(&mut self) {
        // best effort: the process ends soon
        let _ = self.0.thread_set_mask();
    }
}

/// Serves as that process if this program was started as one. Returns `None` otherwise.
pub(crate) fn run_if_asked(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    // only root owns the folders
    root_process::serve_if_asked(NAME, arguments, |stream, words| {
        let [temporary, task @ ..] = words else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let _waiting = SignalsWait::new()?;
        let temporary = TemporaryStore::at(PathBuf::from(temporary));
        let served = serve(stream, &temporary, task);
        remove_temporary_files(&temporary, task);
        served
    })
}

/// Waits for the request, and replies to it. The end of the stream means that there is none.
fn serve(stream: &UnixStream, temporary: &TemporaryStore, task: &[OsString]) -> io::Result<()> {
    let Some(request) = receive_request(stream, LONGEST_REQUEST)? else {
        return Ok(());
    };
    let done = match request.as_slice() {
        FINISH => finish(temporary, task),
        _ => Err("it was asked for something else".to_owned()),
    };
    let (first, text) = match done {
        Ok(text) => (DONE, text),
        Err(text) => (FAILED, text),
    };
    let mut reply = vec![first];
    reply.extend(text.bytes());
    root_process::reply(stream, &reply)?;
    // the files of a finished task are not temporary any more; the rest is removed at the end
    receive_request(stream, LONGEST_REQUEST)
        .map(drop)
        .or(Ok(()))
}

fn finish(temporary: &TemporaryStore, task: &[OsString]) -> Result<String, String> {
    match task {
        [kind] if kind == BACKUP => Ok(String::new()),
        [kind, new, file, existing] if kind == BACKUP => {
            let existing = match existing == "replace" {
                true => Existing::Replace,
                false => Existing::Refuse,
            };
            trusted_file::rename_durably(Path::new(new), Path::new(file), existing)
                .map(|()| String::new())
                .map_err(|error| error.to_string())
        }
        [kind, store, ending] if kind == RESTORE => temporary
            .replace(Path::new(store), &ending.to_string_lossy())
            .map(|kept| kept.map_or_else(String::new, |kept| kept.display().to_string()))
            .map_err(|error| error.to_string()),
        _ => Err("it was started for something else".to_owned()),
    }
}

fn remove_temporary_files(temporary: &TemporaryStore, task: &[OsString]) {
    temporary.remove();
    if let [kind, new, _, _] = task {
        if kind == BACKUP {
            // best effort; after its renaming it does not exist
            let _ = std::fs::remove_file(new);
        }
    }
}

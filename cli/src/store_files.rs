//! The process that renames files at the end of a backup or a restore. The command reads the store
//! and therefore runs without root, but only root can write the folders. This program is started
//! once more for that. That process stays root, has one operation, and removes the temporary files
//! when the command ends, however that ends.
//!
//! MUST NOT open a store, and MUST NOT take a path from the command after that has read a store.

use crate::key_writer::{LONGEST_REASON, receive, send};
use crate::terminal::output::{CommandFailure, CommandResult};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::geteuid;
use postern_shared::store::TemporaryStore;
use postern_shared::system::trusted_file::{self, Existing};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// `argv[0]` of the process.
const NAME: &str = "postern-store-files";
const BACKUP: &str = "backup";
const RESTORE: &str = "restore";
/// The only request.
const FINISH: &[u8] = b"finish";
/// First byte of a reply: the operation is done, or why it is not.
const DONE: u8 = b'd';
const FAILED: u8 = b'f';

/// What the process does at the end. The temporary store is removed in each case.
pub(crate) enum FileTask<'a> {
    /// Gives the file of a backup its name. `None`: the backup goes to standard output.
    NameBackup(Option<(&'a Path, &'a Path, Existing)>),
    /// Puts the temporary store in the place of the store, which is kept under its name and this
    /// ending.
    ReplaceStore(&'a Path, &'a str),
}

/// The command's connection to the process. The process ends when this value is dropped.
pub(crate) struct StoreFiles {
    stream: UnixStream,
    process: Child,
}

impl StoreFiles {
    /// Starts the process. The caller is root.
    pub(crate) fn start(temporary: &Path, task: &FileTask<'_>) -> CommandResult<StoreFiles> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0(NAME).arg(temporary);
        match task {
            FileTask::NameBackup(None) => command.arg(BACKUP),
            FileTask::NameBackup(Some((new, file, existing))) => {
                let word = match existing {
                    Existing::Replace => "replace",
                    Existing::Refuse => "refuse",
                };
                command.arg(BACKUP).arg(new).arg(file).arg(word)
            }
            FileTask::ReplaceStore(store, ending) => command.arg(RESTORE).arg(store).arg(ending),
        };
        let process = command
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn();
        let process = process.map_err(|error| {
            CommandFailure::new(format_args!("postern cannot be run again: {error}"))
        })?;
        Ok(StoreFiles { stream, process })
    }

    /// Lets the process do its task, and returns its text. A signal of the terminal waits meanwhile.
    pub(crate) fn finish(&mut self) -> CommandResult<String> {
        let _waiting = SignalsWait::new()?;
        let gone = |error: io::Error| {
            CommandFailure::new(format_args!(
                "the process that owns the files has ended: {error}"
            ))
        };
        send(&self.stream, FINISH).map_err(gone)?;
        let reply = receive(&self.stream, LONGEST_REASON).map_err(gone)?;
        let text = String::from_utf8_lossy(reply.get(1..).unwrap_or_default()).into_owned();
        match reply.first() {
            Some(&DONE) => Ok(text),
            _ => Err(CommandFailure::new(text)),
        }
    }
}

impl Drop for StoreFiles {
    fn drop(&mut self) {
        // the process ends when it reads the end of the stream
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
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
pub(crate) fn run_if_asked(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    arguments.next().filter(|name| name == NAME)?;
    let stream = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from);
    let words: Vec<OsString> = arguments.collect();
    let (Ok(stream), [temporary, task @ ..]) = (stream, words.as_slice()) else {
        return Some(ExitCode::from(2));
    };
    // only root owns the folders
    if !geteuid().is_root() {
        return Some(ExitCode::FAILURE);
    }
    let Ok(_waiting) = SignalsWait::new() else {
        return Some(ExitCode::FAILURE);
    };
    let temporary = TemporaryStore::at(PathBuf::from(temporary));
    let served = serve(&stream, &temporary, task);
    remove_temporary_files(&temporary, task);
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Waits for the request, and replies to it. The end of the stream means that there is none.
fn serve(stream: &UnixStream, temporary: &TemporaryStore, task: &[OsString]) -> io::Result<()> {
    let request = match receive(stream, LONGEST_REASON) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        request => request?,
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
    reply.truncate(LONGEST_REASON as usize);
    send(stream, &reply)?;
    // the files of a finished task are not temporary any more; the rest is removed at the end
    receive(stream, LONGEST_REASON).map(drop).or(Ok(()))
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

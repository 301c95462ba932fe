//! The process that writes the key file during a rotation of keys. The rotation reads the store and
//! therefore runs without root, but only root can write the key file and its folder. This program
//! is started once more for that. That process stays root, holds the lock of the key file, and has
//! two operations: add a new key before the existing ones, and then remove all keys but the newest.
//!
//! MUST NOT open the store, and MUST NOT accept a key from the rotation, because the rotation may
//! have read a store that an intruder wrote.

use crate::root_process::{self, RootProcess, receive_request};
use crate::terminal::output::CommandFailure;
use postern_shared::crypto::master_key::{
    MasterKeyError, MasterKeyFile, MasterKeyId, MasterKeys, OwnKeyFile,
};
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `argv[0]` of the writer process. The path of the key file is its only argument.
const NAME: &str = "postern-key-writer";
/// Request that adds a key. The numbers of the keys in use follow.
const ADD: u8 = b'a';
/// Request that removes all keys but the newest.
const KEEP_NEWEST: u8 = b'n';
/// Maximum length of a request, in bytes. It is more than the keys of a full file need.
const LONGEST_REQUEST: u32 = 128;

/// The rotation's connection to the writer process. The process ends when this value is dropped.
pub(crate) struct KeyWriter {
    key_file: PathBuf,
    process: RootProcess,
}

impl KeyWriter {
    /// Starts the writer process. The caller is root.
    pub(crate) fn start(key_file: &Path) -> Result<KeyWriter, CommandFailure> {
        Ok(KeyWriter {
            key_file: key_file.to_owned(),
            process: RootProcess::start(NAME, &[key_file.into()], None)?,
        })
    }

    /// Locks the key file against changes by other processes until this value is dropped. MUST be
    /// called before the key file is read for a change.
    pub(crate) fn begin(&mut self) -> Result<(), MasterKeyError> {
        self.ask(&[])
    }

    fn ask(&mut self, text: &[u8]) -> Result<(), MasterKeyError> {
        let gone = |error: io::Error| {
            MasterKeyError::NotWritten(format!(
                "the process that writes the key file has ended: {error}"
            ))
        };
        match self.process.ask(text).map_err(gone)?.as_slice() {
            [] => Ok(()),
            reason => Err(MasterKeyError::NotWritten(
                String::from_utf8_lossy(reason).into_owned(),
            )),
        }
    }
}

impl MasterKeyFile for KeyWriter {
    fn add(&mut self, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError> {
        self.ask(&[&[ADD], used.as_flattened()].concat())?;
        MasterKeys::read_file(&self.key_file)
    }

    fn keep_newest(&mut self) -> Result<(), MasterKeyError> {
        self.ask(&[KEEP_NEWEST])
    }
}

/// Serves as the writer process if this program was started as one. Returns `None` otherwise.
pub(crate) fn run_if_asked(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    // only root can write a key file
    root_process::serve_if_asked(NAME, arguments, |stream, words| match words {
        [path] => serve(stream, Path::new(path)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    })
}

/// The state of a rotation in the writer process.
enum WriterStage {
    Begun(OwnKeyFile),
    Added(OwnKeyFile),
    /// The lock is still held.
    Done(#[expect(dead_code, reason = "held until it is dropped")] OwnKeyFile),
}

/// Serves requests in their fixed order. It holds the lock from the first request until the
/// rotation closes the stream. A truncated request is ignored.
fn serve(stream: &UnixStream, path: &Path) -> io::Result<()> {
    let mut stage = None;
    while let Some(request) = receive_request(stream, LONGEST_REQUEST)? {
        let done = match (stage.take(), request.as_slice()) {
            (None, []) => OwnKeyFile::lock(path).map(|file| stage = Some(WriterStage::Begun(file))),
            (Some(WriterStage::Begun(mut file)), [ADD, used @ ..]) => {
                let used: Vec<MasterKeyId> =
                    used.chunks(8).filter_map(|id| id.try_into().ok()).collect();
                let added = file.add(&used).map(drop);
                stage = Some(if added.is_ok() {
                    WriterStage::Added(file)
                } else {
                    WriterStage::Begun(file)
                });
                added
            }
            (Some(WriterStage::Added(mut file)), [KEEP_NEWEST]) => {
                let kept = file.keep_newest();
                stage = Some(WriterStage::Done(file));
                kept
            }
            (now, _) => {
                stage = now;
                Err(MasterKeyError::NotWritten(
                    "what was asked for is not next in a rotation".to_owned(),
                ))
            }
        };
        let reason = done.err().map(|error| error.to_string());
        root_process::reply(stream, reason.unwrap_or_default().as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_process::{receive, send};
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    fn key_file(folder: &Path) -> PathBuf {
        let path = folder.join("key");
        fs::write(&path, MasterKeys::generate().unwrap().1.as_bytes()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        path
    }

    /// Sends a frame and returns the reply. An empty reply means success.
    fn replies(stream: &UnixStream, text: &[u8]) -> String {
        send(stream, text).unwrap();
        String::from_utf8(receive(stream, 4096).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_new_key_is_its_own_and_the_old_ones_leave_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_file(folder.path());
        let keys = || MasterKeys::read_file(&path).unwrap().ids();
        let before = keys();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let of_writer = path.clone();
        let writer = thread::spawn(move || serve(&theirs, &of_writer));
        let refuses =
            |request: &[u8]| assert!(replies(&ours, request).contains("not next"), "{request:?}");
        refuses(&[ADD]);
        assert_eq!(replies(&ours, b""), "");
        // the lock keeps other processes from changing the file
        assert!(matches!(
            OwnKeyFile::lock(&path),
            Err(MasterKeyError::Locked(_))
        ));
        for request in [
            &b""[..],
            &[KEEP_NEWEST],
            b"root::0:0::/:/bin/sh\n",
            &[0xff; 65],
        ] {
            refuses(request);
        }
        assert_eq!(keys(), before);
        assert_eq!(replies(&ours, &[ADD, 1, 2, 3]), "");
        let added = keys();
        assert_eq!((added.len(), &added[1..]), (2, &before[..]));
        refuses(&[ADD]);
        // a truncated request changes nothing
        assert_eq!(keys(), added);
        assert_eq!(replies(&ours, &[KEEP_NEWEST]), "");
        assert_eq!(keys(), added[..1]);
        [&[ADD][..], &[KEEP_NEWEST], b""]
            .into_iter()
            .for_each(refuses);
        (&ours).write_all(&[0, 0, 0, 65, ADD]).unwrap();
        assert!(matches!(
            OwnKeyFile::lock(&path),
            Err(MasterKeyError::Locked(_))
        ));
        drop(ours);
        writer.join().unwrap().unwrap();
        assert_eq!(keys(), added[..1]);
        assert!(OwnKeyFile::lock(&path).is_ok());
    }

    #[test]
    fn a_frame_that_is_too_long_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_file(folder.path());
        let (ours, theirs) = UnixStream::pair().unwrap();
        let writer = thread::spawn(move || serve(&theirs, &path));
        (&ours)
            .write_all(&(LONGEST_REQUEST + 1).to_be_bytes())
            .unwrap();
        assert!(writer.join().unwrap().is_err());
    }
}

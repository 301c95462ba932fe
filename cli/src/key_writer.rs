//! Who writes the key file while keys are rotated. The rotation reads the store, so it is no process of root's; the key file
//! and its folder are root's alone. This program is run once more for that: it stays root, holds the lock of the key file,
//! and knows two acts: to put a new key before those that are there, and, after that, to have all but the newest leave.
//!
//! MUST NOT open the store, or take a key from the rotation: that may have read a store which an intruder wrote.

use crate::terminal::output::CommandFailure;
use nix::unistd::geteuid;
use shared::crypto::master_key::{
    MasterKeyError, MasterKeyFile, MasterKeyId, MasterKeys, OwnKeyFile,
};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use zeroize::Zeroizing;

/// The name by which this program is run for it; the path of the key file follows.
const NAME: &str = "postern-key-writer";
/// A request for a new key; the numbers of those that are in use follow.
const ADD: u8 = b'a';
/// A request to keep the newest key alone.
const KEEP_NEWEST: u8 = b'n';
/// The longest request, in bytes: more keys than a file holds.
const LONGEST_REQUEST: u32 = 128;
/// The longest reason why something was not written, in bytes.
const LONGEST_REASON: u32 = 4096;

/// The process that writes, for the one that rotates; it ends with it.
pub(crate) struct KeyWriter {
    key_file: PathBuf,
    stream: UnixStream,
    process: Child,
}

impl KeyWriter {
    /// Starts it, as root.
    pub(crate) fn start(key_file: &Path) -> Result<KeyWriter, CommandFailure> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0(NAME).arg(key_file);
        let process = command
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn();
        let process = process.map_err(|error| {
            CommandFailure::new(format_args!("postern cannot be run again: {error}"))
        })?;
        Ok(KeyWriter {
            key_file: key_file.to_owned(),
            stream,
            process,
        })
    }

    /// Has it keep all others from changing the key file, until this goes. To be done before the file is read that is to be
    /// changed.
    pub(crate) fn begin(&mut self) -> Result<(), MasterKeyError> {
        self.ask(&[])
    }

    fn ask(&mut self, text: &[u8]) -> Result<(), MasterKeyError> {
        let gone = |error: io::Error| {
            MasterKeyError::NotWritten(format!(
                "the process that writes the key file has ended: {error}"
            ))
        };
        send(&self.stream, text).map_err(gone)?;
        match receive(&self.stream, LONGEST_REASON)
            .map_err(gone)?
            .as_slice()
        {
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

impl Drop for KeyWriter {
    fn drop(&mut self) {
        // it ends where it has nothing more to read
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// Runs the writer, if it is what this program was run for.
pub(crate) fn run_if_asked(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    arguments.next().filter(|name| name == NAME)?;
    let stream = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from);
    let (Ok(stream), Some(path)) = (stream, arguments.next()) else {
        return Some(ExitCode::from(2));
    };
    // whoever is not root can write no key file either
    Some(
        match geteuid().is_root() && serve(&stream, Path::new(&path)).is_ok() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

/// How far a rotation has come.
enum WriterStage {
    Begun(OwnKeyFile),
    Added(OwnKeyFile),
    /// The lock is held on.
    Done(#[expect(dead_code, reason = "held until it is dropped")] OwnKeyFile),
}

/// Does what it is sent, in its order, and holds the lock, once it is asked to, until the rotation has ended. A request that
/// ends early is none.
fn serve(stream: &UnixStream, path: &Path) -> io::Result<()> {
    let mut stage = None;
    loop {
        let request = match receive(stream, LONGEST_REQUEST) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            request => request?,
        };
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
        reply(stream, done)?;
    }
}

fn reply(stream: &UnixStream, result: Result<(), MasterKeyError>) -> io::Result<()> {
    let reason = result
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    let most = usize::try_from(LONGEST_REASON)
        .map_err(io::Error::other)?
        .min(reason.len());
    send(stream, &reason.as_bytes()[..most])
}

/// A frame: its length, four bytes, and what it holds.
fn send(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(bytes)
}

fn receive(mut stream: &UnixStream, longest: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > longest {
        return Err(io::Error::other("a frame that is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).map_err(io::Error::other)?]);
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    fn key_file(folder: &Path) -> PathBuf {
        let path = folder.join("key");
        fs::write(&path, MasterKeys::generate().unwrap().1.as_bytes()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        path
    }

    /// What it replies to a frame; an empty one is a success.
    fn replies(stream: &UnixStream, text: &[u8]) -> String {
        send(stream, text).unwrap();
        String::from_utf8(receive(stream, LONGEST_REASON).unwrap().to_vec()).unwrap()
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
        // nobody else changes the file meanwhile
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
        // half a request is none
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

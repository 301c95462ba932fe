//! A process of this program that stays root, for a command that gives root up to read the store:
//! how it is started, and how the two talk. [`key_writer`](crate::key_writer) and
//! [`store_files`](crate::store_files) say what such a process may do.

use crate::terminal::output::CommandFailure;
use nix::unistd::geteuid;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use zeroize::Zeroizing;

/// Maximum length of a reply, in bytes. Longer texts are cut off.
const LONGEST_REPLY: u32 = 4096;

/// The command's connection to the process. The process ends when this value is dropped.
pub(crate) struct RootProcess {
    stream: UnixStream,
    process: Child,
}

impl RootProcess {
    /// Starts this program once more, with this `argv[0]` and these arguments. It inherits `kept` as
    /// its standard output, to which it prints nothing. The caller is root.
    pub(crate) fn start(
        name: &str,
        arguments: &[OsString],
        kept: Option<OwnedFd>,
    ) -> Result<RootProcess, CommandFailure> {
        let (stream, theirs) = UnixStream::pair()?;
        let process = Command::new("/proc/self/exe")
            .arg0(name)
            .args(arguments)
            .stdin(OwnedFd::from(theirs))
            .stdout(kept.map_or_else(Stdio::null, Stdio::from))
            .spawn()
            .map_err(|error| {
                CommandFailure::new(format_args!("postern cannot be run again: {error}"))
            })?;
        Ok(RootProcess { stream, process })
    }

    /// Sends a request, and returns the reply.
    pub(crate) fn ask(&self, request: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        send(&self.stream, request)?;
        receive(&self.stream, LONGEST_REPLY)
    }
}

impl Drop for RootProcess {
    fn drop(&mut self) {
        // the process ends when it reads the end of the stream
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// Serves as such a process if this program was started as one of this name: with its connection and
/// its arguments. Returns `None` otherwise.
pub(crate) fn serve_if_asked(
    name: &str,
    mut arguments: impl Iterator<Item = OsString>,
    serve: impl FnOnce(&UnixStream, &[OsString]) -> io::Result<()>,
) -> Option<ExitCode> {
    arguments.next().filter(|first| first == name)?;
    let stream = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from);
    let words: Vec<OsString> = arguments.collect();
    let Ok(stream) = stream else {
        return Some(ExitCode::from(2));
    };
    Some(
        match geteuid().is_root() && serve(&stream, &words).is_ok() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

/// Sends the reply to a request.
pub(crate) fn reply(stream: &UnixStream, text: &[u8]) -> io::Result<()> {
    let most = usize::try_from(LONGEST_REPLY).map_err(io::Error::other)?;
    send(stream, &text[..text.len().min(most)])
}

/// Receives a request of at most `longest` bytes. Returns `None` at the end of the stream, also after
/// a part of a request.
pub(crate) fn receive_request(
    stream: &UnixStream,
    longest: u32,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match receive(stream, longest) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        request => request.map(Some),
    }
}

/// Sends a frame: its length in four bytes, then its content.
pub(crate) fn send(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(bytes)
}

pub(crate) fn receive(mut stream: &UnixStream, longest: u32) -> io::Result<Zeroizing<Vec<u8>>> {
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

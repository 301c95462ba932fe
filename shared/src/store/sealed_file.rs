//! The file in which a host keeps what it may decide itself: sealed to the key of the host, changed
//! under a lock, and durable before a change counts. posternd can make no file in that folder, so the
//! file has two slots that are written in turn: a write that is interrupted leaves the other one.
//!
//! A copy of an earlier state must not bring a used code back. Each write first touches a second file,
//! the anchor, and seals the time at which the kernel changed that (ctime, which no program can set). A
//! copy that is put back, of one file or of both, by whatever program, does not agree with it, and is
//! [`FileState::Replaced`]. What cannot be detected here is a disk image, which holds both files as they
//! were: the servers know of each use that was reported, and remove it at the next connection.
//!
//! MUST NOT return a state that does not agree with the anchor as one in force.

use crate::crypto::fleet::host_key::HostSealKey;
use crate::system::trusted_file::{Existing, FileError, write_atomically};
use crate::verify::break_glass::OfflineState;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use nix::unistd::{Uid, chown, geteuid};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Where posternd keeps the state of this host, and the anchor.
pub const OFFLINE_STATE: &str = "/var/lib/postern/break-glass";
const ANCHOR_SUFFIX: &str = ".anchor";
/// Mode of both files: no group has a use for them.
const MODE: u32 = 0o600;
/// Size of a slot, in bytes: 220 uses with the longest names have less.
const SLOT: usize = 256 * 1024;
const SLOTS: [u64; 2] = [0, SLOT as u64];
/// Bytes of the length before the sealed bytes of a slot.
const LENGTH: usize = 4;
/// Time limit of the lock, which others hold for a few writes.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The file of a host, opened by its path.
#[derive(Clone, Debug)]
pub struct OfflineFile {
    path: PathBuf,
    anchor: PathBuf,
}

/// What the file holds.
#[derive(Debug, PartialEq, Eq)]
pub enum FileState {
    /// Nothing was written yet.
    Empty,
    InForce(OfflineState),
    /// A copy was put back, or files were moved or changed: no code of it is valid. Uses that it holds
    /// are still reported.
    Replaced(OfflineState),
    /// Nothing opens with the key of this host.
    Altered,
}

/// Sealed content of a slot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotContent<T> {
    sequence: u64,
    /// Seconds and nanoseconds of the anchor's ctime.
    anchor: (i64, i64),
    state: T,
}

/// The file while this process holds the lock.
pub struct LockedFile<'a> {
    file: Flock<File>,
    anchor: File,
    key: &'a HostSealKey,
    path: &'a Path,
    /// The state, and the number of the last write.
    pub state: FileState,
    sequence: u64,
}

impl OfflineFile {
    /// Returns the file at a path; its anchor is beside it.
    pub fn at(path: &Path) -> OfflineFile {
        let mut anchor = path.as_os_str().to_owned();
        anchor.push(ANCHOR_SUFFIX);
        OfflineFile {
            path: path.to_owned(),
            anchor: anchor.into(),
        }
    }

    /// Makes both files, without a state, for `owner`. What they held is gone.
    ///
    /// # Errors
    /// Those of files.
    pub fn create(&self, owner: Uid) -> Result<(), FileError> {
        // its blocks are reserved, so that a full disk does not keep a use from being noted
        let blank = vec![0; 2 * SLOT];
        for (path, content) in [(&self.path, blank.as_slice()), (&self.anchor, b"")] {
            write_atomically(path, content, MODE, None, Existing::Replace)?;
            chown(path, Some(owner), None).map_err(|errno| FileError::io(path, errno.into()))?;
        }
        Ok(())
    }

    /// Waits for the lock, for a bounded time, and reads the file.
    ///
    /// # Errors
    /// Those of files, and a lock that another process holds for too long.
    pub fn lock<'a>(&'a self, key: &'a HostSealKey) -> Result<LockedFile<'a>, OfflineFileError> {
        let (file, anchor) = (open(&self.path)?, open(&self.anchor)?);
        let file = lock(&self.path, file)?;
        let mut locked = LockedFile {
            file,
            anchor,
            key,
            path: &self.path,
            state: FileState::Empty,
            sequence: 0,
        };
        locked.read()?;
        Ok(locked)
    }
}

impl LockedFile<'_> {
    /// Returns the state that is in force.
    pub fn in_force(&self) -> Option<&OfflineState> {
        match &self.state {
            FileState::InForce(state) => Some(state),
            FileState::Empty | FileState::Replaced(_) | FileState::Altered => None,
        }
    }

    fn read(&mut self) -> Result<(), OfflineFileError> {
        let slots = SLOTS.iter().map(|offset| self.read_slot(*offset));
        let slots: Vec<_> = slots.collect::<Result<_, _>>()?;
        let newest = slots
            .into_iter()
            .flatten()
            .max_by_key(|content| content.sequence);
        let Some(newest) = newest else {
            self.state = match self.is_blank()? {
                true => FileState::Empty,
                false => FileState::Altered,
            };
            return Ok(());
        };
        self.sequence = newest.sequence;
        self.state = match newest.anchor == self.anchor_time()? {
            true => FileState::InForce(newest.state),
            false => FileState::Replaced(newest.state),
        };
        Ok(())
    }

    /// Returns the content of a slot, unless it is empty, was altered, or was not written completely.
    fn read_slot(
        &self,
        offset: u64,
    ) -> Result<Option<SlotContent<OfflineState>>, OfflineFileError> {
        let mut length = [0; LENGTH];
        let read = self.read_exact(&mut length, offset)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if !read || length == 0 || length > SLOT - LENGTH {
            return Ok(None);
        }
        let mut sealed = vec![0; length];
        let is_whole = self.read_exact(&mut sealed, offset + LENGTH as u64)?;
        let sealed = is_whole.then_some(sealed);
        let plain = sealed.and_then(|sealed| self.key.unseal(&sealed));
        Ok(plain.and_then(|plain| parse(&plain)))
    }

    /// Returns whether the file is as it was made.
    fn is_blank(&self) -> Result<bool, OfflineFileError> {
        let mut lengths = [0; 2 * LENGTH];
        let (first, second) = lengths.split_at_mut(LENGTH);
        let is_whole = self.read_exact(first, SLOTS[0])? && self.read_exact(second, SLOTS[1])?;
        Ok(is_whole && lengths == [0; 2 * LENGTH])
    }

    /// Fills the buffer. Returns whether the file is that long.
    fn read_exact(&self, buffer: &mut [u8], offset: u64) -> Result<bool, OfflineFileError> {
        match self.file.read_exact_at(buffer, offset) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    fn anchor_time(&self) -> Result<(i64, i64), OfflineFileError> {
        let metadata = self.anchor.metadata().map_err(|error| self.error(error))?;
        Ok((metadata.ctime(), metadata.ctime_nsec()))
    }

    /// Writes a state durably. It is in force when this returns. If it fails, the state before is in
    /// force or none is.
    ///
    /// # Errors
    /// Those of files; a full disk is one.
    pub fn write(&mut self, state: OfflineState) -> Result<(), OfflineFileError> {
        let now = TimeSpec::UTIME_NOW;
        futimens(&self.anchor, &now, &now).map_err(|errno| self.error(errno.into()))?;
        let content = SlotContent {
            sequence: self.sequence.saturating_add(1),
            anchor: self.anchor_time()?,
            state: &state,
        };
        let plain = serde_json::to_vec(&content).map(Zeroizing::new);
        let plain = plain.map_err(|error| self.error(error.into()))?;
        let sealed = self.key.seal(&plain);
        let sealed = sealed.map_err(|error| self.error(io::Error::other(error)))?;
        let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        if sealed.len() > SLOT - LENGTH {
            return Err(self.error(io::ErrorKind::FileTooLarge.into()));
        }
        let bytes = [&length.to_le_bytes()[..], &sealed].concat();
        let slot = SLOTS[usize::from(content.sequence % 2 == 1)];
        let sequence = content.sequence;
        self.file
            .write_all_at(&bytes, slot)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.anchor.sync_all())
            .map_err(|error| self.error(error))?;
        self.sequence = sequence;
        self.state = FileState::InForce(state);
        Ok(())
    }

    fn error(&self, error: io::Error) -> OfflineFileError {
        OfflineFileError {
            path: self.path.to_owned(),
            error,
        }
    }
}

fn parse(plain: &[u8]) -> Option<SlotContent<OfflineState>> {
    let content: SlotContent<serde_json::Value> = serde_json::from_slice(plain).ok()?;
    let state = serde_json::to_vec(&content.state)
        .map(Zeroizing::new)
        .ok()?;
    Some(SlotContent {
        sequence: content.sequence,
        anchor: content.anchor,
        state: OfflineState::from_json(&state)?,
    })
}

/// Opens a file that `postern host join` has made: a regular file of the current user with mode 0600.
fn open(path: &Path) -> Result<File, OfflineFileError> {
    let failed = |error| OfflineFileError {
        path: path.to_owned(),
        error,
    };
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let is_ours = metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o077 == 0;
    match metadata.is_file() && is_ours {
        true => Ok(file),
        false => Err(failed(io::Error::other(
            "it is not a file of the user posternd with mode 0600",
        ))),
    }
}

fn lock(path: &Path, mut file: File) -> Result<Flock<File>, OfflineFileError> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        let errno = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((returned, errno)) => {
                file = returned;
                errno
            }
        };
        let is_held = errno == Errno::EWOULDBLOCK || errno == Errno::EINTR;
        if !is_held || Instant::now() >= until {
            return Err(OfflineFileError {
                path: path.to_owned(),
                error: errno.into(),
            });
        }
        thread::sleep(LOCK_PAUSE);
    }
}

/// The file cannot be used: nothing of it is in force.
#[derive(Debug)]
pub struct OfflineFileError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for OfflineFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OfflineFileError { path, error } = self;
        write!(
            f,
            "{}: {error}; have this host join with postern host join, which makes the file",
            path.display()
        )
    }
}

impl std::error::Error for OfflineFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

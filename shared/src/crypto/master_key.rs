//! The master key file: how it is read, made, and changed by a rotation. The data keys that a
//! master key wraps are in [`super::vault`].
//!
//! MUST be changed only under a [`OwnKeyFile`]: two rotations at once could lose the key of the
//! store.

use crate::system::random::{RandomError, fill_random};
use crate::system::trusted_file::{self, Existing, FileError, Follow, Privacy};
use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, Mac};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use sha2::Sha256;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most master keys in one file; a rotation needs two.
const MOST: usize = 8;
/// Most bytes that are read of the file.
pub const LARGEST: u32 = 4096;

pub type MasterKey = Zeroizing<[u8; 32]>;

/// Identifier of a master key, which reveals nothing about the key.
pub type MasterKeyId = [u8; 8];

/// The master keys, newest first.
pub struct MasterKeys(Vec<(MasterKeyId, MasterKey)>);

impl MasterKeys {
    pub fn read_file(path: &Path) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::parse(
            path,
            &trusted_file::read_trusted(path, Privacy::Secret, Follow::No, LARGEST.into())?,
        )
    }

    /// Parses the contents of a key file.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<MasterKeys, MasterKeyError> {
        let broken = |line| MasterKeyError::Broken {
            path: path.to_owned(),
            line,
        };
        let text = std::str::from_utf8(bytes).map_err(|_| broken(1))?;
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let decoded = Zeroizing::new(
                HEXLOWER_PERMISSIVE
                    .decode(line.as_bytes())
                    .map_err(|_| broken(number))?,
            );
            let mut key = MasterKey::default();
            if decoded.len() != key.len() || keys.len() == MOST {
                return Err(broken(number));
            }
            key.copy_from_slice(&decoded);
            keys.push((key_id(&key), key));
        }
        if keys.is_empty() {
            return Err(broken(1));
        }
        Ok(MasterKeys(keys))
    }

    /// Makes a random master key, and returns it with the text of its file.
    pub fn generate() -> Result<(MasterKeys, Zeroizing<String>), RandomError> {
        let keys = MasterKeys(vec![random()?]);
        let text = keys.to_text();
        Ok((keys, text))
    }

    /// Returns the identifiers, newest first.
    pub fn ids(&self) -> Vec<MasterKeyId> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    /// Removes the keys that are not `wanted`.
    pub fn retain(mut self, wanted: &[MasterKeyId]) -> MasterKeys {
        self.0.retain(|(id, _)| wanted.contains(id));
        self
    }

    /// Replaces the contents of the file atomically and durably. The group and the mode stay.
    fn replace_file(&self, path: &Path) -> Result<(), MasterKeyError> {
        let metadata = path
            .symlink_metadata()
            .map_err(|error| FileError::io(path, error))?;
        let (mode, group) = (metadata.mode() & 0o777, Some(metadata.gid()));
        Ok(trusted_file::write_atomically(
            path,
            self.to_text().as_bytes(),
            mode,
            group,
            Existing::Replace,
        )?)
    }

    /// Returns the text of a file with these keys.
    pub fn to_text(&self) -> Zeroizing<String> {
        const HEAD: &str = "# Postern's master key. Keep a copy apart from the store: without it no one can sign in.\n";
        // enough capacity from the start: a reallocation would leave copies of keys in memory
        let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + 65 * self.0.len()));
        text.push_str(HEAD);
        for (_, key) in &self.0 {
            text.push_str(&Zeroizing::new(HEXLOWER_PERMISSIVE.encode(&**key)));
            text.push('\n');
        }
        text
    }

    /// Returns the key that wraps new data keys.
    pub fn newest(&self) -> (MasterKeyId, &MasterKey) {
        let (id, key) = self
            .0
            .first()
            .expect("read and generate give at least one key");
        (*id, key)
    }

    /// Returns the key with this identifier.
    pub fn find(&self, wanted: &MasterKeyId) -> Option<&MasterKey> {
        self.0
            .iter()
            .find(|(id, _)| id == wanted)
            .map(|(_, key)| key)
    }
}

/// Changes of a key file by a rotation: in this process, or by another one that may write the file.
pub trait MasterKeyFile {
    /// Adds a new random master key as the first one of the file, and returns all. If the file is
    /// full, the keys that are not `used` are removed from it.
    fn add(&mut self, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError>;
    /// Removes all keys but the newest.
    fn keep_newest(&mut self) -> Result<(), MasterKeyError>;
}

/// A key file that this process can write, locked against all other changes. The lock ends with the
/// process, however that ends.
pub struct OwnKeyFile {
    path: PathBuf,
    _lock: Flock<File>,
}

impl OwnKeyFile {
    /// Locks the file against other changes. The lock is a file of its own, which only root can
    /// open: a user who can open a file or a folder can lock it, and could block every rotation.
    pub fn lock(path: &Path) -> Result<OwnKeyFile, MasterKeyError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = folder.join(format!(".{name}.lock"));
        let io = |error| MasterKeyError::File(FileError::io(&lock, error));
        trusted_file::TrustedFolder::open(folder)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let opened = options
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&lock)
            .map_err(io)?;
        let locked = Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(
            |(_, errno)| match errno {
                Errno::EWOULDBLOCK => MasterKeyError::Locked(path.to_owned()),
                errno => io(errno.into()),
            },
        )?;
        // an interrupted change left keys in a temporary file
        trusted_file::remove_unfinished(path)?;
        Ok(OwnKeyFile {
            path: path.to_owned(),
            _lock: locked,
        })
    }
}

impl OwnKeyFile {
    /// Puts the keys of a backup before those of the file. Returns whether the file was changed.
    ///
    /// # Errors
    /// The file has no room for both: its own keys may be those of the store that is replaced.
    pub fn add_restored(&mut self, restored: MasterKeys) -> Result<bool, MasterKeyError> {
        let present = MasterKeys::read_file(&self.path)?;
        let ids = restored.ids();
        if ids.iter().all(|id| present.find(id).is_some()) {
            return Ok(false);
        }
        let mut keys = restored.0;
        keys.extend(present.0.into_iter().filter(|(id, _)| !ids.contains(id)));
        if keys.len() > MOST {
            return Err(MasterKeyError::NotWritten(format!(
                "{} and the backup hold {} keys, and the file can hold {MOST}; nothing was changed; keep a copy of the \
                 file and remove the lines of keys that no store needs",
                self.path.display(),
                keys.len()
            )));
        }
        MasterKeys(keys).replace_file(&self.path)?;
        Ok(true)
    }
}

impl MasterKeyFile for OwnKeyFile {
    fn add(&mut self, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError> {
        let mut old = MasterKeys::read_file(&self.path)?;
        if old.0.len() == MOST {
            old = old.retain(used);
        }
        if old.0.len() == MOST {
            return Err(MasterKeyError::NotWritten(format!(
                "{} holds {MOST} keys, all in use",
                self.path.display()
            )));
        }
        let new = random().map_err(|error| MasterKeyError::NotWritten(error.to_string()))?;
        let keys = MasterKeys([vec![new], old.0].concat());
        keys.replace_file(&self.path)?;
        Ok(keys)
    }

    fn keep_newest(&mut self) -> Result<(), MasterKeyError> {
        let keys = MasterKeys::read_file(&self.path)?;
        let newest = keys.newest().0;
        keys.retain(&[newest]).replace_file(&self.path)
    }
}

fn random() -> Result<(MasterKeyId, MasterKey), RandomError> {
    let mut key = MasterKey::default();
    fill_random(&mut *key)?;
    Ok((key_id(&key), key))
}

fn key_id(key: &MasterKey) -> MasterKeyId {
    let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes keys of any length");
    mac.update(b"postern master key id");
    let mut id = MasterKeyId::default();
    id.copy_from_slice(&mac.finalize().into_bytes()[..8]);
    id
}

/// Reason why there is no master key.
#[derive(Debug)]
pub enum MasterKeyError {
    /// The file cannot be read, or must not be trusted.
    File(FileError),
    /// A line is no key.
    Broken {
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
    },
    /// Another process is changing the file.
    Locked(PathBuf),
    /// The process that writes the file did not write it.
    NotWritten(String),
}

impl From<FileError> for MasterKeyError {
    fn from(error: FileError) -> MasterKeyError {
        MasterKeyError::File(error)
    }
}

impl fmt::Display for MasterKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MasterKeyError::File(error) if error.is_missing() => {
                write!(
                    f,
                    "{error}; restore the key file from its backup, or run postern init on a new host"
                )
            }
            MasterKeyError::File(error) => error.fmt(f),
            MasterKeyError::Broken { path, line } => write!(
                f,
                "{}:{line}: expected one key of 64 hexadecimal digits a line; restore the key file from its backup",
                path.display()
            ),
            MasterKeyError::NotWritten(why) => f.write_str(why),
            MasterKeyError::Locked(path) => write!(
                f,
                "{}: another postern key rotate is running; wait until it has ended",
                path.display()
            ),
        }
    }
}

impl std::error::Error for MasterKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MasterKeyError::File(error) => Some(error),
            MasterKeyError::Broken { .. }
            | MasterKeyError::Locked(_)
            | MasterKeyError::NotWritten(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Writes a key file into a folder of its own.
    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        (folder, path)
    }

    fn read(text: &str) -> Result<MasterKeys, MasterKeyError> {
        let (_folder, path) = written(text);
        MasterKeys::read_file(&path)
    }

    #[test]
    fn a_generated_key_is_parsed_again() {
        let (keys, text) = MasterKeys::generate().unwrap();
        let read = read(&text).ok().unwrap();
        assert!(read.newest() == keys.newest());
        assert!(read.find(&keys.newest().0).is_some());
        assert!(read.find(&[0; 8]).is_none());
    }

    #[test]
    fn empty_short_and_broken_key_files_are_refused_by_line() {
        for (text, line) in [
            ("", 1),
            ("# nothing\n", 1),
            ("# x\nabcd\n", 2),
            (&"ab".repeat(33), 1),
            (&"zz".repeat(32), 1),
            (&format!("{}\n", "ab".repeat(32)).repeat(9), 9),
        ] {
            let error = read(text).err().unwrap().to_string();
            assert!(
                error.contains(&format!("key:{line}: expected one key")),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn keys_of_a_backup_come_first_and_none_is_dropped_for_them() {
        let (_folder, path) = written(&MasterKeys::generate().unwrap().1);
        let mut file = OwnKeyFile::lock(&path).unwrap();
        let restored = || MasterKeys::generate().unwrap().0;
        (2..MOST).for_each(|_| drop(file.add(&[]).unwrap()));
        let before = MasterKeys::read_file(&path).unwrap().ids();
        let one = restored();
        let id = one.ids();
        assert!(file.add_restored(one).unwrap());
        let full = MasterKeys::read_file(&path).unwrap().ids();
        assert_eq!(full, [id, before].concat());
        let error = file.add_restored(restored()).unwrap_err().to_string();
        assert!(error.contains("9 keys"), "{error}");
        assert_eq!(MasterKeys::read_file(&path).unwrap().ids(), full);
        let same = MasterKeys::read_file(&path).unwrap();
        assert!(!file.add_restored(same).unwrap());
    }

    #[test]
    fn a_new_key_is_first_and_a_rotation_removes_the_others() {
        let (first, text) = MasterKeys::generate().unwrap();
        let old = first.newest().0;
        let (_folder, path) = written(&text);
        let mut file = OwnKeyFile::lock(&path).unwrap();

        let both = file.add(&[]).unwrap();
        let read = MasterKeys::read_file(&path).unwrap();
        assert_eq!(read.ids(), both.ids());
        let new = read.newest().0;
        assert_eq!(read.ids(), [new, old]);
        // a full file keeps the keys that are in use
        (2..MOST).for_each(|_| drop(file.add(&[]).unwrap()));
        let full = MasterKeys::read_file(&path).unwrap().ids();
        assert_eq!(full.len(), MOST);
        assert!(file.add(&full).is_err());
        let left = file.add(&[old, new]).unwrap().ids();
        assert_eq!(left[1..], [new, old]);
        file.keep_newest().unwrap();
        assert_eq!(MasterKeys::read_file(&path).unwrap().ids(), left[..1]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }

    /// A user who can open a folder or a file can lock it: only a file that root alone can open
    /// blocks a rotation.
    #[test]
    fn a_lock_on_a_file_that_all_can_open_blocks_no_rotation() {
        let (folder, path) = written(&MasterKeys::generate().unwrap().1);
        let held = [folder.path(), path.as_path()].map(|open_to_others| {
            let opened = File::open(open_to_others).unwrap();
            Flock::lock(opened, FlockArg::LockExclusiveNonblock)
                .map_err(|(_, errno)| errno)
                .unwrap()
        });
        let changing = OwnKeyFile::lock(&path).unwrap();
        let lock = fs::metadata(folder.path().join(".key.lock")).unwrap();
        assert_eq!(lock.mode() & 0o777, 0o600);
        drop((changing, held));
    }

    #[test]
    fn one_process_at_a_time_changes_the_file_and_removes_unfinished_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let unfinished = folder.path().join(".key.4711.new");
        fs::write(&unfinished, "half a key").unwrap();
        fs::write(folder.path().join("key.old"), "the administrator's").unwrap();
        let first = OwnKeyFile::lock(&path).unwrap();
        assert!(!unfinished.exists());
        // the administrator's file and the lock
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(matches!(
            OwnKeyFile::lock(&path),
            Err(MasterKeyError::Locked(_))
        ));
        drop(first);
        assert!(OwnKeyFile::lock(&path).is_ok());
    }
}

//! The master key file: how it is read, made, and changed by a rotation. What the key wraps stands in
//! [`super::vault`].

use crate::credential::secret::{RandomError, fill_random};
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

/// Master keys in one file at most; two during a rotation.
const MOST: usize = 8;
/// The most that is read of the file, in bytes.
pub const LARGEST: u32 = 4096;

/// A 256-bit key.
pub type MasterKey = Zeroizing<[u8; 32]>;

/// What tells master keys apart without telling anything about them.
pub type MasterKeyId = [u8; 8];

/// The master keys, newest first.
pub struct MasterKeys(Vec<(MasterKeyId, MasterKey)>);

impl MasterKeys {
    /// Reads the key file.
    pub fn read(path: &Path) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::parse(
            path,
            &trusted_file::read_trusted(path, Privacy::Secret, Follow::No, LARGEST.into())?,
        )
    }

    /// The master keys in what the key file holds, or is to hold.
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
            keys.push((id(&key), key));
        }
        if keys.is_empty() {
            return Err(broken(1));
        }
        Ok(MasterKeys(keys))
    }

    /// A new random master key and the text of its file.
    pub fn generate() -> Result<(MasterKeys, Zeroizing<String>), RandomError> {
        let keys = MasterKeys(vec![random()?]);
        let text = keys.text();
        Ok((keys, text))
    }

    /// Puts a new random master key before those in a file, and returns all. Where that holds as many as it can, those leave
    /// it that are not `used`.
    pub fn add_to(path: &Path, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError> {
        let mut old = MasterKeys::read(path)?;
        if old.0.len() == MOST {
            old = old.only(used);
        }
        if old.0.len() == MOST {
            return Err(MasterKeyError::NotWritten(format!(
                "{} holds {MOST} keys, all in use",
                path.display()
            )));
        }
        let new = random().map_err(|error| MasterKeyError::NotWritten(error.to_string()))?;
        let keys = MasterKeys([vec![new], old.0].concat());
        keys.replace(path)?;
        Ok(keys)
    }

    /// Has all but the newest leave a file.
    pub fn keep_newest_in(path: &Path) -> Result<(), MasterKeyError> {
        let keys = MasterKeys::read(path)?;
        let newest = keys.newest().0;
        keys.only(&[newest]).replace(path)
    }

    /// What tells them apart.
    pub fn ids(&self) -> Vec<MasterKeyId> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    /// Without the keys that are not `wanted`.
    pub fn only(mut self, wanted: &[MasterKeyId]) -> MasterKeys {
        self.0.retain(|(id, _)| wanted.contains(id));
        self
    }

    /// Puts these in place of what the file holds, in one step and durably; owner's group and mode stay.
    fn replace(&self, path: &Path) -> Result<(), MasterKeyError> {
        let metadata = path
            .symlink_metadata()
            .map_err(|error| FileError::io(path, error))?;
        let (mode, group) = (metadata.mode() & 0o777, Some(metadata.gid()));
        Ok(trusted_file::write_atomically(
            path,
            self.text().as_bytes(),
            mode,
            group,
            Existing::Replace,
        )?)
    }

    /// The text of a file with these.
    pub fn text(&self) -> Zeroizing<String> {
        const HEAD: &str = "# Postern's master key. Keep a copy apart from the store: without it no one can sign in.\n";
        // room for all from the start: growing would leave copies behind
        let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + 65 * self.0.len()));
        text.push_str(HEAD);
        for (_, key) in &self.0 {
            text.push_str(&Zeroizing::new(HEXLOWER_PERMISSIVE.encode(&**key)));
            text.push('\n');
        }
        text
    }

    /// The key that wraps what is written from now on.
    pub fn newest(&self) -> (MasterKeyId, &MasterKey) {
        let (id, key) = self
            .0
            .first()
            .expect("read and generate give at least one key");
        (*id, key)
    }

    /// The key with this id.
    pub fn find(&self, wanted: &MasterKeyId) -> Option<&MasterKey> {
        self.0
            .iter()
            .find(|(id, _)| id == wanted)
            .map(|(_, key)| key)
    }
}

/// What a rotation does to a key file.
pub trait MasterKeyFile {
    /// See [`MasterKeys::add_to`].
    fn add(&mut self, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError>;
    /// See [`MasterKeys::keep_newest_in`].
    fn keep_newest(&mut self) -> Result<(), MasterKeyError>;
}

/// One that this process can write.
pub struct OwnKeyFile {
    path: PathBuf,
    _alone: Changing,
}

impl OwnKeyFile {
    /// Begins to change the file, and keeps all others from it.
    pub fn begin(path: &Path) -> Result<OwnKeyFile, MasterKeyError> {
        Ok(OwnKeyFile {
            path: path.to_owned(),
            _alone: Changing::begin(path)?,
        })
    }
}

impl MasterKeyFile for OwnKeyFile {
    fn add(&mut self, used: &[MasterKeyId]) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::add_to(&self.path, used)
    }

    fn keep_newest(&mut self) -> Result<(), MasterKeyError> {
        MasterKeys::keep_newest_in(&self.path)
    }
}

/// What keeps all other changes of a key file out; it ends with the process, however that ends.
pub struct Changing {
    _lock: Flock<File>,
}

impl Changing {
    /// Begins to change the file. The lock is a file of its own, which nobody else can open: whoever can open a file or
    /// a folder can lock it, and would keep every rotation out.
    pub fn begin(path: &Path) -> Result<Changing, MasterKeyError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = folder.join(format!(".{name}.lock"));
        let io = |error| MasterKeyError::File(FileError::io(&lock, error));
        trusted_file::Folder::open(folder)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let opened = options
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&lock)
            .map_err(io)?;
        let locked = Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(
            |(_, errno)| match errno {
                Errno::EWOULDBLOCK => MasterKeyError::Changing(path.to_owned()),
                errno => io(errno.into()),
            },
        )?;
        // one that was cut off left keys there
        trusted_file::remove_unfinished(path)?;
        Ok(Changing { _lock: locked })
    }
}

fn random() -> Result<(MasterKeyId, MasterKey), RandomError> {
    let mut key = MasterKey::default();
    fill_random(&mut *key)?;
    Ok((id(&key), key))
}

fn id(key: &MasterKey) -> MasterKeyId {
    let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes keys of any length");
    mac.update(b"postern master key id");
    let mut id = MasterKeyId::default();
    id.copy_from_slice(&mac.finalize().into_bytes()[..8]);
    id
}

/// Why there is no master key.
#[derive(Debug)]
pub enum MasterKeyError {
    /// The file cannot be read, or may not be trusted.
    File(FileError),
    /// Something in it is no key.
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Somebody else is changing the file.
    Changing(PathBuf),
    /// The process that is to change the file did not.
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
            MasterKeyError::Changing(path) => write!(
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
            | MasterKeyError::Changing(_)
            | MasterKeyError::NotWritten(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn read(text: &str) -> Result<MasterKeys, MasterKeyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        MasterKeys::read(&path)
    }

    #[test]
    fn a_generated_key_is_read_back() {
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
    fn a_new_key_comes_first_and_the_others_leave_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (first, text) = MasterKeys::generate().unwrap();
        let old = first.newest().0;
        fs::write(&path, text.as_bytes()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();

        let both = MasterKeys::add_to(&path, &[]).unwrap();
        let read = MasterKeys::read(&path).unwrap();
        assert_eq!(read.ids(), both.ids());
        let new = read.newest().0;
        assert_eq!(read.ids(), [new, old]);
        // where the file is full, what is in use stays
        (2..MOST).for_each(|_| drop(MasterKeys::add_to(&path, &[]).unwrap()));
        let full = MasterKeys::read(&path).unwrap().ids();
        assert_eq!(full.len(), MOST);
        assert!(MasterKeys::add_to(&path, &full).is_err());
        let left = MasterKeys::add_to(&path, &[old, new]).unwrap().ids();
        assert_eq!(left[1..], [new, old]);
        MasterKeys::keep_newest_in(&path).unwrap();
        assert_eq!(MasterKeys::read(&path).unwrap().ids(), left[..1]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }

    /// Whoever can open a folder or a file can lock it: only what root alone can open keeps a rotation out.
    #[test]
    fn whoever_locks_what_all_can_open_keeps_no_rotation_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (_, text) = MasterKeys::generate().unwrap();
        fs::write(&path, text.as_bytes()).unwrap();
        let held = [folder.path(), path.as_path()].map(|open_to_others| {
            let opened = File::open(open_to_others).unwrap();
            Flock::lock(opened, FlockArg::LockExclusiveNonblock)
                .map_err(|(_, errno)| errno)
                .unwrap()
        });
        let changing = Changing::begin(&path).unwrap();
        let locks = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap());
        let lock = locks
            .into_iter()
            .find(|entry| entry.file_name() == ".key.lock")
            .unwrap();
        assert_eq!(lock.metadata().unwrap().mode() & 0o777, 0o600);
        drop((changing, held));
    }

    #[test]
    fn one_at_a_time_changes_the_file_and_sweeps_up_after_one_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let unfinished = folder.path().join(".key.4711.new");
        fs::write(&unfinished, "half a key").unwrap();
        fs::write(folder.path().join("key.old"), "the administrator's").unwrap();
        let first = Changing::begin(&path).unwrap();
        assert!(!unfinished.exists());
        // the administrator's, and the lock
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(matches!(
            Changing::begin(&path),
            Err(MasterKeyError::Changing(_))
        ));
        drop(first);
        assert!(Changing::begin(&path).is_ok());
    }
}

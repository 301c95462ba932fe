//! Walk to a file, one folder after the other. Each folder is opened from the one above without
//! following a link, and checked before anything below it is opened. Links are read and walked in
//! the same way.

use super::error::FileProblem;
use super::{FileError, Follow, is_ours};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// Maximum of links on one path.
const MOST_LINKS: u32 = 16;
/// Maximum of folders and links on one path.
const MOST_STEPS: u32 = 256;
/// Flags that open a folder or link only to examine it.
const LOOK: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// A checked folder, and the name in it that a path leads to. The entry of that name, if it exists,
/// is not a link.
pub(super) struct PathPosition {
    pub(super) folder: OwnedFd,
    pub(super) name: PathBuf,
    /// Folder and name as a path without links.
    pub(super) path: PathBuf,
}

/// Walks to a file. Afterwards only root and the current user can change where the path leads.
pub(super) fn walk_to_file(path: &Path, follow: Follow) -> Result<PathPosition, FileError> {
    let (way, name) = walk(path, WantedFile::File(follow))?;
    way.check_not_writable(
        path.parent()
            .filter(|folder| !folder.as_os_str().is_empty()),
    )?;
    let path = way.path.join(&name);
    Ok(PathPosition {
        folder: way.folder,
        name: name.into(),
        path,
    })
}

/// Walks to a folder, and checks it.
pub(super) fn walk_to_folder(path: &Path) -> Result<(OwnedFd, FileStat, PathBuf), FileError> {
    let (way, _) = walk(path, WantedFile::Folder)?;
    way.check_not_writable(Some(path))?;
    let stat = fstat(&way.folder).map_err(|errno| FileError::io(path, errno.into()))?;
    Ok((way.folder, stat, way.path))
}

/// Kind of the last component.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WantedFile {
    File(Follow),
    Folder,
}

/// Returns the last folder of the path, and the name of the file in it.
fn walk(path: &Path, wanted: WantedFile) -> Result<(PathWalk, OsString), FileError> {
    let io = |path: &Path, errno: Errno| FileError::io(path, errno.into());
    let whole = std::path::absolute(path).map_err(|error| FileError::io(path, error))?;
    let mut at = PathWalk::from_root()?;
    let mut rest = reversed(&whole);
    let (mut links, mut steps) = (0, 0);
    while let Some(name) = rest.pop() {
        steps += 1;
        if steps > MOST_STEPS {
            return Err(FileError::new(path, FileProblem::Links));
        }
        let is_last = rest.is_empty() && wanted != WantedFile::Folder;
        let here = at.path.join(&name);
        if name == ".." {
            at.enter(&name, at.path.parent().unwrap_or(Path::new("/")).to_owned())?;
            continue;
        }
        let found = match openat(&at.folder, name.as_os_str(), LOOK, Mode::empty()) {
            Ok(found) => found,
            // the caller creates it, or reports that it is missing
            Err(Errno::ENOENT) if is_last => return Ok((at, name)),
            Err(errno) => return Err(io(if is_last { path } else { &here }, errno)),
        };
        let stat = fstat(&found).map_err(|errno| io(&here, errno))?;
        match kind(&stat) {
            SFlag::S_IFLNK => {
                if is_last && wanted == WantedFile::File(Follow::No) {
                    return Err(FileError::link(path));
                }
                if !is_ours(stat.st_uid) {
                    return Err(FileError::new(&here, FileProblem::LinkOwner(stat.st_uid)));
                }
                links += 1;
                if links > MOST_LINKS {
                    return Err(FileError::new(path, FileProblem::Links));
                }
                let target = readlinkat(&found, c"").map_err(|errno| io(&here, errno))?;
                let target = PathBuf::from(target);
                if target.is_absolute() {
                    at = PathWalk::from_root()?;
                }
                rest.extend(reversed(&target));
            }
            _ if is_last => return Ok((at, name)),
            SFlag::S_IFDIR => at.move_to(found, &stat, here)?,
            _ => return Err(io(&here, Errno::ENOTDIR)),
        }
    }
    match wanted {
        WantedFile::Folder => Ok((at, OsString::new())),
        WantedFile::File(_) => Err(FileError::not_a_file(path)),
    }
}

/// Progress of a walk.
struct PathWalk {
    folder: OwnedFd,
    mode: u32,
    path: PathBuf,
}

impl PathWalk {
    fn from_root() -> Result<PathWalk, FileError> {
        let path = PathBuf::from("/");
        let io = |errno: Errno| FileError::io(Path::new("/"), errno.into());
        let folder = open("/", LOOK | OFlag::O_DIRECTORY, Mode::empty()).map_err(io)?;
        let stat = fstat(&folder).map_err(io)?;
        check_folder(&path, &stat)?;
        Ok(PathWalk {
            folder,
            mode: stat.st_mode,
            path,
        })
    }

    fn enter(&mut self, name: &OsStr, path: PathBuf) -> Result<(), FileError> {
        let io = |errno: Errno| FileError::io(&path, errno.into());
        let folder =
            openat(&self.folder, name, LOOK | OFlag::O_DIRECTORY, Mode::empty()).map_err(io)?;
        let stat = fstat(&folder).map_err(io)?;
        self.move_to(folder, &stat, path)
    }

    fn move_to(
        &mut self,
        folder: OwnedFd,
        stat: &FileStat,
        path: PathBuf,
    ) -> Result<(), FileError> {
        check_folder(&path, stat)?;
        *self = PathWalk {
            folder,
            mode: stat.st_mode,
            path,
        };
        Ok(())
    }

    /// Refuses a folder that other users can write: a file in it is not trusted.
    fn check_not_writable(&self, asked: Option<&Path>) -> Result<(), FileError> {
        match self.mode & 0o022 {
            0 => Ok(()),
            _ => Err(FileError::folder_mode(
                asked.unwrap_or(&self.path),
                self.mode & 0o7777,
                0o755,
            )),
        }
    }
}

/// Checks a folder above: it belongs to root or the current user, and no other user can replace our
/// files in it. The sticky bit, as on /tmp, ensures that too.
fn check_folder(path: &Path, stat: &FileStat) -> Result<(), FileError> {
    if !is_ours(stat.st_uid) {
        return Err(FileError::owner(path, stat.st_uid));
    }
    if stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0 {
        return Err(FileError::folder_mode(path, stat.st_mode & 0o7777, 0o755));
    }
    Ok(())
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Returns the components of a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(named).collect()
}

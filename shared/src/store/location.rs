//! Where the embedded store lies: which folder and files may be trusted before an engine opens them. The gate's
//! user can write the folder, so nothing in it is taken on its name alone.

use crate::files::FileError;
use nix::unistd::geteuid;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Checks the folder and the store's files; returns the path with every link above the file resolved.
pub(super) fn trusted(path: &Path) -> Result<PathBuf, FileError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let real = folder.canonicalize().map_err(|error| FileError::io(folder, error))?;
    let of_folder = real.metadata().map_err(|error| FileError::io(&real, error))?;
    refuse_strangers(&real, &of_folder, None)?;
    let path = real.join(path.file_name().unwrap_or_default());

    let of_store = path.symlink_metadata().map_err(|error| FileError::io(&path, error))?;
    refuse_other_than_file(&path, &of_store)?;
    refuse_strangers(&path, &of_store, None)?;
    let beside = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    // A store in WAL mode never has one, and the engine would obey it, up to removing files that it names.
    let journal = beside("-journal");
    if journal.symlink_metadata().is_ok() {
        return Err(FileError::planted(&journal));
    }
    for suffix in ["-wal", "-shm"] {
        let beside = beside(suffix);
        match beside.symlink_metadata() {
            Ok(metadata) => {
                refuse_other_than_file(&beside, &metadata)?;
                // whoever shares the store makes these, and passes the folder's group on
                refuse_strangers(&beside, &metadata, Some(of_folder.gid()))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(FileError::io(&beside, error)),
        }
    }
    Ok(path)
}

/// Makes the folder for root and the group that shares the store. One that exists is taken only if it is that
/// already, or nobody else's: the owner and mode of a folder like /tmp are not ours to change.
pub(super) fn prepare(folder: &Path, group: Option<u32>) -> Result<(), FileError> {
    let io = |error| FileError::io(folder, error);
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            std::os::unix::fs::chown(folder, None, group).map_err(io)?;
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o2770)).map_err(io)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = folder.metadata().map_err(io)?;
            refuse_strangers(folder, &metadata, None)
        }
        Err(error) => Err(io(error)),
    }
}

fn refuse_other_than_file(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.file_type().is_symlink() {
        return Err(FileError::link(path));
    }
    if !metadata.is_file() || metadata.nlink() > 1 {
        return Err(FileError::not_a_file(path));
    }
    Ok(())
}

/// Owned by root or by who runs this, or made by a member of `shared_by`; closed to everyone else.
fn refuse_strangers(path: &Path, metadata: &Metadata, shared_by: Option<u32>) -> Result<(), FileError> {
    let owner = metadata.uid();
    let trusted = owner == 0 || owner == geteuid().as_raw() || shared_by == Some(metadata.gid());
    if !trusted {
        return Err(FileError::owner(path, owner));
    }
    if metadata.mode() & 0o007 != 0 {
        return Err(FileError::mode(path, metadata.mode() & 0o7777, metadata.mode() & 0o7770));
    }
    Ok(())
}

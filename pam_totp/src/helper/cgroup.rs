//! Moves the helper out of cgroups in which a user could freeze, kill or starve it.
//!
//! There are three kinds of cgroup, by its path and its files:
//!
//! - **a user's**: below `user.slice`, where logind lets users signal the processes of their
//!   sessions, or with a file in it or above it that someone other than root can write
//!   (delegation). It must be left; else the helper is not started.
//! - **perhaps a session's**: in the hierarchy that the service manager tracks, neither the root
//!   nor below `system.slice` or `init.scope` (elogind calls its sessions `/5`). It is left if
//!   possible; in a container that may fail, and need not work.
//! - **root's**: the helper stays in it.
//!
//! The target is the root of the hierarchy, or `init.scope` where the root takes no processes (a
//! container's root that has controllers enabled). Hierarchies of version 1 are handled one by one,
//! so that `freezer` and `name=systemd` count too. A hierarchy that is not mounted under
//! /sys/fs/cgroup has no writable file: there only `user.slice` counts.

use super::failure::{LaunchFailure, LaunchStep};
use super::files;
use nix::errno::Errno;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC};
use std::ffi::CStr;

/// Files of a cgroup. Who can write one of them can move, freeze or kill the processes in it.
const CONTROLS: [&[u8]; 6] = [
    b"",
    b"/cgroup.procs",
    b"/cgroup.freeze",
    b"/cgroup.kill",
    b"/tasks",
    b"/freezer.state",
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CgroupOwner {
    Root,
    PerhapsSession,
    User,
}

/// Moves this process out of every cgroup that a user controls.
pub(super) fn leave_cgroups_of_users() -> Result<(), LaunchFailure> {
    let mut last = Errno::EPERM;
    for_each_cgroup(|hierarchy, path| {
        if classify_cgroup(hierarchy, path) != CgroupOwner::Root {
            if let Some(Err(errno)) = find_mount(hierarchy).map(|mount| move_to_root_cgroup(&mount))
            {
                last = errno;
            }
        }
        Ok(())
    })?;
    // read again: the cgroup of the process counts, not the result of a write
    for_each_cgroup(|hierarchy, path| match classify_cgroup(hierarchy, path) {
        CgroupOwner::User => Err(LaunchFailure::new(LaunchStep::CgroupOfUser, last)),
        CgroupOwner::Root | CgroupOwner::PerhapsSession => Ok(()),
    })
}

/// Calls `act` with the controllers (none: version 2) and the path of each cgroup of this process.
fn for_each_cgroup(
    mut act: impl FnMut(&[u8], &[u8]) -> Result<(), LaunchFailure>,
) -> Result<(), LaunchFailure> {
    let unknown = |errno| LaunchFailure::new(LaunchStep::CgroupUnknown, errno);
    let mut text = [0; 8192];
    let length = match files::read_file(c"/proc/self/cgroup", &mut text) {
        Ok(length) => length,
        // a kernel without cgroups; where /proc is not mounted, the cgroup is unknown
        Err(Errno::ENOENT) if files::owner_and_mode(c"/proc/self/status").is_ok() => return Ok(()),
        Err(errno) => return Err(unknown(errno)),
    };
    if length == text.len() {
        return Err(unknown(Errno::E2BIG));
    }
    for line in text
        .get(..length)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
    {
        let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
        if let (Some(hierarchy), Some(path)) = (fields.next(), fields.next()) {
            act(hierarchy, path)?;
        }
    }
    Ok(())
}

fn classify_cgroup(hierarchy: &[u8], path: &[u8]) -> CgroupOwner {
    let tracked = hierarchy.is_empty() || hierarchy.starts_with(b"name=");
    let mut components = path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty());
    let by_path = match components.clone().next() {
        _ if !tracked => CgroupOwner::Root,
        _ if components.any(|name| name == b"user.slice") => CgroupOwner::User,
        None | Some(b"system.slice" | b"init.scope") => CgroupOwner::Root,
        Some(_) => CgroupOwner::PerhapsSession,
    };
    match find_mount(hierarchy) {
        Some(mount) if by_path != CgroupOwner::User && is_writable_by_users(&mount, path) => {
            CgroupOwner::User
        }
        _ => by_path,
    }
}

/// Returns whether someone other than root can write a file of the cgroup or of one above it.
fn is_writable_by_users(mount: &Path, path: &[u8]) -> bool {
    let mut folder = *mount;
    for name in path.split(|byte| *byte == b'/') {
        // the first name is empty: the mount itself
        let fits = name.is_empty() || (folder.push(b"/") && folder.push(name));
        if !fits {
            // root makes no path of this length
            return true;
        }
        for control in CONTROLS {
            let mut file = folder;
            if !file.push(control) {
                return true;
            }
            // a file that does not exist, or not in this namespace, cannot be written
            let found = file
                .as_c_str()
                .map_or(Err(Errno::EINVAL), files::owner_and_mode);
            let is_open = found.is_ok_and(|(user, group, mode)| {
                user != 0 || mode & 0o002 != 0 || (group != 0 && mode & 0o020 != 0)
            });
            if is_open {
                return true;
            }
        }
    }
    false
}

fn move_to_root_cgroup(mount: &Path) -> Result<(), Errno> {
    let write = |name: &[u8]| {
        let mut file = *mount;
        let file = file
            .push(name)
            .then(|| file.as_c_str())
            .flatten()
            .ok_or(Errno::ENAMETOOLONG)?;
        // "0" is the writing process
        files::write_file(file, b"0")
    };
    write(b"/cgroup.procs").or_else(|root| write(b"/init.scope/cgroup.procs").map_err(|_| root))
}

/// Returns the mount point of a hierarchy, among the paths that systemd, elogind and the
/// distributions' scripts use.
fn find_mount(hierarchy: &[u8]) -> Option<Path> {
    let at = |folder: &[u8], kind| {
        let mut path = Path::new(b"/sys/fs/cgroup");
        let is_there =
            path.push(folder) && path.as_c_str().map(files::file_system) == Some(Ok(kind));
        is_there.then_some(path)
    };
    if hierarchy.is_empty() {
        return at(b"", CGROUP2_SUPER_MAGIC).or_else(|| at(b"/unified", CGROUP2_SUPER_MAGIC));
    }
    let name = hierarchy.strip_prefix(b"name=").unwrap_or(hierarchy);
    let mut folder = Path::new(b"/");
    if folder.push(name) {
        at(folder.bytes(), CGROUP_SUPER_MAGIC)
    } else {
        None
    }
}

/// A path without allocation. A cgroup's path has at most PATH_MAX bytes; a longer one is refused.
#[derive(Clone, Copy)]
struct Path {
    bytes: [u8; 4224],
    length: usize,
}

impl Path {
    fn new(start: &[u8]) -> Path {
        let mut path = Path {
            bytes: [0; 4224],
            length: 0,
        };
        path.push(start);
        path
    }

    /// Returns `false` where `more` does not fit; the path is then unchanged.
    fn push(&mut self, more: &[u8]) -> bool {
        // the last byte stays 0 as the end of the C string
        let end = self.length.saturating_add(more.len());
        match self.bytes.get_mut(self.length..end) {
            Some(room) if end < 4224 => {
                room.copy_from_slice(more);
                self.length = end;
                true
            }
            _ => false,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

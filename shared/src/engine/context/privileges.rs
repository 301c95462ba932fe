//! Drops root privileges for good.
//! A process begins as root to read what only root can read, and becomes user `posternd` before it
//! opens the key file or the store. The store may contain what an intruder wrote, so a bug in
//! reading it must not give root away, and files created beside the store must not belong to root.

use crate::config::{Config, SecretText};
use crate::engine::read_secret_file;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::unistd::{
    AccessFlags, Gid, Group, Uid, User, faccessat, getgroups, getresgid, getresuid, seteuid,
    setgroups, setresgid, setresuid, setuid,
};
use std::fmt;
use std::path::Path;

/// User that runs conversations and owns the store's files.
const USER: &str = "posternd";
/// Group that shares the key file and the store with root.
pub const GROUP: &str = "postern";

/// Becomes user `posternd`, after reading those secrets of declared accounts that this user cannot
/// read. A secret that root cannot read either denies that account alone; the error is reported to
/// a request for it.
///
/// # Errors
/// The host has no such user, or the kernel refuses the change.
pub fn drop_root(configuration: Option<&mut Config>) -> Result<(), PrivilegesError> {
    let target = TargetUser::assume_groups()?;
    if let Some(accounts) = configuration
        .map(|config| &mut config.account)
        .filter(|all| !all.is_empty())
    {
        let paths = accounts
            .iter()
            .enumerate()
            .map(|(index, account)| (account.secret_file.path(), index));
        for index in target.find_unreadable(paths)? {
            if let Ok(bytes) = read_secret_file(&accounts[index]) {
                accounts[index].secret = SecretText::new(bytes);
            }
        }
    }
    target.become_user()
}

/// A process that is still root, but in the groups of user `posternd`.
struct TargetUser {
    user: Uid,
    group: Gid,
}

impl TargetUser {
    fn assume_groups() -> Result<TargetUser, PrivilegesError> {
        let (user, group) = user_and_group()?;
        let local = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let groups: Vec<Gid> = [group].into_iter().chain(groups_of(USER, &local)).collect();
        set_no_new_privs()?;
        setgroups(&groups)?;
        setresgid(group, group, group)?;
        Ok(TargetUser { user, group })
    }

    /// Returns the paths that the user cannot read.
    fn find_unreadable<'a, P>(
        &self,
        paths: impl Iterator<Item = (&'a Path, P)>,
    ) -> Result<Vec<P>, PrivilegesError> {
        seteuid(self.user)?;
        let cannot = |path: &Path| {
            faccessat(AT_FDCWD, path, AccessFlags::R_OK, AtFlags::AT_EACCESS).is_err()
        };
        let unreadable = paths
            .filter(|(path, _)| cannot(path))
            .map(|(_, of)| of)
            .collect();
        seteuid(Uid::from_raw(0))?;
        Ok(unreadable)
    }

    /// Becomes the user in every user ID. This cannot be undone: no ID, capability or executed
    /// program gives more rights, and no other process of the user can read this one.
    fn become_user(self) -> Result<(), PrivilegesError> {
        setresuid(self.user, self.user, self.user)?;
        // After the IDs, because changing them resets this attribute.
        set_dumpable(false)?;
        self.verify_ids()
    }

    /// Checks the IDs that the kernel reports, rather than what the calls returned.
    fn verify_ids(&self) -> Result<(), PrivilegesError> {
        let (users, groups) = (getresuid()?, getresgid()?);
        let is_user = [users.real, users.effective, users.saved]
            .iter()
            .all(|id| *id == self.user);
        let is_group = [groups.real, groups.effective, groups.saved]
            .iter()
            .all(|id| *id == self.group);
        let keeps_root = getgroups()?.iter().any(|id| id.as_raw() == 0);
        match is_user && is_group && !keeps_root && setuid(Uid::from_raw(0)).is_err() {
            true => Ok(()),
            false => Err(PrivilegesError::StillRoot),
        }
    }
}

/// Returns user `posternd` and the group that shares the key file and the store with root.
///
/// # Errors
/// The user or the group is missing; packaging/install or a package creates them.
pub fn user_and_group() -> Result<(Uid, Gid), PrivilegesError> {
    let user = User::from_name(USER)?
        .ok_or(PrivilegesError::Missing("user", USER))?
        .uid;
    let group = Group::from_name(GROUP)?
        .ok_or(PrivilegesError::Missing("group", GROUP))?
        .gid;
    match user.is_root() || group.as_raw() == 0 {
        true => Err(PrivilegesError::StillRoot),
        false => Ok((user, group)),
    }
}

/// Returns the supplementary groups of a user in `/etc/group`. (`initgroups` would ask every source
/// of the name service, including one that does not answer, about a user who is in none of them.)
fn groups_of(user: &str, file: &str) -> Vec<Gid> {
    let lines = file.lines().filter_map(|line| {
        let [_, _, number, members] = line.split(':').collect::<Vec<_>>()[..] else {
            return None;
        };
        let is_member = members.split(',').any(|member| member == user);
        number
            .parse()
            .ok()
            .filter(|number| is_member && *number != 0)
            .map(Gid::from_raw)
    });
    lines.collect()
}

/// Why root privileges were not dropped.
#[derive(Debug)]
pub enum PrivilegesError {
    Missing(&'static str, &'static str),
    /// The process is still root, or can become root again.
    StillRoot,
    /// The kernel refused a call, or the name service did not answer.
    System(Errno),
}

impl From<Errno> for PrivilegesError {
    fn from(errno: Errno) -> PrivilegesError {
        PrivilegesError::System(errno)
    }
}

impl fmt::Display for PrivilegesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrivilegesError::Missing(kind, name) => {
                write!(
                    f,
                    "there is no {kind} {name}; install postern again: its package, or packaging/install, creates it"
                )
            }
            PrivilegesError::StillRoot => write!(
                f,
                "root privileges cannot be dropped; give user {USER} and group {GROUP} IDs other than 0, and drop CAP_SETUID together with root"
            ),
            PrivilegesError::System(errno) => {
                write!(
                    f,
                    "it cannot become user {USER} ({errno}); give the process that starts it, such as the PAM host, CAP_SETUID and CAP_SETGID"
                )
            }
        }
    }
}

impl std::error::Error for PrivilegesError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_of_a_user_stand_in_the_hosts_own_file() {
        let file = "root:x:0:posternd\npostern:x:101:\nkeys:x:102:alice,posternd\nposternd:x:103:alice\nbad:x:y:posternd\n";
        assert_eq!(groups_of("posternd", file), [Gid::from_raw(102)]);
        assert_eq!(groups_of("postern", file), []);
    }
}

//! Giving root up, for good: what begins as root, to read what root alone can read, goes on as user `posternd` before it
//! opens key or store. A store may hold what an intruder wrote there: no bug in how it is read gives root away, and nothing
//! that is made beside it is root's.

use super::read_secret_file;
use crate::config::{Config, SecretText};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::unistd::{
    AccessFlags, Gid, Group, Uid, User, faccessat, getgroups, getresgid, getresuid, seteuid,
    setgroups, setresgid, setresuid, setuid,
};
use std::fmt;
use std::path::Path;

/// Who runs conversations, and whose the store's files are.
const USER: &str = "posternd";
/// Who shares key and store with root.
pub const GROUP: &str = "postern";

/// Becomes user `posternd`, once the secrets of declared accounts are read that this user cannot read. What root cannot read
/// either is a doubt about that account alone, which whoever asks for it is told.
///
/// # Errors
/// Those of a host that lacks the user, or lets this process not become it.
pub fn drop_root(configuration: Option<&mut Config>) -> Result<(), PrivilegesError> {
    let becoming = TargetUser::begin()?;
    if let Some(accounts) = configuration
        .map(|config| &mut config.account)
        .filter(|all| !all.is_empty())
    {
        let paths = accounts
            .iter()
            .enumerate()
            .map(|(index, account)| (account.secret_file.path(), index));
        for index in becoming.unreadable(paths)? {
            if let Ok(bytes) = read_secret_file(&accounts[index]) {
                accounts[index].secret = SecretText::new(bytes);
            }
        }
    }
    becoming.finish()
}

/// A process that is root still, but in the groups of user `posternd`, whom it is about to become.
struct TargetUser {
    user: Uid,
    group: Gid,
}

impl TargetUser {
    /// Takes the groups of the user.
    fn begin() -> Result<TargetUser, PrivilegesError> {
        let (user, group) = user_and_group()?;
        let local = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let groups: Vec<Gid> = [group].into_iter().chain(groups_of(USER, &local)).collect();
        set_no_new_privs()?;
        setgroups(&groups)?;
        setresgid(group, group, group)?;
        Ok(TargetUser { user, group })
    }

    /// Those of the paths that the user cannot read.
    fn unreadable<'a, P>(
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

    /// Becomes the user in every id. No way leads back: neither ids nor capabilities nor a program that is run give anything
    /// more, and no other process of the user's can read this one.
    fn finish(self) -> Result<(), PrivilegesError> {
        setresuid(self.user, self.user, self.user)?;
        // after the ids: their change sets it anew
        set_dumpable(false)?;
        self.check()
    }

    /// Checks what the kernel says now, rather than what the calls returned.
    fn check(&self) -> Result<(), PrivilegesError> {
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

/// User `posternd`, and the group that shares key and store with root.
///
/// # Errors
/// Those of a host on which packaging/install, or a package, did not make them.
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

/// The groups of a user by the host's own file. (initgroups would ask every source of the name service, also one that does
/// not answer, about a user who is in none of them.)
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

/// Why root was not given up.
#[derive(Debug)]
pub enum PrivilegesError {
    /// There is no such user or group.
    Missing(&'static str, &'static str),
    /// Root, or a way back to it, is still there.
    StillRoot,
    /// The system refused it, or the name service did not answer.
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
                    "there is no {kind} {name}; create it as packaging/install does"
                )
            }
            PrivilegesError::StillRoot => write!(
                f,
                "root privileges cannot be dropped; give user {USER} and group {GROUP} IDs other than 0, and drop CAP_SETUID together with root"
            ),
            PrivilegesError::System(errno) => {
                write!(
                    f,
                    "it cannot become user {USER} ({errno}); give whoever starts it, such as the PAM host, CAP_SETUID and CAP_SETGID"
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

//! Giving root up, for good.

use nix::errno::Errno;
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::unistd::{
    Gid, Group, Uid, User, getgroups, getresgid, getresuid, initgroups, setresgid, setresuid, setuid,
};
use std::ffi::CString;
use std::fmt;

/// Who runs conversations, and whose the store's files are.
const USER: &str = "posternd";
const GROUP: &str = "postern";

/// Becomes user `posternd`, group `postern`, in every id and with that user's groups. No way leads back: neither ids nor
/// capabilities nor a program that is run give anything more, and no process of the user's own can read this one.
pub fn become_posternd() -> Result<(), PrivilegesError> {
    let user = User::from_name(USER)?.ok_or(PrivilegesError::Missing("user", USER))?;
    let group = Group::from_name(GROUP)?.ok_or(PrivilegesError::Missing("group", GROUP))?;
    if user.uid.is_root() || group.gid.as_raw() == 0 {
        return Err(PrivilegesError::StillRoot);
    }
    let name = CString::new(USER).map_err(|_| Errno::EINVAL)?;
    set_no_new_privs()?;
    initgroups(&name, group.gid)?;
    setresgid(group.gid, group.gid, group.gid)?;
    setresuid(user.uid, user.uid, user.uid)?;
    // after the ids: their change sets it anew
    set_dumpable(false)?;
    check(user.uid, group.gid)
}

/// Checks what the kernel says now, rather than what the calls returned.
fn check(user: Uid, group: Gid) -> Result<(), PrivilegesError> {
    let (users, groups) = (getresuid()?, getresgid()?);
    let is_user = [users.real, users.effective, users.saved].iter().all(|id| *id == user);
    let is_group = [groups.real, groups.effective, groups.saved].iter().all(|id| *id == group);
    let keeps_root = getgroups()?.iter().any(|id| id.as_raw() == 0);
    match is_user && is_group && !keeps_root && setuid(Uid::from_raw(0)).is_err() {
        true => Ok(()),
        false => Err(PrivilegesError::StillRoot),
    }
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
                write!(f, "there is no {kind} {name}; make it as packaging/install does")
            }
            PrivilegesError::StillRoot => write!(
                f,
                "root is not given up; user {USER} and group {GROUP} must be nobody's else, and CAP_SETUID must go with root"
            ),
            PrivilegesError::System(errno) => {
                write!(
                    f,
                    "it cannot become user {USER} ({errno}); give the PAM host CAP_SETUID and CAP_SETGID"
                )
            }
        }
    }
}

impl std::error::Error for PrivilegesError {}

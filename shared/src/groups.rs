//! The groups of this host that a user is in, for policies that speak of groups.

use crate::name::UserName;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;
use std::fmt;

/// The names of the user's groups on this host; none if the host does not know the user. A group that cannot be
/// named could be one that the policy speaks of: nobody enters on a guess.
pub fn of(user: &UserName) -> Result<Vec<String>, GroupsError> {
    let Some(entry) = User::from_name(user.as_str()).map_err(GroupsError::Lookup)? else {
        return Ok(Vec::new());
    };
    let name = CString::new(user.as_str()).map_err(|_| GroupsError::Lookup(Errno::EINVAL))?;
    let named = |id: Gid| match Group::from_gid(id) {
        Ok(Some(group)) => Ok(group.name),
        Ok(None) => Err(GroupsError::Nameless(id)),
        Err(error) => Err(GroupsError::Lookup(error)),
    };
    getgrouplist(&name, entry.gid).map_err(GroupsError::Lookup)?.into_iter().map(named).collect()
}

/// The name by which the host knows a user: some name services take other spellings too. `None` if it knows none, or by a
/// name that no account can have.
pub fn name_of(user: &UserName) -> Result<Option<UserName>, GroupsError> {
    let entry = User::from_name(user.as_str()).map_err(GroupsError::Lookup)?;
    Ok(entry.and_then(|entry| UserName::parse(entry.name.as_bytes()).ok()))
}

/// Why a user's groups are not known.
#[derive(Debug)]
pub enum GroupsError {
    /// The host's name service does not answer.
    Lookup(Errno),
    /// A group without a name.
    Nameless(Gid),
    /// Too many for a session to carry: the most that their names may have together, in bytes.
    TooMany(usize),
}

impl fmt::Display for GroupsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupsError::Lookup(error) => write!(f, "groups cannot be looked up: {error}; see getent group"),
            GroupsError::TooMany(most) => write!(
                f,
                "the names of the user's groups have more than {most} bytes together, which no session can carry; see getent initgroups"
            ),
            GroupsError::Nameless(id) => {
                write!(f, "the user's group {id} has no name; see getent group {id}")
            }
        }
    }
}

impl std::error::Error for GroupsError {}

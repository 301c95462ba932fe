//! Groups of this host that a configuration names, and a user's memberships in them: yes, no, or
//! unknown.
//! One failure is not visible: the C library hides a source that fails if a later one in
//! nsswitch.conf answers.
//!
//! MUST NOT treat a failed lookup as a negative answer: a group that no source knows, or whose
//! source does not answer, is unresolved.

use crate::account::name::UserName;
use crate::system::name_service;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt;
use uzers::os::unix::GroupExt;

/// Whether a user is a member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupMembership {
    Yes,
    No,
    /// Not known; the stricter of both readings applies.
    Unknown,
}

/// Why a membership is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnresolvedGroup {
    NoSuchGroup,
    /// The source of the group or of the user does not answer.
    LookupFailed(Errno),
    /// The membership was unknown at the sign-in, and a check does not look it up again.
    UnknownAtSignIn,
}

impl fmt::Display for UnresolvedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnresolvedGroup::NoSuchGroup => f.write_str("no source knows it"),
            UnresolvedGroup::LookupFailed(error) => {
                write!(
                    f,
                    "its source does not answer ({})",
                    name_service::explain_failure(*error, "group")
                )
            }
            UnresolvedGroup::UnknownAtSignIn => {
                f.write_str("it was not known when the session began")
            }
        }
    }
}

/// The known memberships of a user. The user is in no group that is in neither list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonGroups {
    confirmed: BTreeSet<String>,
    unresolved: BTreeMap<String, UnresolvedGroup>,
}

impl PersonGroups {
    /// Returns memberships in these groups and in no others.
    pub fn from_names<S: Into<String>>(groups: impl IntoIterator<Item = S>) -> PersonGroups {
        PersonGroups {
            confirmed: groups.into_iter().map(Into::into).collect(),
            unresolved: BTreeMap::new(),
        }
    }

    /// Adds memberships in these groups.
    pub fn with_groups<S: Into<String>>(
        mut self,
        groups: impl IntoIterator<Item = S>,
    ) -> PersonGroups {
        self.confirmed.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Marks the memberships in these groups as unknown.
    pub fn with_unresolved<S: Into<String>>(
        mut self,
        groups: impl IntoIterator<Item = S>,
        why: UnresolvedGroup,
    ) -> PersonGroups {
        self.unresolved
            .extend(groups.into_iter().map(|group| (group.into(), why)));
        self
    }

    pub fn membership(&self, group: &str) -> GroupMembership {
        match (
            self.confirmed.contains(group),
            self.unresolved.contains_key(group),
        ) {
            (true, _) => GroupMembership::Yes,
            (false, true) => GroupMembership::Unknown,
            (false, false) => GroupMembership::No,
        }
    }

    /// Whether the user is certainly a member of a group.
    pub fn is_member(&self, group: &str) -> bool {
        self.membership(group) == GroupMembership::Yes
    }

    /// Returns the groups whose membership is unknown, except those in which another source
    /// confirms the user.
    pub fn unresolved(&self) -> impl Iterator<Item = (&str, UnresolvedGroup)> {
        let unresolved = self
            .unresolved
            .iter()
            .filter(|(group, _)| !self.confirmed.contains(*group));
        unresolved.map(|(group, why)| (group.as_str(), *why))
    }

    /// Resolves groups that no source of the host knows and another source does (`is_known`): the
    /// user is not in them by the host.
    pub fn resolve_known(&mut self, is_known: impl Fn(&str) -> bool) {
        self.unresolved
            .retain(|group, why| *why != UnresolvedGroup::NoSuchGroup || !is_known(group));
    }

    /// Returns the groups in which the user certainly is.
    pub fn confirmed(&self) -> impl Iterator<Item = &str> {
        self.confirmed.iter().map(String::as_str)
    }
}

struct HostGroup {
    id: Gid,
    members: Vec<String>,
}

/// The groups that a configuration names, as this host knows them.
pub struct NamedGroups(BTreeMap<String, Result<HostGroup, UnresolvedGroup>>);

impl NamedGroups {
    /// Looks up groups by name. A failed lookup is recorded for its group.
    pub fn look_up_groups<'a>(names: impl IntoIterator<Item = &'a str>) -> NamedGroups {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if names.is_empty() {
            return NamedGroups(BTreeMap::new());
        }
        let requested = names.clone();
        let find_all = move || {
            let find = |name: String| {
                let group = find_host_group(&name);
                (name, group)
            };
            Ok(requested.into_iter().map(find).collect())
        };
        let groups = name_service::look_up(find_all);
        NamedGroups(groups.unwrap_or_else(|error| {
            names
                .into_iter()
                .map(|name| (name, Err(UnresolvedGroup::LookupFailed(error))))
                .collect()
        }))
    }

    /// Returns which of the groups a user is in; none if the host does not know the user.
    pub fn find_memberships(&self, user: &UserName) -> PersonGroups {
        let mut memberships = PersonGroups::default();
        if self.0.is_empty() {
            return memberships;
        }
        let ids = find_group_ids(user);
        for (name, group) in &self.0 {
            match (group, &ids) {
                (Err(why), _) => memberships = memberships.with_unresolved([name], *why),
                (Ok(_), Err(error)) => {
                    memberships =
                        memberships.with_unresolved([name], UnresolvedGroup::LookupFailed(*error))
                }
                (Ok(_), Ok(None)) => {}
                // a cache of the name service may be up to date for only one of both lookups
                (Ok(group), Ok(Some(ids)))
                    if ids.contains(&group.id)
                        || group.members.iter().any(|member| member == user.as_str()) =>
                {
                    memberships = memberships.with_groups([name]);
                }
                (Ok(_), Ok(Some(_))) => {}
            }
        }
        memberships
    }

    /// Returns the listed members of all groups. A user whose primary group is among them need not
    /// be listed.
    pub fn members(&self) -> BTreeSet<&str> {
        let groups = self.0.values().filter_map(|group| group.as_ref().ok());
        groups
            .flat_map(|group| group.members.iter().map(String::as_str))
            .collect()
    }

    /// Whether this host knows at least one of the groups.
    pub fn any_exists(&self) -> bool {
        self.0.values().any(Result::is_ok)
    }

    /// Whether the lookup of at least one group failed.
    pub fn any_lookup_failed(&self) -> bool {
        self.0
            .values()
            .any(|group| matches!(group, Err(UnresolvedGroup::LookupFailed(_))))
    }

    /// Whether a user is certainly in none of the groups that this host knows.
    pub fn excludes(&self, user: &UserName) -> bool {
        let memberships = self.find_memberships(user);
        !self.any_lookup_failed()
            && self.0.iter().all(|(name, group)| {
                group.is_err() || memberships.membership(name) == GroupMembership::No
            })
    }
}

fn find_host_group(name: &str) -> Result<HostGroup, UnresolvedGroup> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(HostGroup {
            id: group.gid,
            members: group.mem,
        }),
        Ok(None) => Err(UnresolvedGroup::NoSuchGroup),
        // the group has more members than nix reads, which stops at 1 MiB
        Err(Errno::ERANGE) => {
            let Some(group) = uzers::get_group_by_name(name) else {
                // errno stays 0 if every source answered; a search of /etc/group meets large groups
                // of other names too
                return Err(match Errno::last_raw() {
                    0 => UnresolvedGroup::NoSuchGroup,
                    error => UnresolvedGroup::LookupFailed(Errno::from_raw(error)),
                });
            };
            let members = group
                .members()
                .iter()
                .filter_map(|member| member.to_str().map(str::to_owned))
                .collect();
            Ok(HostGroup {
                id: Gid::from_raw(group.gid()),
                members,
            })
        }
        Err(error) => Err(UnresolvedGroup::LookupFailed(error)),
    }
}

/// Returns the numbers of a user's groups, without their lists of members; `None` if the host does
/// not know the user.
fn find_group_ids(user: &UserName) -> Result<Option<Vec<Gid>>, Errno> {
    let user = user.clone();
    name_service::look_up(move || {
        let Some(entry) = User::from_name(user.as_str())? else {
            return Ok(None);
        };
        let name = CString::new(user.as_str()).map_err(|_| Errno::EINVAL)?;
        getgrouplist(&name, entry.gid).map(Some)
    })
}

/// Returns the names of all groups of a user on this host, for applications; none if the host does
/// not know the user.
pub fn list_group_names(user: &UserName) -> Result<Vec<String>, GroupsError> {
    let named = |id: Gid| match Group::from_gid(id) {
        Ok(Some(group)) => Ok(group.name),
        Ok(None) => Err(GroupsError::Nameless(id)),
        // more members than nix reads, as in `find_host_group`
        Err(Errno::ERANGE) => match uzers::get_group_by_gid(id.as_raw()) {
            Some(group) => Ok(group.name().to_string_lossy().into_owned()),
            None => Err(GroupsError::Lookup(Errno::ERANGE)),
        },
        Err(error) => Err(GroupsError::Lookup(error)),
    };
    let ids = find_group_ids(user)
        .map_err(GroupsError::Lookup)?
        .unwrap_or_default();
    // not through name_service::look_up: only the gate calls this, on its own worker threads
    ids.into_iter().map(named).collect()
}

/// Returns the name under which the host knows a user, because some name services accept other
/// spellings. `None` if the host does not know the user, or only by a name that no account can
/// have.
pub fn find_canonical_name(user: &UserName) -> Result<Option<UserName>, GroupsError> {
    let entry = find_user_by_name(user).map_err(GroupsError::Lookup)?;
    Ok(entry.and_then(|entry| UserName::parse(entry.name.as_bytes()).ok()))
}

/// Looks up a user of this host. The name service may return another spelling of the name.
pub fn find_user_by_name(name: &UserName) -> Result<Option<User>, Errno> {
    let name = name.clone();
    name_service::look_up(move || User::from_name(name.as_str()))
}

/// Looks up a user of this host by number.
pub fn find_user_by_uid(uid: Uid) -> Result<Option<User>, Errno> {
    name_service::look_up(move || User::from_uid(uid))
}

#[derive(Debug)]
pub enum GroupsError {
    /// The name service does not answer.
    Lookup(Errno),
    /// A group number of the user has no name.
    Nameless(Gid),
    /// The names together are longer than a session can carry; the number is the limit in bytes.
    TooMany(usize),
}

impl fmt::Display for GroupsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupsError::Lookup(error) => {
                let why = name_service::explain_failure(*error, "passwd");
                write!(
                    f,
                    "users and groups cannot be looked up: {why}; see getent passwd and getent group"
                )
            }
            GroupsError::TooMany(most) => write!(
                f,
                "the names of the user's groups have more than {most} bytes together, which no session can carry; see getent initgroups"
            ),
            GroupsError::Nameless(id) => {
                write!(
                    f,
                    "the user's group {id} has no name; see getent group {id}"
                )
            }
        }
    }
}

impl std::error::Error for GroupsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> UserName {
        "root".parse().unwrap()
    }

    #[test]
    fn a_membership_is_yes_no_or_unknown() {
        let groups = NamedGroups::look_up_groups(["root", "daemon", "no-such-group-here"]);
        let of = groups.find_memberships(&root());
        assert_eq!(of.membership("root"), GroupMembership::Yes);
        assert_eq!(of.membership("daemon"), GroupMembership::No);
        assert_eq!(
            of.membership("no-such-group-here"),
            GroupMembership::Unknown
        );
        assert_eq!(
            of.unresolved().collect::<Vec<_>>(),
            [("no-such-group-here", UnresolvedGroup::NoSuchGroup)]
        );
        let unknown_user = groups.find_memberships(&"no-such-user-here".parse().unwrap());
        assert_eq!(unknown_user.membership("root"), GroupMembership::No);
        assert_eq!(
            unknown_user.membership("no-such-group-here"),
            GroupMembership::Unknown
        );
    }

    #[test]
    fn a_group_that_another_source_knows_is_resolved_and_a_failed_lookup_is_not() {
        let groups =
            PersonGroups::default().with_unresolved(["ours", "gone"], UnresolvedGroup::NoSuchGroup);
        let mut groups = groups
            .with_unresolved(["silent"], UnresolvedGroup::LookupFailed(Errno::EIO))
            .with_groups(["gone"]);
        groups.resolve_known(|group| group == "ours" || group == "silent");
        assert_eq!(groups.membership("ours"), GroupMembership::No);
        assert_eq!(groups.membership("silent"), GroupMembership::Unknown);
        assert!(groups.is_member("gone"));
        assert_eq!(groups.unresolved().count(), 1);
    }
}

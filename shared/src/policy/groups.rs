//! Groups of this host, for policies that speak of groups: only those that are named are looked up, and of each it is told
//! whether a user is in it, is not, or whether that is not known. What the C library hides cannot be told: a source that is
//! silent while a later one in nsswitch.conf answers.
//!
//! MUST NOT take silence for an answer: a group that no source knows, or whose source does not answer, is a doubt.

use crate::account::name::UserName;
use crate::system::name_service;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt;
use uzers::os::unix::GroupExt;

/// Whether someone is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InGroup {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody knows; the stricter of the two counts.
    Unknown,
}

/// Why it is not known whether someone is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnresolvedGroup {
    /// No source knows the group.
    NoSuchGroup,
    /// The group's or the user's source does not answer.
    Unanswered(Errno),
    /// It was so when the session began.
    Earlier,
}

impl fmt::Display for UnresolvedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnresolvedGroup::NoSuchGroup => f.write_str("no source knows it"),
            UnresolvedGroup::Unanswered(error) => {
                write!(
                    f,
                    "its source does not answer ({})",
                    name_service::explain_failure(*error, "group")
                )
            }
            UnresolvedGroup::Earlier => f.write_str("it was not known when the session began"),
        }
    }
}

/// What is known of a person's groups. Of groups that stand in neither list the person is in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonGroups {
    held: BTreeSet<String>,
    doubts: BTreeMap<String, UnresolvedGroup>,
}

impl PersonGroups {
    /// Someone who is in these and in no others.
    pub fn known<S: Into<String>>(held: impl IntoIterator<Item = S>) -> PersonGroups {
        PersonGroups {
            held: held.into_iter().map(Into::into).collect(),
            doubts: BTreeMap::new(),
        }
    }

    /// The same person, who is in these too.
    pub fn and<S: Into<String>>(mut self, held: impl IntoIterator<Item = S>) -> PersonGroups {
        self.held.extend(held.into_iter().map(Into::into));
        self
    }

    /// The same person, of whom it is not known whether they are in these.
    pub fn in_doubt<S: Into<String>>(
        mut self,
        groups: impl IntoIterator<Item = S>,
        why: UnresolvedGroup,
    ) -> PersonGroups {
        self.doubts
            .extend(groups.into_iter().map(|group| (group.into(), why)));
        self
    }

    /// Whether the person is in a group.
    pub fn in_group(&self, group: &str) -> InGroup {
        match (self.held.contains(group), self.doubts.contains_key(group)) {
            (true, _) => InGroup::Yes,
            (false, true) => InGroup::Unknown,
            (false, false) => InGroup::No,
        }
    }

    /// Whether the person is in a group for certain.
    pub fn is_in(&self, group: &str) -> bool {
        self.in_group(group) == InGroup::Yes
    }

    /// The groups of which nothing is known, unless the person is in them by another source.
    pub fn doubts(&self) -> impl Iterator<Item = (&str, UnresolvedGroup)> {
        let doubts = self
            .doubts
            .iter()
            .filter(|(group, _)| !self.held.contains(*group));
        doubts.map(|(group, why)| (group.as_str(), *why))
    }

    /// Some other source knows the group: then the host's silence about it is an answer.
    pub fn settle(&mut self, is_known: impl Fn(&str) -> bool) {
        self.doubts
            .retain(|group, why| *why != UnresolvedGroup::NoSuchGroup || !is_known(group));
    }

    /// The groups that the person is in for certain.
    pub fn held(&self) -> impl Iterator<Item = &str> {
        self.held.iter().map(String::as_str)
    }
}

/// A group of this host.
struct HostGroup {
    id: Gid,
    members: Vec<String>,
}

/// Groups that a configuration names, as this host knows them.
pub struct NamedGroups(BTreeMap<String, Result<HostGroup, UnresolvedGroup>>);

impl NamedGroups {
    /// Looks these up.
    pub fn look_up<'a>(names: impl IntoIterator<Item = &'a str>) -> NamedGroups {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if names.is_empty() {
            return NamedGroups(BTreeMap::new());
        }
        let asked = names.clone();
        let look_all_up = move || {
            let found = |name: String| {
                let group = look_up(&name);
                (name, group)
            };
            Ok(asked.into_iter().map(found).collect())
        };
        let groups = name_service::look_up(look_all_up);
        NamedGroups(groups.unwrap_or_else(|error| {
            names
                .into_iter()
                .map(|name| (name, Err(UnresolvedGroup::Unanswered(error))))
                .collect()
        }))
    }

    /// Which of them a user is in; none for certain if the host does not know the user.
    pub fn of(&self, user: &UserName) -> PersonGroups {
        let mut of = PersonGroups::default();
        if self.0.is_empty() {
            return of;
        }
        let ids = ids_of(user);
        for (name, group) in &self.0 {
            match (group, &ids) {
                (Err(why), _) => of = of.in_doubt([name], *why),
                (Ok(_), Err(error)) => {
                    of = of.in_doubt([name], UnresolvedGroup::Unanswered(*error))
                }
                (Ok(_), Ok(None)) => {}
                // a cache may answer for one of the two alone
                (Ok(group), Ok(Some(ids)))
                    if ids.contains(&group.id)
                        || group.members.iter().any(|member| member == user.as_str()) =>
                {
                    of = of.and([name]);
                }
                (Ok(_), Ok(Some(_))) => {}
            }
        }
        of
    }

    /// All whom the groups list as members; whoever has one as primary group need not be listed.
    pub fn members(&self) -> BTreeSet<&str> {
        let groups = self.0.values().filter_map(|group| group.as_ref().ok());
        groups
            .flat_map(|group| group.members.iter().map(String::as_str))
            .collect()
    }

    /// Whether this host knows any of them.
    pub fn knows_any(&self) -> bool {
        self.0.values().any(Result::is_ok)
    }

    /// Whether the source of any of them does not answer.
    pub fn is_unanswered(&self) -> bool {
        self.0
            .values()
            .any(|group| matches!(group, Err(UnresolvedGroup::Unanswered(_))))
    }

    /// Whether a user is certainly in none of them that this host knows.
    pub fn excludes(&self, user: &UserName) -> bool {
        let of = self.of(user);
        !self.is_unanswered()
            && self
                .0
                .iter()
                .all(|(name, group)| group.is_err() || of.in_group(name) == InGroup::No)
    }
}

fn look_up(name: &str) -> Result<HostGroup, UnresolvedGroup> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(HostGroup {
            id: group.gid,
            members: group.mem,
        }),
        Ok(None) => Err(UnresolvedGroup::NoSuchGroup),
        // it has more members than nix takes, which stops at 1 MiB
        Err(Errno::ERANGE) => {
            let Some(group) = uzers::get_group_by_name(name) else {
                // the C library leaves 0 where every source answered; a search in a file meets large groups of other names
                return Err(match Errno::last_raw() {
                    0 => UnresolvedGroup::NoSuchGroup,
                    error => UnresolvedGroup::Unanswered(Errno::from_raw(error)),
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
        Err(error) => Err(UnresolvedGroup::Unanswered(error)),
    }
}

/// The numbers of a user's groups, which come without members; `None` if the host does not know the user.
fn ids_of(user: &UserName) -> Result<Option<Vec<Gid>>, Errno> {
    let user = user.clone();
    name_service::look_up(move || {
        let Some(entry) = User::from_name(user.as_str())? else {
            return Ok(None);
        };
        let name = CString::new(user.as_str()).map_err(|_| Errno::EINVAL)?;
        getgrouplist(&name, entry.gid).map(Some)
    })
}

/// The names of all of the user's groups on this host, for applications; none if the host does not know the user.
pub fn of(user: &UserName) -> Result<Vec<String>, GroupsError> {
    let named = |id: Gid| match Group::from_gid(id) {
        Ok(Some(group)) => Ok(group.name),
        Ok(None) => Err(GroupsError::Nameless(id)),
        // as above
        Err(Errno::ERANGE) => match uzers::get_group_by_gid(id.as_raw()) {
            Some(group) => Ok(group.name().to_string_lossy().into_owned()),
            None => Err(GroupsError::Lookup(Errno::ERANGE)),
        },
        Err(error) => Err(GroupsError::Lookup(error)),
    };
    let ids = ids_of(user)
        .map_err(GroupsError::Lookup)?
        .unwrap_or_default();
    // only the gate asks this, on workers of its own
    ids.into_iter().map(named).collect()
}

/// The name by which the host knows a user: some name services take other spellings too. `None` if it knows none, or by a
/// name that no account can have.
pub fn name_of(user: &UserName) -> Result<Option<UserName>, GroupsError> {
    let entry = user_named(user).map_err(GroupsError::Lookup)?;
    Ok(entry.and_then(|entry| UserName::parse(entry.name.as_bytes()).ok()))
}

/// A user of this host, by a name that may be spelled in another way there.
pub fn user_named(name: &UserName) -> Result<Option<User>, Errno> {
    let name = name.clone();
    name_service::look_up(move || User::from_name(name.as_str()))
}

/// A user of this host, by number.
pub fn user_numbered(uid: Uid) -> Result<Option<User>, Errno> {
    name_service::look_up(move || User::from_uid(uid))
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
    fn of_a_group_that_is_named_three_things_can_be_said() {
        let groups = NamedGroups::look_up(["root", "daemon", "no-such-group-here"]);
        let of = groups.of(&root());
        assert_eq!(of.in_group("root"), InGroup::Yes);
        assert_eq!(of.in_group("daemon"), InGroup::No);
        assert_eq!(of.in_group("no-such-group-here"), InGroup::Unknown);
        assert_eq!(
            of.doubts().collect::<Vec<_>>(),
            [("no-such-group-here", UnresolvedGroup::NoSuchGroup)]
        );
        let nobody = groups.of(&"no-such-user-here".parse().unwrap());
        assert_eq!(nobody.in_group("root"), InGroup::No);
        assert_eq!(nobody.in_group("no-such-group-here"), InGroup::Unknown);
    }

    #[test]
    fn what_another_source_knows_is_no_doubt_but_silence_stays_one() {
        let groups =
            PersonGroups::default().in_doubt(["ours", "gone"], UnresolvedGroup::NoSuchGroup);
        let mut groups = groups
            .in_doubt(["silent"], UnresolvedGroup::Unanswered(Errno::EIO))
            .and(["gone"]);
        groups.settle(|group| group == "ours" || group == "silent");
        assert_eq!(groups.in_group("ours"), InGroup::No);
        assert_eq!(groups.in_group("silent"), InGroup::Unknown);
        assert!(groups.is_in("gone"));
        assert_eq!(groups.doubts().count(), 1);
    }
}

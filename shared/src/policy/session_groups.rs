//! The memberships in groups of the host that a session records at the sign-in for checks, which
//! look nothing up. Recorded are the groups that the configuration names.
//!
//! A membership MUST be known or not known, never assumed: if the configuration names other groups
//! since the sign-in, the record says nothing about them.

use super::groups::{GroupMembership, PersonGroups};
use crate::config::Config;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The groups that rules and the policy name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedGroups {
    /// In ascending order.
    names: Vec<String>,
    fingerprint: GroupsFingerprint,
}

/// The first bytes of a hash of the names, which matches a record with its list of groups.
type GroupsFingerprint = [u8; 8];

/// Which of the requested groups a user was in at the sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionGroups {
    fingerprint: GroupsFingerprint,
    /// One bit per group in the order of the names, the lowest bit of the first byte first. The
    /// second list has the same length and marks unknown memberships.
    members: Vec<u8>,
    unresolved: Vec<u8>,
}

/// A record together with the names of its groups.
#[derive(Clone, Copy, Debug)]
pub struct RecordedGroups<'a> {
    names: &'a [String],
    members: &'a [u8],
    unresolved: &'a [u8],
}

impl RequestedGroups {
    /// Returns the groups that a configuration names.
    pub fn from_config(config: &Config) -> RequestedGroups {
        RequestedGroups::from_names(config.named_groups().into_iter())
    }

    pub fn from_names<'a>(names: impl Iterator<Item = &'a str>) -> RequestedGroups {
        let names: BTreeSet<&str> = names.collect();
        let mut hash = Sha256::new();
        for name in &names {
            hash.update(name.len().to_be_bytes());
            hash.update(name);
        }
        let mut fingerprint = GroupsFingerprint::default();
        fingerprint.copy_from_slice(&hash.finalize()[..8]);
        RequestedGroups {
            names: names.into_iter().map(str::to_owned).collect(),
            fingerprint,
        }
    }
}

impl SessionGroups {
    /// Records the memberships of a user in the requested groups.
    pub fn record_memberships(requested: &RequestedGroups, groups: &PersonGroups) -> SessionGroups {
        let mut members = vec![0; requested.names.len().div_ceil(8)];
        let mut unresolved = members.clone();
        for (position, name) in requested.names.iter().enumerate() {
            let list = match groups.membership(name) {
                GroupMembership::Yes => &mut members,
                GroupMembership::Unknown => &mut unresolved,
                GroupMembership::No => continue,
            };
            list[position / 8] |= 1 << (position % 8);
        }
        SessionGroups {
            fingerprint: requested.fingerprint,
            members,
            unresolved,
        }
    }

    /// Returns the memberships if the record was made for the same list of groups.
    pub fn read_for<'a>(&'a self, requested: &'a RequestedGroups) -> Option<RecordedGroups<'a>> {
        (self.fingerprint == requested.fingerprint).then_some(RecordedGroups {
            names: &requested.names,
            members: &self.members,
            unresolved: &self.unresolved,
        })
    }

    /// Encodes the record for a cookie.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [
            &self.fingerprint,
            self.members.as_slice(),
            self.unresolved.as_slice(),
        ]
        .concat()
    }

    /// Decodes [`SessionGroups::to_bytes`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<SessionGroups> {
        let (fingerprint, rest) = bytes.split_first_chunk()?;
        let (members, unresolved) = rest.split_at(rest.len() / 2);
        let (members, unresolved) = (members.to_vec(), unresolved.to_vec());
        (members.len() == unresolved.len()).then_some(SessionGroups {
            fingerprint: *fingerprint,
            members,
            unresolved,
        })
    }
}

impl<'a> RecordedGroups<'a> {
    pub fn membership(&self, group: &str) -> GroupMembership {
        match self.names.binary_search_by(|name| name.as_str().cmp(group)) {
            Ok(position) if is_set(self.members, position) => GroupMembership::Yes,
            Ok(position) if is_set(self.unresolved, position) => GroupMembership::Unknown,
            Ok(_) | Err(_) => GroupMembership::No,
        }
    }

    /// Returns the groups that the user was in.
    pub fn confirmed(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.names_in(self.members)
    }

    /// Returns the groups whose membership was unknown.
    pub fn unresolved(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.names_in(self.unresolved)
    }

    fn names_in(&self, bits: &'a [u8]) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = self.names.iter().enumerate();
        names
            .filter(move |(position, _)| is_set(bits, *position))
            .map(|(_, name)| name.as_str())
    }
}

fn is_set(bits: &[u8], position: usize) -> bool {
    bits.get(position / 8)
        .is_some_and(|byte| byte >> (position % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(text: &str) -> RequestedGroups {
        RequestedGroups::from_config(&toml::from_str(text).unwrap())
    }

    #[test]
    fn memberships_are_known_for_the_requested_groups() {
        let rules = "[[gate.rule]]\ngroups = [\"ops\", \"staff\"]\nthen = \"deny\"\n[[policy.exempt]]\ngroups = [\"away\"]";
        let requested = requested(rules);
        let known = SessionGroups::record_memberships(
            &requested,
            &PersonGroups::from_names(["users", "staff", "away"]),
        );
        let recorded = known.read_for(&requested).unwrap();
        assert_eq!(recorded.confirmed().collect::<Vec<_>>(), ["away", "staff"]);
        let is_in = |group: &str| recorded.membership(group) == GroupMembership::Yes;
        assert!(is_in("staff") && !is_in("ops") && !is_in("users"));
        assert_eq!(SessionGroups::from_bytes(&known.to_bytes()), Some(known));
    }

    #[test]
    fn an_unknown_membership_stays_unknown_in_the_session() {
        let requested = RequestedGroups::from_names(["ops", "staff"].into_iter());
        let groups = PersonGroups::from_names(["ops"]).with_unresolved(
            ["staff"],
            crate::policy::groups::UnresolvedGroup::NoSuchGroup,
        );
        let known = SessionGroups::from_bytes(
            &SessionGroups::record_memberships(&requested, &groups).to_bytes(),
        )
        .unwrap();
        let recorded = known.read_for(&requested).unwrap();
        assert_eq!(
            (recorded.membership("ops"), recorded.membership("staff")),
            (GroupMembership::Yes, GroupMembership::Unknown)
        );
        assert_eq!(recorded.unresolved().collect::<Vec<_>>(), ["staff"]);
    }

    #[test]
    fn a_record_of_the_most_groups_takes_few_bytes() {
        let names: Vec<String> = (0..crate::config::MOST_GROUPS)
            .map(|number| format!("group {number}"))
            .collect();
        let requested = RequestedGroups::from_names(names.iter().map(String::as_str));
        let known =
            SessionGroups::record_memberships(&requested, &PersonGroups::from_names(&names[3..]));
        assert!(known.to_bytes().len() <= 72);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(
                known.read_for(&requested).unwrap().membership(name) == GroupMembership::Yes,
                number >= 3,
                "{name}"
            );
        }
    }

    #[test]
    fn a_record_for_other_groups_is_not_read() {
        let nothing = requested("");
        let [ab, a_b] = [["ab", "c"], ["a", "bc"]].map(|[one, other]| {
            requested(&format!(
                "[[gate.rule]]\ngroups = [\"{one}\", \"{other}\"]\nthen = \"deny\""
            ))
        });
        let known = SessionGroups::record_memberships(&nothing, &PersonGroups::default());
        assert!(known.read_for(&nothing).is_some() && known.read_for(&ab).is_none());
        assert!(
            SessionGroups::record_memberships(&ab, &PersonGroups::default())
                .read_for(&a_b)
                .is_none()
        );
        assert!(
            SessionGroups::default().read_for(&nothing).is_none(),
            "what was never asked is not known"
        );
    }
}

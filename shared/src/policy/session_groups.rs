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
    mark: GroupsFingerprint,
}

/// The first bytes of a hash of the names, which matches a record with its list of groups.
type GroupsFingerprint = [u8; 8];

/// Which of the requested groups a user was in at the sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionGroups {
    mark: GroupsFingerprint,
    /// One bit per group in the order of the names, the lowest bit of the first byte first. The
    /// second list has the same length and marks unknown memberships.
    bits: Vec<u8>,
    doubts: Vec<u8>,
}

/// A record together with the names of its groups.
#[derive(Clone, Copy, Debug)]
pub struct RecordedGroups<'a> {
    names: &'a [String],
    bits: &'a [u8],
    doubts: &'a [u8],
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
        let mut mark = GroupsFingerprint::default();
        mark.copy_from_slice(&hash.finalize()[..8]);
        RequestedGroups {
            names: names.into_iter().map(str::to_owned).collect(),
            mark,
        }
    }
}

impl SessionGroups {
    /// Records the memberships of a user in the requested groups.
    pub fn record_memberships(asked: &RequestedGroups, groups: &PersonGroups) -> SessionGroups {
        let mut bits = vec![0; asked.names.len().div_ceil(8)];
        let mut doubts = bits.clone();
        for (position, name) in asked.names.iter().enumerate() {
            let list = match groups.membership(name) {
                GroupMembership::Yes => &mut bits,
                GroupMembership::Unknown => &mut doubts,
                GroupMembership::No => continue,
            };
            list[position / 8] |= 1 << (position % 8);
        }
        SessionGroups {
            mark: asked.mark,
            bits,
            doubts,
        }
    }

    /// Returns the memberships if the record was made for the same list of groups.
    pub fn read_for<'a>(&'a self, asked: &'a RequestedGroups) -> Option<RecordedGroups<'a>> {
        (self.mark == asked.mark).then_some(RecordedGroups {
            names: &asked.names,
            bits: &self.bits,
            doubts: &self.doubts,
        })
    }

    /// Encodes the record for a cookie.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [&self.mark, self.bits.as_slice(), self.doubts.as_slice()].concat()
    }

    /// Decodes [`SessionGroups::to_bytes`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<SessionGroups> {
        let (mark, rest) = bytes.split_first_chunk()?;
        let (bits, doubts) = rest.split_at(rest.len() / 2);
        let (bits, doubts) = (bits.to_vec(), doubts.to_vec());
        (bits.len() == doubts.len()).then_some(SessionGroups {
            mark: *mark,
            bits,
            doubts,
        })
    }
}

impl<'a> RecordedGroups<'a> {
    pub fn membership(&self, group: &str) -> GroupMembership {
        match self.names.binary_search_by(|name| name.as_str().cmp(group)) {
            Ok(position) if has(self.bits, position) => GroupMembership::Yes,
            Ok(position) if has(self.doubts, position) => GroupMembership::Unknown,
            Ok(_) | Err(_) => GroupMembership::No,
        }
    }

    /// Returns the groups that the user was in.
    pub fn confirmed(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let RecordedGroups { names, bits, .. } = *self;
        names
            .iter()
            .enumerate()
            .filter(move |(position, _)| has(bits, *position))
            .map(|(_, name)| name.as_str())
    }

    /// Returns the groups whose membership was unknown.
    pub fn unresolved(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let RecordedGroups { names, doubts, .. } = *self;
        names
            .iter()
            .enumerate()
            .filter(move |(position, _)| has(doubts, *position))
            .map(|(_, name)| name.as_str())
    }
}

fn has(bits: &[u8], position: usize) -> bool {
    bits.get(position / 8)
        .is_some_and(|byte| byte >> (position % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> RequestedGroups {
        RequestedGroups::from_config(&toml::from_str(text).unwrap())
    }

    #[test]
    fn of_the_hosts_groups_those_that_were_asked_about_are_known() {
        let rules = "[[gate.rule]]\ngroups = [\"ops\", \"staff\"]\nthen = \"deny\"\n[[policy.exempt]]\ngroups = [\"away\"]";
        let asked = asked(rules);
        let known = SessionGroups::record_memberships(
            &asked,
            &PersonGroups::from_names(["users", "staff", "away"]),
        );
        let answered = known.read_for(&asked).unwrap();
        assert_eq!(answered.confirmed().collect::<Vec<_>>(), ["away", "staff"]);
        let is_in = |group: &str| answered.membership(group) == GroupMembership::Yes;
        assert!(is_in("staff") && !is_in("ops") && !is_in("users"));
        assert_eq!(SessionGroups::from_bytes(&known.to_bytes()), Some(known));
    }

    #[test]
    fn what_was_in_doubt_stays_so_in_the_session() {
        let asked = RequestedGroups::from_names(["ops", "staff"].into_iter());
        let groups = PersonGroups::from_names(["ops"]).with_unresolved(
            ["staff"],
            crate::policy::groups::UnresolvedGroup::NoSuchGroup,
        );
        let known = SessionGroups::from_bytes(
            &SessionGroups::record_memberships(&asked, &groups).to_bytes(),
        )
        .unwrap();
        let answered = known.read_for(&asked).unwrap();
        assert_eq!(
            (answered.membership("ops"), answered.membership("staff")),
            (GroupMembership::Yes, GroupMembership::Unknown)
        );
        assert_eq!(answered.unresolved().collect::<Vec<_>>(), ["staff"]);
    }

    #[test]
    fn as_many_as_there_may_be_take_few_bytes() {
        let names: Vec<String> = (0..crate::config::MOST_GROUPS)
            .map(|number| format!("group {number}"))
            .collect();
        let asked = RequestedGroups::from_names(names.iter().map(String::as_str));
        let known =
            SessionGroups::record_memberships(&asked, &PersonGroups::from_names(&names[3..]));
        assert!(known.to_bytes().len() <= 72);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(
                known.read_for(&asked).unwrap().membership(name) == GroupMembership::Yes,
                number >= 3,
                "{name}"
            );
        }
    }

    #[test]
    fn an_answer_to_other_questions_is_none() {
        let nothing = asked("");
        let [ab, a_b] = [["ab", "c"], ["a", "bc"]].map(|[one, other]| {
            asked(&format!(
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

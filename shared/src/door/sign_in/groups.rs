//! The groups of the host that a sign-in needs. They are looked up before its transaction: name services take their time.

use crate::config::Config;
use crate::config::gate::FirstFactor;
use crate::groups::{self, GroupsError};
use crate::name::{Group, UserName};
use crate::session::LONGEST_GROUPS;
use crate::store::AccountRecord;

/// Their names; none where nothing asks for them.
pub(in crate::door) struct HostGroups(Vec<String>);

impl HostGroups {
    /// Looks them up, where the policy speaks of groups, or where accounts are the host's.
    pub(in crate::door) fn look_up(config: &Config, name: &UserName) -> Result<HostGroups, GroupsError> {
        match config.policy.asks_groups() || config.gate.first_factor == FirstFactor::Pam {
            true => groups::of(name).map(HostGroups),
            false => Ok(HostGroups(Vec::new())),
        }
    }

    /// All groups that the policy is asked about.
    pub(super) fn for_policy(&self, config: &Config, record: &AccountRecord) -> Vec<String> {
        let known = config.memberships(&record.name, &record.groups).map(|group| group.as_str().to_owned());
        self.0.iter().cloned().chain(known).collect()
    }

    /// What a session carries: those that the store keeps, and the host's where PAM judged the password. What no list of
    /// groups can hold is left out.
    pub(in crate::door) fn of_session(
        &self,
        config: &Config,
        record: &AccountRecord,
    ) -> Result<Vec<Group>, GroupsError> {
        let mut carried = record.groups.clone();
        if config.gate.first_factor == FirstFactor::Pam {
            for group in self.0.iter().filter_map(|name| name.parse::<Group>().ok()) {
                let is_known = carried.contains(&group)
                    || config.memberships(&record.name, &[]).any(|declared| *declared == group);
                if !is_known {
                    carried.push(group);
                }
            }
        }
        match carried.iter().map(|group| group.as_str().len() + 1).sum::<usize>() {
            0..=LONGEST_GROUPS => Ok(carried),
            _ => Err(GroupsError::TooMany(LONGEST_GROUPS)),
        }
    }
}

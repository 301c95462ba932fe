//! The groups of the host that a sign-in needs. They are looked up before its transaction: name services take their time.

use crate::account::name::{Group, UserName};
use crate::account::record::AccountRecord;
use crate::config::Config;
use crate::config::gate::FirstFactorSource;
use crate::engine::{Engine, PolicyError};
use crate::policy::groups::{self, GroupsError, NamedGroups, PersonGroups};
use crate::policy::session_groups::{RequestedGroups, SessionGroups};
use crate::token::session::LONGEST_GROUPS;

/// What is known of them; nothing where nothing asks for them.
pub(in crate::engine) struct HostGroups {
    /// Of those that the policy or a rule names.
    named: PersonGroups,
    /// All of them, where accounts are the host's.
    all: Vec<String>,
}

impl Engine {
    /// Looks up those that the policy or a rule names, and all where accounts are the host's.
    pub(in crate::engine) fn load_host_groups(
        &mut self,
        name: &UserName,
    ) -> Result<HostGroups, PolicyError> {
        let named = NamedGroups::look_up_groups(self.config.named_groups()).find_memberships(name);
        let named = self.resolve_groups(named)?;
        let all = match self.config.gate.first_factor {
            FirstFactorSource::Pam => {
                groups::list_group_names(name).map_err(PolicyError::Groups)?
            }
            FirstFactorSource::Password | FirstFactorSource::Header => Vec::new(),
        };
        Ok(HostGroups { named, all })
    }
}

impl HostGroups {
    /// Of those that rules and the policy ask about: for these they were looked up.
    pub(in crate::engine) fn known(&self, asked: &RequestedGroups) -> SessionGroups {
        SessionGroups::record_memberships(asked, &self.named)
    }

    /// All groups that the policy is asked about.
    pub(super) fn for_policy(&self, config: &Config, record: &AccountRecord) -> PersonGroups {
        self.named.clone().with_groups(
            config
                .memberships(&record.name, &record.groups)
                .map(Group::as_str),
        )
    }

    /// What a session carries: those that the store keeps, and the host's where PAM judged the password. What no list of
    /// groups can hold is left out.
    pub(in crate::engine) fn of_session(
        &self,
        config: &Config,
        record: &AccountRecord,
    ) -> Result<Vec<Group>, GroupsError> {
        let mut carried = record.groups.clone();
        if config.gate.first_factor == FirstFactorSource::Pam {
            for group in self
                .all
                .iter()
                .filter_map(|name| name.parse::<Group>().ok())
            {
                let is_known = carried.contains(&group)
                    || config
                        .memberships(&record.name, &[])
                        .any(|declared| *declared == group);
                if !is_known {
                    carried.push(group);
                }
            }
        }
        match carried
            .iter()
            .map(|group| group.as_str().len() + 1)
            .sum::<usize>()
        {
            0..=LONGEST_GROUPS => Ok(carried),
            _ => Err(GroupsError::TooMany(LONGEST_GROUPS)),
        }
    }
}

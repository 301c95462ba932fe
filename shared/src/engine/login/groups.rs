//! Host groups that a login needs. They are looked up before its transaction, because name services
//! can be slow.

use crate::account::name::{Group, UserName};
use crate::account::record::AccountRecord;
use crate::account::second_factor::Enrolled;
use crate::config::Config;
use crate::config::gate::FirstFactorSource;
use crate::engine::{Login, PolicyError, SERVICE};
use crate::policy::groups::{self, GroupsError, NamedGroups, PersonGroups};
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::policy::rule::{self, RuleDecision, RuleRequest, RuleUser};
use crate::policy::session_groups::{RequestedGroups, SessionGroups};
use crate::system::network::address::Address;
use crate::token::session::LONGEST_GROUPS;

/// Host groups of one account; empty where no configuration key asks for them.
pub(in crate::engine) struct LoginGroups {
    /// Groups that the policy or a rule names.
    named: PersonGroups,
    /// All groups, where accounts are those of the host.
    all: Vec<String>,
}

impl Login<'_> {
    /// Looks up the groups that the policy or a rule names, and all groups where accounts are those
    /// of the host.
    pub(in crate::engine) fn load_host_groups(
        &mut self,
        name: &UserName,
    ) -> Result<LoginGroups, PolicyError> {
        let named =
            NamedGroups::look_up_groups(self.engine.config.named_groups()).find_memberships(name);
        let named = self.engine.policy().resolve_groups(named)?;
        let all = match self.engine.config.gate.first_factor {
            FirstFactorSource::Pam => {
                groups::list_group_names(name).map_err(PolicyError::Groups)?
            }
            FirstFactorSource::Password | FirstFactorSource::Header => Vec::new(),
        };
        Ok(LoginGroups { named, all })
    }
}

impl LoginGroups {
    /// Returns the groups on which rules and the policy decide.
    pub(in crate::engine) fn known(&self, asked: &RequestedGroups) -> SessionGroups {
        SessionGroups::record_memberships(asked, &self.named)
    }

    /// Returns the decision of the rules about an account's request.
    pub(in crate::engine) fn evaluate_rules(
        &self,
        config: &Config,
        name: &UserName,
        kept: &[Group],
        request: &RuleRequest<'_>,
    ) -> RuleDecision {
        let asked = RequestedGroups::from_config(config);
        let known = self.known(&asked);
        let person = RuleUser {
            name,
            groups: [config.declared_groups(name), kept],
            host_groups: known.read_for(&asked),
        };
        rule::evaluate_rules(&config.gate.rule, request, Some(&person))
    }

    /// Returns all groups on which the policy decides, including those of Postern.
    pub(super) fn for_policy(&self, config: &Config, record: &AccountRecord) -> PersonGroups {
        self.named.clone().with_groups(
            config
                .memberships(&record.name, &record.groups)
                .map(Group::as_str),
        )
    }

    /// Returns the groups that a session carries: those that the store keeps, and the host's where
    /// PAM verified the password. Names that a list of groups cannot contain are left out.
    pub(in crate::engine) fn of_session(
        &self,
        config: &Config,
        record: &AccountRecord,
    ) -> Result<Vec<Group>, GroupsError> {
        let mut groups = record.groups.clone();
        if config.gate.first_factor == FirstFactorSource::Pam {
            for group in self
                .all
                .iter()
                .filter_map(|name| name.parse::<Group>().ok())
            {
                let is_known = groups.contains(&group)
                    || config
                        .memberships(&record.name, &[])
                        .any(|declared| *declared == group);
                if !is_known {
                    groups.push(group);
                }
            }
        }
        match groups
            .iter()
            .map(|group| group.as_str().len() + 1)
            .sum::<usize>()
        {
            0..=LONGEST_GROUPS => Ok(groups),
            _ => Err(GroupsError::TooMany(LONGEST_GROUPS)),
        }
    }
}

/// Returns what the policy requires of an account at the web.
pub(in crate::engine) fn web_requirement(
    config: &Config,
    name: &UserName,
    groups: &PersonGroups,
    address: Option<Address>,
    enrolled: Enrolled,
) -> Requirement {
    let subject = web_subject(config, name, groups, address);
    config.policy.evaluate_requirement(&subject, enrolled)
}

/// Whether the policy requires a passkey of an account at the web, where a code suffices for others.
pub(in crate::engine) fn requires_passkey(
    config: &Config,
    name: &UserName,
    groups: &PersonGroups,
    address: Option<Address>,
) -> bool {
    let subject = web_subject(config, name, groups, address);
    config.policy.requires_passkey(&subject)
}

fn web_subject<'a>(
    config: &Config,
    name: &'a UserName,
    groups: &'a PersonGroups,
    address: Option<Address>,
) -> PolicySubject<'a> {
    PolicySubject {
        name,
        groups,
        service: SERVICE,
        address,
        completed_methods: config.gate.first_factor.completed_methods(),
        host: None,
    }
}

//! The policy's groups of an account: those of the host that the configuration names, those
//! declared, and those that the store keeps.
//! A group that the host does not know is a group of Postern if an account is in it. Otherwise it
//! is reported in the log, and the stricter policy applies.

use crate::account::name::{Group, UserName};
use crate::account::second_factor::Enrolled;
use crate::config::Config;
use crate::engine::{AccountPolicy, AdministrationError, EngineError, PolicyError};
use crate::policy::groups::{NamedGroups, PersonGroups, UnresolvedGroup};
use crate::store::Intent;
use std::collections::BTreeSet;

/// Maximum number of accounts with a second factor whose groups on the host are looked up in search
/// of an administrator, besides those that the groups list. Where there are more, one of them is
/// assumed to be an administrator.
const MAX_LOOKED_UP: usize = 256;

/// Whether an account is an administrator at the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdministratorStatus {
    No,
    /// The policy names it, but it has no second factor.
    OnceEnrolled,
    Yes,
}

impl AccountPolicy<'_> {
    /// Returns whether an account is an administrator at the web, which requires a second factor.
    pub fn administrator_status(
        &mut self,
        name: &UserName,
    ) -> Result<AdministratorStatus, AdministrationError> {
        let known = self.engine.load_policy_facts(name)?;
        let is_one = self.is_administrator(name, &known.groups)?;
        Ok(match (is_one, known.enrolled) {
            (false, _) => AdministratorStatus::No,
            (true, Enrolled::No) => AdministratorStatus::OnceEnrolled,
            (true, Enrolled::Yes) => AdministratorStatus::Yes,
        })
    }

    /// Makes the next acts use host groups of an account that were looked up before this engine was
    /// locked; `None` makes them look up groups themselves.
    pub fn preload_groups(&mut self, groups: Option<(UserName, PersonGroups)>) {
        self.engine.preloaded_groups = groups;
    }

    /// Returns which of the groups that the policy names an account is in.
    pub(in crate::engine) fn load_policy_groups(
        &mut self,
        name: &UserName,
        kept: &[Group],
    ) -> Result<PersonGroups, EngineError> {
        let host = match &self.engine.preloaded_groups {
            Some((known, groups)) if known == name => groups.clone(),
            _ => NamedGroups::look_up_groups(self.engine.config.policy.named_groups())
                .find_memberships(name),
        };
        let own_groups = self.engine.config.memberships(name, kept);
        self.resolve_groups(host.with_groups(own_groups.map(Group::as_str)))
    }

    /// Returns whether an account is certainly an administrator.
    pub(in crate::engine) fn is_administrator(
        &mut self,
        name: &UserName,
        kept: &[Group],
    ) -> Result<bool, EngineError> {
        if is_administrator_by_own_groups(&self.engine.config, name, kept) {
            return Ok(true);
        }
        let policy = &self.engine.config.policy;
        let host =
            NamedGroups::look_up_groups(policy.administrator_groups()).find_memberships(name);
        let groups = self.resolve_groups(host)?;
        Ok(self.engine.config.policy.is_administrator(name, &groups))
    }

    /// Returns whether an administrator has a second factor, or whether that cannot be excluded.
    pub(in crate::engine) fn has_enrolled_administrator(
        &mut self,
        enrolled: &[(UserName, Vec<Group>)],
    ) -> Result<bool, PolicyError> {
        let config = &self.engine.config;
        let declared = config.account.iter();
        let declared = declared.map(|declared| (&declared.name, &[][..]));
        let all: Vec<(&UserName, &[Group])> = enrolled
            .iter()
            .map(|(name, kept)| (name, kept.as_slice()))
            .chain(declared)
            .collect();
        if all
            .iter()
            .any(|(name, kept)| is_administrator_by_own_groups(config, name, kept))
        {
            return Ok(true);
        }
        let host = NamedGroups::look_up_groups(config.policy.administrator_groups());
        if !host.any_exists() {
            return Ok(host.any_lookup_failed());
        }
        let members = host.members();
        if all.iter().any(|(name, _)| members.contains(name.as_str())) || all.len() > MAX_LOOKED_UP
        {
            return Ok(true);
        }
        // The account may be a member by its primary group, or by a source that lists no members.
        Ok(all.iter().any(|(name, _)| !host.excludes(name)))
    }

    /// Resolves groups that the host does not know but Postern does, and keeps a warning about each
    /// group that no source knows.
    pub(in crate::engine) fn resolve_groups(
        &mut self,
        mut groups: PersonGroups,
    ) -> Result<PersonGroups, EngineError> {
        let unknown = |(group, why): (&str, UnresolvedGroup)| {
            (why == UnresolvedGroup::NoSuchGroup).then(|| group.to_owned())
        };
        let unknown: Vec<String> = groups.unresolved().filter_map(unknown).collect();
        if !unknown.is_empty() {
            let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
            let declared = |name: &str| {
                let mut all = config.account.iter().flat_map(|account| &account.groups);
                all.any(|group| group.as_str() == name)
            };
            let mut known = BTreeSet::new();
            for group in unknown {
                if declared(&group) || tx.is_group_in_use(&group)? {
                    known.insert(group);
                }
            }
            groups.resolve_known(|group| known.contains(group));
        }
        for (group, why) in groups.unresolved() {
            let keys = self.engine.config.keys_naming_group(group).join(", ");
            let warning = format!(
                "the group {group:?} in {keys}: {why}; until this is corrected, the stricter policy applies to everyone who could be a member; see getent group"
            );
            self.engine.add_warning("group-unresolved", warning);
        }
        Ok(groups)
    }
}

/// Returns whether an account is an administrator by its name, or by groups that Postern knows.
fn is_administrator_by_own_groups(config: &Config, name: &UserName, kept: &[Group]) -> bool {
    let own_groups = config.memberships(name, kept).map(Group::as_str);
    let own_groups = PersonGroups::from_names(own_groups);
    config.policy.is_administrator(name, &own_groups)
}

//! What is known of a person's groups: those of this host that the configuration names, those declared, those that the
//! store keeps. A group that the host does not know is one of Postern's where an account is in it, and else a doubt, which
//! is left for the log.

use crate::account::name::{Group, UserName};
use crate::engine::{Engine, EngineError, PolicyError};
use crate::policy::groups::{NamedGroups, PersonGroups, UnresolvedGroup};
use crate::store::Intent;
use std::collections::BTreeSet;

/// Doubts that wait to be logged; more are dropped.
const MOST_DOUBTS: usize = 64;
/// Accounts with a second factor whose groups on the host are looked up in search of an administrator, beside those that
/// the groups list; where there are more, one of them is taken to be one.
const MOST_LOOKED_UP: usize = 256;

impl Engine {
    /// The groups that nothing was known of since this was asked last, and which keys name them: each a text for the log.
    pub fn take_group_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.group_warnings)
    }

    /// Has the next acts go by what the host knows of someone's groups, which was looked up where nobody waits for it; by
    /// nothing such from now on, if that is none.
    pub fn preload_groups(&mut self, groups: Option<(UserName, PersonGroups)>) {
        self.preloaded_groups = groups;
    }

    /// Of the groups that the policy names, which a person is in.
    pub(in crate::engine) fn load_policy_groups(
        &mut self,
        name: &UserName,
        kept: &[Group],
    ) -> Result<PersonGroups, EngineError> {
        let host = match &self.preloaded_groups {
            Some((known, groups)) if known == name => groups.clone(),
            _ => NamedGroups::look_up_groups(self.config.policy.named_groups())
                .find_memberships(name),
        };
        let ours = self.config.memberships(name, kept).map(Group::as_str);
        let groups = host.with_groups(ours);
        self.resolve_groups(groups)
    }

    /// Whether an account administers, as far as that is certain.
    pub(in crate::engine) fn is_administrator(
        &mut self,
        name: &UserName,
        kept: &[Group],
    ) -> Result<bool, EngineError> {
        let policy = &self.config.policy;
        let ours = PersonGroups::from_names(self.config.memberships(name, kept).map(Group::as_str));
        if policy.is_administrator(name, &ours) {
            return Ok(true);
        }
        let host =
            NamedGroups::look_up_groups(policy.administrator_groups()).find_memberships(name);
        let groups = self.resolve_groups(host)?;
        Ok(self.config.policy.is_administrator(name, &groups))
    }

    /// Whether an administrator has a second factor, or it is not certain that none has.
    pub(in crate::engine) fn has_enrolled_administrator(
        &mut self,
        enrolled: &[(UserName, Vec<Group>)],
    ) -> Result<bool, PolicyError> {
        let policy = &self.config.policy;
        let declared = self
            .config
            .account
            .iter()
            .map(|declared| (&declared.name, &[][..]));
        let all: Vec<(&UserName, &[Group])> = enrolled
            .iter()
            .map(|(name, kept)| (name, kept.as_slice()))
            .chain(declared)
            .collect();
        let by_ours = |(name, kept): &(&UserName, &[Group])| {
            let ours = self.config.memberships(name, kept).map(Group::as_str);
            policy.is_administrator(name, &PersonGroups::from_names(ours))
        };
        if all.iter().any(by_ours) {
            return Ok(true);
        }
        let host = NamedGroups::look_up_groups(policy.administrator_groups());
        if !host.any_exists() {
            return Ok(host.any_lookup_failed());
        }
        let members = host.members();
        if all.iter().any(|(name, _)| members.contains(name.as_str())) || all.len() > MOST_LOOKED_UP
        {
            return Ok(true);
        }
        // by the primary group, or by a source that lists no members
        Ok(all.iter().any(|(name, _)| !host.excludes(name)))
    }

    /// Leaves out what another source knows, and notes for the log what nobody does.
    pub(in crate::engine) fn resolve_groups(
        &mut self,
        mut groups: PersonGroups,
    ) -> Result<PersonGroups, EngineError> {
        let unknown = |(group, why): (&str, UnresolvedGroup)| {
            (why == UnresolvedGroup::NoSuchGroup).then(|| group.to_owned())
        };
        let unknown: Vec<String> = groups.unresolved().filter_map(unknown).collect();
        if !unknown.is_empty() {
            let declared = self
                .config
                .account
                .iter()
                .flat_map(|account| &account.groups)
                .map(Group::as_str);
            let mut known: BTreeSet<String> = declared
                .filter(|group| unknown.iter().any(|unknown| unknown == group))
                .map(str::to_owned)
                .collect();
            let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
            for group in unknown {
                if tx.is_group_in_use(&group)? {
                    known.insert(group);
                }
            }
            groups.resolve_known(|group| known.contains(group));
        }
        for (group, why) in groups.unresolved() {
            let keys = self.config.keys_naming_group(group).join(", ");
            let doubt = format!(
                "the group {group:?} in {keys}: {why}; until this is corrected, the stricter policy applies to everyone who could be a member; see getent group"
            );
            if self.group_warnings.len() < MOST_DOUBTS && !self.group_warnings.contains(&doubt) {
                self.group_warnings.push(doubt);
            }
        }
        Ok(groups)
    }
}

//! The users and groups that the configuration names, in whichever of its keys.

use super::policy::RequiredAccounts;
use super::{Config, DeclaredAccount};
use crate::account::name::{Group, UserName};
use std::collections::BTreeSet;

impl Config {
    /// Returns the groups that rules, exemptions and `policy.required` name.
    pub fn named_groups(&self) -> BTreeSet<&str> {
        let rules = self
            .gate
            .rule
            .iter()
            .flat_map(|rule| rule.groups.iter().map(|group| group.as_str()));
        rules.chain(self.policy.named_groups()).collect()
    }

    /// Returns the keys that name a group, in the form of log messages.
    pub fn keys_naming_group(&self, group: &str) -> Vec<String> {
        let is_it = |word: &str| word.trim_start_matches('!').strip_prefix('%') == Some(group);
        let mut keys = Vec::new();
        if matches!(&self.policy.required, RequiredAccounts::Listed(words) if words.iter().any(|word| is_it(word)))
        {
            keys.push("policy.required".to_owned());
        }
        let exempt = self.policy.exempt.iter().zip(1..);
        let exempt = exempt.filter(|(exempt, _)| exempt.groups.iter().any(|named| named == group));
        keys.extend(exempt.map(|(_, position)| format!("policy.exempt-{position}")));
        if self.policy.administrators.entries().any(is_it) {
            keys.push("policy.administrators".to_owned());
        }
        let rules = self.gate.rule.iter().zip(1..);
        let rules =
            rules.filter(|(rule, _)| rule.groups.iter().any(|named| named.as_str() == group));
        keys.extend(rules.map(|(_, position)| format!("gate.rule-{position}")));
        keys
    }

    /// Returns the users that rules and the policy name, whether or not they have an account.
    pub fn named_users(&self) -> Vec<UserName> {
        let required = match &self.policy.required {
            RequiredAccounts::Enrolled | RequiredAccounts::All => &[][..],
            RequiredAccounts::Listed(words) => words,
        };
        let required = required
            .iter()
            .map(|word| word.trim_start_matches('!'))
            .filter(|word| *word != "all");
        let words = required.chain(self.policy.administrators.entries());
        let words = words
            .filter(|word| !word.starts_with('%'))
            .filter_map(|word| word.parse().ok());
        self.gate
            .rule
            .iter()
            .flat_map(|rule| rule.users.iter().cloned())
            .chain(words)
            .collect()
    }

    /// Returns the groups of an account that are declared or stored, without those of
    /// the host.
    pub fn memberships<'a>(
        &'a self,
        name: &UserName,
        stored: &'a [Group],
    ) -> impl Iterator<Item = &'a Group> {
        self.declared_groups(name).iter().chain(stored)
    }

    pub fn declared_groups(&self, name: &UserName) -> &[Group] {
        self.find_declared_account(name)
            .map_or(&[][..], |declared| &declared.groups)
    }

    pub fn find_declared_account(&self, name: &UserName) -> Option<&DeclaredAccount> {
        self.account.iter().find(|declared| declared.name == *name)
    }
}

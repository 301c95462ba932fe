//! What the policy requires of a user after the first factor, and who may sign in without it
//! for now.
//! Pure functions of the configuration and of the facts in [`PolicySubject`]; nothing is looked up
//! here.

use super::groups::{GroupMembership, PersonGroups};
use crate::account::host::HostName;
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::config::{
    Exemption, MethodCondition, MethodEntry, PolicyConfig, RequiredAccounts, SelfEnroll,
};
use crate::credential::completed_methods::{CompletedFactor, CompletedMethods, SshKey, SshMethod};
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;

/// The user and the circumstances of one authentication.
pub struct PolicySubject<'a> {
    pub name: &'a UserName,
    /// Groups of the host, groups declared for the account, and groups that the store keeps.
    pub groups: &'a PersonGroups,
    /// PAM service, or the name of the gate or the command in its place.
    pub service: &'a str,
    pub address: Option<Address>,
    pub completed_methods: &'a CompletedMethods,
    /// Host of a fleet, if the request comes from one.
    pub host: Option<&'a HostName>,
}

/// What the policy requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A code: the user is enrolled and not exempt.
    Code,
    /// Enrollment: a second factor is required, and the user has none.
    Enrollment,
    /// No code: the user has no second factor, and none is required.
    Nothing,
    /// No code: the exemption at this position (from 1) in postern.toml applies.
    Exempt(usize),
}

/// Why a user without the required second factor may sign in without it for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrollmentGrace {
    /// The enrollment grace period (`policy.enroll_within`) ends at this time.
    Until(Timestamp),
    /// The user is an administrator, and no administrator has a second factor.
    LastAdministrator,
}

impl EnrollmentGrace {
    /// Returns the word that logs use.
    pub fn name(self) -> &'static str {
        match self {
            EnrollmentGrace::Until(_) => "enrollment-grace-period",
            EnrollmentGrace::LastAdministrator => "last-administrator",
        }
    }
}

/// What a first enrollment requires besides the first factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrollmentRequirement {
    None,
    /// A one-time code from an administrator.
    OneTimeCode,
}

impl PolicyConfig {
    /// Returns what the policy requires of `subject`.
    pub fn evaluate_requirement(
        &self,
        subject: &PolicySubject<'_>,
        enrolled: Enrolled,
    ) -> Requirement {
        let covers = |exempt: &Exemption| {
            exempt.covers(
                subject.groups,
                subject.service,
                subject.address,
                subject.completed_methods,
                subject.host,
            )
        };
        if let Some(position) = self.exempt.iter().position(covers) {
            return Requirement::Exempt(position + 1);
        }
        match enrolled {
            Enrolled::Yes => Requirement::Code,
            Enrolled::No if self.requires(subject) => Requirement::Enrollment,
            Enrolled::No => Requirement::Nothing,
        }
    }

    /// Whether a second factor is required of the subject, where no exemption applies. Exceptions in
    /// `required` do not count at the hosts of `required_hosts`.
    fn requires(&self, subject: &PolicySubject<'_>) -> bool {
        let required_there = |host| self.required_hosts.contains(host);
        subject.host.is_some_and(required_there) || self.required.covers(subject)
    }

    /// Whether a passkey is required of the subject at the web, where no exemption applies.
    pub fn requires_passkey(&self, subject: &PolicySubject<'_>) -> bool {
        let required = &self.passkey_required.0;
        !required.is_empty()
            && covers(required, subject)
            && !matches!(
                self.evaluate_requirement(subject, Enrolled::Yes),
                Requirement::Exempt(_)
            )
    }

    /// Whether a passkey is required of some account.
    pub fn requires_some_passkey(&self) -> bool {
        !self.passkey_required.0.is_empty()
    }

    /// Whether a second factor is required of everyone at some host of a fleet.
    pub fn requires_at_some_host(&self) -> bool {
        !self.required_hosts.is_empty()
    }

    /// Returns the position (from 1) of an exemption that applies to every user at this service and
    /// address, before any authentication method is completed.
    pub fn exempts_everyone(
        &self,
        service: &str,
        address: Option<Address>,
        host: Option<&HostName>,
    ) -> Option<usize> {
        let covers = |exempt: &Exemption| {
            exempt.groups.is_empty()
                && exempt.covers(
                    &PersonGroups::default(),
                    service,
                    address,
                    &CompletedMethods::default(),
                    host,
                )
        };
        self.exempt
            .iter()
            .position(covers)
            .map(|position| position + 1)
    }

    /// Returns what a first enrollment from `address` requires. `None`, for no address, is in no
    /// network.
    pub fn enrollment_requirement(&self, address: Option<Address>) -> EnrollmentRequirement {
        let is_inside = |address| {
            self.self_enroll_networks
                .iter()
                .any(|network| network.contains(address))
        };
        match self.self_enroll {
            SelfEnroll::Always => EnrollmentRequirement::None,
            SelfEnroll::Networks if address.is_some_and(is_inside) => EnrollmentRequirement::None,
            SelfEnroll::Networks | SelfEnroll::OneTimeCode => EnrollmentRequirement::OneTimeCode,
        }
    }

    /// Returns the end of the enrollment grace period, if it is later than `now`.
    pub fn enrollment_deadline(
        &self,
        first_sign_in: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = first_sign_in.plus(self.enroll_within.seconds());
        (now < until).then_some(until)
    }

    /// Whether a user of this name and in these groups is an administrator. An unknown membership
    /// makes no administrator.
    pub fn is_administrator(&self, name: &UserName, groups: &PersonGroups) -> bool {
        self.administrators
            .entries()
            .any(|entry| matches_entry(entry, name, groups) == GroupMembership::Yes)
    }

    /// Returns the groups that `policy.administrators` names.
    pub fn administrator_groups(&self) -> impl Iterator<Item = &str> {
        self.administrators
            .entries()
            .filter_map(|entry| entry.strip_prefix('%'))
    }
}

impl RequiredAccounts {
    /// Whether the list covers the subject. An entry is a name or `%group`; with `!` it is an
    /// exception, which wins at any position.
    fn covers(&self, subject: &PolicySubject<'_>) -> bool {
        match self {
            RequiredAccounts::Enrolled => false,
            RequiredAccounts::All => true,
            RequiredAccounts::Listed(entries) => covers(entries, subject),
        }
    }
}

/// Whether a list of names, `%groups`, `all` and exceptions covers the subject. An unknown membership
/// is read in the stricter way: covered, and not excepted.
fn covers(entries: &[String], subject: &PolicySubject<'_>) -> bool {
    let matches = |entry: &str| matches_entry(entry, subject.name, subject.groups);
    let is = |entry: &str| matches(entry) == GroupMembership::Yes;
    let may_match = |entry: &str| matches(entry) != GroupMembership::No;
    let excepted = entries.iter().filter_map(|w| w.strip_prefix('!')).any(is);
    !excepted
        && entries
            .iter()
            .filter(|w| !w.starts_with('!'))
            .any(|w| w == "all" || may_match(w))
}

/// Whether an entry, a name or `%group`, matches a user.
fn matches_entry(entry: &str, name: &UserName, groups: &PersonGroups) -> GroupMembership {
    match entry.strip_prefix('%') {
        Some(group) => groups.membership(group),
        None if entry == name.as_str() => GroupMembership::Yes,
        None => GroupMembership::No,
    }
}

impl Exemption {
    /// Whether every condition that is set certainly holds; one alternative of each is enough.
    fn covers(
        &self,
        groups: &PersonGroups,
        service: &str,
        address: Option<Address>,
        completed: &CompletedMethods,
        host: Option<&HostName>,
    ) -> bool {
        let on_host = self.hosts.is_empty() || host.is_some_and(|host| self.hosts.contains(host));
        let in_group =
            self.groups.is_empty() || self.groups.iter().any(|group| groups.is_member(group));
        let at_service = self.services.is_empty() || self.services.iter().any(|s| s == service);
        let in_network = self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|n| n.contains(address)));
        on_host
            && in_group
            && at_service
            && in_network
            && (self.completed_methods == MethodCondition::default()
                || self.completed_methods.covers(completed))
    }
}

impl MethodCondition {
    /// Whether every completed factor is listed and none is excepted. All must be listed: otherwise
    /// a client that shows two factors would be exempt by the listed one, where the other alone
    /// requires a code. False if no completed method is known.
    fn covers(&self, completed: &CompletedMethods) -> bool {
        let is_covered = |factor: &CompletedFactor| {
            self.listed.iter().any(|entry| entry.lists(factor))
                && !self.excepted.iter().any(|entry| entry.may_match(factor))
        };
        !completed.is_empty() && completed.factors().iter().all(is_covered)
    }
}

impl MethodEntry {
    fn lists(&self, factor: &CompletedFactor) -> bool {
        match self {
            MethodEntry::Method(method) => factor.method == Some(*method),
            MethodEntry::SecurityKey => factor.has_security_key(),
            MethodEntry::Key(listed) => {
                let is_listed = matches!(&factor.key, SshKey::Known(shown) if shown == listed);
                is_listed && factor.method == Some(SshMethod::Publickey)
            }
        }
    }

    /// Whether the entry may match. A key that could not be parsed may be any key.
    fn may_match(&self, factor: &CompletedFactor) -> bool {
        match self {
            MethodEntry::Method(method) => factor.method.is_none_or(|shown| shown == *method),
            MethodEntry::SecurityKey => {
                factor.is_security_key || matches!(factor.key, SshKey::Unread)
            }
            MethodEntry::Key(excepted) => match &factor.key {
                SshKey::Known(shown) => shown == excepted,
                SshKey::Unread => true,
                SshKey::None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests;

//! Policy: who must give a code. A pure function of the configuration and what a door knows of the person.

use crate::account::Enrolled;
use crate::config::{Exempt, Policy, Required};
use crate::name::UserName;
use crate::place::Address;

/// A person at a door.
pub struct Subject<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// Names of all groups the person is in: the host's and those declared for the account.
    pub groups: &'a [String],
    /// The PAM service, or the name of another door.
    pub service: &'a str,
    /// The remote address, if there is one.
    pub address: Option<Address>,
}

/// What the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Enrolled and not exempt: a code.
    Code,
    /// Required, but there is no second factor yet.
    Enrolment,
    /// No code, because the person has no second factor and needs none.
    Nothing,
    /// No code, because of the exemption at this position (from 1) in postern.toml.
    Exempt(usize),
}

impl Policy {
    /// What `subject` needs.
    pub fn need(&self, subject: &Subject<'_>, enrolled: Enrolled) -> Need {
        let covers = |exempt: &Exempt| exempt.covers(subject.groups, subject.service, subject.address);
        if let Some(position) = self.exempt.iter().position(covers) {
            return Need::Exempt(position + 1);
        }
        match enrolled {
            Enrolled::Yes => Need::Code,
            Enrolled::No if self.required.covers(subject) => Need::Enrolment,
            Enrolled::No => Need::Nothing,
        }
    }

    /// The exemption, by position from 1, that holds for everyone alike at this service and address.
    pub fn exempts_everyone(&self, service: &str, address: Option<Address>) -> Option<usize> {
        let covers = |exempt: &Exempt| exempt.groups.is_empty() && exempt.covers(&[], service, address);
        self.exempt.iter().position(covers).map(|position| position + 1)
    }

    /// Whether any answer depends on the person's groups, so that they are worth looking up.
    pub fn asks_groups(&self) -> bool {
        let required = match &self.required {
            Required::Enrolled | Required::All => false,
            Required::Listed(words) => words.iter().any(|w| w.trim_start_matches('!').starts_with('%')),
        };
        required || self.exempt.iter().any(|exempt| !exempt.groups.is_empty())
    }
}

impl Required {
    /// A name or `%group`; with `!` an exception, which wins wherever it stands.
    fn covers(&self, subject: &Subject<'_>) -> bool {
        let is = |word: &str| match word.strip_prefix('%') {
            Some(group) => subject.groups.iter().any(|g| g == group),
            None => word == subject.name.as_str(),
        };
        match self {
            Required::Enrolled => false,
            Required::All => true,
            Required::Listed(words) => {
                let excepted = words.iter().filter_map(|w| w.strip_prefix('!')).any(is);
                !excepted && words.iter().filter(|w| !w.starts_with('!')).any(|w| w == "all" || is(w))
            }
        }
    }
}

impl Exempt {
    /// Every condition that is given must hold; of each, one alternative.
    fn covers(&self, groups: &[String], service: &str, address: Option<Address>) -> bool {
        let in_group = self.groups.is_empty() || self.groups.iter().any(|g| groups.contains(g));
        let at_service = self.services.is_empty() || self.services.iter().any(|s| s == service);
        let in_network = self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|n| n.contains(address)));
        in_group && at_service && in_network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(policy: &str, groups: &[&str], service: &str, address: &str, enrolled: Enrolled) -> Need {
        let policy: Policy = toml::from_str(policy).unwrap();
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let name = "alice".parse().unwrap();
        policy.need(
            &Subject { name: &name, groups: &groups, service, address: Address::parse(address) },
            enrolled,
        )
    }

    #[test]
    fn by_default_whoever_is_enrolled_gives_a_code() {
        assert_eq!(need("", &[], "sshd", "", Enrolled::Yes), Need::Code);
        assert_eq!(need("", &[], "sshd", "", Enrolled::No), Need::Nothing);
    }

    #[test]
    fn required_takes_names_groups_and_exceptions() {
        let all = "required = \"all\"";
        assert_eq!(need(all, &[], "sshd", "", Enrolled::No), Need::Enrolment);
        let listed = "required = [\"%staff\", \"bob\", \"!%robots\"]";
        assert_eq!(need(listed, &["staff"], "sshd", "", Enrolled::No), Need::Enrolment);
        assert_eq!(need(listed, &["staff", "robots"], "sshd", "", Enrolled::No), Need::Nothing);
        assert_eq!(need(listed, &[], "sshd", "", Enrolled::No), Need::Nothing);
        let but_alice = "required = [\"all\", \"!alice\"]";
        assert_eq!(need(but_alice, &[], "sshd", "", Enrolled::No), Need::Nothing);
        assert_eq!(need(but_alice, &[], "sshd", "", Enrolled::Yes), Need::Code);
    }

    #[test]
    fn an_exemption_holds_where_all_its_conditions_do() {
        let policy = "[[exempt]]\nservices = [\"cron\"]\n[[exempt]]\ngroups = [\"ops\"]\nnetworks = [\"192.0.2.0/24\"]";
        assert_eq!(need(policy, &["ops"], "sshd", "192.0.2.7", Enrolled::Yes), Need::Exempt(2));
        assert_eq!(need(policy, &[], "sshd", "192.0.2.7", Enrolled::Yes), Need::Code);
        assert_eq!(need(policy, &["ops"], "sshd", "198.51.100.7", Enrolled::Yes), Need::Code);
        assert_eq!(need(policy, &["ops"], "sshd", "", Enrolled::Yes), Need::Code);
        assert_eq!(need(policy, &[], "cron", "", Enrolled::Yes), Need::Exempt(1));
    }

    #[test]
    fn groups_are_looked_up_only_where_they_matter() {
        let asks = |text: &str| toml::from_str::<Policy>(text).unwrap().asks_groups();
        assert!(!asks("required = [\"alice\"]"));
        assert!(asks("required = [\"!%robots\", \"all\"]"));
        assert!(asks("[[exempt]]\ngroups = [\"ops\"]"));
    }
}

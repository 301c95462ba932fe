//! What the policy requires of a user after the first factor, and who may sign in without it for
//! now.
//! Pure functions of the configuration and of the facts in [`PolicySubject`]; nothing is looked up
//! here.

use super::groups::{GroupMembership, PersonGroups};
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::config::{
    Exemption, MethodCondition, MethodEntry, PolicyConfig, RequiredAccounts, SelfEnroll,
};
use crate::credential::completed_methods::{CompletedFactor, CompletedMethods, SshKey, SshMethod};
use crate::network::address::Address;
use crate::system::clock::Timestamp;

/// The user and the circumstances of one authentication.
pub struct PolicySubject<'a> {
    pub name: &'a UserName,
    /// Groups of the host, groups declared for the account, and groups that the store keeps.
    pub groups: &'a PersonGroups,
    /// PAM service, or the name of the gate or the command in its place.
    pub service: &'a str,
    pub address: Option<Address>,
    pub completed_methods: &'a CompletedMethods,
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
            )
        };
        if let Some(position) = self.exempt.iter().position(covers) {
            return Requirement::Exempt(position + 1);
        }
        match enrolled {
            Enrolled::Yes => Requirement::Code,
            Enrolled::No if self.required.covers(subject) => Requirement::Enrollment,
            Enrolled::No => Requirement::Nothing,
        }
    }

    /// Returns the position (from 1) of an exemption that applies to every user at this service and
    /// address, before any authentication method is completed.
    pub fn exempts_everyone(&self, service: &str, address: Option<Address>) -> Option<usize> {
        let covers = |exempt: &Exemption| {
            exempt.groups.is_empty()
                && exempt.covers(
                    &PersonGroups::default(),
                    service,
                    address,
                    &CompletedMethods::default(),
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
            .any(|word| means(word, name, groups) == GroupMembership::Yes)
    }

    /// Returns the groups that `policy.administrators` names.
    pub fn administrator_groups(&self) -> impl Iterator<Item = &str> {
        self.administrators
            .entries()
            .filter_map(|word| word.strip_prefix('%'))
    }
}

impl RequiredAccounts {
    /// Whether the list covers the subject. An entry is a name or `%group`; with `!` it is an
    /// exception, which wins at any position.
    fn covers(&self, subject: &PolicySubject<'_>) -> bool {
        // An unknown membership is read in the stricter way: required, and not excepted.
        let means = |word: &str| means(word, subject.name, subject.groups);
        let is = |word: &str| means(word) == GroupMembership::Yes;
        let could_be = |word: &str| means(word) != GroupMembership::No;
        match self {
            RequiredAccounts::Enrolled => false,
            RequiredAccounts::All => true,
            RequiredAccounts::Listed(words) => {
                let excepted = words.iter().filter_map(|w| w.strip_prefix('!')).any(is);
                !excepted
                    && words
                        .iter()
                        .filter(|w| !w.starts_with('!'))
                        .any(|w| w == "all" || could_be(w))
            }
        }
    }
}

/// Whether an entry, a name or `%group`, matches a user.
fn means(word: &str, name: &UserName, groups: &PersonGroups) -> GroupMembership {
    match word.strip_prefix('%') {
        Some(group) => groups.membership(group),
        None if word == name.as_str() => GroupMembership::Yes,
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
        earlier: &CompletedMethods,
    ) -> bool {
        let in_group =
            self.groups.is_empty() || self.groups.iter().any(|group| groups.is_member(group));
        let at_service = self.services.is_empty() || self.services.iter().any(|s| s == service);
        let in_network = self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|n| n.contains(address)));
        in_group
            && at_service
            && in_network
            && (self.completed_methods == MethodCondition::default()
                || self.completed_methods.covers(earlier))
    }
}

impl MethodCondition {
    /// Whether every completed factor is listed and none is excepted. All must be listed: otherwise
    /// a client that shows two factors would be exempt by the listed one, where the other alone
    /// requires a code. False if no completed method is known.
    fn covers(&self, earlier: &CompletedMethods) -> bool {
        let covers = |factor: &CompletedFactor| {
            self.listed.iter().any(|word| word.lists(factor))
                && !self.excepted.iter().any(|word| word.could_be(factor))
        };
        !earlier.is_empty() && earlier.factors().iter().all(covers)
    }
}

impl MethodEntry {
    fn lists(&self, factor: &CompletedFactor) -> bool {
        match self {
            MethodEntry::Method(method) => factor.method == Some(*method),
            MethodEntry::Key(listed) => {
                let is_listed = matches!(&factor.key, SshKey::Known(shown) if shown == listed);
                is_listed && factor.method == Some(SshMethod::Publickey)
            }
        }
    }

    /// Whether the entry may match. A key that could not be parsed may be any key.
    fn could_be(&self, factor: &CompletedFactor) -> bool {
        match self {
            MethodEntry::Method(method) => factor.method.is_none_or(|shown| shown == *method),
            MethodEntry::Key(excepted) => match &factor.key {
                SshKey::Known(shown) => shown == excepted,
                SshKey::Unread => true,
                SshKey::None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::groups::UnresolvedGroup;

    const PRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";
    const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn need(
        policy: &str,
        groups: &[&str],
        service: &str,
        address: &str,
        enrolled: Enrolled,
    ) -> Requirement {
        let policy: PolicyConfig = toml::from_str(policy).unwrap();
        let groups = PersonGroups::from_names(groups.iter().copied());
        let name = "alice".parse().unwrap();
        let (address, earlier) = (Address::parse(address), &CompletedMethods::PASSWORD);
        policy.evaluate_requirement(
            &PolicySubject {
                name: &name,
                groups: &groups,
                service,
                address,
                completed_methods: earlier,
            },
            enrolled,
        )
    }

    /// Whether an exemption with the given `completed_methods` applies to what sshd reported.
    fn exempt_after(after: &str, said: &str) -> bool {
        let policy: PolicyConfig =
            toml::from_str(&format!("[[exempt]]\ncompleted_methods = {after}")).unwrap();
        let (name, earlier) = (
            &"alice".parse().unwrap(),
            &CompletedMethods::parse_ssh_auth_info(said.as_bytes()),
        );
        let groups = &PersonGroups::default();
        let subject = PolicySubject {
            name,
            groups,
            service: "sshd",
            address: None,
            completed_methods: earlier,
        };
        policy.evaluate_requirement(&subject, Enrolled::Yes) == Requirement::Exempt(1)
    }

    #[test]
    fn by_default_whoever_is_enrolled_gives_a_code() {
        assert_eq!(need("", &[], "sshd", "", Enrolled::Yes), Requirement::Code);
        assert_eq!(
            need("", &[], "sshd", "", Enrolled::No),
            Requirement::Nothing
        );
    }

    #[test]
    fn required_takes_names_groups_and_exceptions() {
        let all = "required = \"all\"";
        assert_eq!(
            need(all, &[], "sshd", "", Enrolled::No),
            Requirement::Enrollment
        );
        let listed = "required = [\"%staff\", \"bob\", \"!%robots\"]";
        assert_eq!(
            need(listed, &["staff"], "sshd", "", Enrolled::No),
            Requirement::Enrollment
        );
        assert_eq!(
            need(listed, &["staff", "robots"], "sshd", "", Enrolled::No),
            Requirement::Nothing
        );
        assert_eq!(
            need(listed, &[], "sshd", "", Enrolled::No),
            Requirement::Nothing
        );
        let but_alice = "required = [\"all\", \"!alice\"]";
        assert_eq!(
            need(but_alice, &[], "sshd", "", Enrolled::No),
            Requirement::Nothing
        );
        assert_eq!(
            need(but_alice, &[], "sshd", "", Enrolled::Yes),
            Requirement::Code
        );
    }

    #[test]
    fn of_a_group_in_doubt_the_stricter_reading_holds() {
        let doubtful = PersonGroups::default()
            .with_unresolved(["staff", "robots"], UnresolvedGroup::NoSuchGroup);
        let need = |policy: &str, groups: &PersonGroups, enrolled| {
            let policy: PolicyConfig = toml::from_str(policy).unwrap();
            let (name, earlier) = (&"alice".parse().unwrap(), &CompletedMethods::PASSWORD);
            policy.evaluate_requirement(
                &PolicySubject {
                    name,
                    groups,
                    service: "sshd",
                    address: None,
                    completed_methods: earlier,
                },
                enrolled,
            )
        };
        assert_eq!(
            need("required = [\"%staff\"]", &doubtful, Enrolled::No),
            Requirement::Enrollment
        );
        assert_eq!(
            need(
                "required = [\"all\", \"!%robots\"]",
                &doubtful,
                Enrolled::No
            ),
            Requirement::Enrollment
        );
        assert_eq!(
            need(
                "required = [\"%staff\", \"!alice\"]",
                &doubtful,
                Enrolled::No
            ),
            Requirement::Nothing
        );
        assert_eq!(
            need("required = [\"%sudo\"]", &doubtful, Enrolled::No),
            Requirement::Nothing
        );
        assert_eq!(
            need("[[exempt]]\ngroups = [\"staff\"]", &doubtful, Enrolled::Yes),
            Requirement::Code
        );
        let also = doubtful.clone().with_groups(["staff"]);
        assert_eq!(
            need("[[exempt]]\ngroups = [\"staff\"]", &also, Enrolled::Yes),
            Requirement::Exempt(1)
        );
        let policy: PolicyConfig = toml::from_str("administrators = [\"%staff\"]").unwrap();
        assert!(!policy.is_administrator(&"alice".parse().unwrap(), &doubtful));
    }

    #[test]
    fn an_exemption_holds_where_all_its_conditions_do() {
        let policy = "[[exempt]]\nservices = [\"cron\"]\n[[exempt]]\ngroups = [\"ops\"]\nnetworks = [\"192.0.2.0/24\"]";
        assert_eq!(
            need(policy, &["ops"], "sshd", "192.0.2.7", Enrolled::Yes),
            Requirement::Exempt(2)
        );
        assert_eq!(
            need(policy, &[], "sshd", "192.0.2.7", Enrolled::Yes),
            Requirement::Code
        );
        assert_eq!(
            need(policy, &["ops"], "sshd", "198.51.100.7", Enrolled::Yes),
            Requirement::Code
        );
        assert_eq!(
            need(policy, &["ops"], "sshd", "", Enrolled::Yes),
            Requirement::Code
        );
        assert_eq!(
            need(policy, &[], "cron", "", Enrolled::Yes),
            Requirement::Exempt(1)
        );
    }

    #[test]
    fn an_exemption_can_depend_on_the_earlier_factor() {
        let key = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\n";
        let (certificate, unread) = (
            "publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOXG6oSQ85fJsFcbpzikcEPgycxVXNqCEq5ELNkkptPRAAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KPAAAAAAAAAAAAAAABAAAAAWkAAAAJAAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIXBcaMr3TAPh1Dx2tCZL0tE6fu6GFjQTBvVa0nK6uDcAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBD2/psYtDeQXIjrlPUea6tNEtqVtqgaw6RhtAg6dK6ybR1CAoYCu7vj4n0n9PThxII3MNaZtj1gIR2Ej09RjEA\n",
            "publickey ssh-foo AAAA\n",
        );
        let password = "password\n";
        let print = format!("[\"{PRINT}\"]");
        let all_but = |print: &str| format!("[\"publickey\", \"!{print}\"]");
        for (after, said, holds) in [
            ("[\"publickey\"]", key, true),
            ("[\"publickey\"]", certificate, true),
            ("[\"publickey\"]", password, false),
            ("[\"password\"]", password, true),
            ("[\"password\"]", key, false),
            ("[\"hostbased\"]", key, false),
            (&print, key, true),
            (&print, certificate, false),
            (&print, unread, false),
            (&print, password, false),
            (&print, &key.replace("publickey", "hostbased"), false),
            (&all_but(PRINT), key, false),
            (&all_but(OTHER), key, true),
            // the key could be the excepted one
            (&all_but(OTHER), certificate, false),
            (&all_but(OTHER), unread, false),
            // an exception wins at any position
            (
                &format!("[\"!{PRINT}\", \"publickey\", \"{PRINT}\"]"),
                key,
                false,
            ),
            ("[\"!password\", \"publickey\"]", key, true),
            // no method is known, or one of them is unknown
            ("[\"publickey\", \"password\"]", "", false),
            ("[\"publickey\", \"password\"]", "telepathy\n", false),
        ] {
            assert_eq!(exempt_after(after, said), holds, "{after} after {said}");
        }
    }

    #[test]
    fn of_several_earlier_factors_each_must_be_listed() {
        let both = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\npassword\n";
        let holds = |after: &str| exempt_after(after, both);
        assert!(!holds("[\"publickey\"]") && !holds("[\"password\"]"));
        assert!(holds("[\"password\", \"publickey\"]"));
        assert!(holds(&format!("[\"password\", \"{PRINT}\"]")));
        assert!(!holds(&format!(
            "[\"password\", \"publickey\", \"!{PRINT}\"]"
        )));
        assert!(!holds(&format!("[\"password\", \"{OTHER}\"]")));
        assert!(!exempt_after(
            "[\"publickey\", \"password\"]",
            &format!("{both}telepathy\n")
        ));
    }

    #[test]
    fn before_the_first_factor_no_earlier_one_is_known() {
        let everyone = |text: &str| {
            toml::from_str::<PolicyConfig>(text)
                .unwrap()
                .exempts_everyone("sshd", None)
        };
        assert_eq!(everyone("[[exempt]]\nservices = [\"sshd\"]"), Some(1));
        assert_eq!(
            everyone("[[exempt]]\nservices = [\"sshd\"]\ncompleted_methods = [\"password\"]"),
            None
        );
    }

    #[test]
    fn what_no_factor_can_be_is_refused() {
        for after in [
            "\"publickey\"",
            "[\"pubkey\"]",
            "[\"Publickey\"]",
            "[\"none\"]",
            "[\"\"]",
            "[\"!\"]",
            "[\"!!password\"]",
            "[\"SHA256:abc\"]",
            "[\"publickey\", \"!sha256:x\"]",
            "[\"!publickey\"]",
        ] {
            assert!(
                toml::from_str::<PolicyConfig>(&format!("[[exempt]]\ncompleted_methods = {after}"))
                    .is_err(),
                "{after}"
            );
        }
        let after: MethodCondition = vec!["publickey".to_owned(), format!("!{PRINT}")]
            .try_into()
            .unwrap();
        assert_eq!(
            Vec::from(after),
            ["publickey".to_owned(), format!("!{PRINT}")]
        );
    }

    #[test]
    fn a_first_enrolment_needs_what_self_enroll_says() {
        let enrolling = |text: &str, address: &str| {
            toml::from_str::<PolicyConfig>(text)
                .unwrap()
                .enrollment_requirement(Address::parse(address))
        };
        let networks = "self_enroll = \"networks\"\nself_enroll_networks = [\"192.0.2.0/24\"]";
        for (policy, address, needs) in [
            ("", "198.51.100.7", EnrollmentRequirement::None),
            ("", "", EnrollmentRequirement::None),
            (networks, "192.0.2.7", EnrollmentRequirement::None),
            (networks, "198.51.100.7", EnrollmentRequirement::OneTimeCode),
            (networks, "", EnrollmentRequirement::OneTimeCode),
            (
                "self_enroll = \"one-time-code\"",
                "192.0.2.7",
                EnrollmentRequirement::OneTimeCode,
            ),
        ] {
            assert_eq!(
                enrolling(policy, address),
                needs,
                "{policy} from {address:?}"
            );
        }
    }

    #[test]
    fn someone_required_may_come_in_without_for_so_long_after_the_first_sign_in() {
        let until = |text: &str, now| {
            toml::from_str::<PolicyConfig>(text)
                .unwrap()
                .enrollment_deadline(Timestamp(1000), Timestamp(now))
        };
        assert_eq!(until("", 1000), None);
        assert_eq!(until("enroll_within = \"1h\"", 1000), Some(Timestamp(4600)));
        assert_eq!(until("enroll_within = \"1h\"", 4599), Some(Timestamp(4600)));
        assert_eq!(until("enroll_within = \"1h\"", 4600), None);
    }

    #[test]
    fn administrators_are_names_and_groups_and_no_exceptions() {
        let policy: PolicyConfig =
            toml::from_str("administrators = [\"alice\", \"%sudo\"]").unwrap();
        let is = |name: &str, groups: &[&str]| {
            policy.is_administrator(
                &name.parse().unwrap(),
                &PersonGroups::from_names(groups.iter().copied()),
            )
        };
        assert!(is("alice", &[]) && is("bob", &["users", "sudo"]));
        assert!(!is("bob", &["alice"]) && !is("sudo", &[]));
        assert!(toml::from_str::<PolicyConfig>("administrators = [\"!alice\"]").is_err());
    }

    #[test]
    fn groups_are_looked_up_only_where_they_matter() {
        let asks = |text: &str| {
            !toml::from_str::<PolicyConfig>(text)
                .unwrap()
                .named_groups()
                .is_empty()
        };
        assert!(!asks("required = [\"alice\"]"));
        assert!(asks("required = [\"!%robots\", \"all\"]"));
        assert!(asks("[[exempt]]\ngroups = [\"ops\"]"));
    }
}

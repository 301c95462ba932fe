//! Tests of policy requirements and exemptions, on configurations as postern.toml contains them.

use super::*;
use crate::policy::groups::UnresolvedGroup;

const PRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";
const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn requirement(
    policy: &str,
    groups: &[&str],
    service: &str,
    address: &str,
    enrolled: Enrolled,
) -> Requirement {
    let policy: PolicyConfig = toml::from_str(policy).unwrap();
    let groups = PersonGroups::from_names(groups.iter().copied());
    let name = "alice".parse().unwrap();
    let (address, completed_methods) = (Address::parse(address), &CompletedMethods::PASSWORD);
    policy.evaluate_requirement(
        &PolicySubject {
            name: &name,
            groups: &groups,
            service,
            address,
            completed_methods,
        },
        enrolled,
    )
}

/// Whether an exemption with the given `completed_methods` applies to what sshd reported.
fn exempt_after(condition: &str, ssh_auth_info: &str) -> bool {
    let policy: PolicyConfig =
        toml::from_str(&format!("[[exempt]]\ncompleted_methods = {condition}")).unwrap();
    let (name, completed_methods) = (
        &"alice".parse().unwrap(),
        &CompletedMethods::parse_ssh_auth_info(ssh_auth_info.as_bytes()),
    );
    let groups = &PersonGroups::default();
    let subject = PolicySubject {
        name,
        groups,
        service: "sshd",
        address: None,
        completed_methods,
    };
    policy.evaluate_requirement(&subject, Enrolled::Yes) == Requirement::Exempt(1)
}

#[test]
fn by_default_an_enrolled_user_gives_a_code() {
    assert_eq!(
        requirement("", &[], "sshd", "", Enrolled::Yes),
        Requirement::Code
    );
    assert_eq!(
        requirement("", &[], "sshd", "", Enrolled::No),
        Requirement::Nothing
    );
}

#[test]
fn required_takes_names_groups_and_exceptions() {
    let all = "required = \"all\"";
    assert_eq!(
        requirement(all, &[], "sshd", "", Enrolled::No),
        Requirement::Enrollment
    );
    let listed = "required = [\"%staff\", \"bob\", \"!%robots\"]";
    assert_eq!(
        requirement(listed, &["staff"], "sshd", "", Enrolled::No),
        Requirement::Enrollment
    );
    assert_eq!(
        requirement(listed, &["staff", "robots"], "sshd", "", Enrolled::No),
        Requirement::Nothing
    );
    assert_eq!(
        requirement(listed, &[], "sshd", "", Enrolled::No),
        Requirement::Nothing
    );
    let but_alice = "required = [\"all\", \"!alice\"]";
    assert_eq!(
        requirement(but_alice, &[], "sshd", "", Enrolled::No),
        Requirement::Nothing
    );
    assert_eq!(
        requirement(but_alice, &[], "sshd", "", Enrolled::Yes),
        Requirement::Code
    );
}

#[test]
fn an_unknown_membership_is_read_in_the_stricter_way() {
    let unresolved =
        PersonGroups::default().with_unresolved(["staff", "robots"], UnresolvedGroup::NoSuchGroup);
    let requirement = |policy: &str, groups: &PersonGroups, enrolled| {
        let policy: PolicyConfig = toml::from_str(policy).unwrap();
        let (name, completed_methods) = (&"alice".parse().unwrap(), &CompletedMethods::PASSWORD);
        policy.evaluate_requirement(
            &PolicySubject {
                name,
                groups,
                service: "sshd",
                address: None,
                completed_methods,
            },
            enrolled,
        )
    };
    assert_eq!(
        requirement("required = [\"%staff\"]", &unresolved, Enrolled::No),
        Requirement::Enrollment
    );
    assert_eq!(
        requirement(
            "required = [\"all\", \"!%robots\"]",
            &unresolved,
            Enrolled::No
        ),
        Requirement::Enrollment
    );
    assert_eq!(
        requirement(
            "required = [\"%staff\", \"!alice\"]",
            &unresolved,
            Enrolled::No
        ),
        Requirement::Nothing
    );
    assert_eq!(
        requirement("required = [\"%sudo\"]", &unresolved, Enrolled::No),
        Requirement::Nothing
    );
    assert_eq!(
        requirement(
            "[[exempt]]\ngroups = [\"staff\"]",
            &unresolved,
            Enrolled::Yes
        ),
        Requirement::Code
    );
    let also = unresolved.clone().with_groups(["staff"]);
    assert_eq!(
        requirement("[[exempt]]\ngroups = [\"staff\"]", &also, Enrolled::Yes),
        Requirement::Exempt(1)
    );
    let policy: PolicyConfig = toml::from_str("administrators = [\"%staff\"]").unwrap();
    assert!(!policy.is_administrator(&"alice".parse().unwrap(), &unresolved));
}

#[test]
fn an_exemption_holds_where_all_its_conditions_do() {
    let policy = "[[exempt]]\nservices = [\"cron\"]\n[[exempt]]\ngroups = [\"ops\"]\nnetworks = [\"192.0.2.0/24\"]";
    assert_eq!(
        requirement(policy, &["ops"], "sshd", "192.0.2.7", Enrolled::Yes),
        Requirement::Exempt(2)
    );
    assert_eq!(
        requirement(policy, &[], "sshd", "192.0.2.7", Enrolled::Yes),
        Requirement::Code
    );
    assert_eq!(
        requirement(policy, &["ops"], "sshd", "198.51.100.7", Enrolled::Yes),
        Requirement::Code
    );
    assert_eq!(
        requirement(policy, &["ops"], "sshd", "", Enrolled::Yes),
        Requirement::Code
    );
    assert_eq!(
        requirement(policy, &[], "cron", "", Enrolled::Yes),
        Requirement::Exempt(1)
    );
}

#[test]
fn an_exemption_can_depend_on_the_completed_methods() {
    let key = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\n";
    let (certificate, unread) = (
        "publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOXG6oSQ85fJsFcbpzikcEPgycxVXNqCEq5ELNkkptPRAAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KPAAAAAAAAAAAAAAABAAAAAWkAAAAJAAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIXBcaMr3TAPh1Dx2tCZL0tE6fu6GFjQTBvVa0nK6uDcAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBD2/psYtDeQXIjrlPUea6tNEtqVtqgaw6RhtAg6dK6ybR1CAoYCu7vj4n0n9PThxII3MNaZtj1gIR2Ej09RjEA\n",
        "publickey ssh-foo AAAA\n",
    );
    let password = "password\n";
    let print = format!("[\"{PRINT}\"]");
    let all_but = |print: &str| format!("[\"publickey\", \"!{print}\"]");
    for (condition, ssh_auth_info, applies) in [
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
        assert_eq!(
            exempt_after(condition, ssh_auth_info),
            applies,
            "{condition} after {ssh_auth_info}"
        );
    }
}

#[test]
fn each_of_several_completed_factors_must_be_listed() {
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
fn before_the_first_factor_no_method_is_completed() {
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
fn an_entry_that_no_factor_can_match_is_refused() {
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
fn a_first_enrollment_requires_what_self_enroll_sets() {
    let enrolling = |text: &str, address: &str| {
        toml::from_str::<PolicyConfig>(text)
            .unwrap()
            .enrollment_requirement(Address::parse(address))
    };
    let networks = "self_enroll = \"networks\"\nself_enroll_networks = [\"192.0.2.0/24\"]";
    for (policy, address, expected) in [
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
            expected,
            "{policy} from {address:?}"
        );
    }
}

#[test]
fn the_enrollment_grace_period_ends_after_the_first_sign_in() {
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
    let policy: PolicyConfig = toml::from_str("administrators = [\"alice\", \"%sudo\"]").unwrap();
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

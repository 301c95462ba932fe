//! Tests of policy requirements and exemptions, on configurations as postern.toml contains them.

use super::*;
use crate::policy::groups::UnresolvedGroup;
use Enrolled::{No, Yes};
use Requirement::{Code, Enrollment, Exempt, Nothing};

const PRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";
const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn policy(text: &str) -> PolicyConfig {
    toml::from_str(text).unwrap()
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

fn groups(names: &[&str]) -> PersonGroups {
    PersonGroups::from_names(names.iter().copied())
}

/// What a policy requires of alice.
fn requirement(
    text: &str,
    groups: &PersonGroups,
    service: &str,
    address: &str,
    enrolled: Enrolled,
) -> Requirement {
    let subject = PolicySubject {
        name: &alice(),
        groups,
        service,
        address: Address::parse(address),
        completed_methods: &CompletedMethods::PASSWORD,
        host: None,
    };
    policy(text).evaluate_requirement(&subject, enrolled)
}

/// Whether an exemption with the given `completed_methods` applies to what sshd reported.
fn exempt_after(condition: &str, ssh_auth_info: &str) -> bool {
    let policy = policy(&format!("[[exempt]]\ncompleted_methods = {condition}"));
    let subject = PolicySubject {
        name: &alice(),
        groups: &PersonGroups::default(),
        service: "sshd",
        address: None,
        completed_methods: &CompletedMethods::parse_ssh_auth_info(ssh_auth_info.as_bytes()),
        host: None,
    };
    policy.evaluate_requirement(&subject, Yes) == Exempt(1)
}

/// What a policy requires at a host of a fleet, and on the server, of alice without a second factor.
fn requirement_on(text: &str, host: Option<&str>, enrolled: Enrolled) -> Requirement {
    let host: Option<HostName> = host.map(|host| host.parse().unwrap());
    let subject = PolicySubject {
        name: &alice(),
        groups: &groups(&["staff"]),
        service: "sshd",
        address: None,
        completed_methods: &CompletedMethods::PASSWORD,
        host: host.as_ref(),
    };
    policy(text).evaluate_requirement(&subject, enrolled)
}

/// Hosts require a second factor of everyone, also of those whom `required` excepts.
#[test]
fn a_required_host_requires_a_second_factor_of_everyone_there() {
    let lists = [
        "",
        "required = [\"%staff\", \"!alice\"]\n",
        "required = [\"all\", \"!%staff\"]\n",
    ];
    for list in lists {
        let text = format!("{list}required_hosts = [\"db1\"]");
        for (host, expected) in [
            (Some("db1"), Enrollment),
            (Some("DB1"), Enrollment),
            (Some("web1"), Nothing),
            (None, Nothing),
        ] {
            assert_eq!(requirement_on(&text, host, No), expected, "{text} {host:?}");
            assert_eq!(requirement_on(&text, host, Yes), Code);
        }
        assert!(policy(&text).requires_at_some_host(), "{text}");
    }
    assert!(!policy("required = [\"all\", \"!%staff\"]").requires_at_some_host());
    let exempt = "required_hosts = [\"db1\"]\n[[exempt]]\nhosts = [\"db1\"]\ngroups = [\"staff\"]";
    assert_eq!(requirement_on(exempt, Some("db1"), No), Exempt(1));
}

#[test]
fn an_enrolled_user_gives_a_code_and_required_takes_names_groups_and_exceptions() {
    let all = "required = \"all\"";
    let listed = "required = [\"%staff\", \"bob\", \"!%robots\"]";
    let but_alice = "required = [\"all\", \"!alice\"]";
    for (text, names, enrolled, expected) in [
        ("", &[][..], Yes, Code),
        ("", &[], No, Nothing),
        (all, &[], No, Enrollment),
        (listed, &["staff"], No, Enrollment),
        (listed, &["staff", "robots"], No, Nothing),
        (listed, &[], No, Nothing),
        (but_alice, &[], No, Nothing),
        (but_alice, &[], Yes, Code),
    ] {
        let found = requirement(text, &groups(names), "sshd", "", enrolled);
        assert_eq!(found, expected, "{text} {names:?}");
    }
}

#[test]
fn an_unknown_membership_is_read_in_the_stricter_way() {
    let unresolved =
        PersonGroups::default().with_unresolved(["staff", "robots"], UnresolvedGroup::NoSuchGroup);
    let also_staff = unresolved.clone().with_groups(["staff"]);
    let exempt = "[[exempt]]\ngroups = [\"staff\"]";
    for (text, groups, enrolled, expected) in [
        ("required = [\"%staff\"]", &unresolved, No, Enrollment),
        (
            "required = [\"all\", \"!%robots\"]",
            &unresolved,
            No,
            Enrollment,
        ),
        (
            "required = [\"%staff\", \"!alice\"]",
            &unresolved,
            No,
            Nothing,
        ),
        ("required = [\"%sudo\"]", &unresolved, No, Nothing),
        (exempt, &unresolved, Yes, Code),
        (exempt, &also_staff, Yes, Exempt(1)),
    ] {
        let found = requirement(text, groups, "sshd", "", enrolled);
        assert_eq!(found, expected, "{text}");
    }
    assert!(!policy("administrators = [\"%staff\"]").is_administrator(&alice(), &unresolved));
}

#[test]
fn an_exemption_holds_where_all_its_conditions_do() {
    let text = "[[exempt]]\nservices = [\"cron\"]\n[[exempt]]\ngroups = [\"ops\"]\nnetworks = [\"192.0.2.0/24\"]";
    for (names, service, address, expected) in [
        (&["ops"][..], "sshd", "192.0.2.7", Exempt(2)),
        (&[], "sshd", "192.0.2.7", Code),
        (&["ops"], "sshd", "198.51.100.7", Code),
        (&["ops"], "sshd", "", Code),
        (&[], "cron", "", Exempt(1)),
    ] {
        let found = requirement(text, &groups(names), service, address, Yes);
        assert_eq!(found, expected, "{names:?} {service} {address}");
    }
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

/// Values of a real sshd after keys of a security key in software, and after a certificate of one.
#[test]
fn an_exemption_can_depend_on_a_security_key() {
    const BLOB: &str = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIHIBUKAgONNGEtbTZLQvBL7EF9ug72I+vtNtwwff+h1+AAAABHNzaDo=";
    let ed25519 = format!("publickey sk-ssh-ed25519@openssh.com {BLOB}\n");
    let ecdsa = "publickey sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBLKgPTouQQhigb8AG1RAssvw6mQcAcJvfG35IPljN3FZATgZyv7j63QRZyX/dEhKJU6dhJBMypktoAGGQIN4ajAAAAAEc3NoOg==\n";
    let certificate = format!("publickey sk-ssh-ed25519-cert-v01@openssh.com {BLOB}\n");
    let plain = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\n";
    let listed = "[\"publickey-sk\"]";
    let excepted = "[\"publickey\", \"!publickey-sk\"]";
    for (condition, ssh_auth_info, applies) in [
        (listed, ed25519.as_str(), true),
        (listed, ecdsa, true),
        (listed, &certificate, false),
        (listed, plain, false),
        (listed, &format!("publickey ssh-ed25519 {BLOB}\n"), false),
        (
            listed,
            &format!("{plain} sk-ssh-ed25519@openssh.com\n"),
            false,
        ),
        (listed, &format!("{ed25519}password\n"), false),
        (listed, &format!("{ed25519}{plain}"), false),
        (listed, &ed25519.replace("publickey", "hostbased"), false),
        (listed, "password\n", false),
        (listed, "", false),
        ("[\"publickey\"]", &ed25519, true),
        (excepted, plain, true),
        (excepted, &ed25519, false),
        // it could be one of a security key, and is here
        (excepted, &certificate, false),
    ] {
        assert_eq!(
            exempt_after(condition, ssh_auth_info),
            applies,
            "{condition} after {ssh_auth_info}"
        );
    }
    let text = vec!["publickey-sk".to_owned()];
    let condition: MethodCondition = text.clone().try_into().unwrap();
    assert_eq!(Vec::from(condition), text);
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
    let everyone = |text: &str| policy(text).exempts_everyone("sshd", None, None);
    let service = "[[exempt]]\nservices = [\"sshd\"]";
    assert_eq!(everyone(service), Some(1));
    let with_method = format!("{service}\ncompleted_methods = [\"password\"]");
    assert_eq!(everyone(&with_method), None);
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
        "[\"!publickey-sk\"]",
        "[\"publickey-SK\"]",
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
    use EnrollmentRequirement::{None, OneTimeCode};
    let networks = "self_enroll = \"networks\"\nself_enroll_networks = [\"192.0.2.0/24\"]";
    let by_code = "self_enroll = \"one-time-code\"";
    for (text, address, expected) in [
        ("", "198.51.100.7", None),
        ("", "", None),
        (networks, "192.0.2.7", None),
        (networks, "198.51.100.7", OneTimeCode),
        (networks, "", OneTimeCode),
        (by_code, "192.0.2.7", OneTimeCode),
    ] {
        let found = policy(text).enrollment_requirement(Address::parse(address));
        assert_eq!(found, expected, "{text} from {address:?}");
    }
}

#[test]
fn the_enrollment_grace_period_ends_after_the_first_sign_in() {
    let hour = "enroll_within = \"1h\"";
    for (text, now, until) in [
        ("", 1000, None),
        (hour, 1000, Some(Timestamp(4600))),
        (hour, 4599, Some(Timestamp(4600))),
        (hour, 4600, None),
    ] {
        let deadline = policy(text).enrollment_deadline(Timestamp(1000), Timestamp(now));
        assert_eq!(deadline, until, "{text} at {now}");
    }
}

#[test]
fn administrators_are_names_and_groups_and_no_exceptions() {
    let policy = policy("administrators = [\"alice\", \"%sudo\"]");
    let is = |name: &str, names: &[&str]| {
        policy.is_administrator(&name.parse().unwrap(), &groups(names))
    };
    assert!(is("alice", &[]) && is("bob", &["users", "sudo"]));
    assert!(!is("bob", &["alice"]) && !is("sudo", &[]));
    assert!(toml::from_str::<PolicyConfig>("administrators = [\"!alice\"]").is_err());
}

#[test]
fn groups_are_looked_up_only_where_they_matter() {
    let asks = |text: &str| !policy(text).named_groups().is_empty();
    assert!(!asks("required = [\"alice\"]"));
    assert!(asks("required = [\"!%robots\", \"all\"]"));
    assert!(asks("[[exempt]]\ngroups = [\"ops\"]"));
}

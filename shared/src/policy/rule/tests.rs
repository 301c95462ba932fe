//! Tests of the rules together: matching, ambiguous requests, unknown groups, and the strictest
//! candidate.

use super::*;
use crate::policy::session_groups::{RequestedGroups, SessionGroups};
use std::sync::LazyLock;

fn rules(text: &str) -> Vec<GateRule> {
    #[derive(serde::Deserialize)]
    struct Table {
        rule: Vec<GateRule>,
    }
    toml::from_str::<Table>(text).unwrap().rule
}

/// `METHOD https://HOST/TARGET` from 192.0.2.7.
fn request(line: &str) -> RuleRequest<'_> {
    let (method, url) = line.split_once(' ').unwrap();
    let rest = url.strip_prefix("https://").unwrap();
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    RuleRequest {
        host,
        target,
        method,
        address: Address::parse("192.0.2.7"),
    }
}

struct TestUser {
    name: UserName,
    groups: Vec<Group>,
    host_groups: Option<SessionGroups>,
}

/// The groups that the rules of these tests name.
static REQUESTED: LazyLock<RequestedGroups> =
    LazyLock::new(|| RequestedGroups::from_names(["ops", "staff", "banned"].into_iter()));

impl TestUser {
    fn new(name: &str) -> TestUser {
        TestUser {
            name: name.parse().unwrap(),
            groups: Vec::new(),
            host_groups: in_groups(&[]),
        }
    }

    fn as_rule_user(&self) -> RuleUser<'_> {
        RuleUser {
            name: &self.name,
            groups: [&[], &self.groups],
            host_groups: self
                .host_groups
                .as_ref()
                .and_then(|known| known.read_for(&REQUESTED)),
        }
    }
}

fn in_groups(groups: &[&str]) -> Option<SessionGroups> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    Some(SessionGroups::record_memberships(
        &REQUESTED,
        &crate::policy::groups::PersonGroups::from_names(groups),
    ))
}

#[track_caller]
fn assert_decision(text: &str, line: &str, access: RuleAccess, rule: Option<usize>) {
    let decision = evaluate_rules(&rules(text), &request(line), None);
    assert_eq!(
        (decision.access, decision.rule),
        (access, rule),
        "{line} by {text}"
    );
}

const APP: &str = "GET https://app.example.com/";

#[test]
fn without_a_matching_rule_the_code_is_required() {
    assert_eq!(
        evaluate_rules(&[], &request(APP), None).access,
        RuleAccess::Code
    );
    let elsewhere = "[[rule]]\nhosts = [\"other.example.com\"]\nthen = \"open\"";
    assert_decision(elsewhere, APP, RuleAccess::Code, None);
    assert_eq!(
        evaluate_rules(&[], &request(APP), None).name().to_string(),
        "default"
    );
}

#[test]
fn the_first_matching_rule_decides() {
    let text = "[[rule]]\npaths = [\"/a/b\"]\nthen = \"open\"\n[[rule]]\npaths = [\"/a\"]\nthen = \"deny\"\n[[rule]]\nthen = \"password\"";
    assert_decision(text, "GET https://h/a/b/c", RuleAccess::Open, Some(1));
    assert_decision(text, "GET https://h/a/c", RuleAccess::Deny, Some(2));
    assert_decision(text, "GET https://h/c", RuleAccess::Password, Some(3));
}

#[test]
fn every_condition_that_is_set_must_hold() {
    let all = "[[rule]]\nhosts = [\"app.example.com\", \"*.example.org\"]\npaths = [\"/pub\"]\nmethods = [\"GET\", \"HEAD\"]\nnetworks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\nthen = \"open\"";
    for line in [
        "GET https://app.example.com/pub",
        "HEAD https://a.example.org/pub/x?y=/../",
        "GET https://a.b.example.org/p%75b/",
    ] {
        assert_decision(all, line, RuleAccess::Open, Some(1));
    }
    for line in [
        "GET https://example.com/pub",
        "GET https://example.org/pub",
        "GET https://app.example.com.evil.org/pub",
        "GET https://xapp.example.com/pub",
        "GET https://app.example.com/public",
        "GET https://app.example.com/PUB",
        "GET https://app.example.com/x/pub",
        "GET https://app.example.com/?/pub",
        "POST https://app.example.com/pub",
        "GETX https://app.example.com/pub",
    ] {
        assert_decision(all, line, RuleAccess::Code, None);
    }
    let here = |address| RuleRequest {
        address,
        ..request("GET https://app.example.com/pub")
    };
    for (address, access) in [
        (Address::parse("::ffff:192.0.2.9"), RuleAccess::Open),
        (Address::parse("2001:db8::1"), RuleAccess::Open),
        (Address::parse("198.51.100.1"), RuleAccess::Code),
        (None, RuleAccess::Code),
    ] {
        assert_eq!(
            evaluate_rules(&rules(all), &here(address), None).access,
            access,
            "{address:?}"
        );
    }
}

#[test]
fn users_and_groups_are_those_of_the_user_who_has_signed_in() {
    let text = "[[rule]]\nusers = [\"alice\", \"carol\"]\nthen = \"deny\"\n[[rule]]\ngroups = [\"ops\"]\nthen = \"password\"\n[[rule]]\nusers = [\"bob\"]\ngroups = [\"staff\"]\nthen = \"open\"";
    let (mut alice, mut bob) = (TestUser::new("alice"), TestUser::new("bob"));
    let decide =
        |who: &TestUser| evaluate_rules(&rules(text), &request(APP), Some(&who.as_rule_user()));
    assert_eq!(
        (decide(&alice).access, decide(&alice).rule),
        (RuleAccess::Deny, Some(1))
    );
    assert_eq!(decide(&bob).access, RuleAccess::Code);
    bob.groups = vec!["staff".parse().unwrap()];
    assert_eq!(
        (decide(&bob).access, decide(&bob).rule),
        (RuleAccess::Open, Some(3))
    );
    bob.host_groups = in_groups(&["ops"]);
    assert_eq!(
        (decide(&bob).access, decide(&bob).rule),
        (RuleAccess::Password, Some(2))
    );
    alice.groups = vec!["staff".parse().unwrap()];
    alice.name = "Alice".parse().unwrap();
    assert_eq!(
        decide(&alice).access,
        RuleAccess::Code,
        "names are compared as they are"
    );
}

/// A user cannot avoid a rule about the own account by not signing in.
#[test]
fn a_sign_in_is_required_where_the_user_makes_a_difference() {
    let by = |rule: &str| format!("[[rule]]\n{rule}\n");
    let (deny_bob, alice) = (
        by("users = [\"bob\"]\nthen = \"deny\""),
        by("users = [\"alice\"]\nthen = \"code\""),
    );
    let (open, deny) = (by("then = \"open\""), by("then = \"deny\""));
    let here = by("paths = [\"/pub\"]\nthen = \"open\"");
    let elsewhere = by("hosts = [\"other.example.com\"]\nusers = [\"bob\"]\nthen = \"deny\"");
    for (text, access, rule, reason) in [
        (
            deny_bob.clone() + &open,
            RuleAccess::Password,
            Some(1),
            RuleReason::NotSignedIn,
        ),
        (
            alice.clone() + &open,
            RuleAccess::Password,
            Some(1),
            RuleReason::NotSignedIn,
        ),
        (
            by("groups = [\"ops\"]\nthen = \"open\""),
            RuleAccess::Password,
            Some(1),
            RuleReason::NotSignedIn,
        ),
        (
            alice.clone() + &deny,
            RuleAccess::Password,
            Some(1),
            RuleReason::NotSignedIn,
        ),
        // an earlier rule, or one that does not match in any case, requires no sign-in
        (
            open.clone() + &by("networks = [\"::1\"]\nthen = \"deny\""),
            RuleAccess::Open,
            Some(1),
            RuleReason::FirstMatch,
        ),
        (
            here + &deny_bob,
            RuleAccess::Open,
            Some(1),
            RuleReason::FirstMatch,
        ),
        (
            elsewhere + &open,
            RuleAccess::Open,
            Some(2),
            RuleReason::FirstMatch,
        ),
        // a sign-in would change nothing
        (
            by("paths = [\"/x\"]\nthen = \"deny\"") + &alice,
            RuleAccess::Code,
            Some(2),
            RuleReason::SameAccess,
        ),
        (
            deny_bob + &deny,
            RuleAccess::Deny,
            Some(1),
            RuleReason::SameAccess,
        ),
        (alice, RuleAccess::Code, Some(1), RuleReason::SameAccess),
    ] {
        let decision = evaluate_rules(
            &rules(&text),
            &request("GET https://app.example.com/pub"),
            None,
        );
        assert_eq!(
            decision,
            RuleDecision {
                access,
                rule,
                reason
            },
            "{text}"
        );
    }
}

#[test]
fn an_ambiguous_request_meets_the_strictest_candidate() {
    let text = "[[rule]]\npaths = [\"/pub\"]\nthen = \"open\"\n[[rule]]\npaths = [\"/admin\"]\nmethods = [\"GET\"]\nthen = \"deny\"\n[[rule]]\npaths = [\"/x\"]\nthen = \"password\"";
    for target in [
        "/pub/../admin",
        "/pub/%2e%2e/admin",
        "/pub/..%2fadmin",
        "/pub%2f..%2fadmin",
        "/pub/%00",
        "/pub//x",
        "//pub",
        "/pub;a=b/x",
        "/pub\\..\\admin",
        "/pub/%ff",
        "/pub/%",
        "/pub/%252e%252e/admin",
        "/pub/.",
        "https://app.example.com/pub",
        "*",
        "",
    ] {
        for (method, access, rule) in [
            ("GET", RuleAccess::Deny, Some(2)),
            ("POST", RuleAccess::Code, None),
        ] {
            let asked = RuleRequest {
                target,
                method,
                ..request(APP)
            };
            let decision = evaluate_rules(&rules(text), &asked, None);
            assert_eq!(
                (decision.access, decision.rule),
                (access, rule),
                "{method} {target}"
            );
            assert!(access != RuleAccess::Deny || decision.reason == RuleReason::AmbiguousRequest);
        }
    }
    for target in [
        "/admin%3fx",
        "/admin%3Fx",
        "/admin%23x",
        "/admin./x",
        "/admin%20",
        "/admin%09x",
    ] {
        let asked = RuleRequest {
            target,
            ..request(APP)
        };
        assert_eq!(
            evaluate_rules(&rules(text), &asked, None).access,
            RuleAccess::Deny,
            "{target}"
        );
    }
    let by_method = RuleRequest {
        method: "get",
        target: "/admin",
        ..request(APP)
    };
    assert_eq!(
        evaluate_rules(&rules(text), &by_method, None).reason,
        RuleReason::AmbiguousRequest
    );
    // no sign-in passes the first rule, but one may pass the second
    let (deny, alice) = (
        "paths = [\"/a\"]\nthen = \"deny\"\n",
        "users = [\"alice\"]\nthen = \"open\"\n",
    );
    for (text, access) in [
        (
            format!("[[rule]]\n{deny}[[rule]]\n{alice}"),
            RuleAccess::Deny,
        ),
        (
            format!("[[rule]]\n{alice}[[rule]]\n{deny}"),
            RuleAccess::Password,
        ),
    ] {
        assert_eq!(
            evaluate_rules(&rules(&text), &request("GET https://h/x//y"), None).access,
            access,
            "{text}"
        );
    }
    // a rule without paths matches every reading
    let open = "[[rule]]\nhosts = [\"static.example.com\"]\nthen = \"open\"\n[[rule]]\npaths = [\"/a\"]\nthen = \"deny\"";
    assert_decision(
        open,
        "GET https://static.example.com/a//b",
        RuleAccess::Open,
        Some(1),
    );
}

#[test]
fn an_invalid_host_may_match_any_rule() {
    let text = "[[rule]]\nhosts = [\"*.example.com\"]\nthen = \"open\"\n[[rule]]\nhosts = [\"admin.example.com\"]\nthen = \"deny\"\n[[rule]]\nthen = \"open\"";
    assert_decision(
        text,
        "GET https://app.example.com/",
        RuleAccess::Open,
        Some(1),
    );
    assert_decision(
        text,
        "GET https://my_app.example.com/",
        RuleAccess::Open,
        Some(1),
    );
    for host in [
        ".example.com",
        "a..example.com",
        "[::1]",
        "a:b",
        "a b.example.com",
        "\u{e4}.example.com",
        "",
    ] {
        let decision = evaluate_rules(
            &rules(text),
            &RuleRequest {
                host,
                ..request(APP)
            },
            None,
        );
        assert_eq!(
            (decision.access, decision.reason),
            (RuleAccess::Deny, RuleReason::AmbiguousRequest),
            "{host}"
        );
    }
}

#[test]
fn an_unknown_membership_may_match() {
    let text = "[[rule]]\ngroups = [\"staff\"]\nthen = \"open\"\n[[rule]]\ngroups = [\"banned\"]\nthen = \"deny\"";
    let mut bob = TestUser::new("bob");
    let decide =
        |bob: &TestUser| evaluate_rules(&rules(text), &request(APP), Some(&bob.as_rule_user()));
    assert_eq!(decide(&bob).access, RuleAccess::Code);
    bob.host_groups = None;
    assert_eq!(
        (decide(&bob).access, decide(&bob).reason),
        (RuleAccess::Deny, RuleReason::GroupsUnknown)
    );
    bob.groups = vec!["staff".parse().unwrap()];
    assert_eq!(
        (decide(&bob).access, decide(&bob).reason),
        (RuleAccess::Open, RuleReason::FirstMatch)
    );
}

/// Every list of up to three rules of many kinds: an uncertainty never grants more than any way to
/// resolve it.
#[test]
fn an_uncertainty_never_grants_more_than_any_way_to_resolve_it() {
    let mut kinds = Vec::new();
    for then in ["open", "password", "code", "deny"] {
        for path in ["", "paths = [\"/a\"]\n", "paths = [\"/b\", \"/a/c\"]\n"] {
            for who in ["", "users = [\"alice\"]\n", "groups = [\"ops\"]\n"] {
                kinds.extend(rules(&format!("[[rule]]\n{path}{who}then = \"{then}\"")));
            }
        }
    }
    let (alice, mut bob, mut ops) = (
        TestUser::new("alice"),
        TestUser::new("bob"),
        TestUser::new("bob"),
    );
    bob.host_groups = None;
    ops.host_groups = in_groups(&["ops"]);
    let settled = [Some(&alice), Some(&ops)];
    let readings = ["/", "/a", "/b", "/a/c", "/c"];
    let ask = |rules: &[GateRule], target: &str, who: Option<&TestUser>| {
        evaluate_rules(
            rules,
            &RuleRequest {
                target,
                ..request(APP)
            },
            who.map(TestUser::as_rule_user).as_ref(),
        )
    };
    let mut lists: Vec<Vec<GateRule>> = vec![Vec::new()];
    let mut begin = 0;
    for length in 1..=3 {
        let end = lists.len();
        for list in begin..end {
            // of the lists of three a sample: each pair of kinds before a twelfth of all kinds
            let (skip, step) = if length == 3 { (list % 12, 12) } else { (0, 1) };
            for kind in kinds.iter().skip(skip).step_by(step) {
                let mut longer = lists[list].clone();
                longer.push(kind.clone());
                lists.push(longer);
            }
        }
        begin = end;
    }
    assert!(lists.len() > 5000);
    for list in &lists {
        for target in ["/a/../b", "/a"] {
            let readings: &[&str] = if target == "/a" { &["/a"] } else { &readings };
            let (anonymous, unknown) = (ask(list, target, None), ask(list, target, Some(&bob)));
            for reading in readings {
                for who in settled {
                    let certain = ask(list, reading, who);
                    let uncertain = ask(list, target, who).access;
                    assert!(
                        uncertain >= certain.access,
                        "{target} as {reading} by {list:?}"
                    );
                    assert!(
                        anonymous.access != RuleAccess::Open || certain.access == RuleAccess::Open,
                        "{list:?}"
                    );
                    assert!(
                        anonymous.access != RuleAccess::Deny || uncertain == RuleAccess::Deny,
                        "{list:?}"
                    );
                }
                for host_groups in [in_groups(&[]), in_groups(&["ops"])] {
                    let known = TestUser {
                        host_groups,
                        ..TestUser::new("bob")
                    };
                    assert!(
                        unknown.access >= ask(list, reading, Some(&known)).access,
                        "{target} by {list:?}"
                    );
                }
                let anonymous_certain = ask(list, reading, None).access;
                assert!(
                    anonymous.access != RuleAccess::Open || anonymous_certain == RuleAccess::Open,
                    "{target} by {list:?}"
                );
            }
        }
    }
}

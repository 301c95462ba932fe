//! Tests of the rules together: matching, ambiguous requests, unknown groups, and the strictest
//! candidate.

use super::*;
use crate::policy::groups::PersonGroups;
use crate::policy::session_groups::{RequestedGroups, SessionGroups};
use RuleAccess::{Code, Deny, Open, Password};
use RuleReason::{AmbiguousRequest, FirstMatch, GroupsUnknown, NotSignedIn, SameAccess};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Evaluates rules one by one, and by their hosts: the decision is the same.
#[track_caller]
fn evaluate_rules(
    rules: &[GateRule],
    request: &RuleRequest<'_>,
    user: Option<&RuleUser<'_>>,
) -> RuleDecision {
    let decision = super::evaluate_rules(rules, request, user);
    let indexed = IndexedRules::new(rules).evaluate(request, user);
    assert_eq!(indexed, decision, "{}", request.host);
    decision
}

fn rules(text: &str) -> Vec<GateRule> {
    let mut tables: BTreeMap<String, Vec<GateRule>> = toml::from_str(text).unwrap();
    tables.remove("rule").unwrap()
}

/// Rules that each have the condition and access of one `lines`.
fn rules_of(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| format!("[[rule]]\n{line}\n"))
        .collect()
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
    let groups = PersonGroups::from_names(groups.iter().copied());
    Some(SessionGroups::record_memberships(&REQUESTED, &groups))
}

#[track_caller]
fn assert_decision(text: &str, line: &str, access: RuleAccess, rule: Option<usize>) {
    let decision = evaluate_rules(&rules(text), &request(line), None);
    let found = (decision.access, decision.rule);
    assert_eq!(found, (access, rule), "{line} by {text}");
}

/// The access that rules require of a request, without a user.
fn access_of(text: &str, request: &RuleRequest<'_>) -> RuleAccess {
    evaluate_rules(&rules(text), request, None).access
}

const APP: &str = "GET https://app.example.com/";

#[test]
fn without_a_matching_rule_the_code_is_required() {
    let default = evaluate_rules(&[], &request(APP), None);
    assert_eq!(
        (default.access, &*default.name().to_string()),
        (Code, "default")
    );
    let elsewhere = "[[rule]]\nhosts = [\"other.example.com\"]\nthen = \"open\"";
    assert_decision(elsewhere, APP, Code, None);
}

#[test]
fn the_first_matching_rule_decides() {
    let text = "[[rule]]\npaths = [\"/a/b\"]\nthen = \"open\"\n[[rule]]\npaths = [\"/a\"]\nthen = \"deny\"\n[[rule]]\nthen = \"password\"";
    assert_decision(text, "GET https://h/a/b/c", Open, Some(1));
    assert_decision(text, "GET https://h/a/c", Deny, Some(2));
    assert_decision(text, "GET https://h/c", Password, Some(3));
}

#[test]
fn every_condition_that_is_set_must_hold() {
    let all = "[[rule]]\nhosts = [\"app.example.com\", \"*.example.org\"]\npaths = [\"/pub\"]\nmethods = [\"GET\", \"HEAD\"]\nnetworks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\nthen = \"open\"";
    for line in [
        "GET https://app.example.com/pub",
        "HEAD https://a.example.org/pub/x?y=/../",
        "GET https://a.b.example.org/p%75b/",
    ] {
        assert_decision(all, line, Open, Some(1));
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
        assert_decision(all, line, Code, None);
    }
    let here = |address| RuleRequest {
        address,
        ..request("GET https://app.example.com/pub")
    };
    for (address, access) in [
        (Address::parse("::ffff:192.0.2.9"), Open),
        (Address::parse("2001:db8::1"), Open),
        (Address::parse("198.51.100.1"), Code),
        (None, Code),
    ] {
        assert_eq!(access_of(all, &here(address)), access, "{address:?}");
    }
}

#[test]
fn users_and_groups_are_those_of_the_user_who_has_signed_in() {
    let text = rules_of(&[
        "users = [\"alice\", \"carol\"]\nthen = \"deny\"",
        "groups = [\"ops\"]\nthen = \"password\"",
        "users = [\"bob\"]\ngroups = [\"staff\"]\nthen = \"open\"",
    ]);
    let (mut alice, mut bob) = (TestUser::new("alice"), TestUser::new("bob"));
    let decide = |who: &TestUser| {
        let decision = evaluate_rules(&rules(&text), &request(APP), Some(&who.as_rule_user()));
        (decision.access, decision.rule)
    };
    assert_eq!(decide(&alice), (Deny, Some(1)));
    assert_eq!(decide(&bob), (Code, None));
    bob.groups = vec!["staff".parse().unwrap()];
    assert_eq!(decide(&bob), (Open, Some(3)));
    bob.host_groups = in_groups(&["ops"]);
    assert_eq!(decide(&bob), (Password, Some(2)));
    alice.groups = vec!["staff".parse().unwrap()];
    alice.name = "Alice".parse().unwrap();
    assert_eq!(
        decide(&alice),
        (Code, None),
        "names are compared as they are"
    );
}

/// A user cannot avoid a rule about the own account by not signing in.
#[test]
fn a_sign_in_is_required_where_the_user_makes_a_difference() {
    let deny_bob = "users = [\"bob\"]\nthen = \"deny\"";
    let alice = "users = [\"alice\"]\nthen = \"code\"";
    let ops = "groups = [\"ops\"]\nthen = \"open\"";
    let (open, deny) = ("then = \"open\"", "then = \"deny\"");
    let here = "paths = [\"/pub\"]\nthen = \"open\"";
    let elsewhere = "hosts = [\"other.example.com\"]\nusers = [\"bob\"]\nthen = \"deny\"";
    let deny_network = "networks = [\"::1\"]\nthen = \"deny\"";
    let deny_path = "paths = [\"/x\"]\nthen = \"deny\"";
    for (lines, access, rule, reason) in [
        (&[deny_bob, open][..], Password, Some(1), NotSignedIn),
        (&[alice, open], Password, Some(1), NotSignedIn),
        (&[ops], Password, Some(1), NotSignedIn),
        (&[alice, deny], Password, Some(1), NotSignedIn),
        // an earlier rule, or one that does not match in any case, requires no sign-in
        (&[open, deny_network], Open, Some(1), FirstMatch),
        (&[here, deny_bob], Open, Some(1), FirstMatch),
        (&[elsewhere, open], Open, Some(2), FirstMatch),
        // a sign-in would change nothing
        (&[deny_path, alice], Code, Some(2), SameAccess),
        (&[deny_bob, deny], Deny, Some(1), SameAccess),
        (&[alice], Code, Some(1), SameAccess),
    ] {
        let request = request("GET https://app.example.com/pub");
        let decision = evaluate_rules(&rules(&rules_of(lines)), &request, None);
        let expected = RuleDecision {
            access,
            within: None,
            rule,
            reason,
        };
        assert_eq!(decision, expected, "{lines:?}");
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
        for (method, access, rule) in [("GET", Deny, Some(2)), ("POST", Code, None)] {
            let request = RuleRequest {
                target,
                method,
                ..request(APP)
            };
            let decision = evaluate_rules(&rules(text), &request, None);
            let found = (decision.access, decision.rule);
            assert_eq!(found, (access, rule), "{method} {target}");
            assert!(access != Deny || decision.reason == AmbiguousRequest);
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
        let request = RuleRequest {
            target,
            ..request(APP)
        };
        assert_eq!(access_of(text, &request), Deny, "{target}");
    }
    let by_method = request("get https://app.example.com/admin");
    let decision = evaluate_rules(&rules(text), &by_method, None);
    assert_eq!(decision.reason, AmbiguousRequest);
    // no sign-in passes the first rule, but one may pass the second
    let deny = "paths = [\"/a\"]\nthen = \"deny\"";
    let alice = "users = [\"alice\"]\nthen = \"open\"";
    for (lines, access) in [([deny, alice], Deny), ([alice, deny], Password)] {
        let found = access_of(&rules_of(&lines), &request("GET https://h/x//y"));
        assert_eq!(found, access, "{lines:?}");
    }
    // a rule without paths matches every reading
    let open = "[[rule]]\nhosts = [\"static.example.com\"]\nthen = \"open\"\n[[rule]]\npaths = [\"/a\"]\nthen = \"deny\"";
    let line = "GET https://static.example.com/a//b";
    assert_decision(open, line, Open, Some(1));
}

/// The smallest age of all candidates holds, whichever of them has the strictest access.
#[test]
fn an_ambiguous_request_meets_the_smallest_age_of_a_proof() {
    let day = "paths = [\"/a\"]\nthen = \"code\"\nwithin = \"1d\"";
    let hour = "paths = [\"/b\"]\nthen = \"code\"\nwithin = \"1h\"";
    let minute = "paths = [\"/c\"]\nthen = \"password\"\nwithin = 60";
    let open = "paths = [\"/d\"]\nthen = \"open\"";
    let deny = "paths = [\"/e\"]\nthen = \"deny\"";
    let decide = |lines: &[&str], target: &str| {
        let line = format!("GET https://h{target}");
        let decision = evaluate_rules(&rules(&rules_of(lines)), &request(&line), None);
        (decision.access, decision.within, decision.rule)
    };
    let all = [day, hour, minute, open];
    for (target, result) in [
        ("/a", (Code, Some(86_400), Some(1))),
        ("/b", (Code, Some(3600), Some(2))),
        ("/c", (Password, Some(60), Some(3))),
        ("/d", (Open, None, Some(4))),
        ("/x", (Code, None, None)),
        ("/d/%2e%2e/a", (Code, Some(60), Some(2))),
        ("/d%2fb", (Code, Some(60), Some(2))),
        ("//", (Code, Some(60), Some(2))),
    ] {
        assert_eq!(decide(&all, target), result, "{target}");
    }
    assert_eq!(
        decide(&[day, hour], "/b/..//a"),
        (Code, Some(3600), Some(2))
    );
    assert_eq!(
        decide(&[hour, day], "/b/..//a"),
        (Code, Some(3600), Some(1))
    );
    assert_eq!(decide(&[hour, open], "//"), (Code, Some(3600), Some(1)));
    assert_eq!(decide(&[minute, deny], "//"), (Deny, None, Some(2)));
    // a sign-in decides which of the two ages holds
    let alice = "users = [\"alice\"]\nthen = \"code\"\nwithin = \"1h\"";
    let both = rules(&rules_of(&[alice, "then = \"code\""]));
    let decision = evaluate_rules(&both, &request(APP), None);
    assert_eq!((decision.access, decision.reason), (Password, NotSignedIn));
    let bob = TestUser::new("bob");
    let decision = evaluate_rules(&both, &request(APP), Some(&bob.as_rule_user()));
    assert_eq!((decision.access, decision.within), (Code, None));
}

#[test]
fn an_invalid_host_may_match_any_rule() {
    let text = "[[rule]]\nhosts = [\"*.example.com\"]\nthen = \"open\"\n[[rule]]\nhosts = [\"admin.example.com\"]\nthen = \"deny\"\n[[rule]]\nthen = \"open\"";
    for line in [APP, "GET https://my_app.example.com/"] {
        assert_decision(text, line, Open, Some(1));
    }
    for host in [
        ".example.com",
        "a..example.com",
        "[::1]",
        "a:b",
        "a b.example.com",
        "\u{e4}.example.com",
        "",
    ] {
        let request = RuleRequest {
            host,
            ..request(APP)
        };
        let decision = evaluate_rules(&rules(text), &request, None);
        let found = (decision.access, decision.reason);
        assert_eq!(found, (Deny, AmbiguousRequest), "{host}");
    }
}

#[test]
fn an_unknown_membership_may_match() {
    let text = "[[rule]]\ngroups = [\"staff\"]\nthen = \"open\"\n[[rule]]\ngroups = [\"banned\"]\nthen = \"deny\"";
    let mut bob = TestUser::new("bob");
    let decide = |bob: &TestUser| {
        let decision = evaluate_rules(&rules(text), &request(APP), Some(&bob.as_rule_user()));
        (decision.access, decision.reason)
    };
    assert_eq!(decide(&bob), (Code, FirstMatch));
    bob.host_groups = None;
    assert_eq!(decide(&bob), (Deny, GroupsUnknown));
    bob.groups = vec!["staff".parse().unwrap()];
    assert_eq!(decide(&bob), (Open, FirstMatch));
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
        let request = RuleRequest {
            target,
            ..request(APP)
        };
        evaluate_rules(rules, &request, who.map(TestUser::as_rule_user).as_ref()).access
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
                    let uncertain = ask(list, target, who);
                    assert!(uncertain >= certain, "{target} as {reading} by {list:?}");
                    assert!(anonymous != Open || certain == Open, "{list:?}");
                    assert!(anonymous != Deny || uncertain == Deny, "{list:?}");
                }
                for host_groups in [in_groups(&[]), in_groups(&["ops"])] {
                    let known = TestUser {
                        host_groups,
                        ..TestUser::new("bob")
                    };
                    let known = ask(list, reading, Some(&known));
                    assert!(unknown >= known, "{target} by {list:?}");
                }
                let certain = ask(list, reading, None);
                assert!(anonymous != Open || certain == Open, "{target} by {list:?}");
            }
        }
    }
}

/// Rules of all hosts, of one host and of hosts below one keep their order.
#[test]
fn rules_that_are_found_by_host_decide_in_their_order() {
    let kinds = [
        "hosts = [\"app.example.com\"]",
        "hosts = [\"*.example.com\"]",
        "hosts = [\"*.com\", \"app.example.com\", \"*.example.com\"]",
        "hosts = [\"other.example.com\", \"example.com\"]",
        "paths = [\"/a\"]",
        "hosts = [\"app.example.com\"]\npaths = [\"/a\"]",
        "users = [\"alice\"]",
    ];
    let accesses = ["open", "password", "code", "deny"];
    let hosts = [
        "app.example.com",
        "other.example.com",
        "example.com",
        "x.app.example.com",
        "com",
        "app.example.com.evil.test",
        "app..example.com",
        "[::1]",
        "",
    ];
    let alice = TestUser::new("alice");
    // every pair of kinds, and a third one after them
    for number in 0..kinds.len().pow(2) {
        let three = [number, number / kinds.len(), number + 3];
        let lines = [0, 1, 2].map(|place| {
            let kind = kinds[three[place] % kinds.len()];
            format!("{kind}\nthen = \"{}\"", accesses[(number + place) % 4])
        });
        let text = rules_of(&lines.each_ref().map(String::as_str));
        let rules = rules(&text);
        for (host, target) in hosts
            .iter()
            .flat_map(|host| [(*host, "/a/b"), (*host, "/%2f")])
        {
            let request = RuleRequest {
                host,
                target,
                method: "GET",
                address: None,
            };
            evaluate_rules(&rules, &request, None);
            evaluate_rules(&rules, &request, Some(&alice.as_rule_user()));
        }
    }
}

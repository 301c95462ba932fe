//! The conformance suite against Postern behind every proxy.

use std::collections::BTreeSet;
use std::process::Command;
use testhost::{
    Conformance, Proxy, assert_contains, checkout, conformance_program, conformance_results,
    finished,
};

/// The page with the results, and how to write it again.
const PAGE: &str = "docs/conformance.md";
const REWRITE: &str = "if that is right, write the page again: tests/run conformance, and then \
    target/release/conformance report target/conformance/*.xml --markdown docs/conformance.md";

fn read_page() -> String {
    std::fs::read_to_string(checkout(PAGE)).expect("the page is in the checkout")
}

/// Runs all cases, and compares the results with the proxy's column of the page.
#[track_caller]
fn passes(proxy: Proxy) {
    let results = conformance_results(proxy);
    let results = results.to_str().expect("a path of this checkout");
    let run = Conformance::prepare(proxy).run(&["--junit", results]);
    println!("{}", run.output);
    assert!(run.status.success(), "{proxy:?}: see the output above");

    let name = format!("{proxy:?}").to_lowercase();
    let page = read_page();
    let mut rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| row.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let head = cells(rows.next().expect("a table").trim_end_matches(" |"));
    let column = head.iter().position(|cell| *cell == name);
    let column = column.unwrap_or_else(|| panic!("{PAGE} has no column {name}: {REWRITE}"));
    for row in rows.take_while(|row| !row.starts_with("| advisory")) {
        let row = cells(row.trim_end_matches(" |"));
        let (group, case) = (row[0].trim_start_matches("| "), &row[1]);
        let line = format!("{name}: {:8} {group}: {case}", row[column]);
        assert!(run.output.contains(&line), "not {line:?}: {REWRITE}");
    }
}

/// Makes a story of each proxy, so that they can run side by side.
macro_rules! stories {
    ($($story:ident: $proxy:ident),+ $(,)?) => {
        const COVERED: &[Proxy] = &[$(Proxy::$proxy),+];

        $(#[test]
        #[ignore = "needs the test host: tests/run"]
        fn $story() {
            passes(Proxy::$proxy);
        })+
    };
}

stories! {
    postern_behind_nginx_passes: Nginx,
    postern_behind_traefik_passes: Traefik,
    postern_behind_caddy_passes: Caddy,
    postern_behind_newer_caddy_passes: NewerCaddy,
    postern_behind_haproxy_passes: Haproxy,
    postern_behind_envoy_passes: Envoy,
    postern_behind_apache_passes: Apache,
}

#[test]
fn each_proxy_has_a_story() {
    assert_eq!(COVERED, Proxy::ALL);
}

/// An advisory that no case looks for names a story.
#[test]
fn each_story_that_the_page_names_exists() {
    let this = std::env::current_exe().expect("this program");
    let stories = finished(Command::new(this).arg("--list"));
    let page = read_page();
    let (_, advisories) = page.split_once("## Advisories").expect("a heading");
    let named = advisories.split('`').skip(1).step_by(2);
    let named: Vec<_> = named.filter(|name| name.contains("::")).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert_contains(&stories, format!("{name}: test"));
    }
}

/// Each group, and the case of it that fails when the fault of that name is planted.
const FAILING: [(&str, &str); 33] = [
    ("64-kib-cookie", "a cookie of 64 KiB opens nothing"),
    (
        "absolute-form",
        "an absolute form with another Host opens nothing",
    ),
    ("app-password", "a client that shows no page is challenged"),
    ("code", "a wrong code opens nothing"),
    ("cookies", "no cookie of the gate reaches the application"),
    (
        "cors-preflight",
        "a preflight of a stranger reaches nothing",
    ),
    (
        "doubled-headers",
        "doubled headers open nothing to strangers",
    ),
    ("expiry", "a session ends after its longest life"),
    (
        "foreign-cookies",
        "foreign cookies in any bytes lock no account out",
    ),
    (
        "forged-identity",
        "no forged identity arrives, in any spelling",
    ),
    ("gate-down", "while the gate is stopped access is denied"),
    ("headers", "the application receives the account's name"),
    ("http2", "a stranger is refused"),
    ("malformed-url", "no malformed URL grants access"),
    ("methods", "no method is open to strangers"),
    ("network-rule", "no header moves a client into the network"),
    ("own-api", "a request of another site changes nothing"),
    ("parallel-guesses", "one code in several browsers at once"),
    ("password-only", "the password alone opens nothing"),
    ("rd", "no sign-in page leads a stranger to another site"),
    ("restart", "a used code stays used after a restart"),
    ("revocation", "after the sign-out no copy of the cookies"),
    ("rule-evasion", "no spelling of an open path opens another"),
    ("second-application", "a stranger is refused there too"),
    ("server-sent-events", "a stranger gets none"),
    (
        "signed-out",
        "no User-Agent and no other header grants access",
    ),
    ("throttle", "after wrong codes a right one has to wait"),
    (
        "trusted-browser",
        "a trusted browser needs the password alone",
    ),
    ("two-tabs", "two tabs that sign in one after the other"),
    ("upload", "no body of a stranger arrives"),
    ("used-code", "a code is refused the second time"),
    ("websocket", "a stranger gets none"),
    ("xhr", "a script's request is refused with 401"),
];

/// A suite that cannot fail proves nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn each_group_fails_with_its_fault() {
    let listed = finished(Command::new(conformance_program()).arg("list"));
    let groups: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let failing: BTreeSet<_> = FAILING.iter().map(|(group, _)| *group).collect();
    assert_eq!(groups, failing);

    let mut target = Conformance::prepare(Proxy::Nginx);
    let run = target.run_with_fault("none", &[]);
    assert!(run.status.success(), "without a fault: {}", run.output);
    for (group, case) in FAILING {
        let run = target.run_with_fault(group, &["--only", group]);
        assert_eq!(run.status.code(), Some(1), "{group}: {}", run.output);
        assert_contains(&run.output, format!("FAILED   {group}: {case}"));
    }
}

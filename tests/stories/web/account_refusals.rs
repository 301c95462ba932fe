//! What the account pages refuse: an act without proof, a form from another site, and a change to
//! an account that a file declares.

use crate::web::account::web;
use std::fs;
use std::process::Command;
use testhost::{
    Host, PagesAt, Phone, Postern, Proxy, Web, WebClient, assert_contains, assert_lacks, set_mode,
};

/// S1, S2, L8: an attacker has the session, or sends a form from another site. No critical act
/// succeeds, and wrong proofs count like wrong sign-ins.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_alone_changes_nothing_that_is_critical() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let before = Postern::call("status alice --json").does().out;
    let acts: [(&str, &[(&str, &str)]); 7] = [
        ("turn-off", &[]),
        ("replace", &[]),
        ("recovery-codes", &[]),
        ("authenticators/add", &[("name", "mine")]),
        ("authenticators/remove", &[("name", "phone")]),
        ("app-passwords", &[("name", "mine"), ("scope", "pam:sshd")]),
        (
            "password",
            &[("new", "a new password"), ("repeat", "a new password")],
        ),
    ];
    for (act, fields) in acts {
        let url = format!("{}{act}", web.pages);
        let output = client.sends(&url, fields);
        assert_eq!(output.status, 403, "{act}: {output:?}");
        assert!(
            output.body.contains("needs your password and a new code"),
            "{act}: {output:?}"
        );
        let foreign = client
            .with("Origin: https://evil.example")
            .sends(&url, fields);
        assert_eq!(foreign.status, 403, "{act}");
        assert_eq!(
            WebClient::new().sends(&url, fields).status,
            303,
            "{act}: no user is signed in"
        );
    }
    assert_eq!(Postern::call("status alice --json").does().out, before);
    assert_eq!(
        Postern::call("app-password list alice --json")
            .does()
            .out
            .trim(),
        "[]"
    );

    host.clock.forward(30);
    let url = web.page("turn-off");
    for wrong in phone.wrong_codes(5) {
        assert_eq!(
            client
                .sends(&url, &[("password", &alice.password), ("code", &wrong)])
                .status,
            403
        );
    }
    let delayed = client.sends(
        &url,
        &[("password", &alice.password), ("code", &phone.code())],
    );
    assert_eq!(delayed.status, 429, "{delayed:?}");
    assert!(
        delayed
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait| wait <= 30)
    );
    assert_contains(&Postern::call("status alice").does().out, "on");
}

/// CSRF: every form from another site is refused, also while a step-up is valid. No page can be
/// framed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_is_taken_from_pages_of_another_site() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let (_, recovery) = alice.enrols_with_recovery_codes();
    let client = WebClient::new();
    client.password(&web, &alice);
    client.code(&web, &recovery[0]);
    let before = [
        Postern::call("status alice --json").does().out,
        Postern::call("log alice").does().out,
    ];
    let source = include_str!("../../../gate/src/server/own_routes.rs");
    let forms: Vec<&str> = source
        .split("form(")
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        // To every other client than an administrator this form does not exist.
        .filter(|form| !form.starts_with("administration/"))
        .collect();
    assert!(
        forms.len() >= 20 && forms.contains(&"turn-off"),
        "{forms:?}"
    );
    for form in forms {
        for foreign in [
            "Origin: https://evil.example",
            "Origin: null",
            "Origin: https://app.example.test:8443",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
        ] {
            let output = client
                .with(foreign)
                .sends(&format!("{}{form}", web.pages), &[("saved", "yes")]);
            assert_eq!(output.status, 403, "{form}: {foreign}: {output:?}");
        }
    }
    let after = [
        Postern::call("status alice --json").does().out,
        Postern::call("log alice").does().out,
    ];
    assert_eq!(before, after);
    for page in [
        "",
        "turn-off",
        "app-passwords",
        "sign-ins",
        "password",
        "sign-in",
    ] {
        let shown = client.loads(&format!("{}{page}", web.pages));
        assert_eq!(
            (shown.status, shown.header("x-frame-options")),
            (200, "DENY"),
            "{page}"
        );
        let policy = shown.header("content-security-policy");
        assert_contains(policy, "frame-ancestors 'none'");
        assert_contains(policy, "default-src 'none'");
        assert!(
            !policy.contains("unsafe") && shown.header("cache-control") == "no-store",
            "{page}: {shown:?}"
        );
    }
}

/// On a path of the protected host, the application's scripts share the gate's origin. Each
/// critical act requires a proof of its own, and no step-up is kept.
#[test]
#[ignore = "needs the test host: tests/run"]
fn on_a_path_each_critical_act_takes_its_own_proof() {
    let host = Host::fresh();
    let web = Web::start(&host, Proxy::Nginx, PagesAt::Path, "");
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    host.clock.forward(30);
    let url = web.page("app-passwords");
    let code = phone.code();
    let first = [
        ("name", "one"),
        ("scope", "pam:sshd"),
        ("password", alice.password.as_str()),
        ("code", &code),
    ];
    assert_eq!(client.sends(&url, &first).status, 200);
    assert!(
        !client
            .cookies()
            .iter()
            .any(|(name, _)| name.contains("step-up")),
        "{:?}",
        client.cookies()
    );
    assert_eq!(
        client
            .sends(&url, &[("name", "two"), ("scope", "pam:sshd")])
            .status,
        403
    );
    let used = client.sends(
        &url,
        &[("name", "two"), ("scope", "pam:sshd"), first[2], first[3]],
    );
    assert_eq!(used.status, 403, "{used:?}");
    assert_contains(&used.body, "used already");
}

/// E13: the page says that the second factor is declared in a file, and refuses changes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_the_administrator_declared_is_not_changed_on_the_pages() {
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const FILE: &str = "/etc/postern/alice.secret";
    let host = Host::fresh();
    fs::write(FILE, SECRET).expect("a secret file can be written");
    let group = Command::new("chgrp").args(["postern", FILE]).status();
    assert!(group.is_ok_and(|status| status.success()));
    set_mode(FILE, 0o640);
    let (web, alice) = web(
        &host,
        &format!("[[account]]\nname = \"alice\"\nsecret_file = \"{FILE}\"\n"),
    );
    let phone = Phone::scans(SECRET);
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let page = client.loads(&web.pages);
    assert_contains(&page.body, "second factor is set in a configuration file");
    assert_lacks(&page.body, "turn-off");
    host.clock.forward(30);
    let proof = [
        ("password", alice.password.as_str()),
        ("code", &phone.code()),
    ];
    assert_eq!(client.sends(&web.page("turn-off"), &proof).status, 409);
}

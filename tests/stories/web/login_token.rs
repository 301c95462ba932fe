//! L2: a login token leads from the password to the code. It is valid for that purpose, for a
//! limited time and number of attempts, and once.

use testhost::{
    Host, PROOF, PagesAt, Person, Phone, Proxy, Reply, Web, WebClient, Wire, assert_contains,
    assert_lacks,
};

const LOGIN: &str = "__Host-postern-login";

#[track_caller]
fn alice(host: &Host) -> (Web, Person, Phone) {
    let web = Web::start(
        host,
        Proxy::Nginx,
        PagesAt::OwnHost,
        "[throttle]\nfree = 10\n",
    );
    let (alice, phone) = host.web_user("alice");
    (web, alice, phone)
}

/// Returns the login token after the password, as a cookie line.
#[track_caller]
fn ticket(alice: &Person) -> String {
    let asked = Wire::open().password("alice", &alice.password, "192.0.2.7");
    asked.redirects_to(303, "/code");
    asked
        .header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned()
}

#[track_caller]
fn is_over(reply: &Reply) {
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(
        reply.body.contains("name=\"password\""),
        "the first factor is asked again: {reply:?}"
    );
    assert!(reply.all("set-cookie").is_empty(), "{reply:?}");
}

/// Trap 7, at the pages: the login token is sent as a token of every other purpose.
#[test]
#[ignore = "needs the test host: tests/run"]
fn trap_07_a_login_ticket_is_no_session_no_setup_and_no_step_up() {
    let host = Host::fresh();
    let (web, alice, _) = alice(&host);
    let value = ticket(&alice)
        .strip_prefix(&format!("{LOGIN}="))
        .expect("the ticket")
        .to_owned();
    let as_cookie = |name: &str| format!("Cookie: {name}={value}");
    assert_eq!(
        Wire::open()
            .checks(&[&as_cookie("__Secure-postern")])
            .status,
        401
    );
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let lines = |cookie: &str| {
        [
            "Host: auth.example.test:8443",
            &proof,
            "X-Real-IP: 192.0.2.7",
            "Sec-Fetch-Site: same-origin",
            cookie,
        ]
        .map(str::to_owned)
    };
    let asks = |request: &str, cookie: &str| {
        let lines = lines(cookie);
        Wire::open()
            .asks(request, &lines.each_ref().map(String::as_str), "")
            .expect("an answer")
    };
    assert_eq!(
        asks("GET /enroll", &as_cookie("__Host-postern-enrollment")).header("location"),
        "/sign-in"
    );
    assert_eq!(
        asks("POST /enroll/code", &as_cookie("__Host-postern-enrollment")).status,
        401
    );
    let both = format!(
        "{}; __Secure-postern={value}",
        as_cookie("__Host-postern-step-up")
    );
    assert_eq!(asks("POST /turn-off", &both).header("location"), "/sign-in");
    assert_lacks(web.gate.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_login_ticket_ends_with_its_success_its_time_and_five_wrong_codes() {
    let host = Host::fresh();
    let (web, alice, phone) = alice(&host);
    let code = |ticket: &str, code: &str| Wire::open().code(ticket, code, "192.0.2.7");

    let used = ticket(&alice);
    assert_eq!(code(&used, &phone.code()).status, 303);
    host.clock.forward(30);
    is_over(&code(&used, &phone.code()));

    let tried = ticket(&alice);
    for _ in 0..5 {
        assert_eq!(
            code(&tried, "nothing of the kind").status,
            401,
            "free of charge"
        );
        let wrong = code(&tried, "000000");
        assert!(
            wrong.status == 401 && wrong.body.contains("That code is wrong"),
            "{wrong:?}"
        );
    }
    is_over(&code(&tried, &phone.code()));
    web.gate
        .says("refused cause=expired address=192.0.2.7 service=web user=\"alice\"");

    let altered = ticket(&alice).replace(&format!("{LOGIN}="), &format!("{LOGIN}=A"));
    is_over(&code(&altered, &phone.code()));
    let late = ticket(&alice);
    host.clock.forward(601);
    is_over(&code(&late, &phone.code()));
    // The refused requests have consumed neither the token nor the code.
    let opened = code(&ticket(&alice), &phone.code());
    let session = |cookie: &&str| cookie.starts_with("__Secure-postern=");
    assert!(opened.all("set-cookie").iter().any(session), "{opened:?}");
    assert_contains(&opened.body, "5 wrong codes since your last sign-in");
}

/// The page deletes its own cookie after the success.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_browser_keeps_no_login_ticket_after_the_code() {
    let host = Host::fresh();
    let (web, alice, phone) = alice(&host);
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    assert!(
        !client.cookies().iter().any(|(name, _)| name == LOGIN),
        "{:?}",
        client.cookies()
    );
}

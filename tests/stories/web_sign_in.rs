//! Signing in at the web, through nginx and Traefik, on a host of its own and on a path.

use testhost::{APP, Front, Host, Place, Postern, Visitor, Web};

const WAYS: [(Front, Place); 4] = [
    (Front::Nginx, Place::OwnHost),
    (Front::Nginx, Place::Path),
    (Front::Traefik, Place::OwnHost),
    (Front::Traefik, Place::Path),
];

/// L1, L3, T1, T6, D-N1: a day at the web, without scripts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_page_asked_for_comes_after_password_and_code() {
    for (front, place) in WAYS {
        let host = Host::fresh();
        let web = Web::start(&host, front, place, "");
        let alice = host.person("alice");
        alice.has_a_password();
        let phone = alice.enrols();
        let visitor = Visitor::new();

        let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y&c='\\");
        let sent = visitor.loads(&asked);
        assert_eq!(sent.status, 302, "{front:?} {place:?} {sent:?}");
        web.application.got_nothing();
        let page = visitor.follows(&sent);
        assert_eq!(page.status, 200, "{page:?}");
        let rd = page.body.split("name=\"rd\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let rd = rd.expect("the form holds the page asked for").replace("&#38;", "&").replace("&#39;", "'");
        assert_eq!(rd, asked);

        let sign_in = format!("{}sign-in", web.pages);
        let fields = [("rd", rd.as_str()), ("user", "alice"), ("password", &alice.password)];
        let after_password = visitor.sends(&sign_in, &fields);
        assert_eq!(after_password.status, 303, "{after_password:?}");
        assert!(!visitor.cookies().iter().any(|(name, _)| name.ends_with("postern")), "no session yet");
        let code_page = visitor.loads(&format!("{}code", web.pages));
        assert!(code_page.body.contains("one-time-code"), "{code_page:?}");
        let entered = visitor.code(&web.pages, &phone.code(), "yes");
        assert_eq!((entered.status, entered.header("location")), (303, asked.as_str()), "{entered:?}");

        let page = visitor.follows(&entered);
        assert_eq!(page.status, 200, "{page:?}");
        let got = web.application.got();
        assert_eq!(
            got.request,
            format!("GET {}", asked.strip_prefix(APP).expect("a page of the application"))
        );
        assert_eq!(got.value("Remote-User"), "alice");
        assert_eq!((got.value("Cookie"), got.value("X-Postern-Proxy")), ("", ""), "{got:?}");

        let out = visitor.sends(&format!("{}sign-out", web.pages), &[]);
        assert_eq!(out.status, 200, "{out:?}");
        assert_eq!(visitor.loads(&asked).status, 302);
        assert_eq!(visitor.fetches(&asked).status, 401);
        web.application.got_nothing();

        let again = visitor.password(&web.pages, "alice", &alice.password);
        assert_eq!(
            (again.status, again.header("location")),
            (303, format!("{APP}/").as_str()),
            "no code asked"
        );
        assert_eq!(visitor.follows(&again).status, 200);
        assert_eq!(web.application.got().value("Remote-User"), "alice");
        assert!(!web.gate.log().contains("panicked"), "{}", web.gate.log());

        Postern::call("disable alice").does();
        assert_eq!(visitor.loads(&asked).status, 302, "an open session is over");
        web.application.got_nothing();
        let alone = visitor.password(&web.pages, "alice", &alice.password);
        assert_eq!(
            (alone.status, alone.header("location")),
            (303, format!("{APP}/").as_str()),
            "no code to ask"
        );
    }
}

//! Groups, guards and names through real PAM hosts.

use crate::guest_process::PAM_HOST;
use testhost::{Answer, Host, PamHost, Postern, Store};

/// A host may authenticate several times on one handle; what was accepted first does not make up for a refusal.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_second_auth_that_is_refused_takes_the_pass_of_the_first_away() {
    let host = Host::fresh();
    let phone = host.person("alice").enrols();
    let lines = "auth required pam_totp.so first_factor=passed tries=1\naccount required pam_totp.so\n";
    host.pam("twice", lines);
    for (typed, enters) in [([phone.code(), phone.wrong()], false), ([phone.wrong(), phone.code_in(1)], true)]
    {
        let mut pam = PamHost::start(PAM_HOST, "twice", b"alice", &["--auths", "2"]);
        for code in &typed {
            pam.expect("prompt");
            pam.answers(&Answer::from(code.as_str()));
        }
        let ended = pam.ends();
        assert_eq!(ended.all("authenticate").len(), 2, "{ended:?}");
        assert_eq!(ended.all("account").last().is_some_and(|number| **number == 0), enters, "{ended:?}");
    }
    host.journal
        .says("pam_totp(twice:account): refused cause=not-asked address=- service=twice user=\"alice\"");
}

/// A person types a name in any case or width; a service that takes all of them for one must not come by another account.
#[test]
#[ignore = "needs the test host: tests/run"]
fn another_spelling_of_a_name_opens_nothing_and_makes_no_account() {
    let host = Host::fresh();
    host.person("alice").enrols();
    let lines =
        "auth required pam_totp.so first_factor=passed unenrolled=enroll\naccount required pam_totp.so\n";
    host.pam("virtual", lines);
    for spelling in ["ALICE", "\u{FF41}lice"] {
        let ended = PamHost::start(PAM_HOST, "virtual", spelling.as_bytes(), &[]).ends();
        assert!(!ended.entered() && ended.all("prompt").is_empty(), "{ended:?}");
        host.journal
            .says(&format!("refused cause=other-spelling address=- service=virtual user={spelling:?}"));
        for command in [format!("account add {spelling}"), format!("enroll {spelling} --no-confirm")] {
            let refused = Postern::call(&command).refuses();
            assert!(refused.err.contains("another spelling of the account \"alice\""), "{}", refused.err);
        }
    }
    assert_eq!(Store::open().number("SELECT count(*) FROM account"), 1);
    Postern::call("account add --distinct-name ALICE").does();
    assert_eq!(Store::open().number("SELECT count(*) FROM account"), 2);
}

//! Groups, guards and names through real PAM hosts.

use crate::guest_process::PAM_HOST;
use testhost::{Answer, Host, PamHost};

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

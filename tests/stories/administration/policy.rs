//! Who must give a second factor, and how a new requirement locks out no administrator.

use testhost::{APP, Host, Postern, Web, WebClient, assert_contains, assert_lacks};

/// L13: the enrollment grace period starts with the first sign-in.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn someone_required_comes_in_without_for_enroll_within_after_the_first_sign_in() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure("[policy]\nrequired = \"all\"\nenroll_within = \"1d\"\n");

    // Only a successful sign-in starts the grace period. An attacker without the password cannot
    // start it.
    alice.with_password().password("wrong").is_turned_away();
    assert_lacks(&Postern::call("status").does().out, "alice");

    let read = alice.with_password().enters();
    assert_contains(&read, "must have a second factor by ");
    host.journal
        .says("not needed cause=enrollment-grace-period");
    assert_contains(&Postern::call("status alice").does().out, "off");
    host.clock.forward(24 * 3600 - 1);
    alice.with_key().enters();

    host.clock.forward(1);
    alice.with_key().is_turned_away();
    host.journal.says("refused cause=not-enrolled");
    // Enrollment ends the grace period for good, even if the second factor is disabled later.
    let phone = alice.enrols();
    alice.with_key().enters_with(&phone.code());
    Postern::call("disable alice").does();
    alice.with_key().is_turned_away();
}

/// Promise 8, N6: the requirement waits until one administrator has a second factor.
#[test]
#[ignore = "needs the test host: tests/run"]
fn requiring_a_second_factor_shuts_no_administrator_out_while_none_has_one() {
    let host = Host::fresh();
    let (alice, bob, carol) = (
        host.person("alice"),
        host.person("bob"),
        host.person("carol"),
    );
    Postern::call("account add alice").does();
    Postern::call("account group alice --add keepers").does();
    host.configure("[policy]\nrequired = \"all\"\nadministrators = [\"%keepers\", \"bob\"]\n");

    for administrator in [&alice, &bob] {
        let read = administrator.with_key().enters();
        assert_contains(&read, "No administrator has a second factor yet");
    }
    host.journal.says("not needed cause=last-administrator");
    assert_contains(&Postern::call("log alice").does().out, "last-administrator");
    carol.with_key().is_turned_away();
    // The second factor of a user who is no administrator changes nothing.
    let phone = carol.enrols();
    carol.with_key().enters_with(&phone.code());
    alice.with_key().enters();

    let phone = alice.enrols();
    bob.with_key().is_turned_away();
    alice.with_key().enters_with(&phone.code());
    let output = Postern::call("disable alice").does();
    assert_contains(&output.out, "postern one-time-code alice");
    bob.with_key().enters();
}

/// An option of pam_totp.so in the service file applies to all users of the service, administrators
/// included.
#[test]
#[ignore = "needs the test host: tests/run"]
fn unenrolled_deny_knows_no_waiver() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure(
        "[policy]\nrequired = \"all\"\nenroll_within = \"1d\"\nadministrators = [\"alice\"]\n\
         [pam.service.sshd]\nunenrolled = \"deny\"\n",
    );
    alice.with_key().is_turned_away();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn what_contradicts_itself_is_refused_by_line_and_key() {
    let host = Host::fresh();
    for (text, output) in [
        (
            "[policy]\nself_enroll = \"networks\"\n",
            "self_enroll_networks must be set together",
        ),
        (
            "[policy]\nself_enroll_networks = [\"192.0.2.0/24\"]\n",
            "self_enroll_networks must be set together",
        ),
        ("[policy]\nself_enroll = \"never\"\n", "one-time-code"),
        (
            "[policy]\nenroll_within = \"91d\"\n",
            "must be a duration from 0s to 90d",
        ),
        (
            "[policy]\nadministrators = [\"!alice\"]\n",
            "must be a list of names and \"%groups\"",
        ),
    ] {
        host.write_configuration(text);
        let refused = Postern::call("enroll bob --no-confirm").refuses();
        assert!(
            refused.err.contains(output) && refused.err.contains("policy."),
            "{text}: {}",
            refused.err
        );
    }
}

/// C3: the log line of an exempt sign-in names the exemption.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_exemption_at_the_web_is_named_in_the_log() {
    let host = Host::fresh();
    let exempt = "[[policy.exempt]]\nservices = [\"sshd\"]\n\
                  [[policy.exempt]]\nservices = [\"web\"]\nnetworks = [\"127.0.1.0/24\"]\n";
    let web = Web::nginx(&host, exempt);
    let alice = host.person("alice");
    alice.has_a_password();
    alice.enrols();
    let inside = WebClient::new().from("127.0.1.7");
    let entered = inside.password(&web, &alice);
    entered.redirects_to(303, &format!("{APP}/"));
    let event = Postern::json("log alice --event accepted --json");
    assert_eq!(event["cause"], "policy.exempt-2", "{event}");
    assert_contains(web.gate.log(), "accepted cause=policy.exempt-2");
    // A client outside of the exempt network must give a code.
    let outside = WebClient::new().from("127.0.2.7").password(&web, &alice);
    assert!(outside.header("location").contains("/code"), "{outside:?}");
}

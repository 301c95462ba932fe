//! PAM hosts that are not root, such as screen lockers, on a host without a store.

use super::sign_in::joined_host;
use crate::enrollment::without_root::{PAM_PEER, uid_of};
use crate::services::lockers::{SAMPLE, enters, refused};
use serde_json::json;
use testhost::{PAM_SOCKET, PamPeer, assert_contains, assert_lacks};

/// The whole way: a server verifies the code, once for every service, and counts wrong ones.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_screen_locker_on_a_host_asks_a_server() {
    let (host, mut server) = joined_host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = server.enrols("alice");
    host.pam("locker", SAMPLE);
    let (service, password) = (["locker"], alice.password.as_str());

    let output = refused("alice", &service, "alice", &[password, &phone.wrong()]);
    assert_contains(&output.text, "That code is wrong");
    // the account line finds the mark of the auth line
    enters("alice", &service, "alice", &[password, &phone.code()]);
    host.posternd()
        .says("pam_totp(locker:auth): accepted cause=code address=- service=locker user=\"alice\"");
    let output = refused("alice", &service, "alice", &[password, &phone.code()]);
    assert_contains(&output.text, "That code was used already");
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    assert_contains(server.audit_log(), "local user alice on web1");
    enters("bob", &service, "bob", &[&bob.password]);
    server.configure("[policy]\nrequired_hosts = [\"web1\"]\n");
    let output = refused("bob", &service, "bob", &[&bob.password]);
    assert_contains(&output.text, "needs a second factor and has none");

    server.crashes();
    host.clock.forward(30);
    let output = refused("alice", &service, "alice", &[password, &phone.code()]);
    assert_contains(&output.text, "No server answers that could check your code");
    host.posternd()
        .says("pam_totp(locker:auth): refused cause=no-server");
    assert_lacks(host.posternd().log(), "panicked");
}

/// The attacks: a process of a user's asks about another account, claims what exempts at this service, and
/// guesses. An exemption for the service, the address or the key does not apply to it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_users_process_on_a_host_asks_about_its_own_account_and_claims_nothing() {
    let (host, server) = joined_host();
    let (_alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = server.enrols("alice");
    server.enrols("bob");
    server.configure(
        "[[policy.exempt]]\nservices = [\"backup\"]\n\
         [[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]\n\
         [[policy.exempt]]\ncompleted_methods = [\"publickey\", \"password\"]\n",
    );
    let mut peer = PamPeer::start(PAM_PEER, uid_of("alice"), PAM_SOCKET);
    let mut asks = |user: &str, options: &[&str], typed: &str| {
        let claims = json!({
            "service": "backup", "user": user, "remote_host": "192.0.2.7", "terminal": "",
            "ssh_connection": "192.0.2.7 1 192.0.2.1 22", "ssh_auth_info": "publickey ssh-ed25519 AAAA",
            "real_uid": 0, "options": options,
        });
        peer.does(&json!({ "user_host": claims, "typed": typed }))
    };
    for option in ["first_factor=passed", "first_factor=unknown", "grace=1h"] {
        let came = asks("alice", &[option, "tries=1"], &phone.wrong());
        assert_ne!(came["result"], "passed", "{came}");
        assert_ne!(came["result"], "not needed", "{came}");
    }
    for (user, options) in [("bob", ["tries=1"]), ("alice", ["user=bob"])] {
        let came = asks(user, &options, &phone.code());
        assert_ne!(came["result"], "passed", "{came}");
        let line = host.posternd().says("refused cause=unavailable");
        assert_contains(&line, "may ask only about the account alice");
    }
    let came = asks("alice", &["tries=1"], &phone.code());
    assert_eq!(came["result"], "passed", "{came}");
    // a claim enrolled no one, and wrong codes count for alice on this host alone
    assert_contains(server.audit_log(), "local user alice on web1");
    assert_lacks(server.audit_log(), "192.0.2.7");
    drop(bob);
}

//! Groups, the guard in `account`, and user names, through real PAM hosts.

use crate::pam::process::PAM_HOST;
use std::fs;
use testhost::{Host, PamHost, Postern, Store, assert_contains, assert_lacks};

/// File of this host that is restored on drop.
struct Changed(&'static str, String);

impl Changed {
    fn file(path: &'static str, change: impl FnOnce(&str) -> String) -> Changed {
        let before = fs::read_to_string(path).expect("a file of the host");
        fs::write(path, change(&before)).expect("the file can be written");
        Changed(path, before)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        fs::write(self.0, &self.1).expect("the file can be written");
    }
}

/// A host may authenticate several times on one PAM handle. An earlier success must not override a
/// later refusal.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_second_auth_that_is_refused_takes_the_pass_of_the_first_away() {
    let host = Host::fresh();
    let phone = host.person("alice").enrols();
    let lines =
        "auth required pam_totp.so first_factor=passed tries=1\naccount required pam_totp.so\n";
    host.pam("twice", lines);
    for (typed, enters) in [
        ([phone.code(), phone.wrong()], false),
        ([phone.wrong(), phone.code_in(1)], true),
    ] {
        let mut pam = PamHost::start(PAM_HOST, "twice", b"alice", &["--auths", "2"]);
        for code in &typed {
            pam.expect("prompt");
            pam.types(code);
        }
        let ended = pam.ends();
        assert_eq!(ended.all("authenticate").len(), 2, "{ended:?}");
        assert_eq!(
            ended
                .all("account")
                .last()
                .is_some_and(|number| **number == 0),
            enters,
            "{ended:?}"
        );
    }
    host.journal.says(
        "pam_totp(twice:account): refused cause=not-verified address=- service=twice user=\"alice\"",
    );
}

/// A user types a name in another case or width. If the service treats both as the same user, the
/// other spelling must not use another account.
#[test]
#[ignore = "needs the test host: tests/run"]
fn another_spelling_of_a_name_opens_nothing_and_makes_no_account() {
    let host = Host::fresh();
    host.person("alice").enrols();
    let lines = "auth required pam_totp.so first_factor=passed unenrolled=enroll\naccount required pam_totp.so\n";
    host.pam("virtual", lines);
    for spelling in ["ALICE", "\u{FF41}lice"] {
        let ended = PamHost::start(PAM_HOST, "virtual", spelling.as_bytes(), &[]).ends();
        assert!(
            !ended.entered() && ended.all("prompt").is_empty(),
            "{ended:?}"
        );
        host.journal.says(&format!(
            "refused cause=similar-name address=- service=virtual user={spelling:?}"
        ));
        for command in [
            format!("account add {spelling}"),
            format!("enroll {spelling} --no-confirm"),
        ] {
            let refused = Postern::call(&command).refuses();
            assert_contains(&refused.err, "another spelling of the account \"alice\"");
        }
    }
    assert_eq!(Store::open().number("SELECT count(*) FROM account"), 1);
    Postern::call("account add --distinct-name ALICE").does();
    assert_eq!(Store::open().number("SELECT count(*) FROM account"), 2);
}

/// A directory that is down, or a typo in a group name, must not disable a requirement.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_required_group_whose_source_does_not_answer_requires_everyone() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    host.configure("[policy]\nrequired = [\"%directory-staff\", \"!bob\"]\n");
    let _down = Changed::file("/etc/nsswitch.conf", |text| {
        let others = text.lines().filter(|line| !line.starts_with("group:"));
        others
            .chain(["group: files nowhere"])
            .fold(String::new(), |text, line| text + line + "\n")
    });

    alice.with_key().is_turned_away();
    let line = host
        .journal
        .says("warning cause=group-unresolved address=127.0.0.1 service=sshd user=\"alice\": ");
    assert_contains(&line, "\"directory-staff\" in policy.required");
    host.journal
        .says("refused cause=not-enrolled address=127.0.0.1 service=sshd user=\"alice\"");
    bob.with_key().enters();
}

/// A domain group has more than a megabyte of members. Only groups that the policy names are looked
/// up, whatever their size.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_member_of_a_very_large_group_is_neither_locked_out_nor_overlooked() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let members = (0..100_000).fold(String::new(), |all, number| {
        all + &format!("member-{number},")
    });
    let _crowd = Changed::file("/etc/group", |text| {
        format!("{text}crowd:x:64001:{members}alice\n")
    });

    host.configure("[policy]\nrequired = [\"%root\"]\n");
    alice.with_key().enters();
    host.configure("[policy]\nrequired = [\"%crowd\"]\n");
    alice.with_key().is_turned_away();
    host.journal
        .says("refused cause=not-enrolled address=127.0.0.1 service=sshd user=\"alice\"");
    bob.with_key().enters();
    assert_lacks(host.journal.rest(), "group-unresolved");
}

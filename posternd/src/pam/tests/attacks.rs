//! PAM hosts and networks that once avoided the code, or whose refusals did not name the user in
//! the log.

use super::*;

/// A screen locker or server may authenticate several times on one handle: the last `auth` counts.
#[test]
fn a_refused_auth_removes_the_mark_of_an_earlier_one_on_the_same_handle() {
    let nulok = "first_factor=passed nulok";
    for second in [AFTER_FIRST, nulok, "proven", "app_password"] {
        let home = Home::new("");
        let host = sudo().who_types(&[&home.code(0)]);
        assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
        assert_ne!(home.auth(&host, second), Passed, "{second}");
        assert_eq!(home.account(&host, ""), Denied(NotAsked), "{second}");
    }
}

/// A mark is valid for one `account` call.
#[test]
fn a_mark_is_valid_for_one_account_hook() {
    let home = Home::new("");
    let host = sudo().who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    assert_eq!(home.account(&host, ""), Passed);
    assert_eq!(home.account(&host, ""), Denied(NotAsked));
}

/// Where a service gives the name of reverse DNS, the owner of the zone of an address writes
/// it, and an address as a name comes back from the C library unchanged.
#[test]
fn a_name_of_reverse_dns_that_looks_like_an_address_is_in_no_network() {
    let exempt = "[[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]\n";
    let home = Home::new(exempt);
    for words in ["", AFTER_FIRST] {
        let host = Fake::at("vsftpd", "alice")
            .with(PamItem::RemoteHost, "192.0.2.7")
            .who_types(&["000000"]);
        assert!(
            matches!(home.auth(&host, words), Denied(_)),
            "{words:?}: {}",
            host.log_text()
        );
        // wrong codes from that address are counted for it all the same
        host.assert_logged("address=192.0.2.7");
        let host = Fake::at("vsftpd", "alice").with(PamItem::RemoteHost, "192.0.2.7");
        assert_eq!(home.account(&host, words), Denied(NotAsked), "{words:?}");
    }
}

/// The same for the grace period, and for networks in which users may enroll.
#[test]
fn a_name_of_reverse_dns_gives_no_grace_period_and_no_enrollment() {
    let home = Home::new(
        "[policy]\nself_enroll = \"networks\"\nself_enroll_networks = [\"192.0.2.0/24\"]\n",
    );
    let words = "first_factor=passed grace=1h unenrolled=enroll";
    let alice = || Fake::at("vsftpd", "alice").with(PamItem::RemoteHost, "192.0.2.7");
    assert_eq!(
        home.auth(&alice().who_types(&[&home.code(0)]), words),
        Passed
    );
    assert_eq!(home.auth(&alice(), words), Denied(Conversation));
    let bob = Fake::at("vsftpd", "bob").with(PamItem::RemoteHost, "192.0.2.7");
    home.auth(&bob, words);
    let prompts = bob.prompts.borrow().join("\n");
    assert!(
        !prompts.contains("otpauth") && prompts.contains("one-time code"),
        "{prompts}"
    );
}

/// Every log line names user, service, address and cause: fail2ban and people read them.
#[test]
fn no_line_of_the_log_lacks_user_service_address_or_cause() {
    let files = ["store/postern.db", "postern.key", "postern.toml"];
    for (words, broken) in [("nulok", None), ("tries=0", None), ("user=a/b", None)]
        .into_iter()
        .chain(files.map(|file| (AFTER_FIRST, Some(file))))
        .chain([
            (AFTER_FIRST, None),
            ("", None),
            ("first_factor=passed debug", None),
        ])
    {
        let home = Home::new("");
        if let Some(file) = broken {
            fs::rename(home.path(file), home.path("aside")).unwrap();
        }
        for user in ["alice", "bob", "../x"] {
            let host = || {
                Fake::at("sshd", user)
                    .with(PamItem::RemoteHost, "198.51.100.9")
                    .with_variable("SSH_CONNECTION", "192.0.2.7 4711 192.0.2.1 22")
                    .who_types(&["000000"])
            };
            let (one, other, changed) = (host(), host(), host());
            home.auth(&one, words);
            home.account(&other, words);
            crate::pam::password::handle_changed_password(&changed, &home.words(words));
            let shown = if user == "../x" { "-" } else { user };
            for line in [one, other, changed]
                .iter()
                .flat_map(|host| host.logged.borrow().clone())
            {
                let (result, rest) = line
                    .split_once(" cause=")
                    .unwrap_or_else(|| panic!("{line}"));
                assert!(
                    !result.is_empty()
                        && result.chars().all(|c| c == ' ' || c.is_ascii_lowercase()),
                    "{line}"
                );
                let (_, rest) = rest
                    .split_once(" address=192.0.2.7 service=sshd ")
                    .unwrap_or_else(|| panic!("{line}"));
                assert!(rest.starts_with(&format!("user=\"{shown}\"")), "{line}");
            }
        }
    }
}

#[test]
fn a_mark_that_cannot_be_removed_denies() {
    let home = Home::new("");
    let host = sudo().who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    let host = Fake {
        keeps_marks: true,
        ..host
    };
    assert_eq!(home.account(&host, ""), Denied(Unavailable));
    assert_eq!(home.auth(&host, AFTER_FIRST), Denied(Unavailable));
    assert!(
        host.log_text().ends_with("restart the service"),
        "{}",
        host.log_text()
    );
}

/// A typo is logged also where the last valid copy is in force, with the user.
#[test]
fn a_typo_in_the_configuration_is_logged_and_the_last_valid_copy_counts() {
    let home = Home::new("");
    let path = home.path("postern.toml");
    file::save_valid_copy(&path).unwrap();
    fs::write(&path, "[totp]\nperiod = 5\n").unwrap();
    let host = sudo().who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    let log = host.log_text();
    let mut lines = log.lines();
    let line = lines
        .find(|line| line.contains("postern.toml:2: totp.period: must be"))
        .unwrap();
    let begin = "warning cause=misconfigured address=- service=sudo user=\"alice\": ";
    assert!(line.starts_with(begin), "{line}");
}

/// Wrong codes were counted under the number of a user whose name the host did not find: more tries
/// than under the name.
#[test]
fn a_user_who_cannot_be_looked_up_is_refused() {
    let home = Home::new("");
    let host = Fake {
        names_unavailable: true,
        ..sudo().who_types(&[&home.code(0)])
    };
    for words in ["", AFTER_FIRST] {
        assert_eq!(home.auth(&host, words), Denied(Unavailable));
    }
    assert_eq!(home.account(&host, ""), Denied(Unavailable));
    assert!(host.prompts.borrow().is_empty());
    host.assert_logged("refused cause=unavailable ");
    host.assert_logged("see getent passwd");
    // with a remote address, the user who runs the process does not matter
    let remote = host.with(PamItem::RemoteHost, "192.0.2.7");
    assert_eq!(home.auth(&remote, AFTER_FIRST), Passed);
}

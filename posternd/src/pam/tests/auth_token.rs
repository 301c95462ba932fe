//! The mark between `auth` and `account`: with an invalid mark the policy is evaluated again, and
//! the log names the reason.

use super::*;
use postern_shared::engine::Principal;
use postern_shared::system::process::UnidentifiedProcess;

/// Returns a host at which alice has passed `auth` with a code.
fn passed(home: &Home) -> Fake {
    let host = sudo().who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    host
}

/// Asserts a refusal, with one log line that names the reason.
#[track_caller]
fn is_refused(home: &Home, host: &Fake, why: &str) {
    host.logged.borrow_mut().clear();
    assert_eq!(home.account(host, ""), Denied(NotAsked));
    let log = host.log_text();
    assert!(
        log.starts_with("refused cause=not-verified ") && log.contains(why),
        "{log}"
    );
    assert_eq!(host.logged.borrow().len(), 1);
}

#[test]
fn a_mark_of_another_process_user_or_service_is_refused() {
    let home = Home::new("");
    let mark = passed(&home).mark;
    let with_mark = |host: Fake| Fake {
        mark: mark.clone(),
        ..host
    };
    is_refused(
        &home,
        &with_mark(Fake {
            process: 7,
            ..sudo()
        }),
        "the mark of its auth line belongs to another process",
    );
    is_refused(
        &home,
        &with_mark(Fake::at("su", "alice")),
        "the mark of its auth line belongs to another service",
    );
    let shared = with_mark(Fake::at("sudo", "bob"));
    assert_eq!(home.account(&shared, "unenrolled=deny"), Denied(NotAsked));
    shared.assert_logged("belongs to another user");
    // the process of the mark
    assert_eq!(home.account(&with_mark(sudo()), ""), Passed);
}

#[test]
fn a_mark_that_was_altered_is_refused() {
    let home = Home::new("");
    let host = passed(&home);
    let whole = host.mark.borrow().clone().unwrap();
    let mut altered = whole.clone();
    altered[40] ^= 1;
    for bytes in [altered, whole[1..].to_vec(), b"-alice\nalice\n".to_vec()] {
        host.mark.replace(Some(bytes));
        is_refused(&home, &host, "has expired, or belongs to another store");
    }
    // an empty mark is what the module leaves where it removes one
    for bytes in [Vec::new(), vec![0xff]] {
        host.mark.replace(Some(bytes));
        is_refused(&home, &host, "no code was asked for");
    }
}

#[test]
fn a_mark_is_refused_after_a_revocation() {
    let home = Home::new("");
    let host = passed(&home);
    let alice = "alice".parse().unwrap();
    home.engine()
        .accounts()
        .record_host_password_change(&alice, Principal::Command("root"), clock::now().unwrap())
        .unwrap();
    is_refused(&home, &host, "what its auth line accepted has been revoked");
}

/// A host may authenticate several times on one handle.
#[test]
fn a_second_auth_that_is_refused_removes_the_mark_of_the_first() {
    let home = Home::new("");
    let host = passed(&home).who_types(&["junk!"]);
    assert_eq!(home.auth(&host, ONE_TRY), Denied(TooManyTries));
    is_refused(&home, &host, "no code was asked for");
}

/// An invalid mark denies no user who needs no code.
#[test]
fn a_user_who_needs_no_code_passes_whatever_the_mark_is() {
    let home = Home::new("");
    let host = Fake {
        mark: passed(&home).mark,
        ..Fake::at("sshd", "bob")
    };
    assert_eq!(home.account(&host, ""), Passed);
}

/// A mark of an unidentified process was valid for all of them: now the policy is evaluated again,
/// and the log names why.
#[test]
fn an_unidentified_process_has_no_mark_and_none_is_accepted() {
    for (unseen, remedy) in [
        (UnidentifiedProcess::OtherNamespace, "PID namespace"),
        (UnidentifiedProcess::Hidden, "mount /proc with gid=postern"),
    ] {
        let home = Home::new("");
        let unseen = Some(unseen);
        let host = Fake {
            unseen,
            ..sudo().who_types(&[&home.code(0)])
        };
        assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
        assert_eq!(host.mark.borrow().as_deref(), None);
        host.assert_logged("warning cause=process-unidentified ");
        host.assert_logged(remedy);
        is_refused(&home, &host, remedy);

        let seen = sudo().who_types(&[&home.code(1)]);
        assert_eq!(home.auth(&seen, AFTER_FIRST), Passed);
        is_refused(
            &home,
            &Fake {
                unseen,
                mark: seen.mark.clone(),
                ..sudo()
            },
            remedy,
        );
        // a user who needs no code is granted access
        let bob = Fake {
            unseen,
            ..Fake::at("sudo", "bob")
        };
        assert_eq!(home.auth(&bob, AFTER_FIRST), NotNeeded);
        assert_eq!(home.account(&bob, ""), Passed);
        assert!(
            !bob.log_text().contains("process-unidentified"),
            "{}",
            bob.log_text()
        );
    }
}

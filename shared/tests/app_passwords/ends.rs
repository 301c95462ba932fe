//! App passwords end or stay, as `app_passwords.on_change` says, where the account changes.

use super::*;

#[test]
fn a_changed_password_and_a_second_factor_on_or_off_revoke_or_keep_as_configured() {
    for (extra, kept) in [("", false), (KEEP, true)] {
        let mut test = test(extra);
        let alice = name("alice");
        let expected = |count| {
            if kept {
                AppPasswordsAfter::Kept(count)
            } else {
                AppPasswordsAfter::Revoked(count)
            }
        };
        assert_eq!(
            test.accounts()
                .set_password(&alice, &password(), "root", NOW)
                .unwrap(),
            AppPasswordsAfter::None
        );
        let mut made = Vec::new();
        let mut count = 0;
        let mut one_more = |test: &mut TestStore, called: &str| {
            made.push(add(test, called, SCOPE));
            count = if kept { count + 1 } else { 1 };
            count
        };
        let live = one_more(&mut test, "before the password");
        assert_eq!(
            test.accounts()
                .set_password(&alice, &password(), "root", NOW)
                .unwrap(),
            expected(live)
        );
        let live = one_more(&mut test, "before the second factor");
        let pending = PendingEnrollment::new(test.config(), &alice).unwrap();
        let vouched =
            postern_shared::engine::enrollment::pending::EnrollmentConfirmation::by_administrator();
        assert_eq!(
            test.enrollment()
                .activate(&pending, &vouched, "root", NOW)
                .unwrap(),
            expected(live)
        );
        let live = one_more(&mut test, "with it");
        let further = PendingEnrollment::further(test.config(), &alice)
            .unwrap()
            .with_label(label("token"));
        assert_eq!(
            test.enrollment()
                .activate(&further, &vouched, "root", NOW)
                .unwrap(),
            AppPasswordsAfter::None
        );
        assert_eq!(
            test.accounts()
                .disable_second_factor(&alice, "root", NOW)
                .unwrap(),
            expected(live)
        );
        for made in &made {
            assert_eq!(admits(&mut test, made, "dovecot", NOW).is_ok(), kept);
        }
    }
}

#[test]
fn a_recovery_code_that_turns_the_second_factor_off_says_what_becomes_of_them() {
    let mut test = test("[recovery]\non_use = \"disable\"");
    let pending = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&pending);
    let mail = add(&mut test, "mail", SCOPE);
    let tried = test.attempt("alice", &pending.recovery_codes()[0].grouped(), NOW);
    accepted(&tried);
    let notified =
        postern_shared::engine::messages::recovery_text(tried.after_login.recovery.unwrap());
    assert!(
        notified.ends_with("1 app password revoked: make new ones"),
        "{notified}"
    );
    assert_eq!(
        admits(&mut test, &mail, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
}

/// A mail address is a second factor too, so its removal ends the app passwords if it was the only
/// one.
#[test]
fn an_address_that_was_the_only_second_factor_ends_them_when_it_is_removed() {
    let mut test = test("");
    let alice = name("alice");
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'alice@example.com' FROM account";
    test.changes(sql);
    let mail = add(&mut test, "mail", SCOPE);
    let (enrolled, after) = test.accounts().remove_email(&alice, "root", NOW).unwrap();
    assert_eq!(
        (enrolled, after),
        (
            postern_shared::account::second_factor::Enrolled::No,
            AppPasswordsAfter::Revoked(1)
        )
    );
    assert_eq!(
        admits(&mut test, &mail, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
}

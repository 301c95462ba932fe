//! An enrollment at the prompt, from the QR code to the activation.

use super::*;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::engine::messages;
use std::cell::RefCell;

const ENROLL: &str = "first_factor=passed unenrolled=enroll";
const DENIED: PamFunctionResult = Denied(Refused);

impl Home {
    /// Returns a host where bob types; `{code}` is the code of his phone.
    fn bob(&self, typed: &[&str]) -> Fake {
        Fake {
            phone: Some(phone),
            ..Fake::at("sshd", "bob")
        }
        .who_types(typed)
    }

    fn bob_is_enrolled(&self) -> bool {
        let mut engine = self.engine();
        engine
            .enrollment()
            .list_authenticators(&"bob".parse().unwrap())
            .is_ok_and(|found| !found.is_empty())
    }

    fn one_time_code(&self) -> String {
        let mut engine = self.engine();
        let bob = "bob".parse().unwrap();
        let _ = engine.accounts().add_account(
            &bob,
            postern_shared::account::name::Distinct::No,
            "root",
            clock::now().unwrap(),
        );
        engine
            .accounts()
            .issue_one_time_code(&bob, "root", clock::now().unwrap())
            .unwrap()
            .0
            .grouped()
            .to_string()
    }
}

/// Returns the code of an authenticator app that has scanned the otpauth URI of a prompt.
fn phone(prompt: &str) -> Option<String> {
    let url = prompt.lines().find(|line| line.starts_with("otpauth://"))?;
    let (secret, parameters) = otpauth_uri::parse_declared_secret(url).unwrap();
    let step = parameters.moving.step_at(clock::now().unwrap()).unwrap();
    Some(generate_code(&secret, parameters, step).to_string())
}

#[test]
fn a_user_without_a_second_factor_enrolls_and_is_granted_access() {
    for policy in ["", "[policy]\nrequired = \"all\""] {
        let home = Home::new(policy);
        let host = home.bob(&["000000", "{code}", "", "Saved"]);
        home.expect_auth(&host, ENROLL, Passed);
        let prompts = host.prompts.borrow().clone();
        let rows: Vec<&str> = prompts[0].lines().collect();
        assert!(
            rows.iter().all(|row| row.chars().count() <= 134),
            "{rows:?}"
        );
        let at = rows.iter().position(|row| row.starts_with('█')).unwrap();
        assert!(rows[at - 1].starts_with("otpauth://") && rows[at - 2].starts_with("Secret: "));
        assert!(
            rows.len() - at <= 24,
            "QR and prompt fit a terminal of 24 rows"
        );
        assert_eq!(prompts[1], "That code is wrong\nVerification code: ");
        assert_eq!(
            prompts[2]
                .lines()
                .filter(|line| line.starts_with("    "))
                .count(),
            6
        );
        assert_eq!(prompts[3], "Type saved when you have them: ");
        assert!(home.bob_is_enrolled());
        assert_eq!(home.account(&host, ENROLL), Passed);
        assert!(
            host.told
                .borrow()
                .iter()
                .any(|told| told.contains("Your second factor is on"))
        );
        assert!(!host.log_text().contains("otpauth"));
    }
}

/// Stacks may skip the `account` hook: `sufficient` modules, jumps and `optional` do.
#[test]
fn a_finished_enrollment_is_active_without_an_account_hook() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    home.expect_auth(&host, ENROLL, Passed);
    assert!(
        home.bob_is_enrolled(),
        "bob counts on a second factor that nothing asks for"
    );
}

/// The code that confirmed the authenticator is consumed.
#[test]
fn the_code_that_confirmed_the_authenticator_is_consumed() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    assert_eq!(home.auth(&host, ENROLL), Passed);
    assert_eq!(home.account(&host, ENROLL), Passed);
    let shown = phone(&host.prompts.borrow()[0]).unwrap();
    let again = home.bob(&[&shown]);
    assert_eq!(home.auth(&again, ONE_TRY), Denied(TooManyTries));
    again.assert_logged("cause=used");
    assert_eq!(home.account(&again, ENROLL), Denied(NotAsked));
}

#[test]
fn an_unfinished_enrollment_stores_nothing() {
    let home = Home::new("");
    let (again, tries) = (Denied(Conversation), Denied(TooManyTries));
    let wrong: [(&[&str], PamFunctionResult); 4] = [
        (&[], again),
        (&["{code}"], again),
        (&["000000", "000000", "000000"], tries),
        (&["{code}", "no", "no", "no"], tries),
    ];
    for (typed, entry) in wrong {
        let host = home.bob(typed);
        assert_eq!(home.auth(&host, ENROLL), entry, "{typed:?}");
        assert!(!home.bob_is_enrolled(), "{typed:?}");
        assert!(host.mark.borrow().is_none());
    }
}

#[test]
fn before_the_first_factor_no_user_is_enrolled() {
    let home = Home::new("");
    let host = home.bob(&["000000", "saved"]);
    assert_eq!(home.auth(&host, "unenrolled=enroll"), DENIED);
    assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
}

#[test]
fn a_required_one_time_code_is_prompted_for_first() {
    let home = Home::new("[policy]\nself_enroll = \"one-time-code\"");
    let right = home.one_time_code();
    let host = home.bob(&["hello", "P-2345-6789-ABCD", &right, "{code}", "saved"]);
    home.expect_auth(&host, ENROLL, Passed);
    let prompts = host.prompts.borrow().clone();
    assert!(prompts[0].contains("one-time code from the administrator"));
    assert!(
        prompts[..3]
            .iter()
            .all(|prompt| !prompt.contains("otpauth")),
        "{prompts:?}"
    );
    assert_eq!(home.account(&host, ENROLL), Passed);
    // the one-time code was consumed by the enrollment
    let host = home.bob(&[]);
    assert!(home.bob_is_enrolled());
    assert_eq!(home.auth(&host, ENROLL), Denied(Conversation));

    let home = Home::new("[policy]\nself_enroll = \"one-time-code\"");
    home.one_time_code();
    let host = home.bob(&[
        "P-2345-6789-ABCD",
        "P-2345-6789-ABCD",
        "P-2345-6789-ABCD",
        "x",
    ]);
    assert_eq!(home.auth(&host, ENROLL), Denied(TooManyTries));
    assert_eq!(host.prompts.borrow().len(), 3);
}

/// What ended the account's sessions meanwhile ended the enrollment too.
#[test]
fn an_enrollment_does_not_outlive_a_change_of_the_account() {
    let home = Home::new("");
    let mut host = home.bob(&["{code}", "saved"]);
    let engine = RefCell::new(home.engine());
    host.meanwhile = Some(Box::new(move |prompt| {
        if prompt.ends_with(messages::SAVED_PROMPT) {
            let bob = "bob".parse().unwrap();
            engine
                .borrow_mut()
                .accounts()
                .add_account(
                    &bob,
                    postern_shared::account::name::Distinct::No,
                    "root",
                    clock::now().unwrap(),
                )
                .unwrap();
        }
    }));
    home.expect_auth(&host, ENROLL, Denied(Unavailable));
    assert!(!home.bob_is_enrolled());
    assert_eq!(home.account(&host, ENROLL), Denied(NotAsked));
}

#[test]
fn no_user_enrolls_another_account() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    let words = format!("{ENROLL} user=carol");
    assert_eq!(home.auth(&host, &words), Denied(Misconfigured));
    assert!(host.prompts.borrow().is_empty());
}

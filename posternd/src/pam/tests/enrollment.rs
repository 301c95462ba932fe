//! A first setup at the prompt, from the QR to the activation.

use super::Home;
use crate::pam::host::fake::Fake;
use shared::config::file;
use shared::credential::otpauth_uri;
use shared::credential::totp::generate_code;
use shared::engine::{Engine, messages};
use shared::protocol::{Denial, PamFunctionResult};
use shared::system::clock;
use std::cell::RefCell;

const ENROLL: &str = "first_factor=passed unenrolled=enroll";
const DENIED: PamFunctionResult = PamFunctionResult::Denied(Denial::Refused);

impl Home {
    /// A host where bob types; `{code}` is what his phone shows.
    fn bob(&self, typed: &[&str]) -> Fake {
        Fake {
            phone: Some(phone),
            ..Fake::at("sshd", "bob")
        }
        .who_types(typed)
    }

    fn bob_is_enrolled(&self) -> bool {
        let mut door = Engine::open(
            file::read_config(&self.path("postern.toml"))
                .unwrap()
                .config,
        )
        .unwrap();
        door.authenticators(&"bob".parse().unwrap())
            .is_ok_and(|found| !found.is_empty())
    }

    fn one_time_code(&self) -> String {
        let mut door = Engine::open(
            file::read_config(&self.path("postern.toml"))
                .unwrap()
                .config,
        )
        .unwrap();
        let bob = "bob".parse().unwrap();
        let _ = door.add_account(
            &bob,
            shared::account::name::Distinct::No,
            "root",
            clock::now().unwrap(),
        );
        door.issue_one_time_code(&bob, "root", clock::now().unwrap())
            .unwrap()
            .0
            .grouped()
            .to_string()
    }
}

/// What an authenticator app makes of the URL that a prompt shows.
fn phone(prompt: &str) -> Option<String> {
    let url = prompt.lines().find(|line| line.starts_with("otpauth://"))?;
    let (secret, parameters) = otpauth_uri::parse_declared_secret(url).unwrap();
    let step = parameters.moving.step_at(clock::now().unwrap()).unwrap();
    Some(generate_code(&secret, parameters, step).to_string())
}

/// E12
#[test]
fn whoever_has_none_sets_one_up_and_is_in() {
    for policy in ["", "[policy]\nrequired = \"all\""] {
        let home = Home::new(policy);
        let host = home.bob(&["000000", "{code}", "", "Saved"]);
        assert_eq!(
            home.auth(&host, ENROLL),
            PamFunctionResult::Passed,
            "{}",
            host.log_text()
        );
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
        assert_eq!(home.account(&host, ENROLL), PamFunctionResult::Passed);
        assert!(
            host.told
                .borrow()
                .iter()
                .any(|told| told.contains("is on, for every service"))
        );
        assert!(!host.log_text().contains("otpauth"));
    }
}

/// Whether an `account` line of ours is reached, only libpam knows: `sufficient` lines, jumps and `optional` skip it.
#[test]
fn a_setup_that_was_finished_is_active_though_no_account_line_is_reached() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    assert_eq!(
        home.auth(&host, ENROLL),
        PamFunctionResult::Passed,
        "{}",
        host.log_text()
    );
    assert!(
        home.bob_is_enrolled(),
        "bob believes in a second factor that nothing asks for"
    );
}

/// L5, trap 10: the code that confirmed it is spent.
#[test]
fn the_code_that_confirmed_it_opens_nothing_more() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    assert_eq!(home.auth(&host, ENROLL), PamFunctionResult::Passed);
    assert_eq!(home.account(&host, ENROLL), PamFunctionResult::Passed);
    let shown = phone(&host.prompts.borrow()[0]).unwrap();
    let again = home.bob(&[&shown]);
    assert_eq!(
        home.auth(&again, "first_factor=passed tries=1"),
        PamFunctionResult::Denied(Denial::TooManyTries)
    );
    assert!(
        again.log_text().contains("cause=used"),
        "{}",
        again.log_text()
    );
    assert_eq!(
        home.account(&again, ENROLL),
        PamFunctionResult::Denied(Denial::NotAsked)
    );
}

/// E4, promise 7
#[test]
fn a_setup_that_is_not_finished_leaves_nothing() {
    let home = Home::new("");
    let (again, tries) = (
        PamFunctionResult::Denied(Denial::Conversation),
        PamFunctionResult::Denied(Denial::TooManyTries),
    );
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
fn before_the_first_factor_nobody_is_enrolled() {
    let home = Home::new("");
    let host = home.bob(&["000000", "saved"]);
    assert_eq!(home.auth(&host, "unenrolled=enroll"), DENIED);
    assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
}

/// L13, `self_enroll`
#[test]
fn where_a_first_setup_takes_a_one_time_code_it_is_asked_for_first() {
    let home = Home::new("[policy]\nself_enroll = \"one-time-code\"");
    let right = home.one_time_code();
    let host = home.bob(&["hello", "P-2345-6789-ABCD", &right, "{code}", "saved"]);
    assert_eq!(
        home.auth(&host, ENROLL),
        PamFunctionResult::Passed,
        "{}",
        host.log_text()
    );
    let prompts = host.prompts.borrow().clone();
    assert!(prompts[0].contains("one-time code from the administrator"));
    assert!(
        prompts[..3]
            .iter()
            .all(|prompt| !prompt.contains("otpauth")),
        "{prompts:?}"
    );
    assert_eq!(home.account(&host, ENROLL), PamFunctionResult::Passed);
    // it was spent with the setup
    let host = home.bob(&[]);
    assert!(home.bob_is_enrolled());
    assert_eq!(
        home.auth(&host, ENROLL),
        PamFunctionResult::Denied(Denial::Conversation)
    );

    let home = Home::new("[policy]\nself_enroll = \"one-time-code\"");
    home.one_time_code();
    let host = home.bob(&[
        "P-2345-6789-ABCD",
        "P-2345-6789-ABCD",
        "P-2345-6789-ABCD",
        "x",
    ]);
    assert_eq!(
        home.auth(&host, ENROLL),
        PamFunctionResult::Denied(Denial::TooManyTries)
    );
    assert_eq!(host.prompts.borrow().len(), 3);
}

/// Promise 3: what ended the account's sessions in between ended the setup too.
#[test]
fn a_setup_does_not_outlive_a_change_of_the_account() {
    let home = Home::new("");
    let mut host = home.bob(&["{code}", "saved"]);
    let door = RefCell::new(home.door());
    host.meanwhile = Some(Box::new(move |prompt| {
        if prompt.ends_with(messages::SAVED_PROMPT) {
            let bob = "bob".parse().unwrap();
            door.borrow_mut()
                .add_account(
                    &bob,
                    shared::account::name::Distinct::No,
                    "root",
                    clock::now().unwrap(),
                )
                .unwrap();
        }
    }));
    assert_eq!(
        home.auth(&host, ENROLL),
        PamFunctionResult::Denied(Denial::Unavailable),
        "{}",
        host.log_text()
    );
    assert!(!home.bob_is_enrolled());
    assert_eq!(
        home.account(&host, ENROLL),
        PamFunctionResult::Denied(Denial::NotAsked)
    );
}

#[test]
fn nobody_sets_up_another_accounts_second_factor() {
    let home = Home::new("");
    let host = home.bob(&["{code}", "saved"]);
    let words = format!("{ENROLL} user=carol");
    assert_eq!(
        home.auth(&host, &words),
        PamFunctionResult::Denied(Denial::Misconfigured)
    );
    assert!(host.prompts.borrow().is_empty());
}

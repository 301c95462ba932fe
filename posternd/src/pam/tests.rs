//! Tests of the `auth` and `account` hooks as a service file combines them: a real store and key in
//! a folder of their own, and a PAM host of the test's.

mod approval;
mod attacks;
mod auth_token;
mod completed_methods;
mod enrollment;
mod grace;
mod one_field;
mod password;
mod through_the_protocol;
mod without_root;

use super::hooks;
use super::host::PamItem;
use super::host::fake::Fake;
use postern_shared::config::file;
use postern_shared::credential::otp::totp::{Step, generate_code};
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::Engine;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::messages::BEFORE_FIRST_FACTOR;
use postern_shared::protocol::Denial::{
    BadName, Conversation, Misconfigured, NotAsked, Refused, TooManyTries, Unavailable,
};
use postern_shared::protocol::PamFunction;
use postern_shared::protocol::PamFunctionResult::{self, Denied, NotNeeded, Passed};
use postern_shared::system::clock;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// The option of a stack that guarantees a first factor.
const AFTER_FIRST: &str = "first_factor=passed";
const ONE_TRY: &str = "first_factor=passed tries=1";
const KEY: &str = "publickey ssh-ed25519 AAAA";

/// A folder with configuration, key and store; alice is enrolled.
pub(crate) struct Home {
    folder: TempDir,
    pending: PendingEnrollment,
}

impl Home {
    pub(crate) fn new(config: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (_, key) = MasterKeys::generate().unwrap();
        fs::write(at("postern.key"), key.as_bytes()).unwrap();
        fs::set_permissions(at("postern.key"), PermissionsExt::from_mode(0o600)).unwrap();
        let url = format!("sqlite:{}", at("store/postern.db").display());
        let text = format!(
            "{config}\n[store]\nurl = \"{url}\"\nkey_file = \"{}\"\n",
            at("postern.key").display()
        );
        fs::write(at("postern.toml"), text).unwrap();
        let keys = Vault::create(&MasterKeys::read_file(&at("postern.key")).unwrap()).unwrap();
        let config = file::read_config(&at("postern.toml")).unwrap().config;
        postern_shared::store::create(&config.store, None, &keys).unwrap();
        let mut engine = Engine::open(config).unwrap();
        let pending = PendingEnrollment::new(engine.config(), &"alice".parse().unwrap()).unwrap();
        let now = clock::now().unwrap();
        engine
            .enrollment()
            .activate(
                &pending,
                &EnrollmentConfirmation::by_administrator(),
                "root",
                now,
            )
            .unwrap();
        Home { folder, pending }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn engine(&self) -> Engine {
        let config = file::read_config(&self.path("postern.toml")).unwrap();
        Engine::open(config.config).unwrap()
    }

    fn words(&self, words: &str) -> Vec<String> {
        let config = format!("config={}", self.path("postern.toml").display());
        std::iter::once(config)
            .chain(words.split_whitespace().map(str::to_owned))
            .collect()
    }

    fn auth(&self, host: &Fake, words: &str) -> PamFunctionResult {
        hooks::run_hook(PamFunction::Auth, host, &self.words(words))
    }

    #[track_caller]
    fn expect_auth(&self, host: &Fake, words: &str, result: PamFunctionResult) {
        assert_eq!(
            self.auth(host, words),
            result,
            "{words}: {}",
            host.log_text()
        );
    }

    fn account(&self, host: &Fake, words: &str) -> PamFunctionResult {
        hooks::run_hook(PamFunction::Account, host, &self.words(words))
    }

    /// Returns the code of a time step relative to now.
    fn code(&self, offset: i64) -> String {
        let parameters = self.pending.parameters();
        let current = parameters.moving.step_at(clock::now().unwrap()).unwrap().0;
        let step = Step(current.checked_add_signed(offset).unwrap());
        generate_code(self.pending.secret(), parameters, step).to_string()
    }

    fn recovery_code(&self) -> String {
        self.pending.recovery_codes()[0].grouped().to_string()
    }
}

fn sudo() -> Fake {
    Fake::at("sudo", "alice").run_by("alice")
}

#[test]
fn a_code_passes_once_and_keeps_a_mark_for_the_account_hook() {
    let home = Home::new("");
    let code = home.code(0);
    let host = sudo().who_types(&[&code]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    host.assert_logged("accepted cause=code address=- service=sudo user=\"alice\"");
    assert_eq!(home.account(&host, ""), Passed);

    let again = sudo().who_types(&[&code]);
    assert_eq!(home.auth(&again, ONE_TRY), Denied(TooManyTries));
    again.assert_logged("refused cause=used");
    assert!(again.told.borrow()[0].starts_with("That code was used already"));
}

#[test]
fn the_next_prompt_names_why_the_last_input_was_refused() {
    let home = Home::new("");
    let host = sudo().who_types(&["junk!", "000 00x", &home.recovery_code()]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    let prompts = host.prompts.borrow();
    assert_eq!(prompts[0], "Verification code: ");
    assert!(
        prompts[1].starts_with("That is not a code: ")
            && prompts[1].ends_with("\nVerification code: ")
    );
    assert_eq!(*host.told.borrow(), ["5 recovery codes are left"]);
}

#[test]
fn an_unknown_option_denies_and_is_named() {
    let home = Home::new("");
    for line in [Home::auth, Home::account] {
        let host = sudo();
        assert_eq!(line(&home, &host, "nulok"), Denied(Misconfigured));
        host.assert_logged("\"nulok\"");
        assert!(host.prompts.borrow().is_empty());
    }
}

#[test]
fn a_cancelled_prompt_ends_at_once() {
    let home = Home::new("");
    let host = sudo();
    assert_eq!(home.auth(&host, AFTER_FIRST), Denied(Conversation));
    assert_eq!(host.prompts.borrow().len(), 1);
    host.assert_logged("refused cause=cancelled address=- service=sudo user=\"alice\"");
}

#[test]
fn proven_prompts_for_nothing_and_trusts_only_an_sshd() {
    let home = Home::new("");
    let sshd = Fake::at("sshd", "alice").with_variable("SSH_AUTH_INFO_0", KEY);
    assert_eq!(home.auth(&sshd, "proven"), Passed);
    assert_eq!(home.auth(&Fake::at("sshd", "alice"), "proven"), NotNeeded);
    let other = Fake::at("ftp", "alice").with_variable("SSH_AUTH_INFO_0", KEY);
    assert_eq!(home.auth(&other, "proven"), NotNeeded);
    assert_eq!(home.account(&sshd, ""), Denied(NotAsked));
}

#[test]
fn the_account_hook_denies_without_a_code_unless_none_is_required() {
    let home = Home::new("");
    let alice = Fake::at("sshd", "alice");
    assert_eq!(home.account(&alice, ""), Denied(NotAsked));
    alice.assert_logged("refused cause=not-verified");
    alice.assert_logged("AuthenticationMethods");
    assert_eq!(home.account(&Fake::at("sshd", "bob"), ""), Passed);
    assert_eq!(
        home.account(&Fake::at("sshd", "bob"), "unenrolled=deny"),
        Denied(NotAsked)
    );
}

#[test]
fn a_mark_is_valid_for_its_own_user_only() {
    let home = Home::new("");
    let bob = Fake::at("sshd", "bob").who_types(&["1"]);
    assert_eq!(home.auth(&bob, AFTER_FIRST), NotNeeded);
    let alice = Fake {
        mark: bob.mark,
        ..Fake::at("sshd", "alice")
    };
    assert_eq!(home.account(&alice, ""), Denied(NotAsked));
}

#[test]
fn options_and_policy_decide_on_users_without_a_second_factor() {
    let bob = || Fake::at("sudo", "bob");
    let (open, strict) = (Home::new(""), Home::new("[policy]\nrequired = \"all\""));
    let passed = AFTER_FIRST;
    assert_eq!(open.auth(&bob(), passed), NotNeeded);
    assert_eq!(
        open.auth(&bob(), "first_factor=passed unenrolled=deny"),
        Denied(Refused)
    );
    assert_eq!(strict.auth(&bob(), passed), Denied(Refused));
    assert_eq!(strict.auth(&bob(), "first_factor=passed nullok"), NotNeeded);
    let host = bob();
    assert_eq!(strict.auth(&host, passed), Denied(Refused));
    assert!(
        host.prompts.borrow().is_empty() && host.told.borrow()[0].contains("ask the administrator")
    );
}

#[test]
fn before_the_first_factor_prompt_and_text_are_the_same_for_every_user() {
    let home = Home::new("[policy]\nrequired = \"all\"");
    for (user, typed) in [
        ("alice", "000000"),
        ("alice", "junk!"),
        ("bob", "000000"),
        ("no one at all", "12345678"),
        ("../x", "000000"),
    ] {
        let host = Fake::at("sshd", user).who_types(&[typed, typed]);
        assert!(matches!(home.auth(&host, ""), Denied(_)), "{user}");
        assert_eq!(*host.prompts.borrow(), ["Verification code: "], "{user}");
        assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR], "{user}");
    }
    let right = Fake::at("sshd", "alice").who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&right, ""), Passed);
    assert_eq!(*right.told.borrow(), [BEFORE_FIRST_FACTOR]);
}

#[test]
fn a_code_accepted_before_the_first_factor_is_recorded_by_the_account_hook() {
    let home = Home::new("");
    let address = "192.0.2.7";
    let host = Fake::at("ftp", "alice")
        .with(PamItem::RemoteHost, address)
        .who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, ""), Passed);
    let last = || {
        home.engine()
            .accounts()
            .account_status(&"alice".parse().unwrap())
            .unwrap()
            .tally
            .last_sign_in
    };
    assert_eq!(last(), None);
    assert_eq!(home.account(&host, ""), Passed);
    assert!(last().is_some());
}

#[test]
fn an_exemption_is_named_in_the_log_and_passes_the_account_hook() {
    let home = Home::new("[[policy.exempt]]\nservices = [\"backup\"]");
    for words in ["", AFTER_FIRST] {
        let host = Fake::at("backup", "alice");
        assert_eq!(home.auth(&host, words), NotNeeded);
        host.assert_logged("not needed cause=policy.exempt-1");
        assert_eq!(home.account(&host, ""), Passed);
    }
}

/// The translation of results into libpam's numbers is tested in pam_totp/src/hooks.rs.
#[test]
fn trap_19_errors_answered_with_pam_ignore_or_success() {
    for broken in ["store/postern.db", "postern.key", "postern.toml"] {
        let home = Home::new("");
        fs::rename(home.path(broken), home.path("aside")).unwrap();
        // without a saved copy, which would be in force otherwise
        let _ = fs::remove_file(home.path("postern.toml.valid"));
        for words in ["", AFTER_FIRST] {
            let host = sudo().who_types(&[&home.code(0)]);
            assert!(matches!(home.auth(&host, words), Denied(_)), "{broken}");
            host.assert_logged(broken);
            assert!(matches!(home.account(&host, ""), Denied(_)), "{broken}");
        }
    }
}

#[test]
fn a_name_that_no_account_can_have_gets_a_prompt_of_the_auth_hook_only() {
    let home = Home::new("");
    for (words, line) in [
        ("proven", Home::auth as fn(&Home, &Fake, &str) -> _),
        ("", Home::account),
    ] {
        let host = Fake::at("sshd", "../x");
        line(&home, &host, words);
        assert!(host.prompts.borrow().is_empty(), "{words}");
    }
    let host = Fake::at("sshd", "../x").who_types(&["000000"]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Denied(BadName));
    assert!(host.prompts.borrow().is_empty());
}

#[test]
fn an_untrusted_configuration_is_refused_once_by_the_auth_hook() {
    let home = Home::new("");
    fs::set_permissions(home.path("postern.toml"), PermissionsExt::from_mode(0o666)).unwrap();
    let host = Fake::at("sshd", "alice").with_variable("SSH_AUTH_INFO_0", KEY);
    assert_eq!(home.auth(&host, "proven"), Passed);
    assert_eq!(home.auth(&host, AFTER_FIRST), Denied(Misconfigured));
    assert_eq!(host.logged.borrow().len(), 1);
    host.assert_logged("has mode 0666");
}

#[test]
fn an_exemption_needs_a_store_that_can_be_read() {
    let home = Home::new("[[policy.exempt]]\nservices = [\"backup\"]");
    fs::rename(home.path("store/postern.db"), home.path("aside")).unwrap();
    for words in ["", AFTER_FIRST] {
        let host = Fake::at("backup", "alice");
        assert_eq!(home.auth(&host, words), Denied(Unavailable), "{words}");
    }
}

#[test]
fn a_store_that_cannot_be_read_reveals_nothing_before_the_first_factor() {
    let home = Home::new("");
    fs::rename(home.path("store/postern.db"), home.path("aside")).unwrap();
    let host = Fake::at("sshd", "alice").who_types(&["000000"]);
    assert_eq!(home.auth(&host, ""), Denied(Unavailable));
    assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR]);
}

#[test]
fn an_app_password_passes_at_the_service_of_its_scope_alone() {
    let home = Home::new("");
    let add = |name: &str, scope: &str| {
        let mut engine = home.engine();
        let (name, scope) = (name.parse().unwrap(), scope.parse().unwrap());
        let alice = "alice".parse().unwrap();
        let made = engine.app_passwords().add_app_password(
            &alice,
            &name,
            &scope,
            None,
            "root",
            clock::now().unwrap(),
        );
        made.unwrap().grouped().to_string()
    };
    let (mail, sudo_too) = (
        add("mail", "pam:dovecot"),
        add("both", "pam:dovecot\npam:sudo"),
    );
    for words in ["", ONE_TRY] {
        let dovecot = Fake::at("dovecot", "alice").who_types(&[&mail]);
        assert_eq!(home.auth(&dovecot, words), Passed);
        dovecot.assert_logged("accepted cause=app-password address=- service=dovecot");
        assert_eq!(home.account(&dovecot, ""), Passed);
        assert_eq!(
            home.auth(
                &sudo().who_types(&[&sudo_too.replace('-', "").to_lowercase()]),
                words
            ),
            Passed
        );

        let elsewhere = sudo().who_types(&[&mail]);
        assert!(matches!(home.auth(&elsewhere, words), Denied(_)), "{words}");
        elsewhere.assert_logged("refused cause=scope");
        assert_eq!(home.account(&elsewhere, ""), Denied(NotAsked));
        let bob = Fake::at("dovecot", "bob").who_types(&[&mail]);
        assert_ne!(home.auth(&bob, &format!("{words} unenrolled=deny")), Passed);
    }
    let host = sudo().who_types(&[&mail, &home.code(0)]);
    assert_eq!(home.auth(&host, AFTER_FIRST), Passed);
    assert!(host.prompts.borrow()[1].starts_with("That app password is not for this service\n"));
}

#[test]
fn a_service_may_require_the_code_of_another_account() {
    let home = Home::new("");
    let words = "first_factor=passed user=alice";
    let host = Fake::at("sudo", "bob").who_types(&["000000", &home.code(0)]);
    assert_eq!(home.auth(&host, words), Passed);
    host.assert_logged("user=\"bob\"");
    // the mark is bob's, whatever the options of the account hook are
    assert_eq!(home.account(&host, ""), Passed);
    let alice = Fake {
        mark: host.mark,
        ..Fake::at("sudo", "alice")
    };
    assert_eq!(home.account(&alice, ""), Denied(NotAsked));
    let before = Fake::at("ftp", "bob").who_types(&[&home.code(1)]);
    assert_eq!(home.auth(&before, "user=alice"), Passed);
    assert_eq!(home.account(&before, "user=alice"), Passed);
}

#[test]
fn the_option_fail_delay_requests_a_delay_of_libpam() {
    let home = Home::new("[pam.service.login]\nfail_delay = \"5s\"");
    for (service, words, seconds) in [("sudo", "", 0), ("sudo", "fail_delay", 2), ("login", "", 5)]
    {
        let host = Fake::at(service, "alice");
        home.auth(&host, &format!("first_factor=passed {words}"));
        assert_eq!(host.delay.get(), seconds, "{service} {words}");
    }
}

//! Passwords with the code: the stacked password of an earlier module, a password before the code
//! in the same field, and app passwords in place of both.

use super::*;

const DENIED: PamFunctionResult = Denied(Refused);

fn vpn() -> Fake {
    Fake::at("openvpn", "alice").with(PamItem::RemoteHost, "192.0.2.7")
}

#[test]
fn the_code_is_split_off_and_the_password_is_forwarded() {
    for words in ["forward_pass", "forward_pass first_factor=passed"] {
        for (typed, password) in [
            ("hunter2{}", "hunter2"),
            ("hunter42 {}", "hunter42"),
            ("{}", ""),
            ("  {}", " "),
        ] {
            let home = Home::new("");
            let host = vpn().who_types(&[&typed.replace("{}", &home.code(0))]);
            assert_eq!(home.auth(&host, words), Passed, "{words} {typed}");
            assert_eq!(
                host.password().as_deref(),
                Some(password),
                "{words} {typed}"
            );
            assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
            assert_eq!(home.account(&host, words), Passed);
        }
    }
}

#[test]
fn a_recovery_code_and_an_app_password_are_accepted_after_a_password_too() {
    let home = Home::new("");
    let host = vpn().who_types(&[&format!("hunter2 {}", home.recovery_code())]);
    assert_eq!(home.auth(&host, "forward_pass"), Passed);
    assert_eq!(host.password().as_deref(), Some("hunter2"));
    let host = vpn().who_types(&[&home.app_password("pam:openvpn")]);
    assert_eq!(home.auth(&host, "forward_pass"), Passed);
    assert_eq!(host.password().as_deref(), Some(""));
}

/// A wrong code must not change the time that the next module takes for the password.
#[test]
fn a_wrong_code_is_refused_and_the_password_is_forwarded_all_the_same() {
    let home = Home::new("");
    let host = vpn().who_types(&["hunter2000000"]);
    assert_eq!(home.auth(&host, "forward_pass"), DENIED);
    assert_eq!(host.password().as_deref(), Some("hunter2"));
    host.assert_logged("refused cause=wrong address=192.0.2.7");
    // an input without a code is not counted
    let host = vpn().who_types(&["hunter2"]);
    assert_eq!(home.auth(&host, "forward_pass"), DENIED);
    assert_eq!(host.password().as_deref(), Some("hunter2"));
    host.assert_logged("refused cause=malformed");
}

#[test]
fn the_whole_input_is_the_password_where_no_code_is_required() {
    let home = Home::new("[[policy.exempt]]\nservices = [\"backup\"]");
    for words in ["forward_pass", "forward_pass first_factor=passed"] {
        let bob = Fake::at("openvpn", "bob").who_types(&["hunter123456"]);
        assert_eq!(home.auth(&bob, words), NotNeeded, "{words}");
        assert_eq!(bob.password().as_deref(), Some("hunter123456"));
        let exempt = Fake::at("backup", "alice").who_types(&["hunter123456"]);
        assert_eq!(home.auth(&exempt, words), NotNeeded, "{words}");
        assert_eq!(exempt.password().as_deref(), Some("hunter123456"));
        let gone = Fake::at("openvpn", "bob");
        assert_eq!(home.auth(&gone, words), Denied(Conversation), "{words}");
    }
}

#[test]
fn before_the_first_factor_a_password_and_code_get_the_same_text_too() {
    let home = Home::new("[policy]\nrequired = \"all\"");
    for user in ["alice", "bob", "nobody here", "../x"] {
        let host = Fake::at("openvpn", user).who_types(&["hunter2000000", "again"]);
        assert!(
            matches!(home.auth(&host, "forward_pass"), Denied(_)),
            "{user}"
        );
        assert_eq!(host.prompts.borrow().len(), 1, "{user}");
        assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR], "{user}");
    }
}

#[test]
fn a_cut_input_is_not_forwarded() {
    let home = Home::new("");
    let host = vpn().who_types(&[&"x".repeat(513)]);
    assert_eq!(home.auth(&host, "forward_pass"), DENIED);
    assert_eq!(host.password(), None);
}

#[test]
fn a_code_that_an_earlier_module_asked_for_is_used() {
    let home = Home::new("");
    let host = sudo().with_password(&home.code(0));
    assert_eq!(
        home.auth(&host, "first_factor=passed use_first_pass"),
        Passed
    );
    let host = sudo().with_password(&format!("hunter2{}", home.code(1)));
    assert_eq!(
        home.auth(&host, "first_factor=passed use_first_pass forward_pass"),
        Passed
    );
    assert_eq!(host.password().as_deref(), Some("hunter2"));
    assert!(host.prompts.borrow().is_empty());
}

#[test]
fn use_first_pass_never_prompts() {
    let home = Home::new("");
    for words in ["use_first_pass", "first_factor=passed use_first_pass"] {
        for password in [None, Some("hunter2"), Some("000000")] {
            let host = sudo().who_types(&[&home.code(0)]);
            let host = password.into_iter().fold(host, Fake::with_password);
            assert_eq!(home.auth(&host, words), DENIED, "{words} {password:?}");
            assert!(host.prompts.borrow().is_empty() && host.log_text().contains("refused cause="));
        }
    }
}

#[test]
fn try_first_pass_prompts_where_the_password_was_no_code() {
    let home = Home::new("");
    let passed = "first_factor=passed try_first_pass";
    let host = sudo().with_password("hunter2").who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, passed), Passed);
    assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
    assert!(
        !host.log_text().contains("malformed"),
        "a password alone is no guess: {}",
        host.log_text()
    );

    let host = sudo().with_password("000000").who_types(&[&home.code(1)]);
    assert_eq!(home.auth(&host, passed), Passed);
    assert!(host.prompts.borrow()[0].starts_with("That code is wrong"));
}

/// A prompt that follows only a wrong code would reveal whether the code was right.
#[test]
fn before_the_first_factor_no_prompt_follows_a_stacked_password() {
    let home = Home::new("");
    for stacked in ["hunter2".to_owned(), "000000".to_owned(), home.code(0)] {
        let host = sudo().with_password(&stacked).who_types(&[&home.code(1)]);
        home.auth(&host, "try_first_pass");
        assert!(host.prompts.borrow().is_empty(), "{stacked}");
    }
    let host = sudo().who_types(&[&home.code(1)]);
    assert_eq!(home.auth(&host, "try_first_pass"), Passed);
}

#[test]
fn a_service_for_app_passwords_accepts_nothing_else() {
    let home = Home::new("");
    let right = home.app_password("pam:dovecot");
    let dovecot = |typed: &str| Fake::at("dovecot", "alice").who_types(&[typed]);
    let host = dovecot(&right);
    assert_eq!(home.auth(&host, "app_password"), Passed);
    assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
    assert_eq!(home.account(&host, "app_password"), Passed);
    for typed in [
        home.code(0),
        home.recovery_code(),
        "hunter2".to_owned(),
        String::new(),
    ] {
        for words in [
            "app_password",
            "app_password first_factor=passed",
            "app_password nullok",
        ] {
            let host = dovecot(&typed);
            assert_eq!(home.auth(&host, words), DENIED, "{words}");
            host.assert_logged("refused cause=malformed");
            let bob = Fake::at("dovecot", "bob").who_types(&[&typed]);
            assert_eq!(home.auth(&bob, words), DENIED, "{words}");
        }
    }
    let bob = Fake::at("dovecot", "bob").who_types(&[&right]);
    assert_eq!(home.auth(&bob, "app_password"), DENIED);
    // nothing was consumed
    assert_eq!(
        home.auth(&sudo().who_types(&[&home.code(0)]), AFTER_FIRST),
        Passed
    );
}

#[test]
fn an_input_that_is_no_app_password_can_be_forwarded_to_other_modules() {
    let home = Home::new("");
    let typed = format!("hunter2{}", home.code(0));
    let host = Fake::at("dovecot", "alice").who_types(&[&typed]);
    assert_eq!(home.auth(&host, "app_password forward_pass"), DENIED);
    assert_eq!(host.password(), Some(typed));
    assert_eq!(host.log_text(), "", "nothing was refused yet");
    assert_eq!(home.auth(&host, "use_first_pass forward_pass"), Passed);
    assert_eq!(host.password().as_deref(), Some("hunter2"));
    assert_eq!(host.prompts.borrow().len(), 1);
    // a wrong app password would count twice
    let host = Fake::at("vsftpd", "alice").who_types(&[&home.app_password("pam:dovecot")]);
    assert_eq!(home.auth(&host, "app_password forward_pass"), DENIED);
    assert_eq!(host.password(), None);
}

impl Home {
    /// Adds an app password of alice's.
    fn app_password(&self, scope: &str) -> String {
        let mut engine = self.engine();
        let (name, scope) = (scope.parse().unwrap(), scope.parse().unwrap());
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
    }
}

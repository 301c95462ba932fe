//! The same hooks in a host that is not root: posternd decides for the user whom the kernel names.

use super::*;
use crate::fixtures::transaction_of;
use crate::pam::hooks::{EngineAccess, User};
use crate::pam::password;
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use postern_shared::protocol::{Instruction, PamTransaction, receive};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::process::HostProcess;
use std::cell::RefCell;
use std::os::unix::net::UnixStream;

/// Hosts of one user.
struct OfUser {
    home: Home,
    user: User,
}

impl OfUser {
    fn new(config: &str, name: &str) -> OfUser {
        let is_service = config.contains(&format!("socket_users = [\"{name}\"]"));
        OfUser {
            home: Home::new(config),
            user: User {
                uid: 1000,
                name: name.parse().unwrap(),
                is_service,
            },
        }
    }

    fn worker(&self) -> Worker {
        Engines::of_users().worker(ClientOrigin::User(self.user.uid), AdmissionClass::Familiar)
    }

    fn host(&self, service: &str, user: &str, typed: &[&str]) -> Fake {
        let access = Some(EngineAccess::User(self.worker(), self.user.clone()));
        Fake {
            access,
            ..Fake::at(service, user).who_types(typed)
        }
    }

    fn auth(&self, host: &Fake, words: &str) -> PamFunctionResult {
        self.home.auth(host, words)
    }

    fn account(&self, host: &Fake) -> PamFunctionResult {
        self.home.account(host, "")
    }
}

#[test]
fn a_code_passes_once_and_keeps_a_mark_for_the_account_hook() {
    let of_user = OfUser::new("", "alice");
    let code = of_user.home.code(0);
    assert_eq!(
        of_user.account(&of_user.host("locker", "alice", &[])),
        Denied(NotAsked)
    );
    let host = of_user.host("locker", "alice", &["hello", &code]);
    assert_eq!(of_user.auth(&host, AFTER_FIRST), Passed);
    assert!(host.prompts.borrow()[1].starts_with("That is not a code: "));
    let log = host.log_text();
    assert!(
        log.contains("refused cause=malformed address=- service=locker user=\"alice\""),
        "{log}"
    );
    assert!(
        log.contains("accepted cause=code address=- service=locker user=\"alice\""),
        "{log}"
    );
    assert_eq!(of_user.account(&host), Passed);

    let again = of_user.host("locker", "alice", &[&code]);
    assert_eq!(of_user.auth(&again, ONE_TRY), Denied(TooManyTries));
    assert!(again.told.borrow()[0].starts_with("That code was used already"));
}

#[test]
fn before_the_first_factor_there_is_one_text_and_the_account_hook_shows_the_rest() {
    let of_user = OfUser::new("", "alice");
    let recovery = of_user.home.recovery_code();
    for (typed, entry) in [("000000", Denied(Refused)), (&recovery, Passed)] {
        let host = of_user.host("locker", "alice", &[typed]);
        assert_eq!(of_user.auth(&host, ""), entry);
        assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
        assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR]);
        if entry == Passed {
            assert_eq!(of_user.account(&host), Passed);
            let told = host.told.borrow();
            assert!(
                told.contains(&"5 recovery codes are left".to_owned()),
                "{told:?}"
            );
            assert!(told[1].starts_with("1 wrong code since"), "{told:?}");
        }
    }
}

#[test]
fn a_trusted_service_names_user_and_address() {
    let of_user = OfUser::new("[pam]\nsocket_users = [\"dovecot\"]", "dovecot");
    let at = |typed: &str| {
        of_user
            .host("imap", "alice", &[typed])
            .with(PamItem::RemoteHost, "192.0.2.7")
    };
    let wrong = at("000000");
    assert_eq!(of_user.auth(&wrong, ""), Denied(Refused));
    wrong.assert_logged("refused cause=wrong address=192.0.2.7 service=imap");
    let right = at(&of_user.home.code(0));
    assert_eq!(of_user.auth(&right, ""), Passed);
    assert_eq!(of_user.account(&right), Passed);
    let told = right.told.borrow();
    assert_eq!(
        *told,
        [
            BEFORE_FIRST_FACTOR,
            "1 wrong code since your last sign-in, last from 192.0.2.7"
        ]
    );
}

#[test]
fn a_request_for_another_user_is_refused_and_the_log_names_the_option() {
    let of_user = OfUser::new("", "bob");
    for user in ["alice", "nobody-here"] {
        let host = of_user.host("locker", user, &[&of_user.home.code(0)]);
        assert_eq!(of_user.auth(&host, AFTER_FIRST), Denied(Unavailable));
        assert!(host.prompts.borrow().is_empty());
        host.assert_logged("pam.socket_users");
        assert_eq!(of_user.account(&host), Denied(Unavailable));
    }
    let host = of_user.host("locker", "alice", &[&of_user.home.code(0)]);
    assert_eq!(of_user.auth(&host, ""), Denied(Unavailable));
    assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR]);
    // a user without a second factor needs no code of the own account
    assert_eq!(
        of_user.auth(&of_user.host("locker", "bob", &[]), AFTER_FIRST),
        NotNeeded
    );
}

/// Any process of a user could claim it of the own account, and would end all that is open.
#[test]
fn a_changed_password_is_trusted_only_of_a_named_service() {
    let of_user = OfUser::new("[pam]\nsocket_users = [\"kdc\"]", "kdc");
    let host = of_user.host("kpasswd", "alice", &[]);
    password::handle_changed_password(&host, &of_user.home.words(""));
    assert_eq!(
        host.log_text(),
        "revoked cause=host-password address=- service=kpasswd user=\"alice\""
    );

    let of_user = OfUser::new("", "alice");
    for user in ["alice", "bob"] {
        let host = of_user.host("kpasswd", user, &[]);
        password::handle_changed_password(&host, &of_user.home.words(""));
        host.assert_logged("not revoked cause=unavailable");
        host.assert_logged("alice");
        assert_eq!(host.told.borrow().len(), 1);
    }
}

/// The address that a user's own process states is not trusted.
#[test]
fn the_grace_period_is_for_trusted_services() {
    let line = "first_factor=passed grace=1h";
    for (user, exempted) in [("dovecot", true), ("alice", false)] {
        let imap =
            "[pam]\nsocket_users = [\"dovecot\"]\n[pam.service.imap]\nrhost_is_address = true";
        let of_user = OfUser::new(imap, user);
        let at = |typed: &[&str]| {
            of_user
                .host("imap", "alice", typed)
                .with(PamItem::RemoteHost, "192.0.2.7")
        };
        assert_eq!(of_user.auth(&at(&[&of_user.home.code(0)]), line), Passed);
        let again = at(&[]);
        let entry = if exempted {
            Passed
        } else {
            Denied(Conversation)
        };
        assert_eq!(of_user.auth(&again, line), entry, "{user}");
        assert_eq!(
            again
                .log_text()
                .contains("not needed cause=grace-period address=192.0.2.7"),
            exempted,
            "{user}"
        );
    }
}

/// Address and completed methods do not access a conversation, unless `pam.socket_users` names the
/// host's user.
#[test]
fn claims_of_a_users_process_are_dropped() {
    let claimed = PamTransaction {
        remote_host: Some(b"192.0.2.7".to_vec()),
        terminal: Some(b"pts/1".to_vec()),
        ssh_connection: Some(b"192.0.2.7 1 192.0.2.1 22".to_vec()),
        ssh_auth_info: Some(b"publickey x".to_vec()),
        ..transaction_of("sshd")
    };
    for (config, is_service) in [("", false), ("[pam]\nsocket_users = [\"alice\"]", true)] {
        let of_user = OfUser::new(config, "alice");
        let logged = RefCell::new(Vec::new());
        let log = |_, line: &str| logged.borrow_mut().push(line.to_owned());
        let (mut module, daemon) = UnixStream::pair().unwrap();
        let access = (of_user.worker(), of_user.user.clone());
        let process = HostProcess::find(1);
        let host = RemoteHost::of_user(daemon, claimed.clone(), process, access, Box::new(log));
        let transaction = host.transaction();
        let items = [&transaction.remote_host, &transaction.terminal];
        let variables = [&transaction.ssh_connection, &transaction.ssh_auth_info];
        for claim in items.into_iter().chain(variables) {
            assert_eq!(claim.is_some(), is_service);
        }
        assert_eq!(transaction.real_uid, 1000);
        host.end(Denied(Misconfigured)).unwrap();
        let end: Instruction = receive(&mut module).unwrap();
        assert_eq!(end, Instruction::End(Denied(Misconfigured)));
    }
}

/// A user's process that claims an exempt service is not exempt.
#[test]
fn a_claimed_service_exempts_no_user() {
    let policy = "[[policy.exempt]]\nservices = [\"cron\"]\n";
    let alice = OfUser::new(policy, "alice");
    for words in ["", ONE_TRY] {
        let host = alice.host("cron", "alice", &["000000"]);
        let result = alice.auth(&host, words);
        assert!(
            matches!(result, Denied(_)),
            "{words}: {result:?}: {}",
            host.log_text()
        );
        assert_eq!(host.prompts.borrow().len(), 1);
    }
    let named = OfUser::new(
        &format!("{policy}[pam]\nsocket_users = [\"cronie\"]"),
        "cronie",
    );
    assert_eq!(named.auth(&named.host("cron", "alice", &[]), ""), NotNeeded);
}

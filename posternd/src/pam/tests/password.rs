//! The `password` hook: what a changed password ends, and the report where that fails.

use super::*;
use crate::pam::{password, user};
use postern_shared::account::event::{AuditEvent, EventFilter, EventKind};
use postern_shared::engine::messages;

impl Home {
    fn changed(&self, host: &Fake, words: &str) {
        password::handle_changed_password(host, &self.words(words));
    }

    fn changes(&self) -> Vec<AuditEvent> {
        let only = EventFilter {
            kind: Some(EventKind::HostPasswordChanged),
            ..EventFilter::default()
        };
        self.engine()
            .audit_log()
            .list_events(&only, 0, 100)
            .unwrap()
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    }
}

fn passwd(user: &str) -> Fake {
    Fake::at("passwd", user)
}

#[test]
fn a_changed_password_is_logged_and_reported_with_the_result_for_app_passwords() {
    let home = Home::new("");
    let (label, scope) = ("mail".parse().unwrap(), "pam:dovecot".parse().unwrap());
    let now = clock::now().unwrap();
    home.engine()
        .app_passwords()
        .add_app_password(&"alice".parse().unwrap(), &label, &scope, None, "root", now)
        .unwrap();
    let host = passwd("alice");
    home.changed(&host, "");
    assert_eq!(
        host.log_text(),
        "revoked cause=host-password address=- service=passwd user=\"alice\""
    );
    assert_eq!(
        *host.told.borrow(),
        ["1 app password revoked: make new ones"]
    );
    let me = user::runs_as();
    let [event] = &home.changes()[..] else {
        panic!("not one event")
    };
    assert_eq!((event.service.as_str(), &event.principal), ("passwd", &me));
    assert_eq!(event.origin, format!("local user {me}"));

    home.changed(
        &Fake::at("login", "alice").with(PamItem::RemoteHost, "192.0.2.7"),
        "",
    );
    assert_eq!(home.changes()[1].origin, "192.0.2.7");
}

#[test]
fn a_changed_password_of_a_user_without_an_account_is_not_logged() {
    let home = Home::new("");
    for user in ["bob", "../x"] {
        let host = passwd(user);
        home.changed(&host, "");
        assert!(
            !host.log_text().contains("revoked cause"),
            "{}",
            host.log_text()
        );
        assert!(host.told.borrow().is_empty() && host.prompts.borrow().is_empty());
    }
    assert!(home.changes().is_empty());
}

#[test]
fn a_failure_to_end_sessions_is_reported_with_the_remedy() {
    for broken in ["store/postern.db", "postern.key", "postern.toml"] {
        let home = Home::new("");
        fs::rename(home.path(broken), home.path("aside")).unwrap();
        let host = passwd("alice");
        home.changed(&host, "");
        let log = host.log_text();
        assert!(
            log.contains("not revoked cause=") && log.contains(broken),
            "{broken}: {log}"
        );
        assert!(
            log.contains("postern session revoke USER --all"),
            "{broken}: {log}"
        );
        assert_eq!(*host.told.borrow(), [messages::NOT_SIGNED_OUT]);
    }
    let home = Home::new("");
    let host = passwd("alice");
    home.changed(&host, "nulok");
    host.assert_logged("\"nulok\"");
    host.assert_logged("not revoked cause=");
    assert!(home.changes().is_empty());
}

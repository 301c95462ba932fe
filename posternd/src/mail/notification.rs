//! The text of notifications about an account.
//!
//! MUST NOT contain a code or a secret: the event contains none.

use super::message::{Brings, MailText, utc};
use postern_shared::account::event::{AuditEvent, EventKind};
use postern_shared::engine::enrollment::pending;
use postern_shared::engine::{BY_LINK, COMMAND, SERVICE};
use postern_shared::store::Notification;
use std::fmt::Write;
use zeroize::Zeroizing;

impl<'a> MailText<'a> {
    /// `link` is the page that ends every session of the account.
    pub(super) fn notification(
        notification: &'a Notification,
        issuer: &str,
        link: Option<&'a str>,
    ) -> MailText<'a> {
        let Notification { to, event, .. } = notification;
        let account = &event.account;
        let (headline, advice) = (headline(event), advice(event.kind));
        let mut text = format!("The account {account} at {issuer}: {headline}.\n\n");
        let through = match event.service.as_str() {
            COMMAND => "the command postern",
            SERVICE => "the web",
            service => service,
        };
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // writing to a string cannot fail
            let _ = writeln!(text, "    {name:<8} {value}");
        };
        line("When:", &utc(event.at));
        line("Through:", &through);
        line("By:", &event.principal);
        if event.origin != "-" {
            line("From:", &event.origin);
        }
        match (event.kind, event.service.as_str()) {
            (EventKind::NewSignIn, SERVICE) => line("Browser:", &event.cause),
            (EventKind::ApprovalRefused, _) => line("Prompt:", &event.cause),
            (EventKind::NewSignIn, _) => line("Host:", &pending::host_name()),
            _ => {}
        }
        let _ = write!(
            text,
            "\nIf you did this or expected it, you do not have to do anything.\n{advice}\n"
        );
        if let Some(link) = link {
            let _ = write!(
                text,
                "\nThis page signs everyone out of the web, and no browser or address is trusted any more.
It also revokes app passwords, if that is configured. A shell that is open stays open.
The link is valid once, for seven days:\n\n    {link}\n"
            );
        }
        MailText {
            account,
            to,
            subject: format!(
                "{}{} ({account} at {issuer})",
                headline[..1].to_uppercase(),
                &headline[1..]
            ),
            text: Zeroizing::new(text),
            brings: Brings::Event(event.kind.name(), link.map(token_of)),
        }
    }
}

/// Returns the token in a link: a server may quote it without the address before it.
fn token_of(link: &str) -> &str {
    link.split_once("token=").map_or(link, |(_, token)| token)
}

/// Describes an event in one line.
fn headline(event: &AuditEvent) -> &'static str {
    match event.kind {
        EventKind::Enrolled => "a second factor was set up",
        EventKind::Imported => "a second factor was imported from another system",
        EventKind::AuthenticatorAdded => "an authenticator was added",
        EventKind::AuthenticatorRemoved => "an authenticator was removed",
        EventKind::PasskeyAdded => "a passkey was added, with which someone can sign in",
        EventKind::PasskeyRemoved => "a passkey was removed",
        EventKind::ApprovalRefused => "an approval was refused: “This was not me”",
        EventKind::PasskeyRenamed => "a passkey got another name",
        EventKind::PasskeyCodeIssued => "a passkey has made a one-time code for a prompt",
        EventKind::RecoveryCodesReplaced => {
            "a new set of recovery codes was made, and earlier codes are no longer valid"
        }
        EventKind::OneTimeCodeIssued => {
            "a one-time code was issued, with which someone can sign in"
        }
        EventKind::OneTimeCodeCancelled => "a one-time code was cancelled",
        EventKind::EmailConfirmed => {
            "codes to sign in go to an address that was confirmed just now"
        }
        EventKind::EmailRemoved => "the e-mail address was removed, and no more codes are mailed",
        EventKind::Disabled => "the second factor was turned off",
        EventKind::Locked => {
            "someone who passed the first factor gave too many wrong codes, and is locked out"
        }
        EventKind::Unlocked => "delays and locks after wrong codes were removed",
        EventKind::PasswordSet => "a new password was set, and everyone is signed out",
        EventKind::HostPasswordChanged => {
            "its password on this host was changed, and everyone is signed out of the web"
        }
        EventKind::AppPasswordAdded => "an app password was made, with which a program can sign in",
        EventKind::AppPasswordRevoked => "an app password was revoked, or all of them",
        EventKind::GroupsChanged => "its groups were changed",
        EventKind::AccountRenamed => "it was renamed to this name",
        EventKind::AccountRemoved => "it was removed",
        EventKind::ClockUnlocked => {
            "codes that were accepted while the host's clock was ahead no longer block newer ones"
        }
        EventKind::BrowserRevoked if event.cause.is_empty() => "a browser is no longer trusted",
        EventKind::BrowserRevoked => {
            "a cookie of a trusted browser was used a second time, so it may have been stolen"
        }
        EventKind::SessionRevoked if event.cause.is_empty() => "a session was ended",
        EventKind::SessionRevoked if event.cause == BY_LINK => {
            "everyone was signed out by the link of a mail about a sign-in"
        }
        EventKind::NewSignIn if event.service == SERVICE => {
            "someone signed in from a new browser or address"
        }
        EventKind::NewSignIn => "someone signed in from a new address",
        EventKind::SessionRevoked => {
            "a program's refresh token was used a second time, so it may have been stolen"
        }
        EventKind::Accepted if event.cause == "recovery-code" => {
            "someone signed in with a recovery code"
        }
        EventKind::Accepted => "someone signed in with a one-time code",
        // no notification is sent for these
        EventKind::AccountAdded
        | EventKind::AppPasswordRenamed
        | EventKind::CodeRequested
        | EventKind::EmailSet
        | EventKind::Refused
        | EventKind::KeysRotated
        | EventKind::KeysRenewed
        | EventKind::BackupMade
        | EventKind::StoreRestored
        | EventKind::StoreMoved
        | EventKind::HostInvited
        | EventKind::HostJoined
        | EventKind::HostRevoked
        | EventKind::BreakGlassIssued
        | EventKind::BreakGlassLost => "something was changed",
    }
}

/// Returns what to do if it was another person.
fn advice(what: EventKind) -> &'static str {
    match what {
        EventKind::Locked
        | EventKind::Accepted
        | EventKind::NewSignIn
        | EventKind::BrowserRevoked => {
            "If not, someone else may know your password: change it, and tell your\nadministrator."
        }
        _ => "If not, someone else may control the account: tell your administrator at once.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: AuditEvent) -> (String, String) {
        let notification = Notification {
            number: 1,
            to: "alice@example.com".parse().unwrap(),
            event,
        };
        let written = MailText::notification(&notification, "server-01", None);
        (written.subject.clone(), written.text.to_string())
    }

    fn event(what: EventKind) -> AuditEvent {
        AuditEvent {
            at: postern_shared::system::clock::Timestamp(1_800_000_015),
            account: "alice".parse().unwrap(),
            kind: what,
            service: "sshd".to_owned(),
            origin: "192.0.2.7".to_owned(),
            principal: "alice".to_owned(),
            cause: "recovery-code".to_owned(),
        }
    }

    #[test]
    fn a_notification_says_what_happened_when_through_which_service_by_whom_and_from_where() {
        let (subject, text) = written(event(EventKind::Accepted));
        assert_eq!(
            subject,
            "Someone signed in with a recovery code (alice at server-01)"
        );
        assert_eq!(
            text,
            "The account alice at server-01: someone signed in with a recovery code.\n\n    \
             When:    2027-01-15 08:00:15 UTC\n    \
             Through: sshd\n    \
             By:      alice\n    \
             From:    192.0.2.7\n\n\
             If you did this or expected it, you do not have to do anything.\n\
             If not, someone else may know your password: change it, and tell your\nadministrator.\n"
        );
    }

    #[test]
    fn a_new_sign_in_names_the_browser_at_the_web_and_the_host_elsewhere() {
        let shell = AuditEvent {
            cause: "code".to_owned(),
            ..event(EventKind::NewSignIn)
        };
        let web = AuditEvent {
            service: SERVICE.to_owned(),
            cause: "Firefox 128, Linux".to_owned(),
            ..shell.clone()
        };
        let (subject, text) = written(shell);
        assert!(subject.starts_with("Someone signed in from a new address ("));
        let host = format!("    Host:    {}\n", pending::host_name());
        assert!(text.contains(&host) && !text.contains("Browser:"), "{text}");
        let (subject, text) = written(web);
        assert!(subject.starts_with("Someone signed in from a new browser or address ("));
        let browser = "    Browser: Firefox 128, Linux\n";
        assert!(text.contains(browser) && !text.contains("Host:"), "{text}");
    }

    #[test]
    fn every_event_has_a_headline_that_makes_a_subject() {
        for what in EventKind::ALL {
            let (subject, text) = written(event(what));
            assert!(
                subject.starts_with(|c: char| c.is_ascii_uppercase()),
                "{subject}"
            );
            assert!(text.lines().skip(1).all(|line| line.len() <= 78), "{text}");
        }
    }

    /// A server that quotes the mail must not get the link into a log.
    #[test]
    fn the_token_of_the_link_is_secret() {
        assert_eq!(
            token_of("https://auth.example.com/end-sessions?token=abc-_1"),
            "abc-_1"
        );
    }
}

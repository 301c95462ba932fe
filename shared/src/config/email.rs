//! `[email]`: how posternd sends mail, and the lifetime of mailed codes.
//! Refuses keys that contradict each other; [`transport_url`] checks the URLs.

mod transport_url;

pub use transport_url::{Protection, SmtpUrl, WebhookUrl};

use super::AbsolutePath;
use super::check::Conflict;
use super::secret_file::SystemdCredential;
use super::value::Duration;
use crate::account::email::EmailAddress;
use serde::{Deserialize, Serialize};

/// Socket of `postern-mail.socket`, through which `email.command` receives mail.
pub const COMMAND_SOCKET: &str = "/run/postern/mail.sock";

/// `[email]`: one of `smtp_url`, `webhook_url` and `command`; without any of them no mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailConfig {
    pub smtp_url: Option<SmtpUrl>,
    /// User name at the mail server.
    pub smtp_user: Option<String>,
    /// File with the password at the mail server.
    pub smtp_password_file: Option<AbsolutePath>,
    /// Name of the systemd credential that replaces the file.
    pub smtp_password_credential: Option<SystemdCredential>,
    /// CA certificates (PEM) that replace those of the host.
    pub smtp_ca_file: Option<AbsolutePath>,
    /// URL to which each mail is posted as JSON.
    pub webhook_url: Option<WebhookUrl>,
    /// File with the secret that is sent as a Bearer token.
    pub webhook_secret_file: Option<AbsolutePath>,
    /// Name of the systemd credential that replaces the file.
    pub webhook_secret_credential: Option<SystemdCredential>,
    /// Program and arguments; the program reads the mail from standard input.
    pub command: Vec<String>,
    /// Whether a mailed code is a second factor.
    pub codes: MailedCodes,
    /// Whether people are told of sign-ins from new browsers and addresses.
    pub sign_in_notifications: SignInNotifications,
    /// Address of the sender.
    pub from: Option<EmailAddress>,
    /// Time limit for sending one mail.
    pub timeout: Duration<1, 60, 10>,
    /// Lifetime of a mailed code.
    pub code_ttl: Duration<60, 3600, 900>,
    /// Minimum time between two requests for a mailed code.
    pub cooldown: Duration<10, 3600, 60>,
}

/// The value of the key `email.codes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailedCodes {
    #[default]
    SecondFactor,
    /// Codes are mailed to confirm an address alone.
    Off,
}

/// The value of the key `email.sign_in_notifications`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInNotifications {
    /// Of sign-ins at the web from a browser and an address that the account has not used.
    #[default]
    New,
    Off,
}

impl EmailConfig {
    /// Whether a way to send mail is configured.
    pub fn is_enabled(&self) -> bool {
        self.smtp_url.is_some() || self.webhook_url.is_some() || self.uses_command()
    }

    /// Whether a code is mailed, and accepted, as a second factor.
    pub fn mails_codes(&self) -> bool {
        self.is_enabled() && self.codes == MailedCodes::SecondFactor
    }

    /// Whether a program sends mail.
    pub fn uses_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Checks everything that involves more than one key.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let conflict =
            |key: &'static [&'static str], message: &str| Err(Conflict::new(key, message));
        let transports = [
            self.smtp_url.is_some(),
            self.webhook_url.is_some(),
            !self.command.is_empty(),
        ];
        if transports.into_iter().filter(|given| *given).count() > 1 {
            return conflict(
                &["email"],
                "has more than one of smtp_url, webhook_url and command; keep one",
            );
        }
        if self
            .command
            .first()
            .is_some_and(|program| !program.starts_with('/'))
        {
            return conflict(
                &["email", "command"],
                "must begin with the absolute path of a program",
            );
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return conflict(&["email", "command"], "must not contain a NUL byte");
        }
        if self.from.is_none() && (self.smtp_url.is_some() || !self.command.is_empty()) {
            return conflict(&["email"], "needs from, the sender's address");
        }
        if self.smtp_password_file.is_some() && self.smtp_password_credential.is_some() {
            return conflict(
                &["email", "smtp_password_credential"],
                "is set together with smtp_password_file; keep one",
            );
        }
        if self.webhook_secret_file.is_some() && self.webhook_secret_credential.is_some() {
            return conflict(
                &["email", "webhook_secret_credential"],
                "is set together with webhook_secret_file; keep one",
            );
        }
        let has_password =
            self.smtp_password_file.is_some() || self.smtp_password_credential.is_some();
        if self.smtp_user.is_some() != has_password {
            return conflict(
                &["email"],
                "needs smtp_user together with smtp_password_file or smtp_password_credential",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        let check = |text: &str| {
            let config: EmailConfig = toml::from_str(text).unwrap();
            config.check().map_err(|conflict| conflict.message)
        };
        let smtp = "smtp_url = \"smtp://localhost\"\n";
        let webhook = "webhook_url = \"https://example.com/\"\n";
        let from = "from = \"a@example.com\"\n";
        let secrets = "webhook_secret_file = \"/a\"\nwebhook_secret_credential = \"a\"";
        for text in ["", &format!("{smtp}{from}"), webhook] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, words) in [
            (smtp, "needs from"),
            (
                &format!("command = [\"sendmail\"]\n{from}"),
                "absolute path",
            ),
            (
                &format!("{webhook}command = [\"/bin/true\"]"),
                "more than one",
            ),
            ("smtp_user = \"a\"", "together with"),
            ("smtp_password_file = \"/a\"", "together with"),
            (secrets, "keep one"),
        ] {
            assert!(check(text).unwrap_err().contains(words), "{text}");
        }
    }
}

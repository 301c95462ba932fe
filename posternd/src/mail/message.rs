//! What a letter says. The subject never holds the code: phones show it on a locked screen.

use lettre::message::Mailbox;
use lettre::message::header::{self, ContentType, HeaderName, HeaderValue};
use lettre::{Address, Message};
use serde_json::json;
use shared::account::email::EmailAddress;
use shared::account::name::UserName;
use shared::credential::secret::fill_random;
use shared::crypto::vault::MailedFor;
use shared::engine::MailMessage;
use shared::system::clock::Timestamp;
use zeroize::Zeroizing;

/// A letter in words.
pub(super) struct MailText<'a> {
    pub(super) account: &'a UserName,
    pub(super) to: &'a EmailAddress,
    pub(super) subject: String,
    pub(super) text: Zeroizing<String>,
    pub(super) brings: Brings<'a>,
}

/// What a letter is for, as a webhook is told.
pub(super) enum Brings<'a> {
    /// A code.
    Code(&'a str),
    /// A notification of what happened: the event's name.
    Event(&'static str),
}

impl<'a> MailText<'a> {
    pub(super) fn code(letter: &'a MailMessage, issuer: &str) -> MailText<'a> {
        let (name, code, until) = (&letter.name, letter.code.as_str(), utc(letter.expires));
        let (subject, text) = match letter.purpose {
            MailedFor::Login => (
                format!("Your verification code for {issuer}"),
                format!(
                    "The verification code for {name} at {issuer} is\n\n    {code}\n\n\
                     It is valid once, until {until}. No one will ever ask you for it.\n\n\
                     If you did not ask for it, someone else may know your password: change it, and tell\n\
                     your administrator.\n"
                ),
            ),
            MailedFor::Confirmation => (
                format!("Confirm your address for {issuer}"),
                format!(
                    "This address was given for the account {name} at {issuer}. The code that confirms it is\n\n    \
                     {code}\n\n\
                     It is valid until {until}. Once it is confirmed, codes to sign in can be mailed here.\n\n\
                     If you did not expect this, ignore this mail.\n"
                ),
            ),
        };
        let (account, brings) = (&letter.name, Brings::Code(code));
        MailText {
            account,
            to: &letter.to,
            subject,
            text: Zeroizing::new(text),
            brings,
        }
    }

    /// As a mail.
    pub(super) fn message(&self, from: Option<&EmailAddress>) -> Result<Message, String> {
        let from = from.ok_or("email.from is missing")?;
        let domain = from
            .as_str()
            .split_once('@')
            .map_or("", |(_, domain)| domain);
        let mut random = [0; 16];
        fill_random(&mut random).map_err(|error| error.to_string())?;
        let id = format!("<{}@{domain}>", data_encoding::HEXLOWER.encode(&random));
        Message::builder()
            .from(mailbox(from)?)
            .to(mailbox(self.to)?)
            .subject(self.subject.clone())
            .message_id(Some(id))
            .raw_header(automatic())
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.to_string())
            .map_err(|error| format!("the mail cannot be written: {error}"))
    }

    /// As a webhook gets it.
    pub(super) fn json(&self) -> Zeroizing<String> {
        let mut value = json!({
            "account": self.account,
            "to": self.to,
            "subject": self.subject,
            "text": self.text.as_str(),
        });
        match self.brings {
            Brings::Code(code) => value["code"] = code.into(),
            Brings::Event(event) => value["event"] = event.into(),
        }
        Zeroizing::new(value.to_string())
    }

    /// What must not be repeated of it.
    pub(super) fn secret(&self) -> Option<&str> {
        match self.brings {
            Brings::Code(code) => Some(code),
            Brings::Event(_) => None,
        }
    }
}

/// A time, as people read it.
pub(super) fn utc(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', " UTC")
}

fn mailbox(address: &EmailAddress) -> Result<Mailbox, String> {
    let parsed: Result<Address, _> = address.as_str().parse();
    parsed
        .map(|address| Mailbox::new(None, address))
        .map_err(|error| format!("{address}: {error}"))
}

/// RFC 3834: no answer of a machine, please.
fn automatic() -> HeaderValue {
    let name: HeaderName = header::HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

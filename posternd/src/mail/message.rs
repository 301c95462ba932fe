//! The text of a mail.
//!
//! MUST NOT put the code into the subject: phones show it on a locked screen.

use lettre::message::Mailbox;
use lettre::message::header::{self, ContentType, HeaderName, HeaderValue};
use lettre::{Address, Message};
use postern_shared::account::email::EmailAddress;
use postern_shared::account::name::UserName;
use postern_shared::crypto::vault::MailedFor;
use postern_shared::engine::MailMessage;
use postern_shared::system::clock::Timestamp;
use postern_shared::system::random::fill_random;
use serde_json::json;
use zeroize::Zeroizing;

/// The text of a mail.
pub(super) struct MailText<'a> {
    pub(super) account: &'a UserName,
    pub(super) to: &'a EmailAddress,
    pub(super) subject: String,
    pub(super) text: Zeroizing<String>,
    pub(super) brings: Brings<'a>,
}

/// The purpose of a mail, as a webhook receives it.
pub(super) enum Brings<'a> {
    Code(&'a str),
    /// A notification, with the event's name, and the token of the link in its text.
    Event(&'static str, Option<&'a str>),
}

impl<'a> MailText<'a> {
    pub(super) fn code(mail: &'a MailMessage, issuer: &str) -> MailText<'a> {
        let (name, code, until) = (&mail.name, mail.code.as_str(), utc(mail.expires));
        let (subject, text) = match mail.purpose {
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
        let (account, brings) = (&mail.name, Brings::Code(code));
        MailText {
            account,
            to: &mail.to,
            subject,
            text: Zeroizing::new(text),
            brings,
        }
    }

    /// Formats the text as a mail.
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

    /// Formats the text as the JSON of a webhook.
    pub(super) fn json(&self) -> Zeroizing<String> {
        let mut value = json!({
            "account": self.account,
            "to": self.to,
            "subject": self.subject,
            "text": self.text.as_str(),
        });
        match self.brings {
            Brings::Code(code) => value["code"] = code.into(),
            Brings::Event(event, _) => value["event"] = event.into(),
        }
        Zeroizing::new(value.to_string())
    }

    /// Returns the code, or the token of the link, which must not be repeated.
    pub(super) fn secret(&self) -> Option<&str> {
        match self.brings {
            Brings::Code(code) => Some(code),
            Brings::Event(_, token) => token,
        }
    }
}

/// Formats a time for people.
pub(super) fn utc(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', " UTC")
}

fn mailbox(address: &EmailAddress) -> Result<Mailbox, String> {
    let parsed: Result<Address, _> = address.as_str().parse();
    parsed
        .map(|address| Mailbox::new(None, address))
        .map_err(|error| format!("{address}: {error}"))
}

/// RFC 3834, section 5: asks for no automatic reply.
fn automatic() -> HeaderValue {
    let name: HeaderName = header::HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

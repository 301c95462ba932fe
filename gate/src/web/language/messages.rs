//! Messages of the engine in the user's language. Their English text is in
//! [`postern_shared::engine::messages`].

use super::Language;
use fluent_bundle::{FluentArgs, FluentValue};
use postern_shared::account::email::EmailAddress;
use postern_shared::engine::messages::{self, MessageArgument, UserMessage};
use postern_shared::engine::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use postern_shared::store::MissedInputs;
use postern_shared::system::admission::AdmissionRefusal;
use postern_shared::verify::decision::Refusal;

impl Language {
    /// Renders a message of the engine. Where this language lacks it, the text is English with
    /// typographic apostrophes.
    fn message(&self, message: &UserMessage) -> String {
        let Some(pattern) = self
            .texts
            .get_message(message.id())
            .and_then(|found| found.value())
        else {
            return message.to_string().replace('\'', "’");
        };
        let arguments: FluentArgs<'_> = message
            .arguments()
            .iter()
            .map(|(name, argument)| {
                let value: FluentValue<'_> = match argument {
                    MessageArgument::Count(count) => (*count).into(),
                    MessageArgument::Text(text) => text.as_str().into(),
                    MessageArgument::Message(message) => self.message(message).into(),
                };
                (*name, value)
            })
            .collect();
        let text = self
            .texts
            .format_pattern(pattern, Some(&arguments), &mut Vec::new());
        text.into_owned()
    }

    /// Returns why an input was refused, and what to do.
    pub(crate) fn refusal(&self, refusal: Refusal) -> String {
        self.message(&refusal.into())
    }

    /// Returns why a request was refused for load, and what to do.
    pub(crate) fn busy(&self, busy: AdmissionRefusal) -> String {
        match busy {
            AdmissionRefusal::KeyLimit => self.text("busy-address-line"),
            AdmissionRefusal::Capacity => self.text("busy-line"),
        }
    }

    /// Returns why no code is mailed, and what to do.
    pub(crate) fn mail_refusal(&self, refused: MailRefusal) -> String {
        self.message(&refused.into())
    }

    /// Returns where a code was mailed, and for how many seconds it is valid.
    pub(crate) fn mailed(&self, to: &EmailAddress, life: u64) -> String {
        self.message(&messages::code_mailed(to, life))
    }

    /// Says that the mail is in the outbox and no posternd sends it.
    pub(crate) fn mail_waits(&self) -> String {
        self.message(&messages::mail_waits())
    }

    pub(crate) fn not_mailed(&self) -> String {
        self.message(&messages::not_mailed())
    }

    /// Returns the number of wrong codes since the last sign-in.
    pub(crate) fn missed(&self, missed: &MissedInputs) -> String {
        self.message(&missed.into())
    }

    /// Returns what a used recovery code leaves.
    pub(crate) fn recovered(&self, recovered: AfterRecovery) -> String {
        let all = messages::after_recovery(recovered);
        let texts: Vec<_> = all.iter().map(|message| self.message(message)).collect();
        texts.join(". ")
    }

    /// Returns what happened to the app passwords, if there are any.
    pub(crate) fn app_passwords(&self, after: AppPasswordsAfter) -> Option<String> {
        messages::app_passwords_after_change(after).map(|message| self.message(&message))
    }
}

//! Texts of the engine in a person's language. Their English is the engine's own, see [`shared::engine::messages`].

use super::Language;
use fluent_bundle::{FluentArgs, FluentValue};
use shared::account::email::EmailAddress;
use shared::engine::messages::{self, MessageArgument, UserMessage};
use shared::engine::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use shared::store::MissedInputs;
use shared::system::admission::Busy;
use shared::verify::decision::Refusal;

impl Language {
    /// Renders a message of the engine; in English, with typographic apostrophes, where this language lacks it.
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

    /// Why an input was refused, and what to do.
    pub(crate) fn refusal(&self, refusal: Refusal) -> String {
        self.message(&refusal.into())
    }

    /// Why a request was refused for load, and what to do.
    pub(crate) fn busy(&self, busy: Busy) -> String {
        match busy {
            Busy::Own => self.say("busy-address-line"),
            Busy::All => self.say("busy-line"),
        }
    }

    /// Why no code is mailed, and what to do.
    pub(crate) fn mail_refusal(&self, refused: MailRefusal) -> String {
        self.message(&refused.into())
    }

    /// Where a code was mailed, and how long it is valid, in seconds.
    pub(crate) fn mailed(&self, to: &EmailAddress, life: u64) -> String {
        self.message(&messages::code_mailed(to, life))
    }

    /// The mail is in the outbox, and no posternd sends it.
    pub(crate) fn mail_waits(&self) -> String {
        self.message(&messages::mail_waits())
    }

    /// The code could not be mailed.
    pub(crate) fn not_mailed(&self) -> String {
        self.message(&messages::not_mailed())
    }

    /// Wrong codes since the last sign-in.
    pub(crate) fn missed(&self, missed: &MissedInputs) -> String {
        self.message(&missed.into())
    }

    /// What the use of a recovery code leaves.
    pub(crate) fn recovered(&self, recovered: AfterRecovery) -> String {
        let all = messages::after_recovery(recovered);
        let texts: Vec<_> = all.iter().map(|message| self.message(message)).collect();
        texts.join(". ")
    }

    /// What became of the app passwords, if there are any.
    pub(crate) fn app_passwords(&self, after: AppPasswordsAfter) -> Option<String> {
        messages::app_passwords_after_change(after).map(|message| self.message(&message))
    }
}

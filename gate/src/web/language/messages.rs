//! Messages of the engine in the user's language. Their English text is in
//! [`postern_shared::engine::messages`].

use super::Language;
use fluent_bundle::{FluentArgs, FluentValue};
use postern_shared::engine::messages::{self, MessageArgument, UserMessage};
use postern_shared::engine::{AfterRecovery, AppPasswordsAfter};
use postern_shared::system::admission::AdmissionRefusal;

impl Language {
    /// Renders a message of the engine. Where this language lacks it, the text is English with
    /// typographic apostrophes.
    pub(crate) fn message(&self, message: impl Into<UserMessage>) -> String {
        self.render(&message.into())
    }

    fn render(&self, message: &UserMessage) -> String {
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
                    MessageArgument::Message(message) => self.render(message).into(),
                };
                (*name, value)
            })
            .collect();
        let text = self
            .texts
            .format_pattern(pattern, Some(&arguments), &mut Vec::new());
        text.into_owned()
    }

    /// Returns why a request was refused for load, and what to do.
    pub(crate) fn busy(&self, busy: AdmissionRefusal) -> String {
        match busy {
            AdmissionRefusal::KeyLimit => self.text("busy-address-line"),
            AdmissionRefusal::Capacity => self.text("busy-line"),
        }
    }

    /// Returns what a used recovery code leaves.
    pub(crate) fn recovered(&self, recovered: AfterRecovery) -> String {
        let all = messages::after_recovery(recovered);
        let texts: Vec<_> = all.iter().map(|message| self.render(message)).collect();
        texts.join(". ")
    }

    /// Returns what happened to the app passwords, if there are any.
    pub(crate) fn app_passwords(&self, after: AppPasswordsAfter) -> Option<String> {
        messages::app_passwords_after_change(after).map(|message| self.render(&message))
    }
}

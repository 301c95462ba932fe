//! Where a line's answers come from: the password that an earlier module has asked for, and the prompt. And where a
//! password goes that stands before the code: to the modules that come after.

use super::host::{NoAnswer, PamHost};
use super::options::{FirstPass, PamSettings};
use shared::credential::input::{InputReading, LONGEST};
use zeroize::Zeroizing;

/// What somebody gave.
pub(crate) struct TypedInput {
    pub(crate) text: Zeroizing<Vec<u8>>,
    pub(crate) source: InputSource,
}

/// Where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// An earlier module asked for it: perhaps it is a password and nothing else.
    Stacked,
    /// It was typed here.
    Prompt,
}

/// The answers that are still to come.
pub(crate) struct PromptInputs<'a> {
    host: &'a dyn PamHost,
    settings: &'a PamSettings,
    stacked: Option<Zeroizing<Vec<u8>>>,
    prompts: u32,
}

impl<'a> PromptInputs<'a> {
    /// As many as the line allows.
    pub(crate) fn up_to_tries(
        host: &'a dyn PamHost,
        settings: &'a PamSettings,
    ) -> PromptInputs<'a> {
        let (stacked, prompts) = match settings.first_pass {
            FirstPass::Ignored => (None, settings.tries),
            FirstPass::Tried => (host.stacked_password(), settings.tries),
            FirstPass::Used => (host.stacked_password(), 0),
        };
        PromptInputs {
            host,
            settings,
            stacked,
            prompts,
        }
    }

    /// One. Whether anything is asked for hangs on nothing that was found out, so that it tells nothing.
    pub(crate) fn single(host: &'a dyn PamHost, settings: &'a PamSettings) -> PromptInputs<'a> {
        let several = PromptInputs::up_to_tries(host, settings);
        let prompts = match several.stacked {
            Some(_) => 0,
            None => several.prompts.min(1),
        };
        PromptInputs { prompts, ..several }
    }

    /// The next one, if there is one more.
    pub(crate) fn read_input(&mut self, prompt: &str) -> Option<Result<TypedInput, NoAnswer>> {
        if let Some(text) = self.stacked.take() {
            return Some(Ok(TypedInput {
                text,
                source: InputSource::Stacked,
            }));
        }
        self.prompts = self.prompts.checked_sub(1)?;
        let asked = self.host.ask(prompt, self.settings.echo);
        Some(asked.map(|text| TypedInput {
            text,
            source: InputSource::Prompt,
        }))
    }

    /// The last one was none that counts.
    pub(crate) fn add_prompt(&mut self) {
        self.prompts += 1;
    }
}

/// Hands the password on that stood before the last `taken` bytes, and before one blank.
pub(crate) fn forward_password(
    host: &dyn PamHost,
    settings: &PamSettings,
    typed: &TypedInput,
    taken: usize,
) {
    // of a longer one the end was cut off
    if settings.reading == InputReading::Whole || typed.text.len() > LONGEST {
        return;
    }
    let (password, code) = typed.text.split_at(typed.text.len().saturating_sub(taken));
    let password = match password.strip_suffix(b" ") {
        Some(password) if !code.is_empty() => password,
        _ => password,
    };
    host.set_stacked_password(password);
}

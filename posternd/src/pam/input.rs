//! The inputs of a conversation: the stacked password and the prompts; and the password before the
//! code, which is set for later modules.
//!
//! MUST NOT let the number of prompts before the first factor depend on the account.

use super::host::{NoAnswer, PamHost};
use super::options::{FirstPass, PamSettings};
use postern_shared::credential::input::{InputReading, LONGEST};
use zeroize::Zeroizing;

pub(crate) struct TypedInput {
    pub(crate) text: Zeroizing<Vec<u8>>,
    pub(crate) source: InputSource,
}

/// The source of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// An earlier module prompted for it: it may be a password without a code.
    Stacked,
    /// This module prompted for it.
    Prompt,
}

/// The inputs that remain.
pub(crate) struct PromptInputs<'a> {
    host: &'a dyn PamHost,
    settings: &'a PamSettings,
    stacked: Option<Zeroizing<Vec<u8>>>,
    prompts: u32,
}

impl<'a> PromptInputs<'a> {
    /// Returns as many inputs as `tries` allows.
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

    /// Returns one input. Whether there is a prompt depends on nothing but the options and the
    /// stacked password, so that it reveals nothing of the account.
    pub(crate) fn single(host: &'a dyn PamHost, settings: &'a PamSettings) -> PromptInputs<'a> {
        let several = PromptInputs::up_to_tries(host, settings);
        let prompts = match several.stacked {
            Some(_) => 0,
            None => several.prompts.min(1),
        };
        PromptInputs { prompts, ..several }
    }

    /// Reads the next input, if one remains.
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

    /// Allows one more prompt, for an input that does not count as a try.
    pub(crate) fn add_prompt(&mut self) {
        self.prompts += 1;
    }
}

/// Sets the password before the last `taken` bytes, without one blank at its end, for later
/// modules.
pub(crate) fn forward_password(
    host: &dyn PamHost,
    settings: &PamSettings,
    typed: &TypedInput,
    taken: usize,
) {
    // the end of a longer input was cut off
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

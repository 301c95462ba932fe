//! Where a line's answers come from: the password that an earlier module has asked for, and the prompt. And where a
//! password goes that stands before the code: to the modules that come after.

use super::host::{Host, NoAnswer};
use super::options::{FirstPass, Settings};
use shared::credential::input::{LONGEST, Reading};
use zeroize::Zeroizing;

/// What somebody gave.
pub(crate) struct Typed {
    pub(crate) text: Zeroizing<Vec<u8>>,
    pub(crate) source: Source,
}

/// Where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An earlier module asked for it: perhaps it is a password and nothing else.
    Stacked,
    /// It was typed here.
    Prompt,
}

/// The answers that are still to come.
pub(crate) struct Answers<'a> {
    host: &'a dyn Host,
    settings: &'a Settings,
    stacked: Option<Zeroizing<Vec<u8>>>,
    prompts: u32,
}

impl<'a> Answers<'a> {
    /// As many as the line allows.
    pub(crate) fn several(host: &'a dyn Host, settings: &'a Settings) -> Answers<'a> {
        let (stacked, prompts) = match settings.first_pass {
            FirstPass::Left => (None, settings.tries),
            FirstPass::Tried => (host.stacked(), settings.tries),
            FirstPass::Used => (host.stacked(), 0),
        };
        Answers {
            host,
            settings,
            stacked,
            prompts,
        }
    }

    /// One. Whether anything is asked for hangs on nothing that was found out, so that it tells nothing.
    pub(crate) fn one(host: &'a dyn Host, settings: &'a Settings) -> Answers<'a> {
        let several = Answers::several(host, settings);
        let prompts = match several.stacked {
            Some(_) => 0,
            None => several.prompts.min(1),
        };
        Answers { prompts, ..several }
    }

    /// The next one, if there is one more.
    pub(crate) fn next(&mut self, prompt: &str) -> Option<Result<Typed, NoAnswer>> {
        if let Some(text) = self.stacked.take() {
            return Some(Ok(Typed {
                text,
                source: Source::Stacked,
            }));
        }
        self.prompts = self.prompts.checked_sub(1)?;
        let asked = self.host.ask(prompt, self.settings.echo);
        Some(asked.map(|text| Typed {
            text,
            source: Source::Prompt,
        }))
    }

    /// The last one was none that counts.
    pub(crate) fn give_back(&mut self) {
        self.prompts += 1;
    }
}

/// Hands the password on that stood before the last `taken` bytes, and before one blank.
pub(crate) fn hand_on(host: &dyn Host, settings: &Settings, typed: &Typed, taken: usize) {
    // of a longer one the end was cut off
    if settings.reading == Reading::Whole || typed.text.len() > LONGEST {
        return;
    }
    let (password, code) = typed.text.split_at(typed.text.len().saturating_sub(taken));
    let password = match password.strip_suffix(b" ") {
        Some(password) if !code.is_empty() => password,
        _ => password,
    };
    host.hand_on(password);
}

//! The terminal: prompts, output, and protection against typed-in commands.

pub(crate) mod injection_guard;
pub(crate) mod output;
pub(crate) mod prompt;

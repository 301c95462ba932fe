//! The terminal: prompts, output, and protection against inserted input.

pub(crate) mod injection_guard;
pub(crate) mod output;
pub(crate) mod prompt;

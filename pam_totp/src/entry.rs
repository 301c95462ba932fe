//! What a hook answers, before it becomes a number of libpam's.

/// The answer of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The line has passed.
    Passed,
    /// The line says nothing: no code is needed here.
    NotNeeded,
    /// No entry.
    Denied(Denial),
}

/// Why there is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The answer, or the lack of a second factor.
    Refused,
    /// As many prompts as `tries` allows.
    TooManyTries,
    /// The conversation failed or was cancelled.
    Conversation,
    /// The name is none that any account can have.
    BadName,
    /// The store, the key or the clock.
    Unavailable,
    /// An option or the configuration.
    Misconfigured,
    /// The guard: nobody asked for the code.
    NotAsked,
}

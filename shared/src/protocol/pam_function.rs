//! The hooks of the module, and how each may end.

/// A hook of the module that posternd decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamFunction {
    /// `auth`: pam_sm_authenticate.
    Auth,
    /// `account`: pam_sm_acct_mgmt.
    Account,
    /// `password`: pam_sm_chauthtok, once the password has been changed.
    Password,
}

/// How a hook ends, before it becomes a number of libpam's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamFunctionResult {
    /// The line has passed.
    Passed,
    /// The line says nothing: no code is needed here.
    NotNeeded,
    /// Access is denied.
    Denied(Denial),
}

/// Why access is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The input, or the lack of a second factor.
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

impl PamFunction {
    /// Whether this hook may end so: `account` never says nothing, and `password` says nothing else.
    pub fn may_end(self, result: PamFunctionResult) -> bool {
        match (self, result) {
            (PamFunction::Auth, _) => true,
            (PamFunction::Account, result) => result != PamFunctionResult::NotNeeded,
            (PamFunction::Password, result) => result == PamFunctionResult::NotNeeded,
        }
    }

    pub(super) fn number(self) -> u8 {
        match self {
            PamFunction::Auth => 1,
            PamFunction::Account => 2,
            PamFunction::Password => 3,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<PamFunction> {
        [
            PamFunction::Auth,
            PamFunction::Account,
            PamFunction::Password,
        ]
        .into_iter()
        .find(|hook| hook.number() == number)
    }
}

impl PamFunctionResult {
    const ALL: [PamFunctionResult; 9] = [
        PamFunctionResult::Passed,
        PamFunctionResult::NotNeeded,
        PamFunctionResult::Denied(Denial::Refused),
        PamFunctionResult::Denied(Denial::TooManyTries),
        PamFunctionResult::Denied(Denial::Conversation),
        PamFunctionResult::Denied(Denial::BadName),
        PamFunctionResult::Denied(Denial::Unavailable),
        PamFunctionResult::Denied(Denial::Misconfigured),
        PamFunctionResult::Denied(Denial::NotAsked),
    ];

    /// Numbers far apart, so that no single flipped bit makes access of a denial.
    pub(super) fn number(self) -> u8 {
        match self {
            PamFunctionResult::Passed => 0x53,
            PamFunctionResult::NotNeeded => 0x2c,
            PamFunctionResult::Denied(Denial::Refused) => 0x80,
            PamFunctionResult::Denied(Denial::TooManyTries) => 0x81,
            PamFunctionResult::Denied(Denial::Conversation) => 0x82,
            PamFunctionResult::Denied(Denial::BadName) => 0x83,
            PamFunctionResult::Denied(Denial::Unavailable) => 0x84,
            PamFunctionResult::Denied(Denial::Misconfigured) => 0x85,
            PamFunctionResult::Denied(Denial::NotAsked) => 0x86,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<PamFunctionResult> {
        PamFunctionResult::ALL
            .into_iter()
            .find(|result| result.number() == number)
    }
}

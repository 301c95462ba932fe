//! The hooks of the module, and how each may end.

/// A hook of the module that posternd decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `auth`: pam_sm_authenticate.
    Auth,
    /// `account`: pam_sm_acct_mgmt.
    Account,
    /// `password`: pam_sm_chauthtok, once the password has been changed.
    Password,
}

/// How a hook ends, before it becomes a number of libpam's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookResult {
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

impl Hook {
    /// Whether this hook may end so: `account` never says nothing, and `password` says nothing else.
    pub fn may_end(self, result: HookResult) -> bool {
        match (self, result) {
            (Hook::Auth, _) => true,
            (Hook::Account, result) => result != HookResult::NotNeeded,
            (Hook::Password, result) => result == HookResult::NotNeeded,
        }
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Hook::Auth => 1,
            Hook::Account => 2,
            Hook::Password => 3,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Hook> {
        [Hook::Auth, Hook::Account, Hook::Password]
            .into_iter()
            .find(|hook| hook.number() == number)
    }
}

impl HookResult {
    const ALL: [HookResult; 9] = [
        HookResult::Passed,
        HookResult::NotNeeded,
        HookResult::Denied(Denial::Refused),
        HookResult::Denied(Denial::TooManyTries),
        HookResult::Denied(Denial::Conversation),
        HookResult::Denied(Denial::BadName),
        HookResult::Denied(Denial::Unavailable),
        HookResult::Denied(Denial::Misconfigured),
        HookResult::Denied(Denial::NotAsked),
    ];

    /// Numbers far apart, so that no single flipped bit makes access of a denial.
    pub(super) fn number(self) -> u8 {
        match self {
            HookResult::Passed => 0x53,
            HookResult::NotNeeded => 0x2c,
            HookResult::Denied(Denial::Refused) => 0x80,
            HookResult::Denied(Denial::TooManyTries) => 0x81,
            HookResult::Denied(Denial::Conversation) => 0x82,
            HookResult::Denied(Denial::BadName) => 0x83,
            HookResult::Denied(Denial::Unavailable) => 0x84,
            HookResult::Denied(Denial::Misconfigured) => 0x85,
            HookResult::Denied(Denial::NotAsked) => 0x86,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<HookResult> {
        HookResult::ALL
            .into_iter()
            .find(|result| result.number() == number)
    }
}

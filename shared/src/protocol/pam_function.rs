//! The functions of the module (pam(3)) that posternd decides, and their results. The module
//! translates a result into a number of libpam; the numbers here are those of the protocol.

/// A function of the module that posternd decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamFunction {
    /// The hook `auth`, pam_sm_authenticate(3).
    Auth = 1,
    /// The hook `account`, pam_sm_acct_mgmt(3).
    Account = 2,
    /// `password`: pam_sm_chauthtok(3), after the password was changed.
    Password = 3,
}

/// Result of a function, before it is translated for libpam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamFunctionResult {
    Passed,
    /// The module is ignored: no code is required here.
    NotNeeded,
    Denied(Denial),
}

/// Reason why access is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The input is refused, or the account has no second factor.
    Refused = 0x80,
    /// The number of prompts reached the option `tries`.
    TooManyTries = 0x81,
    /// The conversation failed or was cancelled.
    Conversation = 0x82,
    /// No account can have this name.
    BadName = 0x83,
    /// The store, the key or the clock is not available.
    Unavailable = 0x84,
    /// An option or the configuration is invalid.
    Misconfigured = 0x85,
    /// `account` found that no code was asked for.
    NotAsked = 0x86,
}

impl PamFunction {
    /// Returns whether this function may have this result: `account` is never ignored, and
    /// `password` always is.
    pub fn may_end(self, result: PamFunctionResult) -> bool {
        match (self, result) {
            (PamFunction::Auth, _) => true,
            (PamFunction::Account, result) => result != PamFunctionResult::NotNeeded,
            (PamFunction::Password, result) => result == PamFunctionResult::NotNeeded,
        }
    }

    pub(super) const ALL: [PamFunction; 3] = [
        PamFunction::Auth,
        PamFunction::Account,
        PamFunction::Password,
    ];

    pub(super) fn number(self) -> u8 {
        self as u8
    }
}

impl PamFunctionResult {
    pub(super) const ALL: [PamFunctionResult; 9] = [
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

    /// Returns the number in the protocol. The numbers differ in several bits, so that no single
    /// flipped bit turns a denial into access.
    pub(super) fn number(self) -> u8 {
        match self {
            PamFunctionResult::Passed => 0x53,
            PamFunctionResult::NotNeeded => 0x2c,
            PamFunctionResult::Denied(denial) => denial as u8,
        }
    }
}

//! `[pam]` and `[pam.service.NAME]`: defaults for the options of pam_totp.so. An option in the PAM
//! stack overrides both.

use super::value::{BoundedInteger, Duration, SingleLine};
use crate::account::name::UserName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Time after an accepted code during which the same address is not asked again; 0 means that every
/// sign-in is asked.
pub type GracePeriod = Duration<0, 2_592_000>;

/// `[pam]`: defaults of the module, and settings per service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PamConfig {
    /// Whether the stack has verified a first factor before pam_totp.
    pub first_factor: Option<FirstFactorState>,
    /// What applies to a user without a second factor.
    pub unenrolled: Option<UnenrolledAction>,
    pub prompt: Option<SingleLine>,
    /// Whether the terminal shows the input.
    pub echo: Option<bool>,
    /// Whether the password that an earlier module asked for is the first input.
    pub try_first_pass: Option<bool>,
    /// Whether the password that an earlier module asked for is the only input.
    pub use_first_pass: Option<bool>,
    /// Whether the input is a password followed by a code, and the password is passed on to the
    /// next module.
    pub forward_pass: Option<bool>,
    /// Whether an app password alone grants access.
    pub app_password: Option<bool>,
    /// Whether a passkey at the web may approve the prompt.
    pub approval: Option<bool>,
    /// Number of prompts in one conversation.
    pub tries: Option<BoundedInteger<1, 10>>,
    pub grace: Option<GracePeriod>,
    /// Delay that libpam is asked for after a failure.
    pub fail_delay: Option<Duration<0, 30>>,
    /// Whether details of each decision are logged.
    pub debug: Option<bool>,
    /// Whether only refusals are logged.
    pub quiet: Option<bool>,
    /// Whether the service is sshd, whose SSH_CONNECTION and SSH_AUTH_INFO_0 are then trusted.
    pub sshd: Option<bool>,
    /// Users of this host whose processes may have accounts other than their own verified.
    pub socket_users: Vec<UserName>,
    pub service: BTreeMap<String, PamServiceConfig>,
}

/// `[pam.service.NAME]`: settings of one service. A key that is not set has the value of `[pam]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PamServiceConfig {
    pub first_factor: Option<FirstFactorState>,
    pub unenrolled: Option<UnenrolledAction>,
    pub prompt: Option<SingleLine>,
    pub echo: Option<bool>,
    pub try_first_pass: Option<bool>,
    pub use_first_pass: Option<bool>,
    pub forward_pass: Option<bool>,
    pub app_password: Option<bool>,
    pub approval: Option<bool>,
    /// Account whose code is required, whichever user signs in.
    pub user: Option<UserName>,
    pub tries: Option<BoundedInteger<1, 10>>,
    pub grace: Option<GracePeriod>,
    pub fail_delay: Option<Duration<0, 30>>,
    pub debug: Option<bool>,
    pub quiet: Option<bool>,
    pub sshd: Option<bool>,
    /// Whether the service sets PAM_RHOST to the client's address, never to a name from reverse
    /// DNS.
    pub rhost_is_address: Option<bool>,
}

/// The value of the key `pam.first_factor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstFactorState {
    /// A wrong password ends the stack before pam_totp.
    Passed,
    /// The stack may reach pam_totp without a correct password.
    #[default]
    Unknown,
}

/// The value of the key `pam.unenrolled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnenrolledAction {
    Deny,
    /// Access is granted with the first factor alone.
    Allow,
    /// The user enrolls at the prompt.
    Enroll,
}

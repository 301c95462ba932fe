//! `[pam]` and `[pam.service.NAME]`: what the options of pam_totp.so override.

use super::value::{BoundedInteger, Duration, SingleLine};
use crate::account::name::UserName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long after a code none is asked; 0 for always.
pub type GracePeriod = Duration<0, 2_592_000>;

/// `[pam]`: defaults for the module, and overrides for each service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PamConfig {
    /// What the stack guarantees before our line.
    pub first_factor: Option<FirstFactorState>,
    /// What anyone without a second factor gets.
    pub unenrolled: Option<UnenrolledAction>,
    /// The prompt.
    pub prompt: Option<SingleLine>,
    /// Whether typing shows.
    pub echo: Option<bool>,
    /// Whether the password that an earlier module asked for is the first answer.
    pub try_first_pass: Option<bool>,
    /// Whether it is the only one.
    pub use_first_pass: Option<bool>,
    /// Whether a password stands before the code, and goes on to the next module.
    pub forward_pass: Option<bool>,
    /// Whether app passwords alone open.
    pub app_password: Option<bool>,
    /// Prompts inside one conversation.
    pub tries: Option<BoundedInteger<1, 10>>,
    /// How long after a code from the same address none is asked.
    pub grace: Option<GracePeriod>,
    /// How long libpam is asked to wait after a failure.
    pub fail_delay: Option<Duration<0, 30>>,
    /// Whether more is logged of each decision.
    pub debug: Option<bool>,
    /// Whether refusals alone are logged.
    pub quiet: Option<bool>,
    /// Whether the service is an sshd, whose SSH_CONNECTION and SSH_AUTH_INFO_0 are believed.
    pub sshd: Option<bool>,
    /// Users of this host, whose processes may have other accounts than their own judged by the gate.
    pub socket_users: Vec<UserName>,
    /// By service name.
    pub service: BTreeMap<String, PamServiceConfig>,
}

/// `[pam.service.NAME]`: what differs from `[pam]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PamServiceConfig {
    /// As in `[pam]`.
    pub first_factor: Option<FirstFactorState>,
    /// As in `[pam]`.
    pub unenrolled: Option<UnenrolledAction>,
    /// As in `[pam]`.
    pub prompt: Option<SingleLine>,
    /// As in `[pam]`.
    pub echo: Option<bool>,
    /// As in `[pam]`.
    pub try_first_pass: Option<bool>,
    /// As in `[pam]`.
    pub use_first_pass: Option<bool>,
    /// As in `[pam]`.
    pub forward_pass: Option<bool>,
    /// As in `[pam]`.
    pub app_password: Option<bool>,
    /// The account whose code is asked for, whoever signs in.
    pub user: Option<UserName>,
    /// As in `[pam]`.
    pub tries: Option<BoundedInteger<1, 10>>,
    /// As in `[pam]`.
    pub grace: Option<GracePeriod>,
    /// As in `[pam]`.
    pub fail_delay: Option<Duration<0, 30>>,
    /// As in `[pam]`.
    pub debug: Option<bool>,
    /// As in `[pam]`.
    pub quiet: Option<bool>,
    /// As in `[pam]`.
    pub sshd: Option<bool>,
    /// Whether the service sets PAM_RHOST to the client's address, never to a name that reverse DNS gave.
    pub rhost_is_address: Option<bool>,
}

/// `pam.first_factor`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstFactorState {
    /// A wrong password ends the stack before our line.
    Passed,
    /// Anyone may reach our line.
    #[default]
    Unknown,
}

/// `pam.unenrolled`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnenrolledAction {
    /// No entry.
    Deny,
    /// Entry with the first factor alone.
    Allow,
    /// A second factor is set up at the prompt.
    Enroll,
}

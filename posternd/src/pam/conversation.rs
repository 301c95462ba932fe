//! A PAM conversation: what each hook asks, tells, logs and decides. `login`, `guard` and `password` are the kinds of
//! lines in a service file; what they need of the PAM host they ask through the trait in `host`, and what they ask of
//! the engine at `desk`.

pub use super::engine_access::{EngineAccess, User};
pub use super::host::{MarkNotRemoved, NoAnswer, PamHost, PamItem};
pub use super::log::LogFields;
pub(crate) use super::options::{first_factor, is_sshd};

use super::entry::deny_misconfigured;
use shared::protocol::{PamFunction, PamFunctionResult};

/// Runs a hook, from its first prompt to its result.
pub fn run_hook(hook: PamFunction, host: &dyn PamHost, options: &[String]) -> PamFunctionResult {
    match hook {
        PamFunction::Auth => super::auth::authenticate(host, options),
        PamFunction::Account => super::account::check_account(host, options),
        PamFunction::Password => {
            super::password::handle_changed_password(host, options);
            PamFunctionResult::NotNeeded
        }
    }
}

/// Refuses a hook whose line names a configuration of its own: only root's lines may.
pub fn refuse_config(host: &dyn PamHost, hook: PamFunction) -> PamFunctionResult {
    let denied = deny_misconfigured(
        host,
        &"config= is for PAM hosts that run as root; remove it",
    );
    if hook.may_end(denied) {
        denied
    } else {
        PamFunctionResult::NotNeeded
    }
}

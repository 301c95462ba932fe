//! The hooks of PAM conversations: which function runs each of them. What a hook needs of the PAM
//! host goes through the trait in `host`; the engine's operations are in `engine_access`.
//!
//! MUST NOT let a host that is not root's choose a configuration.

pub use super::engine_access::{EngineAccess, FleetHost, User};
pub use super::host::{MarkNotRemoved, NoAnswer, PamHost, PamItem};
pub use super::log::LogFields;
pub(crate) use super::options::{first_factor, is_sshd};

use super::conversation::deny;
use postern_shared::protocol::{Denial, PamFunction, PamFunctionResult};

/// Runs a hook, from its first prompt to its result.
pub fn run_hook(hook: PamFunction, host: &dyn PamHost, options: &[String]) -> PamFunctionResult {
    let result = match hook {
        PamFunction::Auth => super::auth::authenticate(host, options),
        PamFunction::Account => super::account::check_account(host, options),
        PamFunction::Password => {
            super::password::handle_changed_password(host, options);
            Ok(PamFunctionResult::NotNeeded)
        }
    };
    result.unwrap_or_else(PamFunctionResult::Denied)
}

/// Denies a hook whose options name a configuration: only root's hosts may choose one.
pub fn refuse_config(host: &dyn PamHost, hook: PamFunction) -> PamFunctionResult {
    let why = "config= is for PAM hosts that run as root; remove it";
    let denied = PamFunctionResult::Denied(deny(host, Denial::Misconfigured, &why));
    match hook.may_end(denied) {
        true => denied,
        false => PamFunctionResult::NotNeeded,
    }
}

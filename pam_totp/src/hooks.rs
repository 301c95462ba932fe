//! The entry points of the module, and the translation of their results for libpam.
//!
//! MUST catch every panic: one that crossed into C would take the host process down.

use crate::ffi::libpam::Libpam;
use crate::host::HostCalls;
use crate::relay::{self, HostUser};
use crate::{fallback, log};
use pamsm::{Pam, PamError, PamFlags, PamServiceModule, pam_module};
use postern_shared::protocol::{Denial, HOST_SOCKET, PAM_SOCKET, PamFunction, PamFunctionResult};
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

/// The flag of pam_chauthtok's second pass; in the first pass nothing is changed yet.
const UPDATE_AUTHTOK: i32 = 0x2000;

struct PamModule;

impl PamServiceModule for PamModule {
    fn authenticate(pam: Pam, flags: PamFlags, options: Vec<String>) -> PamError {
        hook(&Libpam { pam, flags }, PamFunction::Auth, &options)
    }

    fn acct_mgmt(pam: Pam, flags: PamFlags, options: Vec<String>) -> PamError {
        hook(&Libpam { pam, flags }, PamFunction::Account, &options)
    }

    fn setcred(_: Pam, _: PamFlags, _: Vec<String>) -> PamError {
        PamError::SUCCESS
    }

    fn open_session(_: Pam, _: PamFlags, _: Vec<String>) -> PamError {
        PamError::SUCCESS
    }

    fn close_session(_: Pam, _: PamFlags, _: Vec<String>) -> PamError {
        PamError::SUCCESS
    }

    fn chauthtok(pam: Pam, flags: PamFlags, options: Vec<String>) -> PamError {
        if flags.bits() & UPDATE_AUTHTOK != 0 {
            hook(&Libpam { pam, flags }, PamFunction::Password, &options);
        }
        // Whatever the result: PAM_SUCCESS could override a module that refused the change, and an
        // error would report a change as failed that is done.
        PamError::IGNORE
    }
}

pam_module!(PamModule);

/// Relays a hook to posternd.
fn run(hook: PamFunction, host: &dyn HostCalls, options: &[String]) -> PamFunctionResult {
    if nix::unistd::geteuid().is_root() {
        return relay::relay(HostUser::Root, Path::new(HOST_SOCKET), hook, host, options);
    }
    if fallback::own_configuration(options).is_some() {
        let why = "config= is for services that run as root; remove it, this service uses /etc/postern/postern.toml";
        log::log_denied(host, "misconfigured", &why);
        return PamFunctionResult::Denied(Denial::Misconfigured);
    }
    relay::relay(HostUser::User, Path::new(PAM_SOCKET), hook, host, options)
}

/// Runs a hook. A panic denies access and is logged with its location.
fn hook(host: &Libpam, function: PamFunction, options: &[String]) -> PamError {
    thread_local! {
        static LOCATION: RefCell<String> = const { RefCell::new(String::new()) };
    }
    static QUIET: Once = Once::new();
    // This copy of std belongs to the module alone, so no other code sets the hook. The message of
    // a panic is not kept: it could contain a code or a password.
    QUIET.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let location = panic
                .location()
                .map_or_else(String::new, ToString::to_string);
            LOCATION.with(|kept| kept.replace(location));
        }));
    });
    match panic::catch_unwind(AssertUnwindSafe(|| run(function, host, options))) {
        Ok(result) => number(result),
        Err(_) => {
            let location = LOCATION.with(RefCell::take);
            // the code that panicked may panic again
            let _ = panic::catch_unwind(AssertUnwindSafe(|| {
                log::log_denied(
                    host,
                    "panic",
                    &format_args!("internal error at {location}; please report it"),
                );
            }));
            PamError::AUTH_ERR
        }
    }
}

/// Translates a result into a return value of libpam's.
fn number(result: PamFunctionResult) -> PamError {
    match result {
        PamFunctionResult::Passed => PamError::SUCCESS,
        PamFunctionResult::NotNeeded => PamError::IGNORE,
        PamFunctionResult::Denied(Denial::Refused) => PamError::AUTH_ERR,
        PamFunctionResult::Denied(Denial::TooManyTries) => PamError::MAXTRIES,
        PamFunctionResult::Denied(Denial::Conversation) => PamError::CONV_ERR,
        PamFunctionResult::Denied(Denial::BadName) => PamError::USER_UNKNOWN,
        PamFunctionResult::Denied(Denial::Unavailable) => PamError::AUTHINFO_UNAVAIL,
        PamFunctionResult::Denied(Denial::Misconfigured) => PamError::SERVICE_ERR,
        PamFunctionResult::Denied(Denial::NotAsked) => PamError::PERM_DENIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_19_errors_answered_with_pam_ignore_or_success() {
        let numbers = [
            (PamFunctionResult::Passed, PamError::SUCCESS),
            (PamFunctionResult::NotNeeded, PamError::IGNORE),
        ];
        let denials = [
            (Denial::Refused, PamError::AUTH_ERR),
            (Denial::TooManyTries, PamError::MAXTRIES),
            (Denial::Conversation, PamError::CONV_ERR),
            (Denial::BadName, PamError::USER_UNKNOWN),
            (Denial::Unavailable, PamError::AUTHINFO_UNAVAIL),
            (Denial::Misconfigured, PamError::SERVICE_ERR),
            (Denial::NotAsked, PamError::PERM_DENIED),
        ];
        let denials = denials.map(|(denial, meant)| (PamFunctionResult::Denied(denial), meant));
        for (result, meant) in numbers.into_iter().chain(denials) {
            assert_eq!(number(result) as i32, meant as i32, "{result:?}");
        }
    }
}

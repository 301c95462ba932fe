//! A PAM conversation: what each hook asks, tells, logs and decides. `login`, `guard` and `password` are the kinds of
//! lines in a service file; what they need of the PAM host they ask through the trait in `host`, and what they ask of
//! the store, or of the gate, at `desk`.

mod answers;
mod caller;
mod desk;
mod guard;
mod host;
mod line;
#[cfg(test)]
mod lines;
mod log;
mod login;
mod mark;
mod options;
mod password;
mod setup;

pub use caller::{real_user, runs_as};
pub use desk::Reach;
pub use host::{Host, Item, NoAnswer, NotForgotten};
pub use log::LogFields;

use shared::protocol::{Hook, HookResult};

/// Runs a hook, from its first prompt to its result.
pub fn run(hook: Hook, host: &dyn Host, options: &[String]) -> HookResult {
    match hook {
        Hook::Auth => login::authenticate(host, options),
        Hook::Account => guard::account(host, options),
        Hook::Password => {
            password::changed(host, options);
            HookResult::NotNeeded
        }
    }
}

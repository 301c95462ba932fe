//! What a host decides itself while no server answers: a security key that sshd has verified passes
//! where the servers' policy said so, and a break-glass code passes once. Everything else is denied.
//!
//! MUST NOT run unless every server was tried and none answered. MUST NOT grant access before the use
//! is durable. MUST NOT count a code that no one can guess as a guess: wrong codes are slowed down, and
//! the right one passes nevertheless, so that no one can keep an administrator out.

use super::offline_files::{OfflineFiles, OfflineMark};
use super::wrong_codes::WrongCodes;
use crate::pam::hooks::{LogFields, PamHost};
use crate::pam::remote_host::RemoteHost;
use postern_shared::account::name::{Service, UserName};
use postern_shared::credential::break_glass_code::BreakGlassCode;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::engine::messages;
use postern_shared::protocol::{Denial, Echo, PamFunction, PamFunctionResult, Severity};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::process::TransactionId;
use postern_shared::verify::break_glass::{
    OfflineAccess, OfflineMethod, OfflineRefusal, OfflineState,
};
use std::os::unix::net::UnixStream;

/// Prompts of a conversation, and of one after too many wrong codes.
const TRIES: u32 = 3;
const TRIES_WHEN_SLOWED: u32 = 1;
/// Seconds that a conversation with a wrong code takes longer, and one after too many.
const DELAY: u64 = 2;
const DELAY_WHEN_SLOWED: u64 = 10;

type Module<'h> = RemoteHost<'h, &'h UnixStream>;

/// One conversation that no server decides.
pub(super) struct OfflineConversation<'a, 'h> {
    pub(super) host: &'a Module<'h>,
    pub(super) id: Option<TransactionId>,
    pub(super) files: &'a OfflineFiles,
    pub(super) wrong: &'a WrongCodes,
    /// Why no server decides.
    pub(super) error: &'a str,
}

impl OfflineConversation<'_, '_> {
    /// Decides, and sends the result.
    pub(super) fn decide(&self) -> PamFunctionResult {
        match self.try_to_accept() {
            Ok(()) => PamFunctionResult::Passed,
            Err(denial) => PamFunctionResult::Denied(denial),
        }
    }

    fn try_to_accept(&self) -> Result<(), Denial> {
        let transaction = self.host.transaction();
        let takes_codes = |option: &String| option != "app_password";
        let user = transaction.user.as_deref().map(UserName::parse);
        let (Some(Ok(user)), Ok(now)) = (user, clock::now()) else {
            return Err(self.deny(&"the user or the time is not known"));
        };
        if !transaction.options.iter().all(takes_codes) {
            return Err(self.deny(&"no app password can be verified"));
        }
        if let Some(passed) = self.try_security_key(&user, now) {
            return passed;
        }
        match transaction.hook {
            PamFunction::Auth => self.ask_for_code(&user, now),
            PamFunction::Account | PamFunction::Password => Err(self.deny(&"no code was verified")),
        }
    }

    /// Accepts the security key that sshd has verified, if the policy of the servers lets it pass.
    fn try_security_key(&self, user: &UserName, now: Timestamp) -> Option<Result<(), Denial>> {
        let transaction = self.host.transaction();
        if self.service().as_str() != "sshd" {
            return None;
        }
        let completed =
            CompletedMethods::parse_ssh_auth_info(transaction.ssh_auth_info.as_deref()?);
        let key = completed.security_key()?;
        let access = self.access(OfflineMethod::SecurityKey(key.clone()), user, now);
        let accepted = self.files.change(|state| state.use_security_key(access));
        match accepted {
            Ok(Ok(_)) => {
                self.keep_mark(user, now);
                self.host
                    .show_message(messages::SECURITY_KEY_WITHOUT_SERVER);
                self.log("accepted", "sk-key", &format!("security key {key}"));
                Some(Ok(()))
            }
            Ok(Err(OfflineRefusal::NotAllowed)) => None,
            Ok(Err(refusal)) => {
                self.log("refused", "no-server", explain(refusal));
                None
            }
            // the code, which is tried next, says so
            Err(_) => None,
        }
    }

    fn ask_for_code(&self, user: &UserName, now: Timestamp) -> Result<(), Denial> {
        let state = self.files.read();
        match state {
            Ok(state) if !state.is_in_force(now) && state.codes_left() > 0 => {
                return Err(self.deny(&explain(OfflineRefusal::Expired)));
            }
            Ok(state) if state.codes_left() > 0 => {}
            Ok(_) => return Err(self.deny(&"this host has no break-glass code")),
            Err(error) => return Err(self.deny(&error)),
        }
        let options = &self.host.transaction().options;
        let has = |wanted: &str| options.iter().any(|option| option == wanted);
        let stacked = has("try_first_pass") || has("use_first_pass");
        if let Some(typed) = stacked.then(|| self.host.stacked_password()).flatten() {
            // it may be the password alone, which is no wrong code
            if find_code(&typed, has("forward_pass")).is_some() {
                if let Some(decided) = self.try_code(&typed, user, now) {
                    return decided;
                }
            }
        }
        if has("use_first_pass") {
            return Err(self.deny(&"the stacked password has no break-glass code"));
        }
        let (tries, delay) = match self.wrong.are_too_many() {
            true => (TRIES_WHEN_SLOWED, DELAY_WHEN_SLOWED),
            false => (TRIES, DELAY),
        };
        self.host.delay_failure(delay);
        for _ in 0..tries {
            let prompt = messages::BREAK_GLASS_PROMPT;
            let Ok(typed) = self.host.ask(prompt, Echo::Off) else {
                return Err(Denial::Conversation);
            };
            if let Some(decided) = self.try_code(&typed, user, now) {
                return decided;
            }
        }
        Err(Denial::TooManyTries)
    }

    /// Verifies one input. `None` where another one may follow.
    fn try_code(
        &self,
        typed: &[u8],
        user: &UserName,
        now: Timestamp,
    ) -> Option<Result<(), Denial>> {
        let mut options = self.host.transaction().options.iter();
        let forwards = options.any(|option| option == "forward_pass");
        let refusal = match find_code(typed, forwards) {
            None => OfflineRefusal::Wrong,
            Some((password, code)) => {
                let hash = code.hash(self.files.fingerprint());
                let access = self.access(OfflineMethod::BreakGlass(hash), user, now);
                match self.files.change(|state| state.use_code(hash, access)) {
                    Err(error) => return Some(Err(self.deny(&error))),
                    Ok(Err(refusal)) => refusal,
                    Ok(Ok(state)) => {
                        self.accept(user, now, &state);
                        if forwards {
                            self.host.set_stacked_password(password);
                        }
                        return Some(Ok(()));
                    }
                }
            }
        };
        let slowed = self.wrong.add();
        let (cause, text) = match refusal {
            OfflineRefusal::Used => ("used", messages::BREAK_GLASS_USED),
            _ if slowed => ("delayed", messages::BREAK_GLASS_DELAYED),
            _ => ("wrong", messages::BREAK_GLASS_WRONG),
        };
        self.host.show_message(text);
        self.log("refused", cause, explain(refusal));
        None
    }

    fn accept(&self, user: &UserName, now: Timestamp, state: &OfflineState) {
        self.keep_mark(user, now);
        let left = state.codes_left();
        self.host.show_message(messages::BREAK_GLASS_ACCEPTED);
        let detail = format!("a break-glass code of this host; {left} are left");
        self.log("accepted", "break-glass", &detail);
    }

    /// Keeps a mark for the `account` hook of the same transaction.
    fn keep_mark(&self, user: &UserName, now: Timestamp) {
        let Some(id) = self.id else { return };
        let mark = OfflineMark {
            id: id.0,
            user: user.clone(),
            service: self.service(),
            issued: now,
        };
        if let Some(sealed) = self.files.seal_mark(&mark) {
            self.host.keep_mark(sealed);
        }
    }

    fn access(&self, method: OfflineMethod, user: &UserName, now: Timestamp) -> OfflineAccess {
        OfflineAccess {
            method,
            account: user.clone(),
            service: self.service(),
            address: LogFields::of_host(self.host).address,
            at: now,
        }
    }

    fn service(&self) -> Service {
        let service = self.host.transaction().service.as_deref();
        Service::from_pam(service.unwrap_or_default())
    }

    fn deny(&self, why: &dyn std::fmt::Display) -> Denial {
        deny(self.host, &format_args!("{}; {why}", self.error));
        Denial::Unavailable
    }

    fn log(&self, result: &str, cause: &str, detail: &str) {
        let error = self.error;
        let detail = format_args!("{detail}; no server of the fleet decides: {error}");
        let fields = LogFields::of_host(self.host);
        fields.write(self.host, Severity::Notice, result, cause, Some(&detail));
    }
}

/// Says to the user and to the log that no server decides.
pub(super) fn deny(host: &Module<'_>, error: &dyn std::fmt::Display) {
    deny_with(host, messages::NO_SERVER, error);
}

/// Says to the user and to the log that the server has gone in the middle of the conversation.
pub(super) fn deny_ended(host: &Module<'_>, error: &dyn std::fmt::Display) {
    deny_with(host, messages::SERVER_ENDED, error);
}

fn deny_with(host: &Module<'_>, text: &str, error: &dyn std::fmt::Display) {
    host.show_message(text);
    let detail = format_args!("no server of the fleet decides: {error}");
    let fields = LogFields::of_host(host);
    fields.write(host, Severity::Error, "refused", "no-server", Some(&detail));
}

/// Returns the code of an input and, with `forward_pass`, the password before it.
fn find_code(typed: &[u8], forwards: bool) -> Option<(&[u8], BreakGlassCode)> {
    let first = match forwards {
        true => typed.len().saturating_sub(BreakGlassCode::LONGEST),
        false => 0,
    };
    let last = if forwards { typed.len() } else { 0 };
    // the last one that fits: dashes and blanks before the code are of the password
    (first..=last).rev().find_map(|start| {
        let (password, code) = typed.split_at(start);
        let code = BreakGlassCode::parse(code)?;
        Some((password.strip_suffix(b" ").unwrap_or(password), code))
    })
}

fn explain(refusal: OfflineRefusal) -> &'static str {
    match refusal {
        OfflineRefusal::Wrong => "no break-glass code of this host",
        OfflineRefusal::Used => "a break-glass code that was used before",
        OfflineRefusal::Expired => {
            "no server has accepted this host for longer than its certificate is valid"
        }
        OfflineRefusal::NotAllowed => "the policy lets no security key pass",
        OfflineRefusal::TooManyUnreported => "too many uses wait for a server",
    }
}

#[cfg(test)]
mod tests;

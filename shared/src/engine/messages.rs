//! Texts for users at PAM, on the pages and in the command, after the first factor has passed.
//! Before it, one text serves every refusal, so that it reveals nothing. Only English texts are
//! here; the gate's catalogues hold other languages.

use super::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use crate::account::email::EmailAddress;
use crate::account::name::{Label, UserName};
use crate::policy::requirement::EnrollmentGrace;
use crate::store::MissedInputs;
use crate::system::clock::Timestamp;
use crate::verify::decision::{AppPasswordRefusal, Refusal};
use std::fmt;

/// A sentence for users. [`fmt::Display`] writes the English text; a catalogue of another language
/// finds its own text by the id and inserts the arguments.
#[derive(Clone, Debug)]
pub struct UserMessage {
    id: &'static str,
    english: &'static str,
    arguments: Vec<(&'static str, MessageArgument)>,
}

#[derive(Clone, Debug)]
pub enum MessageArgument {
    /// A number that selects singular or plural.
    Count(u64),
    /// Text that is the same in every language, such as an address or a duration.
    Text(String),
    /// A message with its own id.
    Message(UserMessage),
}

impl UserMessage {
    /// Makes a message. The English text has each argument's name in braces.
    fn new(id: &'static str, english: &'static str) -> UserMessage {
        UserMessage {
            id,
            english,
            arguments: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, argument: impl Into<MessageArgument>) -> UserMessage {
        self.arguments.push((name, argument.into()));
        self
    }

    /// Returns the id in the catalogues of other languages.
    pub fn id(&self) -> &'static str {
        self.id
    }

    pub fn arguments(&self) -> &[(&'static str, MessageArgument)] {
        &self.arguments
    }
}

impl fmt::Display for UserMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.english;
        // One pass: braces in an argument have no meaning.
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            f.write_str(before)?;
            if let Some((_, argument)) = self.arguments.iter().find(|(known, _)| *known == name) {
                argument.fmt(f)?;
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

impl fmt::Display for MessageArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageArgument::Count(count) => count.fmt(f),
            MessageArgument::Text(text) => text.fmt(f),
            MessageArgument::Message(message) => message.fmt(f),
        }
    }
}

impl From<u64> for MessageArgument {
    fn from(count: u64) -> MessageArgument {
        MessageArgument::Count(count)
    }
}

impl From<String> for MessageArgument {
    fn from(text: String) -> MessageArgument {
        MessageArgument::Text(text)
    }
}

impl From<UserMessage> for MessageArgument {
    fn from(message: UserMessage) -> MessageArgument {
        MessageArgument::Message(message)
    }
}

/// The only text before the first factor. It is shown whatever the verification result, so it must
/// suit every result.
pub const BEFORE_FIRST_FACTOR: &str =
    "If this sign-in is refused, check your password and wait for a new code";

/// Shown before a second factor is enrolled: afterwards such a program needs an app password.
pub const PROGRAMS_NEED_APP_PASSWORD: &str = "Programs that cannot show a web page, such as for files, calendars or mail, need an app password from the administrator";

/// Shown where a password was changed but sessions could not be ended.
pub const NOT_SIGNED_OUT: &str = "Your password is changed, but browsers that are signed in with the old password stay signed in; tell the administrator";

/// Shown to a user who must have a second factor and has none.
pub const NOT_ENROLLED: &str =
    "This account needs a second factor and has none; ask the administrator";

/// Shown on a host of a fleet where no server decides.
pub const NO_SERVER: &str = "No server answers that could check your code, so access is denied; try again later, or tell the administrator";

/// Shown on a host of a fleet where the server has gone after it had asked for a code. The code may have
/// reached it.
pub const SERVER_ENDED: &str = "The server that was to check your code has ended the connection, so access is denied; try again, with your next code";

/// Prompt of a host of a fleet where no server decides and the host has break-glass codes.
pub const BREAK_GLASS_PROMPT: &str = "No server answers that could check your code. A break-glass code of this host grants access, once.\nBreak-glass code (BG-...): ";
pub const BREAK_GLASS_WRONG: &str = "That is no break-glass code of this host";
pub const BREAK_GLASS_USED: &str = "That break-glass code was used already";
pub const BREAK_GLASS_DELAYED: &str =
    "That is no break-glass code of this host. There were too many wrong ones; wait some minutes";
pub const BREAK_GLASS_ACCEPTED: &str =
    "The break-glass code is accepted and not valid any more; the servers will be told";

/// Shown where a security key passes without a server.
pub const SECURITY_KEY_WITHOUT_SERVER: &str =
    "No server answers; your security key is accepted without a code, and the servers will be told";

/// Shown above the prompt where codes are mailed.
pub const MAIL_OFFER: &str = "Type m for a code by mail.";

/// Shown above the prompt where a passkey may approve it.
pub const APPROVAL_OFFER: &str = "Press Enter to approve with your passkey.";

/// Shown above the QR code of a request for an approval.
pub const APPROVAL_INTRODUCTION: &str =
    "Open this page on a device with your passkey, within 90 seconds, and type the number there:";

/// Prompt below the QR code.
pub const APPROVAL_PROMPT: &str = "Approve it there, then press Enter (or type a code): ";

/// Shown above [`APPROVAL_PROMPT`] where a request was not approved in time.
pub const APPROVAL_NOT_YET: &str = "It is not approved yet.";
pub const APPROVAL_TOO_MANY: &str =
    "There were too many requests for an approval; type a code, or wait 10 minutes";
pub const APPROVAL_NOT_AVAILABLE: &str = "No passkey of yours can approve this; type a code";
pub const APPROVAL_EXPIRED: &str = "The request has ended without an approval";
pub const APPROVAL_REFUSED: &str = "The request was refused";

/// Shown where a user asks for a code by mail, and this host of a fleet may not have one mailed.
pub const NO_MAIL_ON_HOST: &str = "No code is mailed from this host; type a code of your authenticator, a recovery code, or a code that the web sign-in has mailed to you";

/// Cause in logs of a login by enrollment at the prompt.
pub const ENROLLED_CAUSE: &str = "enrolled";

/// Shown above secret, otpauth URI and QR code at the prompt.
pub const ENROLLMENT_INTRODUCTION: &str = "Set up your second factor now: scan the code with an authenticator app, or type the secret into it.";

/// Prompt below the QR code.
pub const CODE_PROMPT: &str = "Verification code: ";

/// Shown where enrollment at the prompt requires a one-time code.
pub const ENROLLMENT_NEEDS_ONE_TIME_CODE: &str = "This account needs a second factor. To set it up here you need a one-time code from the administrator.";

pub const ONE_TIME_CODE_PROMPT: &str = "One-time code (P-...): ";

pub const RECOVERY_CODES: &str = "Save these recovery codes apart from your phone. Each signs you in once without it. They are not shown again:";

/// Prompt below the recovery codes.
pub const SAVED_PROMPT: &str = "Type saved when you have them: ";

pub const ENROLLMENT_CANCELLED: &str = "Nothing was set up; sign in again to start again";

pub const ENROLLMENT_DONE: &str =
    "Your second factor is on: from now on you need a code where this host asks for one";

/// Whether the policy requires a second factor of an account that was just disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDisabled {
    NotRequired,
    Required,
}

impl AfterDisabled {
    pub fn of(is_required: bool) -> AfterDisabled {
        if is_required {
            AfterDisabled::Required
        } else {
            AfterDisabled::NotRequired
        }
    }
}

/// Returns the text for an administrator who has disabled an account's second factor.
pub fn disabled(name: &UserName, after: AppPasswordsAfter, policy: AfterDisabled) -> String {
    let off =
        format!("the second factor of {name} is off; its secret and recovery codes are deleted");
    let required = (policy == AfterDisabled::Required).then(|| {
        format!("the policy requires one: postern one-time-code {name} lets them set up the next")
    });
    let more = [app_passwords_text(after), required].into_iter().flatten();
    std::iter::once(off)
        .chain(more)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Returns the text after [`Engine::unlock_account`].
pub fn unlocked(name: &UserName) -> String {
    format!("delays and locks of {name} are removed")
}

/// Returns the text after `lowered` floors ahead of the clock were lowered to it.
pub fn clock_unlocked(name: &UserName, lowered: usize, now: Timestamp) -> String {
    match lowered {
        0 => format!("no accepted code of {name} is ahead of the clock ({now}); nothing to reset"),
        _ => format!(
            "codes of {name} are accepted again from the next one on; the clock says {now}, make sure that it stays correct"
        ),
    }
}

/// Returns the text after a passkey was removed.
pub fn passkey_removed(name: &UserName, passkey: &Label) -> String {
    format!(
        "the passkey {passkey} of {name} is removed, and every session and trusted browser of {name} has ended"
    )
}

/// Returns the text after a one-time code was cancelled.
pub fn one_time_code_cancelled(name: &UserName) -> String {
    format!("the one-time code of {name} is no longer valid")
}

/// Returns why access was granted without the required second factor.
pub fn exemption_text(grace: EnrollmentGrace) -> String {
    match grace {
        EnrollmentGrace::Until(until) => format!(
            "This account must have a second factor by {until}; after that, sign-in is refused without one: set one up now with postern enroll"
        ),
        EnrollmentGrace::LastAdministrator => {
            "No administrator has a second factor yet, so access was granted without one: set one up now with postern enroll"
                .to_owned()
        }
    }
}

/// Returns why an input was refused and what to do, in English.
pub fn refusal(refusal: Refusal) -> String {
    UserMessage::from(refusal).to_string()
}

impl From<Refusal> for UserMessage {
    fn from(refusal: Refusal) -> UserMessage {
        match refusal {
            // The code of a future time step becomes valid later, so the text must not confirm it.
            Refusal::Wrong | Refusal::Ahead { .. } => {
                UserMessage::new("wrong-code", "That code is wrong")
            }
            Refusal::Used { wait: 0 } => {
                let english = "That code was used already; enter the one shown now";
                UserMessage::new("code-used-now", english)
            }
            Refusal::Used { wait } => {
                let english = "That code was used already; wait {wait} for the next one";
                UserMessage::new("code-used", english).with("wait", duration(wait))
            }
            Refusal::Behind { seconds, .. } => {
                let english = "That code is too old: your device's clock is behind by about {by}; set it to the network's time";
                UserMessage::new("device-clock-behind", english).with("by", duration(seconds))
            }
            Refusal::ClockSetBack { .. } => {
                let english = "This host's clock is behind the time of your last sign-in; ask the administrator";
                UserMessage::new("host-clock-behind", english)
            }
            Refusal::Delayed { wait } => {
                let english = "Too many wrong codes: wait {wait}, or enter a recovery code";
                UserMessage::new("delayed", english).with("wait", duration(wait))
            }
            Refusal::AddressDelayed { wait } => {
                let english = "Too many attempts from your address: wait {wait}";
                UserMessage::new("address-delayed", english).with("wait", duration(wait))
            }
            Refusal::Locked => {
                let english = "Locked after too many wrong codes: enter a recovery code, or ask the administrator";
                UserMessage::new("locked", english)
            }
            Refusal::Malformed => {
                let english =
                    "That is not a code: enter the digits that your app shows, or a recovery code";
                UserMessage::new("not-a-code", english)
            }
            Refusal::NotEnrolled => UserMessage::new("not-enrolled", NOT_ENROLLED),
            Refusal::CodeExpired => {
                UserMessage::new("code-expired", "That code has expired; ask for a new one")
            }
            Refusal::Expired => {
                UserMessage::new("sign-in-expired", "This sign-in has expired; start again")
            }
        }
    }
}

/// Returns why a password was refused, for the account's owner.
pub fn password_refusal(cause: Refusal) -> String {
    match cause {
        Refusal::Wrong => "That password is wrong, or access to your account is denied".to_owned(),
        Refusal::Delayed { wait } => {
            format!(
                "Too many wrong passwords: wait {}, or enter a one-time code",
                duration(wait)
            )
        }
        other => refusal(other),
    }
}

impl From<MailRefusal> for UserMessage {
    fn from(cause: MailRefusal) -> UserMessage {
        match cause {
            MailRefusal::NotConfigured | MailRefusal::NoAddress => {
                let english = "No codes are mailed to this account; enter another kind of code";
                UserMessage::new("no-mailed-codes", english)
            }
            MailRefusal::Cooldown { wait } => {
                let english = "A code was mailed just now; wait {wait} before you ask for another";
                UserMessage::new("mail-cooldown", english).with("wait", duration(wait))
            }
            MailRefusal::Code(why) => why.into(),
        }
    }
}

/// Returns where a code was mailed and for how many seconds it is valid.
pub fn code_mailed(to: &EmailAddress, life: u64) -> UserMessage {
    let english =
        "A code is on its way to {to}. It is valid for {life}; earlier codes are no longer valid.";
    UserMessage::new("code-mailed", english)
        .with("to", to.masked())
        .with("life", duration(life))
}

/// Shown while mail is queued and posternd does not take it.
pub const MAIL_WAITS: &str = "No mail is sent at the moment; the code is sent as soon as mail works again. Enter another kind of code, or tell the administrator.";

/// Returns [`MAIL_WAITS`] with the id of its translations.
pub fn mail_waits() -> UserMessage {
    UserMessage::new("mail-waits", MAIL_WAITS)
}

/// Shown when sending takes longer than a prompt waits.
pub const MAIL_SLOW: &str = "The code is still being sent and may arrive later. Wait for it, or enter another kind of code.";

pub const NOT_MAILED: &str = "The code could not be mailed. Enter another kind of code, or try again; if this continues, tell the administrator.";

/// Returns [`NOT_MAILED`] with the id of its translations.
pub fn not_mailed() -> UserMessage {
    UserMessage::new("not-mailed", NOT_MAILED)
}

/// Returns the number of wrong codes since the last sign-in, in English.
pub fn missed_inputs(missed: &MissedInputs) -> String {
    UserMessage::from(missed).to_string()
}

impl From<&MissedInputs> for UserMessage {
    fn from(missed: &MissedInputs) -> UserMessage {
        let english = if missed.count == 1 {
            "{count} wrong code since your last sign-in, last from {from}"
        } else {
            "{count} wrong codes since your last sign-in, last from {from}"
        };
        let message = UserMessage::new("wrong-codes-since", english).with("count", missed.count);
        match missed.last_from.as_str() {
            "-" => message.with("from", UserMessage::new("this-host", "this host")),
            from => message.with("from", from.to_owned()),
        }
    }
}

/// Returns the effects of a recovery code, in English.
pub fn recovery_text(recovered: AfterRecovery) -> String {
    let messages = after_recovery(recovered);
    messages
        .iter()
        .map(UserMessage::to_string)
        .collect::<Vec<_>>()
        .join(". ")
}

/// Returns the effects of a recovery code, one sentence each.
pub fn after_recovery(recovered: AfterRecovery) -> Vec<UserMessage> {
    match recovered {
        AfterRecovery::TurnedOff(after) => {
            let english = "That recovery code turned your second factor off; set it up again";
            let turned_off = UserMessage::new("recovery-turned-off", english);
            [Some(turned_off), app_passwords_after_change(after)]
                .into_iter()
                .flatten()
                .collect()
        }
        AfterRecovery::CodesLeft(left) => {
            let english = match left {
                0 => "That was your last recovery code; ask the administrator for new ones",
                1 => "{left} recovery code is left",
                _ => "{left} recovery codes are left",
            };
            vec![UserMessage::new("recovery-codes-left", english).with("left", left as u64)]
        }
    }
}

/// Returns whether app passwords were kept or revoked, in English; `None` if there were none.
pub fn app_passwords_text(after: AppPasswordsAfter) -> Option<String> {
    app_passwords_after_change(after).map(|message| message.to_string())
}

/// Returns whether app passwords were kept or revoked; `None` if there were none.
pub fn app_passwords_after_change(after: AppPasswordsAfter) -> Option<UserMessage> {
    match after {
        AppPasswordsAfter::None => None,
        AppPasswordsAfter::Kept(count) => {
            let english = match count {
                1 => "{count} app password kept: programs that use app passwords keep working",
                _ => "{count} app passwords kept: programs that use app passwords keep working",
            };
            Some(UserMessage::new("app-passwords-kept", english).with("count", count))
        }
        AppPasswordsAfter::Revoked(count) => {
            let english = match count {
                1 => "{count} app password revoked: make new ones",
                _ => "{count} app passwords revoked: make new ones",
            };
            Some(UserMessage::new("app-passwords-revoked", english).with("count", count))
        }
    }
}

/// Returns why a service refused an app password.
pub fn app_password_refusal(refusal: AppPasswordRefusal) -> String {
    match refusal {
        AppPasswordRefusal::Wrong => "That app password is wrong, or was revoked".to_owned(),
        AppPasswordRefusal::Expired => {
            "That app password has expired; ask for a new one".to_owned()
        }
        AppPasswordRefusal::Scope => "That app password is not for this service".to_owned(),
        AppPasswordRefusal::AddressDelayed { wait } => {
            self::refusal(Refusal::AddressDelayed { wait })
        }
    }
}

/// Returns a duration in seconds, minutes or hours, rounded up.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log or a prompt must never show a template, and an argument must never be read as one.
    #[test]
    fn arguments_are_put_in_once_and_braces_in_them_mean_nothing() {
        let missed = MissedInputs {
            count: 2,
            last_from: "{count}".to_owned(),
        };
        let text = "2 wrong codes since your last sign-in, last from {count}";
        assert_eq!(super::missed_inputs(&missed), text);
        let host = MissedInputs {
            count: 1,
            last_from: "-".to_owned(),
        };
        let text = "1 wrong code since your last sign-in, last from this host";
        assert_eq!(super::missed_inputs(&host), text);
    }
}

//! Texts for people at PAM, on the pages and at the command, once the first factor has passed. Before it there is one
//! text for every refusal, which says nothing. English stands here alone; the gate's catalogues hold other languages.

use super::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::policy::requirement::EnrollmentGrace;
use crate::store::MissedInputs;
use crate::system::clock::Timestamp;
use crate::verify::decision::{AppPasswordRefusal, Refusal};
use std::fmt;

/// A sentence for people. [`fmt::Display`] gives the English; a catalogue of another language looks the id up and puts
/// the arguments in.
#[derive(Clone, Debug)]
pub struct UserMessage {
    id: &'static str,
    english: &'static str,
    arguments: Vec<(&'static str, MessageArgument)>,
}

/// A value in a [`UserMessage`].
#[derive(Clone, Debug)]
pub enum MessageArgument {
    /// A number, which decides about singular and plural.
    Count(u64),
    /// Text that no language changes, such as an address or a duration.
    Text(String),
    /// Text that has an id of its own.
    Message(UserMessage),
}

impl UserMessage {
    /// Makes a message. Each argument stands in the English text as its name in braces.
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

    /// Id in the catalogues of other languages.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Arguments by name.
    pub fn arguments(&self) -> &[(&'static str, MessageArgument)] {
        &self.arguments
    }
}

impl fmt::Display for UserMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.english;
        // in one pass, so that braces in an argument mean nothing
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

/// The one text before the first factor. It is shown whatever came of the answer, so it must fit everything.
pub const BEFORE_FIRST_FACTOR: &str =
    "If this sign-in is refused, check your password and wait for a new code";

/// Said before a second factor is turned on: from then on nothing else lets such a program in.
pub const PROGRAMS: &str = "Programs that cannot show a web page, such as for files, calendars or mail, need an app password from the administrator";

/// Said where a password was changed and could not end what it should end.
pub const NOT_SIGNED_OUT: &str = "Your password is changed, but browsers that are signed in with the old password stay signed in; tell the administrator";

/// The one text for someone who must have a second factor and has none.
pub const NOT_ENROLLED: &str =
    "This account needs a second factor and has none; ask the administrator";

/// Above the prompt, where codes are mailed.
pub const MAIL_OFFER: &str = "Type m for a code by mail.";

/// The cause of an entry by a second factor set up at the prompt, as logs name it.
pub const SET_UP: &str = "enrolled";

/// A first setup at the prompt, above secret, URL and QR.
pub const SET_UP_AT_PROMPT: &str = "Set up your second factor now: scan the code with an authenticator app, or type the secret into it.";

/// The prompt below the QR.
pub const CODE_PROMPT: &str = "Verification code: ";

/// Where that takes an administrator's one-time code.
pub const SET_UP_BY_INVITATION: &str = "This account needs a second factor. To set it up here you need a one-time code from the administrator.";

/// The prompt for it.
pub const ONE_TIME_CODE_PROMPT: &str = "One-time code (P-...): ";

/// Above the recovery codes.
pub const RECOVERY_CODES: &str = "Save these recovery codes apart from your phone. Each signs you in once without it. They are not shown again:";

/// The prompt below them.
pub const SAVED_PROMPT: &str = "Type saved when you have them: ";

/// A setup at the prompt that came to nothing.
pub const NOT_SET_UP: &str = "Nothing was set up; sign in again to start again";

/// A setup at the prompt that is active now.
pub const IS_SET_UP: &str = "Your second factor is on, for every service";

/// What the policy says of an account whose second factor was turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDisabled {
    /// It may stay so.
    MayStay,
    /// It must have a new one.
    NeedsNew,
}

impl AfterDisabled {
    /// From whether the policy requires one.
    pub fn of(is_required: bool) -> AfterDisabled {
        if is_required {
            AfterDisabled::NeedsNew
        } else {
            AfterDisabled::MayStay
        }
    }
}

/// The second factor of an account was turned off, by someone else.
pub fn disabled(name: &UserName, after: AppPasswordsAfter, policy: AfterDisabled) -> String {
    let off =
        format!("the second factor of {name} is off; its secret and recovery codes are deleted");
    let required = (policy == AfterDisabled::NeedsNew).then(|| {
        format!("the policy requires one: postern one-time-code {name} lets them set up the next")
    });
    let more = [app_passwords(after), required].into_iter().flatten();
    std::iter::once(off)
        .chain(more)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Delays and locks of an account were lifted.
pub fn unlocked(name: &UserName) -> String {
    format!("delays and locks of {name} are removed")
}

/// So many floors that lay ahead of the clock were lowered to it.
pub fn clock_mended(name: &UserName, mended: usize, now: Timestamp) -> String {
    match mended {
        0 => format!("no accepted code of {name} is ahead of the clock ({now}); nothing to reset"),
        _ => format!(
            "codes of {name} are accepted again from the next one on; the clock says {now}, make sure that it stays correct"
        ),
    }
}

/// An administrator's one-time code was taken back.
pub fn one_time_code_cancelled(name: &UserName) -> String {
    format!("the one-time code of {name} is no longer valid")
}

/// Why someone came in without the second factor that they must have.
pub fn waived(waiver: EnrollmentGrace) -> String {
    match waiver {
        EnrollmentGrace::Until(until) => format!(
            "This account must have a second factor by {until}; after that, sign-in is refused without one: set one up now with postern enroll"
        ),
        EnrollmentGrace::LastAdministrator => {
            "No administrator has a second factor yet, so access was granted without one: set one up now with postern enroll"
                .to_owned()
        }
    }
}

/// Why an input was refused, and what to do, in English.
pub fn refusal(refusal: Refusal) -> String {
    UserMessage::from(refusal).to_string()
}

impl From<Refusal> for UserMessage {
    fn from(refusal: Refusal) -> UserMessage {
        match refusal {
            // A hint about a future code would be usable later.
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

/// Why a password was refused, to someone whose account it is.
pub fn password_refusal(refused: Refusal) -> String {
    match refused {
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

/// Why no code is mailed, and what to do, in English.
pub fn mail_refusal(refused: MailRefusal) -> String {
    UserMessage::from(refused).to_string()
}

impl From<MailRefusal> for UserMessage {
    fn from(refused: MailRefusal) -> UserMessage {
        match refused {
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

/// Where a code was mailed, and how long it is valid, in seconds; in English.
pub fn mailed(to: &EmailAddress, life: u64) -> String {
    code_mailed(to, life).to_string()
}

/// Where a code was mailed, and how long it is valid, in seconds.
pub fn code_mailed(to: &EmailAddress, life: u64) -> UserMessage {
    let english =
        "A code is on its way to {to}. It is valid for {life}; earlier codes are no longer valid.";
    UserMessage::new("code-mailed", english)
        .with("to", to.masked())
        .with("life", duration(life))
}

/// The mail is in the outbox, and no posternd sends it.
pub const MAIL_WAITS: &str = "No mail is sent at the moment; the code is sent as soon as mail works again. Enter another kind of code, or tell the administrator.";

/// [`MAIL_WAITS`], for other languages too.
pub fn mail_waits() -> UserMessage {
    UserMessage::new("mail-waits", MAIL_WAITS)
}

/// The mail is being sent, and takes longer than a prompt waits.
pub const MAIL_SLOW: &str = "The code is still being sent and may arrive later. Wait for it, or enter another kind of code.";

/// No code was mailed.
pub const NOT_MAILED: &str = "The code could not be mailed. Enter another kind of code, or try again; if this continues, tell the administrator.";

/// [`NOT_MAILED`], for other languages too.
pub fn not_mailed() -> UserMessage {
    UserMessage::new("not-mailed", NOT_MAILED)
}

/// Wrong codes since the last sign-in, in English.
pub fn missed(missed: &MissedInputs) -> String {
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

/// What the use of a recovery code leaves, in English.
pub fn recovered(recovered: AfterRecovery) -> String {
    let messages = after_recovery(recovered);
    messages
        .iter()
        .map(UserMessage::to_string)
        .collect::<Vec<_>>()
        .join(". ")
}

/// What the use of a recovery code leaves, one sentence each.
pub fn after_recovery(recovered: AfterRecovery) -> Vec<UserMessage> {
    match recovered {
        AfterRecovery::TurnedOff(after) => {
            let english = "That recovery code turned your second factor off; set it up again";
            let turned_off = UserMessage::new("recovery-turned-off", english);
            [Some(turned_off), after_change(after)]
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

/// What became of the app passwords, if there are any, in English.
pub fn app_passwords(after: AppPasswordsAfter) -> Option<String> {
    after_change(after).map(|message| message.to_string())
}

/// What became of the app passwords, if there are any.
pub fn after_change(after: AppPasswordsAfter) -> Option<UserMessage> {
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

/// Why an app password was refused at a service.
pub fn not_admitted(refusal: AppPasswordRefusal) -> String {
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

/// A wait as people say it.
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

    /// A log or a prompt must never show a template, nor read one from an argument.
    #[test]
    fn arguments_are_put_in_once_and_braces_in_them_mean_nothing() {
        let missed = MissedInputs {
            count: 2,
            last_from: "{count}".to_owned(),
        };
        let text = "2 wrong codes since your last sign-in, last from {count}";
        assert_eq!(super::missed(&missed), text);
        let host = MissedInputs {
            count: 1,
            last_from: "-".to_owned(),
        };
        let text = "1 wrong code since your last sign-in, last from this host";
        assert_eq!(super::missed(&host), text);
    }
}

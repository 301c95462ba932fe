//! What the gate tells people of its answers, in their language. In English it is what the other doors say.

use super::Language;
use fluent_bundle::FluentValue;
use shared::account::email::EmailAddress;
use shared::engine::messages::duration;
use shared::engine::{AppPasswordsAfter, MailRefusal, Recovered};
use shared::store::Missed;
use shared::system::admission::Busy;
use shared::verify::decision::Refusal;

impl Language {
    /// Why an answer was refused, and what to do.
    pub(crate) fn refusal(&self, refusal: Refusal) -> String {
        match refusal {
            // A hint about a future code would be usable later.
            Refusal::Wrong | Refusal::Ahead { .. } => self.say("wrong-code"),
            Refusal::Used { wait: 0 } => self.say("code-used-now"),
            Refusal::Used { wait } => self.say_of("code-used", "wait", duration(wait)),
            Refusal::Behind { seconds, .. } => {
                self.say_of("device-clock-behind", "by", duration(seconds))
            }
            Refusal::ClockSetBack { .. } => self.say("host-clock-behind"),
            Refusal::Delayed { wait } => self.say_of("delayed", "wait", duration(wait)),
            Refusal::AddressDelayed { wait } => {
                self.say_of("address-delayed", "wait", duration(wait))
            }
            Refusal::Locked => self.say("locked"),
            Refusal::Unfit => self.say("not-a-code"),
            Refusal::NotEnrolled => self.say("not-enrolled"),
            Refusal::CodeExpired => self.say("code-expired"),
            Refusal::Expired => self.say("sign-in-expired"),
        }
    }

    /// Why a request found no place, and what to do.
    pub(crate) fn busy(&self, busy: Busy) -> String {
        match busy {
            Busy::Own => self.say("busy-address-line"),
            Busy::All => self.say("busy-line"),
        }
    }

    /// Why no code is mailed, and what to do.
    pub(crate) fn mail_refusal(&self, refused: MailRefusal) -> String {
        match refused {
            MailRefusal::NotConfigured | MailRefusal::NoAddress => self.say("no-mailed-codes"),
            MailRefusal::Cooldown { wait } => self.say_of("mail-cooldown", "wait", duration(wait)),
            MailRefusal::Code(why) => self.refusal(why),
        }
    }

    /// Where a code was mailed, and how long it is good, in seconds.
    pub(crate) fn mailed(&self, to: &EmailAddress, life: u64) -> String {
        self.say_with(
            "code-mailed",
            &[("to", to.masked().into()), ("life", duration(life).into())],
        )
    }

    /// What happened since the last sign-in.
    pub(crate) fn missed(&self, missed: &Missed) -> String {
        let from: FluentValue<'_> = match missed.last_from.as_str() {
            "-" => self.say("this-host").into(),
            from => from.into(),
        };
        self.say_with(
            "wrong-codes-since",
            &[("count", missed.count.into()), ("from", from)],
        )
    }

    /// What the use of a recovery code leaves.
    pub(crate) fn recovered(&self, recovered: Recovered) -> String {
        match recovered {
            Recovered::TurnedOff(after) => {
                let text = self.say("recovery-turned-off");
                match self.app_passwords(after) {
                    Some(more) => format!("{text}. {more}"),
                    None => text,
                }
            }
            Recovered::CodesLeft(left) => self.say_of("recovery-codes-left", "left", left),
        }
    }

    /// What became of the app passwords, if there are any.
    pub(crate) fn app_passwords(&self, after: AppPasswordsAfter) -> Option<String> {
        match after {
            AppPasswordsAfter::None => None,
            AppPasswordsAfter::Kept(kept) => Some(self.say_of("app-passwords-kept", "count", kept)),
            AppPasswordsAfter::Revoked(gone) => {
                Some(self.say_of("app-passwords-revoked", "count", gone))
            }
        }
    }
}

//! What a person reads, at whichever door, once the first factor has passed. Before it there is one text for
//! every refusal, and it says nothing.

use super::{AppPasswordsAfter, MailRefusal, Recovered};
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::policy::requirement::Waiver;
use crate::store::Missed;
use crate::system::clock::Timestamp;
use crate::verify::decision::{NotAdmitted, Refusal};

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
pub fn waived(waiver: Waiver) -> String {
    match waiver {
        Waiver::Until(until) => format!(
            "This account must have a second factor by {until}; after that, sign-in is refused without one: set one up now with postern enroll"
        ),
        Waiver::LastAdministrator => {
            "No administrator has a second factor yet, so access was granted without one: set one up now with postern enroll"
                .to_owned()
        }
    }
}

/// Why an answer was refused, and what to do.
pub fn refusal(refusal: Refusal) -> String {
    match refusal {
        // A hint about a future code would be usable later.
        Refusal::Wrong | Refusal::Ahead { .. } => "That code is wrong".to_owned(),
        Refusal::Used { wait: 0 } => {
            "That code was used already; enter the one shown now".to_owned()
        }
        Refusal::Used { wait } => {
            format!(
                "That code was used already; wait {} for the next one",
                duration(wait)
            )
        }
        Refusal::Behind { seconds, .. } => format!(
            "That code is too old: your device's clock is behind by about {}; set it to the network's time",
            duration(seconds)
        ),
        Refusal::ClockSetBack { .. } => {
            "This host's clock is behind the time of your last sign-in; ask the administrator"
                .to_owned()
        }
        Refusal::Delayed { wait } => {
            format!(
                "Too many wrong codes: wait {}, or enter a recovery code",
                duration(wait)
            )
        }
        Refusal::AddressDelayed { wait } => {
            format!(
                "Too many attempts from your address: wait {}",
                duration(wait)
            )
        }
        Refusal::Locked => {
            "Locked after too many wrong codes: enter a recovery code, or ask the administrator"
                .to_owned()
        }
        Refusal::Unfit => {
            "That is not a code: enter the digits that your app shows, or a recovery code"
                .to_owned()
        }
        Refusal::NotEnrolled => NOT_ENROLLED.to_owned(),
        Refusal::CodeExpired => "That code has expired; ask for a new one".to_owned(),
        Refusal::Expired => "This sign-in has expired; start again".to_owned(),
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

/// Why no code is mailed, and what to do.
pub fn mail_refusal(refused: MailRefusal) -> String {
    match refused {
        MailRefusal::NotConfigured | MailRefusal::NoAddress => {
            "No codes are mailed to this account; enter another kind of code".to_owned()
        }
        MailRefusal::Cooldown { wait } => {
            format!(
                "A code was mailed just now; wait {} before you ask for another",
                duration(wait)
            )
        }
        MailRefusal::Code(why) => refusal(why),
    }
}

/// Where a code was mailed, and how long it is good, in seconds.
pub fn mailed(to: &EmailAddress, life: u64) -> String {
    let (to, life) = (to.masked(), duration(life));
    format!(
        "A code is on its way to {to}. It is valid for {life}; earlier codes are no longer valid."
    )
}

/// The mail is in the outbox, and nobody takes it.
pub const MAIL_WAITS: &str = "No mail is sent at the moment; the code is sent as soon as mail works again. Enter another kind of code, or tell the administrator.";

/// The mail is being sent, and takes longer than a prompt waits.
pub const MAIL_SLOW: &str = "The code is still being sent and may arrive later. Wait for it, or enter another kind of code.";

/// No code was mailed.
pub const NOT_MAILED: &str = "The code could not be mailed. Enter another kind of code, or try again; if this continues, tell the administrator.";

/// What happened since the last sign-in.
pub fn missed(missed: &Missed) -> String {
    let codes = if missed.count == 1 { "code" } else { "codes" };
    let from = if missed.last_from == "-" {
        "this host"
    } else {
        missed.last_from.as_str()
    };
    format!(
        "{} wrong {codes} since your last sign-in, last from {from}",
        missed.count
    )
}

/// What the use of a recovery code leaves.
pub fn recovered(recovered: Recovered) -> String {
    match recovered {
        Recovered::TurnedOff(after) => {
            let text = "That recovery code turned your second factor off; set it up again";
            app_passwords(after).map_or_else(|| text.to_owned(), |more| format!("{text}. {more}"))
        }
        Recovered::CodesLeft(0) => {
            "That was your last recovery code; ask the administrator for new ones".to_owned()
        }
        Recovered::CodesLeft(1) => "1 recovery code is left".to_owned(),
        Recovered::CodesLeft(left) => format!("{left} recovery codes are left"),
    }
}

/// What became of the app passwords, if there are any.
pub fn app_passwords(after: AppPasswordsAfter) -> Option<String> {
    let count = |count| {
        if count == 1 {
            "1 app password".to_owned()
        } else {
            format!("{count} app passwords")
        }
    };
    match after {
        AppPasswordsAfter::None => None,
        AppPasswordsAfter::Kept(kept) => Some(format!(
            "{} kept: programs that use app passwords keep working",
            count(kept)
        )),
        AppPasswordsAfter::Revoked(gone) => Some(format!("{} revoked: make new ones", count(gone))),
    }
}

/// Why an app password was refused at a service.
pub fn not_admitted(refusal: NotAdmitted) -> String {
    match refusal {
        NotAdmitted::Wrong => "That app password is wrong, or was revoked".to_owned(),
        NotAdmitted::Expired => "That app password has expired; ask for a new one".to_owned(),
        NotAdmitted::Scope => "That app password is not for this service".to_owned(),
        NotAdmitted::AddressDelayed { wait } => self::refusal(Refusal::AddressDelayed { wait }),
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

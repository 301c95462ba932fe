//! The `account` line: refuses an entry for which the `auth` line of the same transaction never passed, such
//! as a key alone at an sshd without AuthenticationMethods.

use crate::entry::{Denial, Entry};
use crate::host::{Host, Severity};
use crate::login::{Front, Line, misconfigured};
use crate::mark::Mark;
use crate::options::Options;
use shared::account::Enrolled;
use shared::clock;
use shared::config::Unenrolled;
use shared::guess::Stage;
use shared::policy::Need;

/// `account … pam_totp.so`
pub(crate) fn account(host: &dyn Host, words: &[String]) -> Entry {
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    let front = match Front::open(host, &options) {
        Ok(front) => front,
        Err(denial) => return Entry::Denied(denial),
    };
    let line = match front.line() {
        Ok(line) => line,
        Err(denial) => return Entry::Denied(denial),
    };
    let mark = host.recall().and_then(|bytes| Mark::from_bytes(&bytes));
    match mark.filter(|mark| mark.user == line.user) {
        Some(mark) => book(&line, &mark),
        None => ask_policy(&line),
    }
}

/// The line has passed; what was accepted before the first factor is booked now that this has passed too.
fn book(line: &Line<'_>, mark: &Mark) -> Entry {
    if let Some(means) = mark.unbooked {
        let visitor = line.visitor(Stage::Before);
        let now = match clock::now() {
            Ok(now) => now,
            Err(error) => return line.unavailable(&error),
        };
        match line.door().and_then(|mut door| door.entered(&visitor, means, now)) {
            Ok(Some(entered)) => line.tell_success(entered.missed.as_ref(), entered.recovery),
            Ok(None) => {}
            Err(error) => return line.unavailable(&error),
        }
    }
    Entry::Passed
}

/// Nobody asked for a code in this transaction: that is right only where none is needed.
fn ask_policy(line: &Line<'_>) -> Entry {
    let membership = match line.door().and_then(|mut door| door.membership(&line.user)) {
        Ok(membership) => membership,
        Err(error) => return line.unavailable(&error),
    };
    let need = match line.need(&membership) {
        Ok(need) => need,
        Err(error) => return line.unavailable(&error),
    };
    let needed = match (need, membership.enrolled, line.settings.unenrolled) {
        (Need::Exempt(_), ..) => false,
        (_, Enrolled::Yes, _) => true,
        (_, Enrolled::No, Some(Unenrolled::Allow)) => false,
        (_, Enrolled::No, Some(Unenrolled::Deny)) => true,
        (Need::Enrolment, Enrolled::No, None) => match line.waived() {
            Entry::NotNeeded => false,
            denied => return denied,
        },
        (_, Enrolled::No, None) => false,
    };
    if !needed {
        return Entry::Passed;
    }
    let cause = if line.settings.sshd {
        "not-asked: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-asked: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    line.log(Severity::Notice, "refused", cause);
    Entry::Denied(Denial::NotAsked)
}

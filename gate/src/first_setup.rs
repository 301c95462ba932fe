//! The first setup of someone away from root, with their password on this host: the try is charged at a door, the
//! helper is asked while no door is held, and a door goes on by what it said.

use crate::host_password::{self, Silent};
use crate::log;
use crate::workers::{Judge, Key, NotJudged, Ran, at_door};
use shared::admission::Class;
use shared::clock::{self, Timestamp};
use shared::decision::Refusal;
use shared::door::{AdministrationError, Caller};
use shared::errand::{Setup, Typed};
use shared::host_password::{Candidate, Question};
use shared::name::UserName;

/// Begins one, as the user that the kernel names.
pub(crate) async fn begin(
    judge: &Judge,
    (name, uid): (&UserName, u32),
    account: UserName,
    password: Typed,
    setup: Setup,
    now: Timestamp,
) -> Result<Ran, NotJudged> {
    let Some(password) = Candidate::typed(password.as_bytes()) else {
        return Ok(Err(AdministrationError::HostPassword(Refusal::Wrong)));
    };
    let caller = name.clone();
    let asking = judge.run(move |door| {
        at_door(door.ask_first_setup(Caller::Owner { name: &caller, uid }, &account, setup, now))
    });
    let asking = match asking.await? {
        Ok(asking) => asking,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let question = Question { name: name.clone(), address: None, class: Class::Known, password };
    let said = match host_password::ask(Key::User(uid), &question).await {
        Ok(said) => said,
        Err(Silent::Busy(busy)) => {
            log::says(format_args!("no password of this host can be checked now: {busy}"));
            shared::host_password::Said::Unasked
        }
        Err(Silent::Absent(why)) => {
            log::says(why);
            shared::host_password::Said::Unasked
        }
        Err(Silent::Unanswered(why)) => {
            log::says(why);
            return Ok(Err(AdministrationError::PasswordUnanswered(name.clone())));
        }
    };
    // that took its time
    let now =
        clock::now().map_err(|error| NotJudged::Failed { cause: "unavailable", why: error.to_string() })?;
    let caller = name.clone();
    let begin = judge.run(move |door| {
        at_door(door.begin_first_setup(Caller::Owner { name: &caller, uid }, asking, said, now))
    });
    begin.await
}

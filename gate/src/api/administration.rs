//! Administration by programs: what `postern status`, `disable`, `unlock`, `one-time-code` and `log` do, with the command's
//! words, as `shared::protocol::admin_api` has them. Whatever stands below `administration/` is let in by `admission` alone.

pub(super) mod secret;

use super::body::{IfAny, Needed, Nothing};
use super::endpoint::{Access, Call, Done, Endpoint};
use super::query::Parameter;
use crate::live::store_pool::{Applicant, Key, at_door};
use crate::observe::log;
use crate::web::login::Guest;
use crate::web::refusal::Refused;
use hyper::Method;
use shared::account::event::Filter;
use shared::account::name::{NameError, UserName};
use shared::engine::messages::{self, AfterDisabled};
use shared::engine::{Actor, AdministrationError, Door, SignInError};
use shared::protocol::admin_api::{
    self, AccountState, Accounts, AuditEvent, Events, Issued, PAGE, Revoke, Revoked, Unlock,
};
use shared::system::clock::{self, Timestamp};
use shared::verify::origin::Origin;

const FIND: Parameter = Parameter {
    name: "find",
    about: "A part of the name, in any case of its letters.",
};
const AFTER: Parameter = Parameter {
    name: "after",
    about: "A name: returns the accounts after it, for the next page.",
};
const ACCOUNT: Parameter = Parameter {
    name: "account",
    about: "Whose events.",
};
const BEFORE: Parameter = Parameter {
    name: "before",
    about: "The number of an event: returns the events before it, for the next page.",
};

type Answered<A> = Result<Done<A>, Refused>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    use Access::Administration;
    vec![
        Endpoint::tells(
            (Method::GET, "administration/accounts"),
            Administration,
            "Returns the state of accounts, by name, 200 at most.",
            |call, Nothing| Box::pin(find(call)),
        )
        .asking(&[FIND, AFTER]),
        Endpoint::tells(
            (Method::GET, "administration/accounts/{name}"),
            Administration,
            "Returns the state of one account.",
            |call, Nothing| Box::pin(status(call)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/disable"),
            Administration,
            "Turns the second factor off, and ends sessions and trusted browsers.",
            |call, Nothing| Box::pin(disable(call)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/unlock"),
            Administration,
            "Removes delays and locks, or accepts codes again after the host's clock was ahead.",
            |call, IfAny(how)| Box::pin(unlock(call, how)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/revoke"),
            Administration,
            "Ends every session, or revokes every trusted browser.",
            |call, Needed(what)| Box::pin(revoke(call, what)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/one-time-code"),
            Administration,
            "Issues a one-time code, in place of an earlier one; it is shown once.",
            |call, Nothing| Box::pin(issue(call)),
        ),
        Endpoint::tells(
            (
                Method::DELETE,
                "administration/accounts/{name}/one-time-code",
            ),
            Administration,
            "Cancels the one-time code.",
            |call, Nothing| Box::pin(cancel(call)),
        ),
        Endpoint::tells(
            (Method::GET, "administration/events"),
            Administration,
            "Returns the events, newest first, 200 at most.",
            |call, Nothing| Box::pin(events(call)),
        )
        .asking(&[ACCOUNT, BEFORE]),
    ]
}

async fn find(call: &Call<'_>) -> Answered<Accounts> {
    let part = call.asked(&FIND).unwrap_or_default();
    let after = call.asked(&AFTER).map(|name| named(&name)).transpose()?;
    let found = act(call.guest, move |door, _, _| {
        door.find(&part, after.as_ref(), PAGE)
    })
    .await?;
    Ok(Done::saying(Accounts {
        accounts: found.iter().map(AccountState::from).collect(),
    }))
}

async fn status(call: &Call<'_>) -> Answered<AccountState> {
    let name = named(call.argument())?;
    let found = act(call.guest, move |door, _, _| door.status(&name)).await?;
    Ok(Done::saying(AccountState::from(&found)))
}

async fn disable(call: &Call<'_>) -> Answered<admin_api::Done> {
    let name = named(call.argument())?;
    let message = act(call.guest, move |door, actor, now| {
        let after = door.disable(&name, actor, now)?;
        Ok(messages::disabled(
            &name,
            after,
            AfterDisabled::of(door.is_required(&name)?),
        ))
    });
    said(message.await?)
}

async fn unlock(call: &Call<'_>, how: Unlock) -> Answered<admin_api::Done> {
    let name = named(call.argument())?;
    let message = act(call.guest, move |door, actor, now| {
        if !how.clock {
            door.unlock(&name, actor, now)?;
            return Ok(messages::unlocked(&name));
        }
        let mended = door.mend_clock(&name, actor, now)?;
        Ok(messages::clock_mended(&name, mended, now))
    });
    said(message.await?)
}

async fn revoke(call: &Call<'_>, Revoke { what }: Revoke) -> Answered<admin_api::Done> {
    let name = named(call.argument())?;
    let message = act(call.guest, move |door, actor, now| {
        Ok(match what {
            Revoked::Sessions => {
                let ended = door.revoke_sessions(&name, None, actor, now)?;
                format!("{ended} sessions of {name} have ended")
            }
            Revoked::Browsers => {
                let ended = door.revoke_browsers(&name, None, actor, now)?;
                format!("{ended} browsers of {name} are no longer trusted")
            }
        })
    });
    said(message.await?)
}

async fn issue(call: &Call<'_>) -> Answered<Issued> {
    let name = named(call.argument())?;
    let account = name.clone();
    let issued = act(call.guest, move |door, actor, now| {
        door.issue_one_time_code(&name, actor, now)
    });
    let (code, expires) = issued.await?;
    let one_time_code = code.grouped().into();
    Ok(Done::saying(Issued {
        account,
        one_time_code,
        expires: expires.to_string(),
    }))
}

async fn cancel(call: &Call<'_>) -> Answered<admin_api::Done> {
    let name = named(call.argument())?;
    let message = act(call.guest, move |door, actor, now| {
        door.cancel_one_time_code(&name, actor, now)?;
        Ok(messages::one_time_code_cancelled(&name))
    });
    said(message.await?)
}

async fn events(call: &Call<'_>) -> Answered<Events> {
    let account = call.asked(&ACCOUNT).map(|name| named(&name)).transpose()?;
    let before = call
        .asked(&BEFORE)
        .map(|number| number.parse::<i64>())
        .transpose();
    let before =
        before.map_err(|_| Refused::unreadable("before is the number of an event".to_owned()))?;
    let filter = Filter {
        account,
        ..Filter::default()
    };
    let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let found = act(call.guest, move |door, _, _| {
        Ok(door.newest_events(&filter, before, most)?)
    })
    .await?;
    Ok(Done::saying(Events {
        events: found.into_iter().map(AuditEvent::from).collect(),
    }))
}

/// Runs an act of a program's at a door.
async fn act<T: Send + 'static>(
    guest: &Guest<'_>,
    work: impl FnOnce(&mut Door, Actor<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, Refused> {
    let origin = Origin::Remote(guest.address);
    // the secret was shown
    let judge = guest.site.workers.serving(Applicant::proven(Key::Program));
    let run = judge.run(move |door| {
        let now = clock::now().map_err(SignInError::Clock)?;
        at_door(work(door, Actor::Program(&origin), now)).map_err(SignInError::Door)
    });
    let done = run.await.map_err(|error| guest.not_run(&error))?;
    done.map_err(|error| {
        let refused = Refused::act(guest.t, &error);
        let line = log::event("refused")
            .with("cause", refused.code)
            .with("address", guest.address);
        line.because(&error);
        // the same words as the command's
        Refused {
            text: error.to_string(),
            ..refused
        }
    })
}

fn said(message: String) -> Answered<admin_api::Done> {
    Ok(Done::saying(admin_api::Done::that(message)))
}

fn named(text: &str) -> Result<UserName, Refused> {
    text.parse()
        .map_err(|error: NameError| Refused::unreadable(error.to_string()))
}

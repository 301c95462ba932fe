//! Administration by programs: what `postern status`, `disable`, `unlock`, `one-time-code` and `log` do, with the command's
//! words, as `shared::protocol::admin_api` has them. Whatever stands below `administration/` is let in by `admission` alone.

pub(super) mod secret;

use super::body::{NoBody, OptionalBody, RequiredBody};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::query::Parameter;
use crate::live::store_pool::{PoolClient, ShareKey, separate_engine_error};
use crate::observe::log;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::Method;
use shared::account::event::EventFilter;
use shared::account::name::{NameError, UserName};
use shared::engine::messages::{self, AfterDisabled};
use shared::engine::{AdministrationError, Engine, LoginError, Principal};
use shared::protocol::admin_api::{
    self, AccountState, Accounts, EventEntry, Events, IssuedCode, PAGE, Revoke, Revoked, Unlock,
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

type AdministrationReply<A> = Result<EndpointReply<A>, ActRefused>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Administration;
    vec![
        Endpoint::tells(
            (Method::GET, "administration/accounts"),
            Administration,
            "Returns the state of accounts, by name, 200 at most.",
            |call, NoBody| Box::pin(find(call)),
        )
        .asking(&[FIND, AFTER]),
        Endpoint::tells(
            (Method::GET, "administration/accounts/{name}"),
            Administration,
            "Returns the state of one account.",
            |call, NoBody| Box::pin(status(call)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/disable"),
            Administration,
            "Turns the second factor off, and ends sessions and trusted browsers.",
            |call, NoBody| Box::pin(disable(call)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/unlock"),
            Administration,
            "Removes delays and locks, or accepts codes again after the host's clock was ahead.",
            |call, OptionalBody(how)| Box::pin(unlock(call, how)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/revoke"),
            Administration,
            "Ends every session, or revokes every trusted browser.",
            |call, RequiredBody(what)| Box::pin(revoke(call, what)),
        ),
        Endpoint::tells(
            (Method::POST, "administration/accounts/{name}/one-time-code"),
            Administration,
            "Issues a one-time code, in place of an earlier one; it is shown once.",
            |call, NoBody| Box::pin(issue(call)),
        ),
        Endpoint::tells(
            (
                Method::DELETE,
                "administration/accounts/{name}/one-time-code",
            ),
            Administration,
            "Cancels the one-time code.",
            |call, NoBody| Box::pin(cancel(call)),
        ),
        Endpoint::tells(
            (Method::GET, "administration/events"),
            Administration,
            "Returns the events, newest first, 200 at most.",
            |call, NoBody| Box::pin(events(call)),
        )
        .asking(&[ACCOUNT, BEFORE]),
    ]
}

async fn find(call: &Call<'_>) -> AdministrationReply<Accounts> {
    let part = call.asked(&FIND).unwrap_or_default();
    let after = call.asked(&AFTER).map(|name| named(&name)).transpose()?;
    let found = act(call.request, move |engine, _, _| {
        engine.find_accounts(&part, after.as_ref(), PAGE)
    })
    .await?;
    Ok(EndpointReply::saying(Accounts {
        accounts: found.iter().map(AccountState::from).collect(),
    }))
}

async fn status(call: &Call<'_>) -> AdministrationReply<AccountState> {
    let name = named(call.argument())?;
    let found = act(call.request, move |engine, _, _| {
        engine.account_status(&name)
    })
    .await?;
    Ok(EndpointReply::saying(AccountState::from(&found)))
}

async fn disable(call: &Call<'_>) -> AdministrationReply<admin_api::OperationDone> {
    let name = named(call.argument())?;
    let message = act(call.request, move |engine, actor, now| {
        let after = engine.disable_second_factor(&name, actor, now)?;
        Ok(messages::disabled(
            &name,
            after,
            AfterDisabled::of(engine.is_required(&name)?),
        ))
    });
    said(message.await?)
}

async fn unlock(call: &Call<'_>, how: Unlock) -> AdministrationReply<admin_api::OperationDone> {
    let name = named(call.argument())?;
    let message = act(call.request, move |engine, actor, now| {
        if !how.clock {
            engine.unlock_account(&name, actor, now)?;
            return Ok(messages::unlocked(&name));
        }
        let mended = engine.lower_floors_to_clock(&name, actor, now)?;
        Ok(messages::clock_unlocked(&name, mended, now))
    });
    said(message.await?)
}

async fn revoke(
    call: &Call<'_>,
    Revoke { what }: Revoke,
) -> AdministrationReply<admin_api::OperationDone> {
    let name = named(call.argument())?;
    let message = act(call.request, move |engine, actor, now| {
        Ok(match what {
            Revoked::Sessions => {
                let ended = engine.revoke_sessions(&name, None, actor, now)?;
                format!("{ended} sessions of {name} have ended")
            }
            Revoked::Browsers => {
                let ended = engine.revoke_browsers(&name, None, actor, now)?;
                format!("{ended} browsers of {name} are no longer trusted")
            }
        })
    });
    said(message.await?)
}

async fn issue(call: &Call<'_>) -> AdministrationReply<IssuedCode> {
    let name = named(call.argument())?;
    let account = name.clone();
    let issued = act(call.request, move |engine, actor, now| {
        engine.issue_one_time_code(&name, actor, now)
    });
    let (code, expires) = issued.await?;
    let one_time_code = code.grouped().into();
    Ok(EndpointReply::saying(IssuedCode {
        account,
        one_time_code,
        expires: expires.to_string(),
    }))
}

async fn cancel(call: &Call<'_>) -> AdministrationReply<admin_api::OperationDone> {
    let name = named(call.argument())?;
    let message = act(call.request, move |engine, actor, now| {
        engine.cancel_one_time_code(&name, actor, now)?;
        Ok(messages::one_time_code_cancelled(&name))
    });
    said(message.await?)
}

async fn events(call: &Call<'_>) -> AdministrationReply<Events> {
    let account = call.asked(&ACCOUNT).map(|name| named(&name)).transpose()?;
    let before = call
        .asked(&BEFORE)
        .map(|number| number.parse::<i64>())
        .transpose();
    let before = before
        .map_err(|_| ActRefused::unreadable("before is the number of an event".to_owned()))?;
    let filter = EventFilter {
        account,
        ..EventFilter::default()
    };
    let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let found = act(call.request, move |engine, _, _| {
        Ok(engine.newest_events(&filter, before, most)?)
    })
    .await?;
    Ok(EndpointReply::saying(Events {
        events: found.into_iter().map(EventEntry::from).collect(),
    }))
}

/// Runs an act of a program's at a door.
async fn act<T: Send + 'static>(
    request: &RequestContext<'_>,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, ActRefused> {
    let origin = Origin::Remote(request.address);
    // the secret was shown
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::authenticated(ShareKey::Program));
    let run = store_pool.with_engine(move |engine| {
        let now = clock::now().map_err(LoginError::Clock)?;
        separate_engine_error(work(engine, Principal::Program(&origin), now))
            .map_err(LoginError::Engine)
    });
    let done = run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    done.map_err(|error| {
        let refused = ActRefused::act(request.t, &error);
        let line = log::event("refused")
            .with("cause", refused.code)
            .with("address", request.address);
        line.write_with_message(&error);
        // the same words as the command's
        ActRefused {
            text: error.to_string(),
            ..refused
        }
    })
}

fn said(message: String) -> AdministrationReply<admin_api::OperationDone> {
    Ok(EndpointReply::saying(admin_api::OperationDone::new(
        message,
    )))
}

fn named(text: &str) -> Result<UserName, ActRefused> {
    text.parse()
        .map_err(|error: NameError| ActRefused::unreadable(error.to_string()))
}

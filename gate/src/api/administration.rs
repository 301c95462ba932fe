//! Administration by programs: what `postern status`, `disable`, `unlock`, `one-time-code` and
//! `log` do, in the words of the commands (`postern_shared::protocol::admin_api`). The router verifies the
//! secret before it calls an endpoint of this file.

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
use postern_shared::account::event::EventFilter;
use postern_shared::account::name::{NameError, UserName};
use postern_shared::engine::messages::{self, AfterDisabled};
use postern_shared::engine::{AdministrationError, Engine, LoginError, Principal};
use postern_shared::protocol::admin_api::{
    self, AccountState, Accounts, EventEntry, Events, IssuedCode, PAGE, Revoke, Revoked, Unlock,
};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::verify::origin::Origin;

const FIND: Parameter = Parameter {
    name: "find",
    description: "A part of the name, in any case of its letters.",
};
const AFTER: Parameter = Parameter {
    name: "after",
    description: "A name: returns the accounts after it, for the next page.",
};
const ACCOUNT: Parameter = Parameter {
    name: "account",
    description: "Whose events.",
};
const BEFORE: Parameter = Parameter {
    name: "before",
    description: "The number of an event: returns the events before it, for the next page.",
};

type AdministrationReply<A> = Result<EndpointReply<A>, ActRefused>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Administration;
    vec![
        Endpoint::with_answer(
            (Method::GET, "administration/accounts"),
            Administration,
            "Returns the state of accounts, by name, 200 at most.",
            |call, NoBody| Box::pin(find_accounts(call)),
        )
        .with_query(&[FIND, AFTER]),
        Endpoint::with_answer(
            (Method::GET, "administration/accounts/{name}"),
            Administration,
            "Returns the state of one account.",
            |call, NoBody| Box::pin(read_status(call)),
        ),
        Endpoint::with_answer(
            (Method::POST, "administration/accounts/{name}/disable"),
            Administration,
            "Turns the second factor off, and ends sessions and trusted browsers.",
            |call, NoBody| Box::pin(disable(call)),
        ),
        Endpoint::with_answer(
            (Method::POST, "administration/accounts/{name}/unlock"),
            Administration,
            "Removes delays and locks, or accepts codes again after the host's clock was ahead.",
            |call, OptionalBody(how)| Box::pin(unlock(call, how)),
        ),
        Endpoint::with_answer(
            (Method::POST, "administration/accounts/{name}/revoke"),
            Administration,
            "Ends every session, or revokes every trusted browser.",
            |call, RequiredBody(what)| Box::pin(revoke(call, what)),
        ),
        Endpoint::with_answer(
            (Method::POST, "administration/accounts/{name}/one-time-code"),
            Administration,
            "Issues a one-time code, in place of an earlier one; it is shown once.",
            |call, NoBody| Box::pin(issue_one_time_code(call)),
        ),
        Endpoint::with_answer(
            (
                Method::DELETE,
                "administration/accounts/{name}/one-time-code",
            ),
            Administration,
            "Cancels the one-time code.",
            |call, NoBody| Box::pin(cancel_one_time_code(call)),
        ),
        Endpoint::with_answer(
            (Method::GET, "administration/events"),
            Administration,
            "Returns the events, newest first, 200 at most.",
            |call, NoBody| Box::pin(list_events(call)),
        )
        .with_query(&[ACCOUNT, BEFORE]),
    ]
}

async fn find_accounts(call: &Call<'_>) -> AdministrationReply<Accounts> {
    let part = call.query_value(&FIND).unwrap_or_default();
    let after = call
        .query_value(&AFTER)
        .map(|name| parse_name(&name))
        .transpose()?;
    let found = run_act(call.request, move |engine, _, _| {
        engine.accounts().find_accounts(&part, after.as_ref(), PAGE)
    })
    .await?;
    Ok(EndpointReply::new(Accounts {
        accounts: found.iter().map(AccountState::from).collect(),
    }))
}

async fn read_status(call: &Call<'_>) -> AdministrationReply<AccountState> {
    let name = parse_name(call.argument())?;
    let found = run_act(call.request, move |engine, _, _| {
        engine.accounts().account_status(&name)
    })
    .await?;
    Ok(EndpointReply::new(AccountState::from(&found)))
}

async fn disable(call: &Call<'_>) -> AdministrationReply<admin_api::OperationDone> {
    let name = parse_name(call.argument())?;
    let message = run_act(call.request, move |engine, principal, now| {
        let after = engine
            .accounts()
            .disable_second_factor(&name, principal, now)?;
        Ok(messages::disabled(
            &name,
            after,
            AfterDisabled::of(engine.policy().is_required(&name)?),
        ))
    });
    operation_done(message.await?)
}

async fn unlock(call: &Call<'_>, how: Unlock) -> AdministrationReply<admin_api::OperationDone> {
    let name = parse_name(call.argument())?;
    let message = run_act(call.request, move |engine, principal, now| {
        if !how.clock {
            engine.accounts().unlock_account(&name, principal, now)?;
            return Ok(messages::unlocked(&name));
        }
        let reset = engine
            .accounts()
            .lower_floors_to_clock(&name, principal, now)?;
        Ok(messages::clock_unlocked(&name, reset, now))
    });
    operation_done(message.await?)
}

async fn revoke(
    call: &Call<'_>,
    Revoke { what }: Revoke,
) -> AdministrationReply<admin_api::OperationDone> {
    let name = parse_name(call.argument())?;
    let message = run_act(call.request, move |engine, principal, now| {
        Ok(match what {
            Revoked::Sessions => {
                let ended = engine
                    .sessions()
                    .revoke_sessions(&name, None, principal, now)?;
                format!("{ended} sessions of {name} have ended")
            }
            Revoked::Browsers => {
                let ended = engine
                    .sessions()
                    .revoke_browsers(&name, None, principal, now)?;
                format!("{ended} browsers of {name} are no longer trusted")
            }
        })
    });
    operation_done(message.await?)
}

async fn issue_one_time_code(call: &Call<'_>) -> AdministrationReply<IssuedCode> {
    let name = parse_name(call.argument())?;
    let account = name.clone();
    let issued = run_act(call.request, move |engine, principal, now| {
        engine.accounts().issue_one_time_code(&name, principal, now)
    });
    let (code, expires) = issued.await?;
    let one_time_code = code.grouped().into();
    Ok(EndpointReply::new(IssuedCode {
        account,
        one_time_code,
        expires: expires.to_string(),
    }))
}

async fn cancel_one_time_code(call: &Call<'_>) -> AdministrationReply<admin_api::OperationDone> {
    let name = parse_name(call.argument())?;
    let message = run_act(call.request, move |engine, principal, now| {
        engine
            .accounts()
            .cancel_one_time_code(&name, principal, now)?;
        Ok(messages::one_time_code_cancelled(&name))
    });
    operation_done(message.await?)
}

async fn list_events(call: &Call<'_>) -> AdministrationReply<Events> {
    let account = call
        .query_value(&ACCOUNT)
        .map(|name| parse_name(&name))
        .transpose()?;
    let before = call
        .query_value(&BEFORE)
        .map(|number| number.parse::<i64>())
        .transpose();
    let before = before
        .map_err(|_| ActRefused::invalid_value("before is the number of an event".to_owned()))?;
    let filter = EventFilter {
        account,
        ..EventFilter::default()
    };
    let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let found = run_act(call.request, move |engine, _, _| {
        Ok(engine.audit_log().newest_events(&filter, before, most)?)
    })
    .await?;
    Ok(EndpointReply::new(Events {
        events: found.into_iter().map(EventEntry::from).collect(),
    }))
}

/// Runs an act of a program that has sent the secret.
async fn run_act<T: Send + 'static>(
    request: &RequestContext<'_>,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, ActRefused> {
    let origin = Origin::Remote(request.address);
    // the router has verified the secret
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
        let refused = ActRefused::act(request.language, &error);
        let line = log::event("refused")
            .with("cause", refused.code)
            .with("address", request.address);
        line.write_with_message(&error);
        // the text of the command, in English
        ActRefused {
            text: error.to_string(),
            ..refused
        }
    })
}

fn operation_done(message: String) -> AdministrationReply<admin_api::OperationDone> {
    Ok(EndpointReply::new(admin_api::OperationDone::new(message)))
}

fn parse_name(text: &str) -> Result<UserName, ActRefused> {
    text.parse()
        .map_err(|error: NameError| ActRefused::invalid_value(error.to_string()))
}

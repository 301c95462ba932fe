//! Administration by programs: what `postern status`, `disable`, `unlock`, `one-time-code` and
//! `log` do, in the words of the commands (`postern_shared::protocol::admin_api`). The router verifies the
//! secret before it calls an endpoint of this file.

pub(super) mod secret;

use super::body::{Json, NoBody, OptionalJson};
use super::endpoint::{
    Call, Endpoint, EndpointAccess, EndpointResult, Parameter, endpoint, restrict,
};
use super::passkeys::Passkeys;
use crate::http::route_table::Route;
use crate::live::store_pool::{PoolClient, ShareKey, WorkKind, separate_engine_error};
use crate::web::refusal::{ActRefused, ActResult};
use hyper::Method;
use postern_shared::account::event::EventFilter;
use postern_shared::account::name::{NameError, UserName};
use postern_shared::engine::messages::{self, AfterDisabled};
use postern_shared::engine::{AdministrationError, Engine, LoginError, Principal};
use postern_shared::protocol::admin_api::{
    AccountList, AccountState, EventEntry, Events, IssuedCode, OperationDone, PAGE, RemovePasskey,
    Revoke, Revoked, Unlock,
};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::verify::origin::Origin;

const ONE_TIME_CODE: &str = "administration/accounts/{name}/one-time-code";
const PASSKEYS: &str = "administration/accounts/{name}/passkeys";
const REMOVE_PASSKEY: &str = "administration/accounts/{name}/passkeys/remove";

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

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "administration/accounts", find_accounts)
            .summary("Returns the state of accounts, by name, 200 at most.")
            .query(&[FIND, AFTER]),
        endpoint(Method::GET, "administration/accounts/{name}", read_status)
            .summary("Returns the state of one account."),
        endpoint(
            Method::POST,
            "administration/accounts/{name}/disable",
            disable,
        )
        .summary("Turns the second factor off, and ends sessions and trusted browsers."),
        endpoint(
            Method::POST,
            "administration/accounts/{name}/unlock",
            unlock,
        )
        .summary(
            "Removes delays and locks, or accepts codes again after the host's clock was ahead.",
        ),
        endpoint(
            Method::POST,
            "administration/accounts/{name}/revoke",
            revoke,
        )
        .summary("Ends every session, or revokes every trusted browser."),
        endpoint(Method::GET, PASSKEYS, list_passkeys).summary("Lists the account's passkeys."),
        endpoint(Method::POST, REMOVE_PASSKEY, remove_passkey)
            .summary("Removes a passkey, and ends sessions and trusted browsers."),
        endpoint(Method::POST, ONE_TIME_CODE, issue_one_time_code)
            .summary("Issues a one-time code, in place of an earlier one; it is shown once."),
        endpoint(Method::DELETE, ONE_TIME_CODE, cancel_one_time_code)
            .summary("Cancels the one-time code."),
        endpoint(Method::GET, "administration/events", list_events)
            .summary("Returns the events, newest first, 200 at most.")
            .query(&[ACCOUNT, BEFORE]),
    ];
    restrict(EndpointAccess::Administration, endpoints)
}

async fn find_accounts(call: &Call<'_>, _: NoBody) -> EndpointResult<AccountList> {
    let part = call.query_value(&FIND).unwrap_or_default();
    let after = call
        .query_value(&AFTER)
        .map(|name| parse_name(&name))
        .transpose()?;
    let found = run_act(call, move |engine, _, _| {
        engine.accounts().find_accounts(&part, after.as_ref(), PAGE)
    });
    let accounts = found.await?.iter().map(AccountState::from).collect();
    Ok(AccountList { accounts }.into())
}

async fn read_status(call: &Call<'_>, _: NoBody) -> EndpointResult<AccountState> {
    let name = parse_name(call.argument())?;
    let found = run_act(call, move |engine, _, _| {
        engine.accounts().account_status(&name)
    });
    Ok(AccountState::from(&found.await?).into())
}

async fn disable(call: &Call<'_>, _: NoBody) -> EndpointResult<OperationDone> {
    run_operation(call, |engine, name, principal, now| {
        let after = engine
            .accounts()
            .disable_second_factor(name, principal, now)?;
        let policy = AfterDisabled::of(engine.policy().is_required(name)?);
        Ok(messages::disabled(name, after, policy))
    })
    .await
}

async fn unlock(call: &Call<'_>, how: OptionalJson<Unlock>) -> EndpointResult<OperationDone> {
    run_operation(call, move |engine, name, principal, now| {
        if !how.0.clock {
            engine.accounts().unlock_account(name, principal, now)?;
            return Ok(messages::unlocked(name));
        }
        let reset = engine
            .accounts()
            .lower_floors_to_clock(name, principal, now)?;
        Ok(messages::clock_unlocked(name, reset, now))
    })
    .await
}

async fn revoke(
    call: &Call<'_>,
    Json(Revoke { what }): Json<Revoke>,
) -> EndpointResult<OperationDone> {
    run_operation(call, move |engine, name, principal, now| {
        Ok(match what {
            Revoked::Sessions => {
                let ended = engine
                    .sessions()
                    .revoke_sessions(name, None, principal, now)?;
                match ended {
                    1 => format!("1 session of {name} has ended"),
                    _ => format!("{ended} sessions of {name} have ended"),
                }
            }
            Revoked::Browsers => {
                let ended = engine
                    .sessions()
                    .revoke_browsers(name, None, principal, now)?;
                match ended {
                    1 => format!("1 browser of {name} is no longer trusted"),
                    _ => format!("{ended} browsers of {name} are no longer trusted"),
                }
            }
        })
    })
    .await
}

async fn list_passkeys(call: &Call<'_>, _: NoBody) -> EndpointResult<Passkeys> {
    let name = parse_name(call.argument())?;
    let kept = run_act(call, move |engine, _, _| {
        engine.passkeys().list_passkeys_if_any(&name)
    });
    Ok(Passkeys::from(kept.await?).into())
}

async fn remove_passkey(
    call: &Call<'_>,
    Json(RemovePasskey { passkey }): Json<RemovePasskey>,
) -> EndpointResult<OperationDone> {
    run_operation(call, move |engine, name, principal, now| {
        engine
            .passkeys()
            .remove_passkey(name, &passkey, principal, now)?;
        Ok(messages::passkey_removed(name, &passkey))
    })
    .await
}

async fn issue_one_time_code(call: &Call<'_>, _: NoBody) -> EndpointResult<IssuedCode> {
    let name = parse_name(call.argument())?;
    let account = name.clone();
    let issued = run_act(call, move |engine, principal, now| {
        engine.accounts().issue_one_time_code(&name, principal, now)
    });
    let (code, expires) = issued.await?;
    let issued = IssuedCode {
        account,
        one_time_code: code.grouped().into(),
        expires: expires.to_string(),
    };
    Ok(issued.into())
}

async fn cancel_one_time_code(call: &Call<'_>, _: NoBody) -> EndpointResult<OperationDone> {
    run_operation(call, |engine, name, principal, now| {
        engine
            .accounts()
            .cancel_one_time_code(name, principal, now)?;
        Ok(messages::one_time_code_cancelled(name))
    })
    .await
}

async fn list_events(call: &Call<'_>, _: NoBody) -> EndpointResult<Events> {
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
    let found = run_act(call, move |engine, _, _| {
        Ok(engine.audit_log().newest_events(&filter, before, most)?)
    });
    let events = found.await?.into_iter().map(EventEntry::from).collect();
    Ok(Events { events }.into())
}

/// Runs an act of a program that has sent the secret.
async fn run_act<T: Send + 'static>(
    call: &Call<'_>,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> ActResult<T> {
    let request = call.request;
    let origin = Origin::Remote(request.address);
    // the router has verified the secret
    let client = PoolClient::authenticated(ShareKey::Program);
    let run = request
        .site
        .store_pool
        .for_client(client)
        .run(WorkKind::Plain, move |engine| {
            let now = clock::now().map_err(LoginError::Clock)?;
            separate_engine_error(work(engine, Principal::Program(&origin), now))
                .map_err(LoginError::Engine)
        });
    let done = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    done.map_err(|error| {
        let refused = ActRefused::act(request.language, &error);
        request.log_refusal(refused.code, &error);
        // the text of the command, in English
        let text = error.to_string();
        ActRefused { text, ..refused }
    })
}

/// Runs an act on the account in the path, which returns the message of the command.
async fn run_operation(
    call: &Call<'_>,
    work: impl FnOnce(
        &mut Engine,
        &UserName,
        Principal<'_>,
        Timestamp,
    ) -> Result<String, AdministrationError>
    + Send
    + 'static,
) -> EndpointResult<OperationDone> {
    let name = parse_name(call.argument())?;
    let message = run_act(call, move |engine, principal, now| {
        work(engine, &name, principal, now)
    });
    Ok(OperationDone::new(message.await?).into())
}

fn parse_name(text: &str) -> ActResult<UserName> {
    text.parse()
        .map_err(|error: NameError| ActRefused::invalid_value(error.to_string()))
}

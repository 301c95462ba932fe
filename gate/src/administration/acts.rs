//! What programs do: the acts of `postern status`, `disable`, `unlock`, `one-time-code` and `log`, with the command's words.

use super::{NotDone, json};
use crate::reply::Reply;
use crate::sign_in::Guest;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::event::Filter;
use shared::name::UserName;
use shared::remote::{AccountState, Done, Happened, Issued, PAGE, Revoke, Revoked, Unlock};
use shared::words::{self, AfterDisabled};

type Answered = Result<Reply, NotDone>;

/// GET accounts
pub(super) async fn find(guest: &Guest<'_>, part: Option<String>, after: Option<String>) -> Answered {
    let after = after.map(|name| read_name(&name)).transpose()?;
    let found = guest
        .act_of_program(move |door, _, _| door.find(&part.unwrap_or_default(), after.as_ref(), PAGE))
        .await?;
    fine(&found.iter().map(AccountState::from).collect::<Vec<_>>())
}

/// GET accounts/NAME
pub(super) async fn status(guest: &Guest<'_>, name: UserName) -> Answered {
    let found = guest.act_of_program(move |door, _, _| door.status(&name)).await?;
    fine(&AccountState::from(&found))
}

/// GET events
pub(super) async fn events(guest: &Guest<'_>, account: Option<String>, before: Option<String>) -> Answered {
    let account = account.map(|name| read_name(&name)).transpose()?;
    let before = before.map(|number| number.parse::<i64>()).transpose();
    let before = before.map_err(|_| NotDone::unreadable("before is the number of an event"))?;
    let filter = Filter { account, ..Filter::default() };
    let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let found =
        guest.act_of_program(move |door, _, _| Ok(door.newest_events(&filter, before, most)?)).await?;
    fine(&found.into_iter().map(Happened::from).collect::<Vec<_>>())
}

/// accounts/NAME/ACT
pub(super) async fn act(
    guest: &Guest<'_>,
    method: &Method,
    name: UserName,
    act: &str,
    body: &[u8],
) -> Answered {
    match (method, act) {
        (&Method::POST, "disable") => disable(guest, name).await,
        (&Method::POST, "unlock") => unlock(guest, name, read(body)?).await,
        (&Method::POST, "revoke") => revoke(guest, name, read(body)?).await,
        (&Method::POST, "one-time-code") => issue(guest, name).await,
        (&Method::DELETE, "one-time-code") => {
            let done = Done::that(words::one_time_code_cancelled(&name));
            guest
                .act_of_program(move |door, actor, now| door.cancel_one_time_code(&name, actor, now))
                .await?;
            fine(&done)
        }
        (_, "disable" | "unlock" | "revoke" | "one-time-code") => {
            Err(NotDone::of(StatusCode::METHOD_NOT_ALLOWED))
        }
        _ => Err(NotDone::of(StatusCode::NOT_FOUND)),
    }
}

async fn disable(guest: &Guest<'_>, name: UserName) -> Answered {
    let whose = name.clone();
    let after = guest.act_of_program(move |door, actor, now| {
        let after = door.disable(&whose, actor, now)?;
        Ok((after, AfterDisabled::of(door.is_required(&whose)?)))
    });
    let (after, policy) = after.await?;
    fine(&Done::that(words::disabled(&name, after, policy)))
}

async fn unlock(guest: &Guest<'_>, name: UserName, how: Unlock) -> Answered {
    let message = guest.act_of_program(move |door, actor, now| {
        if !how.clock {
            door.unlock(&name, actor, now)?;
            return Ok(words::unlocked(&name));
        }
        let mended = door.mend_clock(&name, actor, now)?;
        Ok(words::clock_mended(&name, mended, now))
    });
    fine(&Done::that(message.await?))
}

async fn revoke(guest: &Guest<'_>, name: UserName, Revoke { what }: Revoke) -> Answered {
    let message = guest.act_of_program(move |door, actor, now| {
        Ok(match what {
            Revoked::Sessions => {
                let ended = door.revoke_sessions(&name, None, actor, now)?;
                format!("{ended} sessions of {name} are over")
            }
            Revoked::Browsers => {
                let ended = door.revoke_browsers(&name, None, actor, now)?;
                format!("{ended} browsers of {name} are trusted no longer")
            }
        })
    });
    fine(&Done::that(message.await?))
}

async fn issue(guest: &Guest<'_>, name: UserName) -> Answered {
    let account = name.clone();
    let issued =
        guest.act_of_program(move |door, actor, now| door.issue_one_time_code(&name, actor, now)).await?;
    let (code, expires) = issued;
    fine(&Issued { account, one_time_code: code.grouped().into(), expires: expires.to_string() })
}

fn fine(value: &impl Serialize) -> Answered {
    Ok(json(StatusCode::OK, "application/json", value))
}

fn read_name(text: &str) -> Result<UserName, NotDone> {
    text.parse().map_err(|error: shared::name::NameError| NotDone::unreadable(&error.to_string()))
}

/// A body; none is an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotDone> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| NotDone::unreadable(&format!("the body: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_is_meant_or_nothing() {
        assert_eq!(read::<Unlock>(b"").ok(), Some(Unlock { clock: false }));
        assert_eq!(read::<Unlock>(b"{\"clock\": true}").ok(), Some(Unlock { clock: true }));
        assert_eq!(
            read::<Revoke>(b"{\"what\": \"browsers\"}").ok(),
            Some(Revoke { what: Revoked::Browsers })
        );
        for body in [&b"{\"clok\": true}"[..], b"[]x", b"\xff", b"{\"clock\": 1}"] {
            assert!(read::<Unlock>(body).is_err(), "{body:?}");
        }
        assert!(read::<Revoke>(b"").is_err(), "never all by leaving it out");
    }
}

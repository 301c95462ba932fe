//! Administration through the gate: by programs that show a secret, here, and by people on pages. Whatever of it is not
//! configured, or is asked for from elsewhere, is not there: 404.
//!
//! MUST NOT look at a secret from an address that has shown too many wrong ones, nor say anything else by how long it
//! takes.

mod acts;
mod journal;
mod pages;
mod people;
pub(crate) mod secret;

pub(crate) use pages::Seen;
pub(crate) use people::Act;

use crate::judge::at_door;
use crate::log;
use crate::refused::Refused;
use crate::reply::{self, Reply};
use crate::sign_in::Guest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use shared::clock::{self, Timestamp};
use shared::door::{Actor, AdministrationError, Door, ShownSecret, SignInError};
use shared::name::UserName;
use shared::place::Origin;
use shared::remote::Problem;
use std::borrow::Cow;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

impl Guest<'_> {
    /// Whether administration is reached at this address of the gate, and from there: not at a place that it shares with an
    /// application.
    fn is_at_administration(&self) -> bool {
        self.site.url.has_own_host() && self.site.gate().administration.is_reached_from(self.address)
    }

    /// The secret, where programs may show it.
    fn administration_secret(&self) -> Option<&Zeroizing<String>> {
        self.site.administration.secret.as_ref().filter(|_| self.is_at_administration())
    }

    /// Whether programs administer from where this request comes.
    pub(crate) fn takes_programs(&self) -> bool {
        self.administration_secret().is_some()
    }

    /// Runs an act of a program's at a door.
    async fn act_of_program<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Door, Actor<'_>, Timestamp) -> Result<T, AdministrationError> + Send + 'static,
    ) -> Result<T, NotDone> {
        let origin = Origin::Remote(self.address);
        let run = self.site.judge.run(move |door| {
            let now = clock::now().map_err(SignInError::Clock)?;
            at_door(work(door, Actor::Program(&origin), now)).map_err(SignInError::Door)
        });
        let done = run.await.map_err(|error| NotDone::from(self.not_run(&error)))?;
        done.map_err(|error| {
            let refused = Refused::act(self.t, &error);
            let line = log::event("refused").with("cause", refused.code).with("address", self.address);
            line.because(&error);
            // the same words as the command's
            NotDone { refused: Refused { text: error.to_string(), ..refused } }
        })
    }
}

/// An answer to a program: what came of it, or why nothing did.
pub(crate) async fn answer(
    guest: &Guest<'_>,
    method: &Method,
    segments: &[&str],
    query: &str,
    body: &[u8],
) -> Reply {
    let Some(secret) = guest.administration_secret() else { return reply::bare(StatusCode::NOT_FOUND) };
    if let Err(refused) = admit(guest, secret).await {
        return refused.reply();
    }
    let asked = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    let name = |segment: &str| {
        let bytes: Cow<'_, [u8]> = percent_decode_str(segment).into();
        UserName::parse(&bytes).map_err(|error| NotDone::unreadable(&error.to_string()))
    };
    let done = match (method, segments) {
        (&Method::GET, ["accounts"]) => acts::find(guest, asked("find"), asked("after")).await,
        (&Method::GET, ["events"]) => acts::events(guest, asked("account"), asked("before")).await,
        (&Method::GET, ["accounts", account]) => match name(account) {
            Ok(name) => acts::status(guest, name).await,
            Err(refused) => Err(refused),
        },
        (method, ["accounts", account, act]) => match name(account) {
            Ok(name) => acts::act(guest, method, name, act, body).await,
            Err(refused) => Err(refused),
        },
        (_, ["accounts" | "events"] | ["accounts", _]) => Err(NotDone::of(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Err(NotDone::of(StatusCode::NOT_FOUND)),
    };
    done.unwrap_or_else(|refused| refused.reply())
}

/// Whether a program has shown the secret.
async fn admit(guest: &Guest<'_>, secret: &Zeroizing<String>) -> Result<(), NotDone> {
    let mut lines = guest.headers.get_all(AUTHORIZATION).iter();
    let shown = match (lines.next(), lines.next()) {
        (Some(line), None) => bearer(line.as_bytes()),
        _ => None,
    };
    let Some(shown) = shown else {
        return Err(NotDone::refused(
            StatusCode::FORBIDDEN,
            "no_secret",
            "this takes Authorization: Bearer SECRET",
        ));
    };
    let is_right = bool::from(secret.as_bytes().ct_eq(shown));
    let (address, shown) = (guest.address, if is_right { ShownSecret::Right } else { ShownSecret::Wrong });
    let run = guest.site.judge.run(move |door| {
        let now = clock::now().map_err(SignInError::Clock)?;
        door.weigh_secret(address, shown, now).map_err(SignInError::Door)
    });
    let refused = |cause: &str| log::event("refused").with("cause", cause).with("address", address).write();
    match run.await.map_err(|error| NotDone::from(guest.not_run(&error)))? {
        Some(wait) => {
            refused(&format!("address-delayed-{wait}s"));
            let text = "too many wrong secrets or codes came from your address; wait, then try again";
            let NotDone { refused } =
                NotDone::refused(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", text);
            Err(NotDone { refused: Refused { retry_after: Some(wait), ..refused } })
        }
        None if shown == ShownSecret::Wrong => {
            refused("administration-secret");
            Err(NotDone::refused(
                StatusCode::FORBIDDEN,
                "wrong_secret",
                "that is not the gate's secret for administration",
            ))
        }
        None => Ok(()),
    }
}

/// What stands after Bearer (RFC 6750).
fn bearer(line: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = line.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// Why a program's act was not done.
struct NotDone {
    refused: Refused,
}

impl From<Refused> for NotDone {
    fn from(refused: Refused) -> NotDone {
        NotDone { refused }
    }
}

impl NotDone {
    fn refused(status: StatusCode, code: &'static str, text: &str) -> NotDone {
        NotDone { refused: Refused::new(status, code, text.to_owned()) }
    }

    fn unreadable(text: &str) -> NotDone {
        NotDone::refused(StatusCode::UNPROCESSABLE_ENTITY, "unreadable", text)
    }

    /// For what is not there, or not in that way.
    fn of(status: StatusCode) -> NotDone {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => NotDone::refused(status, "method", "that is not done here"),
            _ => {
                NotDone::refused(StatusCode::NOT_FOUND, "nothing_here", "there is nothing of that name here")
            }
        }
    }

    fn reply(&self) -> Reply {
        let Refused { status, code, text, retry_after } = &self.refused;
        let problem = Problem {
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            code: (*code).into(),
            detail: text.as_str().into(),
        };
        let reply = json(*status, "application/problem+json", &problem);
        match retry_after {
            Some(wait) => reply::with_retry_after(reply, *wait),
            None => reply,
        }
    }
}

/// JSON that nobody keeps.
fn json(status: StatusCode, kind: &'static str, value: &impl Serialize) -> Reply {
    let Ok(text) = serde_json::to_string(value) else {
        return reply::bare(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut reply = reply::page(status, text);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_as_bearer_and_no_other_way() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bEARER  abc "), Some(&b"abc"[..]));
        for line in [&b""[..], b"abc", b"Basic YTph", b"Bearerabc", b"Bearer"] {
            assert_eq!(bearer(line), None, "{line:?}");
        }
    }
}

//! A check: what a proxy asks before each request. No disk, no lock shared between workers.

use crate::app_passwords::Refused;
use crate::authorization::Authorization;
use crate::contract::Asked;
use crate::cookies::{Scanned, scan};
use crate::identity::Identity;
use crate::log;
use crate::metrics::Answered;
use crate::rules::{self, Reach};
use crate::site::Site;
use hyper::HeaderMap;
use hyper::header::{ACCEPT, AUTHORIZATION, COOKIE};
use shared::clock::{self, Timestamp};
use shared::config::rule::Access;
use shared::door::SERVICE;
use shared::email::EmailAddress;
use shared::name::{Group, UserName};
use shared::place::Address;
use shared::rule::{Decision, Request};
use shared::scope::WebRequest;
use shared::session::Session;
use shared::store::FoundAppPassword;
use std::sync::Arc;

/// The most of cookies that is looked at, in bytes.
const LONGEST: usize = 48 * 1024;

/// What the proxy is told.
pub(crate) enum Ruling {
    /// Let it through, with what the application may see.
    Allow(Allowed),
    /// Not signed in.
    SignIn(Wants),
    /// Signed in, and it takes more than what has passed.
    Rise(Wants),
    /// Ambiguous or malformed: not a request of a browser's.
    Refuse,
    /// Basic, or an app password, and not one that is good: another may be.
    AppPassword,
    /// A rule that denies, or an app password that is good elsewhere.
    Forbid,
}

impl Ruling {
    /// As it is counted.
    pub(crate) fn answered(&self) -> Answered {
        match self {
            Ruling::Allow(_) => Answered::Allow,
            Ruling::SignIn(_) => Answered::SignIn,
            Ruling::Rise(_) => Answered::Rise,
            Ruling::Refuse => Answered::Refuse,
            Ruling::AppPassword => Answered::AppPasswordWrong,
            Ruling::Forbid => Answered::Forbid,
        }
    }
}

/// What the application may see.
#[derive(Default)]
pub(crate) struct Allowed {
    pub(crate) user: String,
    pub(crate) groups: String,
    pub(crate) email: String,
    pub(crate) cookie: String,
    pub(crate) authorization: String,
}

/// Whether the request loads a page, so that sending it elsewhere makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Page,
    Data,
}

/// Judges a check.
///
/// An identity that the proxy brings opens nothing: it ends a session of someone else's.
pub(crate) fn check(site: &Site, asked: &Asked<'_>, headers: &HeaderMap, identity: &Identity) -> Ruling {
    let Ok(now) = clock::now() else { return Ruling::Refuse };
    let Ok(scanned) =
        cookie_line(headers).and_then(|line| scan(line, site.jar.names.session).map_err(|_| ()))
    else {
        return Ruling::Refuse;
    };
    let authorization = match one(headers, AUTHORIZATION.as_str()) {
        Ok(value) => value,
        Err(()) => return Ruling::Refuse,
    };
    let said = Authorization::read(authorization);
    let host = asked.host();
    let request =
        Request { host: &host, target: asked.target, method: asked.method, address: Some(asked.address) };
    let good = |session: &Session| site.is_good_at(session, &host) && !identity.contradicts(&session.name);
    let session = session(site, &scanned, now).filter(good);
    if let Some(session) = &session {
        match rules::of_session(site, &request, session) {
            (_, Reach::Enough) => {
                // an application never sees an app password, needed or not
                let authorization = if said.is_ours() { "" } else { authorization };
                let who = Who { name: &session.name, groups: &session.groups, email: session.email.as_ref() };
                return Ruling::Allow(allowed(site, &who, scanned.others, authorization.to_owned()));
            }
            (decision, Reach::Never) => return deny(&decision, Some(&session.name), asked.address),
            (_, Reach::TooLittle) => {}
        }
    } else {
        let decision = rules::of_nobody(site, &request);
        match decision.access {
            Access::Deny => return deny(&decision, None, asked.address),
            // whoever shows an app password wants to be somebody
            Access::Open if !said.is_ours() => {
                let authorization = authorization.to_owned();
                return Ruling::Allow(Allowed {
                    cookie: scanned.others,
                    authorization,
                    ..Allowed::default()
                });
            }
            Access::Open | Access::Password | Access::Code => {}
        }
    }
    match without_session(site, asked, &host, &said, now) {
        Ok(found) => {
            let decision = rules::of_app_password(site, &request, &found);
            if decision.access == Access::Deny {
                return deny(&decision, Some(&found.account), asked.address);
            }
            let who = Who { name: &found.account, groups: &found.groups, email: found.email.as_ref() };
            Ruling::Allow(allowed(site, &who, scanned.others, String::new()))
        }
        Err(NoEntry::Scope) => Ruling::Forbid,
        Err(NoEntry::Basic) if !navigates(headers) => Ruling::AppPassword,
        // a browser that sends what an application asked for may still sign in
        Err(NoEntry::Basic | NoEntry::Nothing) => match session {
            Some(_) => Ruling::Rise(wants(asked.method, headers)),
            None => Ruling::SignIn(wants(asked.method, headers)),
        },
    }
}

fn deny(decision: &Decision, name: Option<&UserName>, address: Address) -> Ruling {
    refused(&decision.name().to_string(), name, address);
    Ruling::Forbid
}

/// Why a request without a session has no entry.
enum NoEntry {
    /// It shows nothing that the gate knows.
    Nothing,
    /// It shows something by Basic, or an app password, that is not good.
    Basic,
    /// It shows an app password that is good elsewhere.
    Scope,
}

/// Whose request it is by an app password.
fn without_session(
    site: &Site,
    asked: &Asked<'_>,
    host: &str,
    said: &Authorization,
    now: Timestamp,
) -> Result<Arc<FoundAppPassword>, NoEntry> {
    let claim = match said {
        Authorization::Foreign => return Err(NoEntry::Nothing),
        Authorization::OtherBasic => return Err(NoEntry::Basic),
        Authorization::Mistyped => {
            refused("app-password-mistyped", None, asked.address);
            return Err(NoEntry::Basic);
        }
        Authorization::AppPassword(claim) => claim,
    };
    if !site.watch.is_sure() {
        return Err(NoEntry::Nothing);
    }
    let judged = match site.is_own(host, asked.target) {
        true => Err(Refused::Scope),
        false => {
            let request = WebRequest { host, target: asked.target, method: asked.method };
            let (keys, named) = (site.watch.keys(), &site.gate().scope);
            site.watch.app_passwords().judge(claim, &keys, &request, named, asked.address, now)
        }
    };
    judged.map_err(|why| {
        refused(why.name(), claim.name.as_ref(), asked.address);
        match why {
            Refused::Wrong | Refused::Expired => NoEntry::Basic,
            Refused::Scope => NoEntry::Scope,
        }
    })
}

fn refused(cause: &str, name: Option<&UserName>, address: Address) {
    let line = log::event("refused").with("cause", cause).with("address", address);
    line.with("service", SERVICE).quoted("user", name.map_or("-", UserName::as_str)).write();
}

/// Whose request it is, as the store knows the account.
struct Who<'a> {
    name: &'a UserName,
    groups: &'a [Group],
    email: Option<&'a EmailAddress>,
}

fn allowed(site: &Site, who: &Who<'_>, cookie: String, authorization: String) -> Allowed {
    // a declaration stands in place of what the store keeps
    let email = match site.config.declared(who.name) {
        Some(declared) => declared.email.as_ref(),
        None => who.email,
    };
    Allowed {
        groups: list(site.config.memberships(who.name, who.groups)),
        email: email.map_or_else(String::new, |email| email.as_str().to_owned()),
        user: who.name.as_str().to_owned(),
        cookie,
        authorization,
    }
}

/// With commas, as applications read it.
fn list<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let mut text = String::new();
    for group in groups {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(group.as_str());
    }
    text
}

/// The session of a request, if it is signed, in time, and not revoked.
fn session(site: &Site, scanned: &Scanned<'_>, now: Timestamp) -> Option<Session> {
    let session = Session::from_cookie(scanned.value?, &site.watch.keys())?;
    is_live(site, &session, now).then_some(session)
}

/// Whether a session is in time and not revoked.
pub(crate) fn is_live(site: &Site, session: &Session, now: Timestamp) -> bool {
    session.is_in_time(site.gate().session.seconds(), now) && !site.watch.refuses(session)
}

/// The one Cookie line, empty if there is none.
pub(crate) fn cookie_line(headers: &HeaderMap) -> Result<&str, ()> {
    one(headers, COOKIE.as_str()).and_then(|line| if line.len() > LONGEST { Err(()) } else { Ok(line) })
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(""),
        // scripts of applications put more than ASCII into their cookies
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).map_err(|_| ()),
        _ => Err(()),
    }
}

/// Whether a browser is on its way to a page. Clients that can show none do not say so.
fn navigates(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_some_and(|mode| mode.as_bytes() == b"navigate")
}

/// Fetch metadata says it; older browsers accept HTML for pages only.
fn wants(method: &str, headers: &HeaderMap) -> Wants {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = match text("sec-fetch-mode") {
        "" => text(ACCEPT.as_str()).contains("text/html") && text("x-requested-with").is_empty(),
        mode => mode == "navigate",
    };
    if page && method != "OPTIONS" { Wants::Page } else { Wants::Data }
}

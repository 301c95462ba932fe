//! Evaluates a forward-auth check: the session cookie, the rules and app passwords give a
//! [`CheckResult`].
//!
//! MUST NOT read the disk or take a lock that workers share: a check precedes every request to
//! every application.

use super::rules::{self, SessionLevel};
use crate::http::authorization::Authorization;
use crate::http::cookies::{ConflictingCookies, MAX_SESSION_COOKIES, SessionCookies};
use crate::live::app_password_cache::CacheRefusal;
use crate::observe::log;
use crate::observe::metrics::CheckLabel;
use crate::proxy::contract::OriginalRequest;
use crate::proxy::identity::Identity;
use crate::state::site::Site;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use memchr::memmem;
use shared::account::email::EmailAddress;
use shared::account::name::{Group, UserName};
use shared::config::gate::rule::RuleAccess;
use shared::credential::scope::WebRequest;
use shared::engine::SERVICE;
use shared::network::address::Address;
use shared::policy::rule::{RuleDecision, RuleRequest};
use shared::system::clock::{self, Timestamp};
use shared::token::session::Session;
use shared::verify::app_password::FoundAppPassword;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest Cookie line that is read, in bytes.
const MAX_COOKIE_LINE: usize = 48 * 1024;
/// Value of a header that is not set.
static EMPTY: HeaderValue = HeaderValue::from_static("");

/// Result of a check, before it is rendered for a proxy.
pub(crate) enum CheckResult {
    /// Access is granted.
    Allow(Allowed),
    /// No session.
    SignIn(WantedReply),
    /// A valid session whose level does not suffice.
    Upgrade(WantedReply),
    /// A malformed request, which no browser sends.
    Refuse,
    /// More than one session is possible, so the user is unknown.
    ConflictingCookies(WantedReply),
    /// No session, at a host where no session is valid.
    NotCovered(WantedReply),
    /// Basic credentials or an app password, and not valid. Another app password may be.
    AppPassword,
    /// Denied by a rule, or an app password whose scope does not cover the request.
    Forbid,
}

impl CheckResult {
    pub(crate) fn label(&self) -> CheckLabel {
        match self {
            CheckResult::Allow(_) => CheckLabel::Allow,
            CheckResult::SignIn(_) | CheckResult::NotCovered(_) => CheckLabel::SignIn,
            CheckResult::Upgrade(_) => CheckLabel::Upgrade,
            CheckResult::Refuse | CheckResult::ConflictingCookies(_) => CheckLabel::Refuse,
            CheckResult::AppPassword => CheckLabel::AppPasswordWrong,
            CheckResult::Forbid => CheckLabel::Forbid,
        }
    }
}

/// Headers that the application receives.
pub(crate) struct Allowed {
    pub(crate) user: String,
    pub(crate) groups: String,
    pub(crate) email: String,
    pub(crate) cookie: HeaderValue,
    pub(crate) authorization: HeaderValue,
}

/// Whether the client loads a page, so that a redirect makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WantedReply {
    Page,
    Data,
}

/// Evaluates a check.
///
/// An identity that the proxy provides grants nothing: it only ends another user's session.
pub(crate) fn check(
    site: &Site,
    asked: &OriginalRequest<'_>,
    headers: &HeaderMap,
    identity: &Identity,
) -> CheckResult {
    let Ok(now) = clock::now() else {
        return CheckResult::Refuse;
    };
    let Ok(authorization) = single_header(headers, &AUTHORIZATION) else {
        return CheckResult::Refuse;
    };
    let line = match cookie_line(headers) {
        Ok(line) => line,
        Err(unclear) => return refuse_conflicting_cookies(&unclear, asked, headers),
    };
    let host = asked.host();
    let shown = SessionCookies::parse(
        line.as_bytes(),
        site.cookies.names.session,
        &site.revocation_cache.token_keys(),
        MAX_SESSION_COOKIES,
    );
    let session = match shown.select_session(|session| {
        is_valid_session(site, session, now)
            && site.accepts_session_at(session, &host)
            && !identity.contradicts(&session.name)
    }) {
        Ok(session) => session,
        Err(unclear) => return refuse_conflicting_cookies(&unclear, asked, headers),
    };
    // The common line passes on as it is, without a copy.
    let cookie = || match shown.foreign_cookies() {
        Cow::Borrowed(_) => line.clone(),
        Cow::Owned(others) => {
            HeaderValue::from_maybe_shared(Bytes::from(others)).unwrap_or_else(|_| EMPTY.clone())
        }
    };
    let said = Authorization::parse(authorization.as_bytes());
    let request = RuleRequest {
        host: &host,
        target: asked.target,
        method: asked.method,
        address: Some(asked.address),
    };
    if let Some(session) = session {
        match rules::decide_session(site, &request, session) {
            (_, SessionLevel::Sufficient) => {
                // An application never sees an app password, whether it was needed or not.
                let authorization = if said.is_app_password() {
                    &EMPTY
                } else {
                    authorization
                };
                let who = AllowedAccount {
                    name: &session.name,
                    groups: &session.groups,
                    email: session.email.as_ref(),
                };
                return CheckResult::Allow(allow_account(
                    site,
                    &who,
                    cookie(),
                    authorization.clone(),
                ));
            }
            (decision, SessionLevel::Denied) => {
                return deny_by_rule(&decision, Some(&session.name), asked.address);
            }
            (_, SessionLevel::UpgradeRequired) => {}
        }
    } else {
        let decision = rules::decide_anonymous(site, &request);
        match decision.access {
            RuleAccess::Deny => return deny_by_rule(&decision, None, asked.address),
            // A client that shows an app password wants to be identified.
            RuleAccess::Open if !said.is_app_password() => {
                return CheckResult::Allow(Allowed {
                    user: String::new(),
                    groups: String::new(),
                    email: String::new(),
                    cookie: cookie(),
                    authorization: authorization.clone(),
                });
            }
            RuleAccess::Open | RuleAccess::Password | RuleAccess::Code => {}
        }
    }
    match verify_app_password(site, asked, &host, &said, now) {
        Ok(found) => {
            let decision = rules::decide_app_password(site, &request, &found);
            if decision.access == RuleAccess::Deny {
                return deny_by_rule(&decision, Some(&found.account), asked.address);
            }
            let who = AllowedAccount {
                name: &found.account,
                groups: &found.groups,
                email: found.email.as_ref(),
            };
            CheckResult::Allow(allow_account(site, &who, cookie(), EMPTY.clone()))
        }
        Err(NoAccess::Scope) => CheckResult::Forbid,
        Err(NoAccess::InvalidCredential) if !is_navigation(headers) => CheckResult::AppPassword,
        // A browser may send Basic credentials of the application, and can still sign in.
        Err(NoAccess::InvalidCredential | NoAccess::NoCredential) => match session {
            Some(_) => CheckResult::Upgrade(wanted_reply(asked.method, headers)),
            None if !site.covers(&host) => {
                site.uncovered_hosts.log_once(site, &host);
                CheckResult::NotCovered(wanted_reply(asked.method, headers))
            }
            None => CheckResult::SignIn(wanted_reply(asked.method, headers)),
        },
    }
}

fn refuse_conflicting_cookies(
    unclear: &ConflictingCookies,
    asked: &OriginalRequest<'_>,
    headers: &HeaderMap,
) -> CheckResult {
    unclear.log(asked.address);
    CheckResult::ConflictingCookies(wanted_reply(asked.method, headers))
}

fn deny_by_rule(decision: &RuleDecision, name: Option<&UserName>, address: Address) -> CheckResult {
    log_refusal(&decision.name().to_string(), name, address);
    CheckResult::Forbid
}

/// Why a request without a sufficient session has no access.
enum NoAccess {
    /// No credential that the gate knows.
    NoCredential,
    /// Basic credentials or an app password, and not valid.
    InvalidCredential,
    /// An app password whose scope does not cover the request.
    Scope,
}

/// Returns the app password of a request, if it is valid for this request.
fn verify_app_password(
    site: &Site,
    asked: &OriginalRequest<'_>,
    host: &str,
    said: &Authorization,
    now: Timestamp,
) -> Result<Arc<FoundAppPassword>, NoAccess> {
    let claim = match said {
        Authorization::Other => return Err(NoAccess::NoCredential),
        Authorization::OtherBasic => return Err(NoAccess::InvalidCredential),
        Authorization::Mistyped => {
            log_refusal("app-password-mistyped", None, asked.address);
            return Err(NoAccess::InvalidCredential);
        }
        Authorization::AppPassword(claim) => claim,
    };
    if !site.revocation_cache.has_lease() {
        return Err(NoAccess::NoCredential);
    }
    let judged = match site.is_own_page(host, asked.target) {
        true => Err(CacheRefusal::Scope),
        false => {
            let request = WebRequest {
                host,
                target: asked.target,
                method: asked.method,
            };
            let (keys, named) = (site.revocation_cache.token_keys(), &site.gate().scope);
            site.revocation_cache.app_passwords().verify_app_password(
                claim,
                &keys,
                &request,
                named,
                asked.address,
                now,
            )
        }
    };
    judged.map_err(|why| {
        log_refusal(why.name(), claim.name.as_ref(), asked.address);
        match why {
            CacheRefusal::Wrong | CacheRefusal::Expired => NoAccess::InvalidCredential,
            CacheRefusal::Scope => NoAccess::Scope,
        }
    })
}

fn log_refusal(cause: &str, name: Option<&UserName>, address: Address) {
    let line = log::event("refused")
        .with("cause", cause)
        .with("address", address);
    line.with("service", SERVICE)
        .quoted("user", name.map_or("-", UserName::as_str))
        .write();
}

/// Account that is granted access, with what the store knows of it.
struct AllowedAccount<'a> {
    name: &'a UserName,
    groups: &'a [Group],
    email: Option<&'a EmailAddress>,
}

fn allow_account(
    site: &Site,
    who: &AllowedAccount<'_>,
    cookie: HeaderValue,
    authorization: HeaderValue,
) -> Allowed {
    // A declaration in postern.toml replaces what the store keeps.
    let email = match site.config.find_declared_account(who.name) {
        Some(declared) => declared.email.as_ref(),
        None => who.email,
    };
    Allowed {
        groups: join_groups(site.config.memberships(who.name, who.groups)),
        email: email.map_or_else(String::new, |email| email.as_str().to_owned()),
        user: who.name.as_str().to_owned(),
        cookie,
        authorization,
    }
}

/// Joins group names with commas, as applications parse the header.
fn join_groups<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let mut text = String::new();
    for group in groups {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(group.as_str());
    }
    text
}

/// Whether a session is neither expired nor revoked.
pub(crate) fn is_valid_session(site: &Site, session: &Session, now: Timestamp) -> bool {
    session.is_valid_at(site.gate().session_lifetime.seconds(), now)
        && !site.revocation_cache.refuses_session(session)
}

/// Returns the Cookie line, empty if there is none. HTTP/2 crumbs were joined when the request
/// arrived.
pub(crate) fn cookie_line(headers: &HeaderMap) -> Result<&HeaderValue, ConflictingCookies> {
    match single_header(headers, &COOKIE) {
        Ok(line) if line.len() <= MAX_COOKIE_LINE => Ok(line),
        _ => Err(ConflictingCookies::TooLong),
    }
}

/// Returns the only value of a header, empty if there is none, and fails if there are several.
fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a HeaderValue, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(&EMPTY),
        (Some(value), None) => Ok(value),
        _ => Err(()),
    }
}

/// Challenge of a 401 reply (RFC 9110, section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Basic: clients that show no pages wait for it before they send an app password.
    Basic,
    /// Bearer: browsers open no dialog for it.
    Bearer,
    /// A scheme of Postern's own, for the gate's pages: browsers open no dialog for it.
    Postern,
}

/// Returns the challenge that suits the client. Browsers send Fetch metadata; older ones accept
/// HTML.
pub(crate) fn select_challenge(method: &str, headers: &HeaderMap) -> Challenge {
    let is_there = |name: &str| headers.get_all(name).iter().any(|value| !value.is_empty());
    let is_browser = is_there("sec-fetch-mode") || is_there("x-requested-with");
    match is_browser || wanted_reply(method, headers) == WantedReply::Page {
        true => Challenge::Bearer,
        false => Challenge::Basic,
    }
}

/// Whether a browser loads a page. Clients that show no pages do not send this header.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode.as_bytes() == b"navigate")
}

/// Fetch metadata says which reply suits; older browsers accept HTML for pages only.
fn wanted_reply(method: &str, headers: &HeaderMap) -> WantedReply {
    let is_empty = |name: &str| headers.get_all(name).iter().all(HeaderValue::is_empty);
    let accepts_html = |value: &HeaderValue| memmem::find(value.as_bytes(), b"text/html").is_some();
    let page = match is_empty("sec-fetch-mode") {
        true => headers.get_all(ACCEPT).iter().any(accepts_html) && is_empty("x-requested-with"),
        false => is_navigation(headers),
    };
    if page && method != "OPTIONS" {
        WantedReply::Page
    } else {
        WantedReply::Data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::contract::headers;

    const PAGE: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

    /// Browsers are redirected and see no dialog; git, wget and WebDAV clients wait for Basic.
    #[test]
    fn clients_that_show_no_pages_are_asked_for_basic_and_browsers_are_not() {
        for (pairs, asked, led) in [
            (vec![], Challenge::Basic, WantedReply::Data),
            (vec![("accept", "*/*")], Challenge::Basic, WantedReply::Data),
            (
                vec![("sec-fetch-mode", "")],
                Challenge::Basic,
                WantedReply::Data,
            ),
            (
                vec![("sec-fetch-mode", "cors")],
                Challenge::Bearer,
                WantedReply::Data,
            ),
            (
                vec![("x-requested-with", "XMLHttpRequest"), PAGE],
                Challenge::Bearer,
                WantedReply::Data,
            ),
            (vec![PAGE], Challenge::Bearer, WantedReply::Page),
            (
                vec![("accept", "application/xml"), PAGE],
                Challenge::Bearer,
                WantedReply::Page,
            ),
            (
                vec![("sec-fetch-mode", "navigate")],
                Challenge::Bearer,
                WantedReply::Page,
            ),
        ] {
            let headers = headers(&pairs);
            assert_eq!(
                (
                    select_challenge("GET", &headers),
                    wanted_reply("GET", &headers)
                ),
                (asked, led),
                "{pairs:?}"
            );
        }
        let mut latin = headers(&[PAGE]);
        latin.append("accept", HeaderValue::from_bytes(b"\xeb").unwrap());
        assert_eq!(
            wanted_reply("GET", &latin),
            WantedReply::Page,
            "bytes that are no text hide nothing"
        );
    }

    #[test]
    fn a_cookie_line_is_opaque_and_a_doubled_header_is_none() {
        let mut lines = HeaderMap::new();
        assert_eq!(cookie_line(&lines), Ok(&EMPTY));
        lines.append(COOKIE, HeaderValue::from_bytes(b"n=Zo\xeb").unwrap());
        assert_eq!(cookie_line(&lines).unwrap().as_bytes(), b"n=Zo\xeb");
        lines.insert(
            COOKIE,
            HeaderValue::from_bytes(&vec![b'a'; MAX_COOKIE_LINE + 1]).unwrap(),
        );
        assert_eq!(cookie_line(&lines), Err(ConflictingCookies::TooLong));
        let doubled = headers(&[("authorization", "Basic a"), ("authorization", "Basic a")]);
        assert_eq!(single_header(&doubled, &AUTHORIZATION), Err(()));
    }
}

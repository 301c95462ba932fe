//! Header tokens, for programs that keep no cookies: each of the gate's cookies has a header that stands for it. Where
//! `gate.api_tokens` is on, an answer that sets cookies brings them as tokens, too, and a request that shows a token has
//! the cookies that its tokens stand for and no other: all else is the same for both. A session's cookie is never a
//! token itself: an access token stands for it, for a quarter of an hour, and a refresh token gets the next.
//!
//! MUST NOT take a request's cookies once it shows any token, good or not.

use super::PLACE;
use crate::http::authorization::bearer_token;
use crate::http::reply::HttpReply;
use crate::state::site::Site;
use crate::web::enroll::unavailable;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use cookie::Cookie;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use shared::protocol::admin_api;
use shared::protocol::command_request::TypedText;
use shared::system::clock;
use shared::token::{AccessToken, RefreshToken};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// What stands for the cookie of a sign-in that waits for its code.
const SIGN_IN: &str = "postern-login";
/// What stands for the cookie of a setup.
const SETUP: &str = "postern-enrollment";
/// What stands for the cookie of a proof.
const STEP_UP: &str = "postern-step-up";
/// What stands for the cookie of a trusted browser.
const BROWSER: &str = "postern-browser";

/// What a program keeps that keeps no cookies: whatever is new. There only where gate.api_tokens is on.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Tokens {
    /// For Authorization: Bearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    access_token: Option<TypedText>,
    /// How long the access token is good, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_in: Option<u64>,
    /// For sign-in/refresh, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    refresh_token: Option<TypedText>,
    /// For Postern-Login, until the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    login_token: Option<TypedText>,
    /// For Postern-Enrollment, until the setup is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    enrollment_token: Option<TypedText>,
    /// For Postern-Step-Up, beside the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    step_up_token: Option<TypedText>,
    /// For Postern-Browser, at the next sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    browser_token: Option<TypedText>,
}

/// An answer's tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct WithTokens {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) tokens: Option<Tokens>,
}

/// Whether they are taken and given at this place of the gate: never beside an application, whose scripts would read them.
pub(super) fn are_on(site: &Site) -> bool {
    site.gate().api_tokens && site.url.has_own_host()
}

/// Puts the cookies that a request's tokens stand for in the place of those that it came with, if it shows any at an
/// endpoint that takes them.
pub(crate) fn into_cookies(site: &Site, page: &str, headers: &mut HeaderMap) {
    if !are_on(site) || !page.starts_with(PLACE) || page.starts_with(admin_api::PATH) {
        return;
    }
    let names = site.cookies.names;
    let shown = [
        (names.session, access(site, headers)),
        (names.login, of(headers, SIGN_IN)),
        (names.enrollment, of(headers, SETUP)),
        (names.step_up, of(headers, STEP_UP)),
        (names.trusted_browser, of(headers, BROWSER)),
    ];
    if shown
        .iter()
        .all(|(_, shown)| matches!(shown, ShownTokens::NoBody))
    {
        return;
    }
    let mut line = Zeroizing::new(String::new());
    for (name, shown) in &shown {
        if let ShownTokens::Token(value) = shown {
            let before = if line.is_empty() { "" } else { "; " };
            line.extend([before, name, "=", value]);
        }
    }
    headers.remove(COOKIE);
    if let (Ok(mut value), false) = (HeaderValue::try_from(line.as_str()), line.is_empty()) {
        value.set_sensitive(true);
        headers.insert(COOKIE, value);
    }
}

/// What one header shows.
enum ShownTokens {
    NoBody,
    /// The value of the cookie that it stands for.
    Token(Zeroizing<String>),
    /// Something that stands for no cookie.
    Unfit,
}

/// The session.
fn access(site: &Site, headers: &HeaderMap) -> ShownTokens {
    let lines: Vec<&[u8]> = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let (bearer, other): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .map(bearer_token)
        .partition(Option::is_some);
    match (&bearer[..], other.is_empty()) {
        ([], _) => ShownTokens::NoBody,
        ([Some(token)], true) => {
            let (keys, now) = (site.revocation_cache.token_keys(), clock::now().ok());
            let token = std::str::from_utf8(token).ok().zip(now);
            let token = token.and_then(|(token, now)| AccessToken::open_access(token, &keys, now));
            token.map_or(ShownTokens::Unfit, |session| {
                ShownTokens::Token(Zeroizing::new(session.to_cookie(&keys)))
            })
        }
        _ => ShownTokens::Unfit,
    }
}

/// What is a cookie's value as it stands.
fn of(headers: &HeaderMap, name: &str) -> ShownTokens {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let is_token = |line: &&[u8]| {
        line.iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
    };
    match (lines.next(), lines.next()) {
        (None, _) => ShownTokens::NoBody,
        (Some(line), None) if is_token(&line) => {
            ShownTokens::Token(Zeroizing::new(String::from_utf8_lossy(line).into_owned()))
        }
        _ => ShownTokens::Unfit,
    }
}

impl Tokens {
    /// The cookies that an answer sets, as tokens.
    pub(super) fn beside(
        request: &RequestContext<'_>,
        reply: &HttpReply,
    ) -> Result<Option<Tokens>, ActRefused> {
        if !are_on(request.site) {
            return Ok(None);
        }
        let (names, mut found) = (request.site.cookies.names, None);
        for line in reply.headers().get_all(SET_COOKIE) {
            let Some(cookie) = line.to_str().ok().and_then(|line| Cookie::parse(line).ok()) else {
                continue;
            };
            // one that is taken back
            if cookie.value().is_empty() {
                continue;
            }
            let tokens = found.get_or_insert_with(Tokens::default);
            let value = || Some(TypedText::from(cookie.value().to_owned()));
            match cookie.name() {
                name if name == names.session => tokens.begin(request, cookie.value())?,
                name if name == names.login => tokens.login_token = value(),
                name if name == names.enrollment => tokens.enrollment_token = value(),
                name if name == names.step_up => tokens.step_up_token = value(),
                name if name == names.trusted_browser => tokens.browser_token = value(),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The first of a session.
    fn begin(&mut self, request: &RequestContext<'_>, cookie: &str) -> Result<(), ActRefused> {
        let session = shared::token::session::Session::from_cookie(
            cookie,
            &request.site.revocation_cache.token_keys(),
        );
        let session = session.ok_or_else(|| ActRefused::signed_out(request.t))?;
        let failed = |error: &dyn std::error::Error| {
            refusal::refuse_unprocessed(request, &unavailable(error))
        };
        let (keys, now) = (
            request.site.revocation_cache.token_keys(),
            clock::now().map_err(|error| failed(&error))?,
        );
        let first =
            RefreshToken::issue_first(&session, &keys, now).map_err(|error| failed(&error))?;
        self.renew(request, &first)
    }

    /// Those of a session whose newest refresh token is this.
    pub(super) fn after(
        request: &RequestContext<'_>,
        newest: &RefreshToken,
    ) -> Result<Tokens, ActRefused> {
        let mut tokens = Tokens::default();
        tokens.renew(request, newest)?;
        Ok(tokens)
    }

    fn renew(
        &mut self,
        request: &RequestContext<'_>,
        newest: &RefreshToken,
    ) -> Result<(), ActRefused> {
        let failed = |error: &dyn std::error::Error| {
            refusal::refuse_unprocessed(request, &unavailable(error))
        };
        let (keys, now) = (
            request.site.revocation_cache.token_keys(),
            clock::now().map_err(|error| failed(&error))?,
        );
        let session = newest
            .session(&keys)
            .ok_or_else(|| ActRefused::signed_out(request.t))?;
        let end = session
            .issued
            .plus(request.site.gate().session_lifetime.seconds());
        let access =
            AccessToken::issue_access(&session, &keys, end, now).map_err(|error| failed(&error))?;
        let texts = access
            .seal(&keys)
            .and_then(|text| Ok((text, newest.seal(&keys)?)));
        let (access_text, refresh_text) = texts.map_err(|error| failed(&error))?;
        self.access_token = Some(access_text.as_str().to_owned().into());
        self.expires_in = Some(access.seconds_left(now));
        self.refresh_token = Some(refresh_text.as_str().to_owned().into());
        Ok(())
    }
}

/// Says how to be somebody, where tokens are taken (RFC 6750, section 3).
pub(super) fn with_challenge(request: &RequestContext<'_>, mut reply: HttpReply) -> HttpReply {
    if reply.status() == StatusCode::UNAUTHORIZED && are_on(request.site) {
        reply.headers_mut().insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"sign-in\""),
        );
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_stands_for_one_cookie_and_smuggles_no_other() {
        let mut headers = HeaderMap::new();
        assert!(matches!(of(&headers, SETUP), ShownTokens::NoBody));
        headers.append(SETUP, HeaderValue::from_static("abc-_123"));
        assert!(matches!(of(&headers, SETUP), ShownTokens::Token(value) if *value == "abc-_123"));
        headers.append(SETUP, HeaderValue::from_static("abc-_123"));
        assert!(matches!(of(&headers, SETUP), ShownTokens::Unfit), "two");
        for value in [
            "a; __Secure-postern=b",
            "a=b",
            "a b",
            "a,b",
            "a%3b",
            "\"a\"",
        ] {
            headers.insert(SETUP, HeaderValue::from_static(value));
            assert!(matches!(of(&headers, SETUP), ShownTokens::Unfit), "{value}");
        }
    }
}

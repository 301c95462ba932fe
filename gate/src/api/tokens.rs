//! Header tokens, for programs without a cookie store: each of the gate's cookies has a header that
//! replaces it. Where `gate.api_tokens` is on, a reply that sets cookies also has them as tokens,
//! and the tokens of a request are read as its cookies. Everything behind this file reads cookies
//! only. A session's cookie is never a token itself: an access token replaces it for 15 minutes,
//! and a refresh token returns the next.
//!
//! MUST NOT read the cookies of a request that has any token, valid or not.

use super::PATH_PREFIX;
use crate::http::authorization::bearer_token;
use crate::http::cookies::PerCookie;
use crate::http::reply::HttpReply;
use crate::state::site::Site;
use crate::web::enroll::pool_error;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use cookie::Cookie;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use postern_shared::protocol::admin_api;
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock;
use postern_shared::token::{AccessToken, RefreshToken};
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// The header that replaces each cookie.
const HEADERS: PerCookie<&str> = PerCookie {
    session: "authorization",
    trusted_browser: "postern-browser",
    login: "postern-login",
    enrollment: "postern-enrollment",
    step_up: "postern-step-up",
};

/// New tokens, for a program without a cookie store. Only present where gate.api_tokens is on.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Tokens {
    /// For Authorization: Bearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    access_token: Option<TypedText>,
    /// Seconds until the access token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_in: Option<u64>,
    /// For sign-in/refresh, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    refresh_token: Option<TypedText>,
    /// For Postern-Login, until the code is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    login_token: Option<TypedText>,
    /// For Postern-Enrollment, until the enrollment is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    enrollment_token: Option<TypedText>,
    /// For Postern-Step-Up, with the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    step_up_token: Option<TypedText>,
    /// For Postern-Browser, at the next sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    browser_token: Option<TypedText>,
}

/// New tokens of a reply.
#[derive(Serialize, ToSchema)]
pub(super) struct WithTokens {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) tokens: Option<Tokens>,
}

/// Whether tokens are accepted and issued: never on the host of an application, whose scripts could
/// read them.
pub(super) fn are_enabled(site: &Site) -> bool {
    site.gate().api_tokens && site.url.has_own_host()
}

/// Replaces the cookies of a request by those that its tokens stand for, if it has any token and is
/// for an endpoint that accepts them.
pub(crate) fn replace_cookies_by_tokens(site: &Site, page: &str, headers: &mut HeaderMap) {
    if !are_enabled(site) || !page.starts_with(PATH_PREFIX) || page.starts_with(admin_api::PATH) {
        return;
    }
    let tokens = PerCookie {
        session: read_access_token(site, headers),
        trusted_browser: read_header_token(headers, HEADERS.trusted_browser),
        login: read_header_token(headers, HEADERS.login),
        enrollment: read_header_token(headers, HEADERS.enrollment),
        step_up: read_header_token(headers, HEADERS.step_up),
    };
    let tokens = tokens.into_array();
    if tokens
        .iter()
        .all(|token| matches!(token, HeaderToken::Absent))
    {
        return;
    }
    let mut line = Zeroizing::new(String::new());
    for (name, token) in site.cookies.names.into_array().into_iter().zip(&tokens) {
        if let HeaderToken::Token(value) = token {
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

enum HeaderToken {
    Absent,
    /// Value of the cookie that the token replaces.
    Token(Zeroizing<String>),
    /// A header that replaces no cookie.
    Invalid,
}

/// Reads the access token.
fn read_access_token(site: &Site, headers: &HeaderMap) -> HeaderToken {
    let lines: Vec<&[u8]> = headers
        .get_all(HEADERS.session)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let (bearer, other): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .map(bearer_token)
        .partition(Option::is_some);
    match (&bearer[..], other.is_empty()) {
        ([], _) => HeaderToken::Absent,
        ([Some(token)], true) => {
            let (keys, now) = (site.revocation_cache.token_keys(), clock::now().ok());
            let token = std::str::from_utf8(token).ok().zip(now);
            let token = token.and_then(|(token, now)| AccessToken::open_access(token, &keys, now));
            token.map_or(HeaderToken::Invalid, |session| {
                HeaderToken::Token(Zeroizing::new(session.to_cookie(&keys)))
            })
        }
        _ => HeaderToken::Invalid,
    }
}

/// Reads a token that is the value of its cookie.
fn read_header_token(headers: &HeaderMap, name: &str) -> HeaderToken {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let is_token = |line: &&[u8]| {
        line.iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
    };
    match (lines.next(), lines.next()) {
        (None, _) => HeaderToken::Absent,
        (Some(line), None) if is_token(&line) => {
            HeaderToken::Token(Zeroizing::new(String::from_utf8_lossy(line).into_owned()))
        }
        _ => HeaderToken::Invalid,
    }
}

impl Tokens {
    /// Returns the cookies that a reply sets, as tokens.
    pub(super) fn from_reply(
        request: &RequestContext<'_>,
        reply: &HttpReply,
    ) -> Result<Option<Tokens>, ActRefused> {
        if !are_enabled(request.site) {
            return Ok(None);
        }
        let (names, mut found) = (request.site.cookies.names, None);
        for line in reply.headers().get_all(SET_COOKIE) {
            let Some(cookie) = line.to_str().ok().and_then(|line| Cookie::parse(line).ok()) else {
                continue;
            };
            // a cookie that is removed
            if cookie.value().is_empty() {
                continue;
            }
            let tokens = found.get_or_insert_with(Tokens::default);
            let value = || Some(TypedText::from(cookie.value().to_owned()));
            match cookie.name() {
                name if name == names.session => tokens.add_first(request, cookie.value())?,
                name if name == names.login => tokens.login_token = value(),
                name if name == names.enrollment => tokens.enrollment_token = value(),
                name if name == names.step_up => tokens.step_up_token = value(),
                name if name == names.trusted_browser => tokens.browser_token = value(),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Adds the first tokens of a session.
    fn add_first(&mut self, request: &RequestContext<'_>, cookie: &str) -> Result<(), ActRefused> {
        let session = postern_shared::token::session::Session::from_cookie(
            cookie,
            &request.site.revocation_cache.token_keys(),
        );
        let session = session.ok_or_else(|| ActRefused::signed_out(request.language))?;
        let failed = |error: &dyn std::error::Error| {
            refusal::refuse_unprocessed(request, &pool_error(error))
        };
        let (keys, now) = (
            request.site.revocation_cache.token_keys(),
            clock::now().map_err(|error| failed(&error))?,
        );
        let first =
            RefreshToken::issue_first(&session, &keys, now).map_err(|error| failed(&error))?;
        self.add_renewed(request, &first)
    }

    /// Returns the tokens of a session with its newest refresh token.
    pub(super) fn refreshed(
        request: &RequestContext<'_>,
        newest: &RefreshToken,
    ) -> Result<Tokens, ActRefused> {
        let mut tokens = Tokens::default();
        tokens.add_renewed(request, newest)?;
        Ok(tokens)
    }

    fn add_renewed(
        &mut self,
        request: &RequestContext<'_>,
        newest: &RefreshToken,
    ) -> Result<(), ActRefused> {
        let failed = |error: &dyn std::error::Error| {
            refusal::refuse_unprocessed(request, &pool_error(error))
        };
        let (keys, now) = (
            request.site.revocation_cache.token_keys(),
            clock::now().map_err(|error| failed(&error))?,
        );
        let session = newest
            .session(&keys)
            .ok_or_else(|| ActRefused::signed_out(request.language))?;
        let end = session
            .issued
            .plus(request.site.gate().session_lifetime.seconds());
        let access =
            AccessToken::issue_access(&session, &keys, end, now).map_err(|error| failed(&error))?;
        let sealed = access
            .seal(&keys)
            .and_then(|text| Ok((text, newest.seal(&keys)?)));
        let (access_text, refresh_text) = sealed.map_err(|error| failed(&error))?;
        self.access_token = Some(access_text.as_str().to_owned().into());
        self.expires_in = Some(access.seconds_left(now));
        self.refresh_token = Some(refresh_text.as_str().to_owned().into());
        Ok(())
    }
}

/// Adds the challenge of RFC 6750, section 3, where tokens are accepted.
pub(super) fn with_challenge(request: &RequestContext<'_>, mut reply: HttpReply) -> HttpReply {
    if reply.status() == StatusCode::UNAUTHORIZED && are_enabled(request.site) {
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
    fn a_header_replaces_one_cookie_and_cannot_add_another() {
        let mut headers = HeaderMap::new();
        assert!(matches!(
            read_header_token(&headers, HEADERS.enrollment),
            HeaderToken::Absent
        ));
        headers.append(HEADERS.enrollment, HeaderValue::from_static("abc-_123"));
        assert!(
            matches!(read_header_token(&headers, HEADERS.enrollment), HeaderToken::Token(value) if *value == "abc-_123")
        );
        headers.append(HEADERS.enrollment, HeaderValue::from_static("abc-_123"));
        assert!(
            matches!(
                read_header_token(&headers, HEADERS.enrollment),
                HeaderToken::Invalid
            ),
            "two"
        );
        for value in [
            "a; __Secure-postern=b",
            "a=b",
            "a b",
            "a,b",
            "a%3b",
            "\"a\"",
        ] {
            headers.insert(HEADERS.enrollment, HeaderValue::from_static(value));
            assert!(
                matches!(
                    read_header_token(&headers, HEADERS.enrollment),
                    HeaderToken::Invalid
                ),
                "{value}"
            );
        }
    }
}

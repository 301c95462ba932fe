//! Header tokens, for programs without a cookie store: each of the gate's cookies has a header that
//! replaces it. Where `gate.api_tokens` is on, a reply that issues tokens has them in its answer
//! besides the cookies, and the tokens of a request are read as its cookies. Everything behind this
//! file reads cookies only. A session's cookie is never a token itself: an access token replaces it for 15 minutes,
//! and a refresh token returns the next.
//!
//! MUST NOT read the cookies of a request that has any token, valid or not.

use crate::http::authorization::bearer_token;
use crate::http::cookies::{PerCookie, TokenChange, TokenChanges};
use crate::http::reply::{HttpReply, with_headers};
use crate::live::store_pool::PoolError;
use crate::state::site::Site;
use crate::web::refusal::{ActRefused, ActResult};
use crate::web::request::RequestContext;
use hyper::header::{COOKIE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::token::session::Session;
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

/// Replaces the cookies of a request by those that its tokens stand for, if it has any token.
pub(super) fn replace_cookies(site: &Site, headers: &mut HeaderMap) {
    if !are_enabled(site) {
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
    /// Returns the tokens that a reply issues, if there are any.
    pub(super) fn of(
        request: &RequestContext<'_>,
        changes: &TokenChanges,
    ) -> ActResult<Option<Tokens>> {
        if !are_enabled(request.site) {
            return Ok(None);
        }
        let issued = |change: &Option<TokenChange>| match change {
            Some(TokenChange::Issued(value, _)) => Some(TypedText::from(value.clone())),
            Some(TokenChange::Cleared) | None => None,
        };
        let others = Tokens {
            login_token: issued(&changes.login),
            enrollment_token: issued(&changes.enrollment),
            step_up_token: issued(&changes.step_up),
            browser_token: issued(&changes.trusted_browser),
            ..Tokens::default()
        };
        if let Some(cookie) = issued(&changes.session) {
            let first = issue_first_token(request, &cookie)?;
            return Ok(Some(Tokens::refreshed(request, &first, others)?));
        }
        let all = [
            &others.login_token,
            &others.enrollment_token,
            &others.step_up_token,
        ];
        let has_any = all.iter().any(|token| token.is_some()) || others.browser_token.is_some();
        Ok(has_any.then_some(others))
    }

    /// Adds the tokens of a session with its newest refresh token.
    pub(super) fn refreshed(
        request: &RequestContext<'_>,
        newest: &RefreshToken,
        others: Tokens,
    ) -> ActResult<Tokens> {
        let (keys, now) = (
            request.site.revocation_cache.token_keys(),
            read_clock(request)?,
        );
        let session = newest
            .session(&keys)
            .ok_or_else(|| ActRefused::signed_out(request.language))?;
        let end = session
            .issued
            .plus(request.site.gate().session_lifetime.seconds());
        let access = AccessToken::issue_access(&session, &keys, end, now);
        let access = access.map_err(|error| not_issued(request, &error))?;
        let seal = |error| not_issued(request, &error);
        Ok(Tokens {
            access_token: Some(access.seal(&keys).map_err(seal)?.into()),
            expires_in: Some(access.seconds_left(now)),
            refresh_token: Some(newest.seal(&keys).map_err(seal)?.into()),
            ..others
        })
    }
}

/// Issues the first refresh token of a session, by its cookie.
fn issue_first_token(request: &RequestContext<'_>, cookie: &str) -> ActResult<RefreshToken> {
    let keys = request.site.revocation_cache.token_keys();
    let session = Session::from_cookie(cookie, &keys);
    let session = session.ok_or_else(|| ActRefused::signed_out(request.language))?;
    let first = RefreshToken::issue_first(&session, &keys, read_clock(request)?);
    first.map_err(|error| not_issued(request, &error))
}

fn read_clock(request: &RequestContext<'_>) -> ActResult<Timestamp> {
    clock::now().map_err(|error| not_issued(request, &error))
}

fn not_issued(request: &RequestContext<'_>, error: &dyn std::error::Error) -> ActRefused {
    request.refuse_unprocessed(&PoolError::unavailable(error))
}

/// Adds the challenge of RFC 6750, section 3, where tokens are accepted.
pub(super) fn with_challenge(request: &RequestContext<'_>, reply: HttpReply) -> HttpReply {
    match reply.status() == StatusCode::UNAUTHORIZED && are_enabled(request.site) {
        true => with_headers(reply, [(WWW_AUTHENTICATE, "Bearer realm=\"sign-in\"")]),
        false => reply,
    }
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

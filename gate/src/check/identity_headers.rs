//! Headers in which an application receives the user of a request.
//!
//! MUST hold every identity header, empty if it has no value: a proxy that copies them then
//! overwrites what a client sent under these names.

use crate::http::reply;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use postern_shared::account::email::EmailAddress;
use postern_shared::account::name::{Group, UserName};
use postern_shared::config::Config;

static REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
static REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");
static REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
static COOKIE: HeaderName = header::COOKIE;
static AUTHORIZATION: HeaderName = header::AUTHORIZATION;
static REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
/// Number of headers of a reply that grants access.
const REPLY_HEADERS: usize = 8;

/// Headers of a reply that grants access.
#[derive(Clone, Debug)]
pub(crate) struct IdentityHeaders(HeaderMap);

impl IdentityHeaders {
    /// Headers of a request without a user.
    pub(crate) fn anonymous() -> IdentityHeaders {
        let empty = || HeaderValue::from_static("");
        IdentityHeaders::with_values(empty(), empty(), empty())
    }

    /// Headers of a user. Groups and e-mail address are those of the session or of the account in
    /// the store; what postern.toml declares is added to the groups and replaces the address.
    /// Returns `None` if a value cannot be a header.
    pub(crate) fn of_user(
        config: &Config,
        name: &UserName,
        groups: &[Group],
        email: Option<&EmailAddress>,
    ) -> Option<IdentityHeaders> {
        let email = match config.find_declared_account(name) {
            Some(declared) => declared.email.as_ref(),
            None => email,
        };
        let groups = join_groups(config.memberships(name, groups));
        Some(IdentityHeaders::with_values(
            header_value(name.as_str().to_owned())?,
            header_value(groups)?,
            header_value(email.map_or_else(String::new, |email| email.as_str().to_owned()))?,
        ))
    }

    fn with_values(user: HeaderValue, groups: HeaderValue, email: HeaderValue) -> IdentityHeaders {
        let mut reply = reply::bare_with_space(StatusCode::OK, REPLY_HEADERS);
        let headers = reply.headers_mut();
        for name in [&REMOTE_NAME, &COOKIE, &AUTHORIZATION] {
            headers.insert(name, HeaderValue::from_static(""));
        }
        headers.insert(&REMOTE_USER, user);
        headers.insert(&REMOTE_GROUPS, groups);
        headers.insert(&REMOTE_EMAIL, email);
        IdentityHeaders(reply.into_parts().0.headers)
    }

    pub(crate) fn user(&self) -> &str {
        let user = self.0.get(&REMOTE_USER);
        user.and_then(|user| std::str::from_utf8(user.as_bytes()).ok())
            .unwrap_or_default()
    }

    /// Returns the headers with what the client sent. They replace empty values, so that the map does
    /// not grow.
    pub(crate) fn with_client_headers(
        mut self,
        cookie: HeaderValue,
        authorization: HeaderValue,
    ) -> HeaderMap {
        for (name, value) in [(&COOKIE, cookie), (&AUTHORIZATION, authorization)] {
            if !value.is_empty() {
                self.0.insert(name, value);
            }
        }
        self.0
    }
}

fn header_value(text: String) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
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

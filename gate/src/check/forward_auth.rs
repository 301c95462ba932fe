//! Evaluates a forward-auth check: the session cookie, the rules and app passwords give a
//! [`CheckResult`].
//!
//! MUST NOT read the disk or take a lock that workers share: a check precedes every request to
//! every application.

use super::client::{WantedReply, is_navigation, wanted_reply};
use super::identity_headers::IdentityHeaders;
use super::request_cookies::RequestCookies;
use super::rules::{self, SessionSufficiency};
use crate::http::authorization::Authorization;
use crate::http::cookies::ConflictingCookies;
use crate::http::header_fields::{RepeatedField, single_value};
use crate::live::app_password_cache::CacheRefusal;
use crate::observe::log;
use crate::observe::metrics::CheckLabel;
use crate::proxy::identity::Identity;
use crate::proxy::original_request::OriginalRequest;
use crate::state::site::Site;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use postern_shared::account::name::UserName;
use postern_shared::config::gate::GateConfig;
use postern_shared::config::gate::rule::RuleAccess;
use postern_shared::credential::scope::WebRequest;
use postern_shared::engine::SERVICE;
use postern_shared::policy::rule::{RuleDecision, RuleRequest};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::network::address::Address;
use postern_shared::token::session::{FirstFactorMethod, Session};
use postern_shared::verify::app_password::FoundAppPassword;
use std::borrow::Borrow;
use std::sync::Arc;

/// Longest Cookie line that is read, in bytes.
const MAX_COOKIE_LINE: usize = 48 * 1024;
/// Value of a header that is not set.
static EMPTY: HeaderValue = HeaderValue::from_static("");

/// Result of a check, before it is rendered for a proxy.
pub(crate) enum CheckResult {
    Allow(Allowed),
    SignIn(WantedReply),
    /// A valid session whose level does not suffice, or whose code is too old.
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
    Forbid(WantedReply),
}

impl CheckResult {
    pub(crate) fn label(&self) -> CheckLabel {
        match self {
            CheckResult::Allow(_) => CheckLabel::Allow,
            CheckResult::SignIn(_) | CheckResult::NotCovered(_) => CheckLabel::SignIn,
            CheckResult::Upgrade(_) => CheckLabel::Upgrade,
            CheckResult::Refuse | CheckResult::ConflictingCookies(_) => CheckLabel::Refuse,
            CheckResult::AppPassword => CheckLabel::AppPasswordWrong,
            CheckResult::Forbid(_) => CheckLabel::Forbid,
        }
    }
}

/// Headers that the application receives.
pub(crate) struct Allowed {
    pub(crate) identity: IdentityHeaders,
    /// What the client sent, without what is the gate's.
    pub(crate) cookie: HeaderValue,
    pub(crate) authorization: HeaderValue,
}

/// Evaluates a check.
///
/// An identity that the proxy provides grants nothing: it only ends another user's session.
pub(crate) fn check(
    site: &Site,
    original: &OriginalRequest<'_>,
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
        Err(conflict) => return refuse_conflicting_cookies(&conflict, original, headers),
    };
    let host = original.host();
    let keys = site.revocation_cache.token_keys();
    let cookies = RequestCookies::read(line, site.cookies.names.session, &site.config, &keys);
    let session = match cookies.select_session(|session| {
        is_valid_session(site, session, now)
            && site.accepts_session_at(session, &host)
            && !identity.contradicts(&session.name)
    }) {
        Ok(session) => session,
        Err(conflict) => return refuse_conflicting_cookies(&conflict, original, headers),
    };
    let cookie = || cookies.foreign_cookies(line);
    let credential = Authorization::parse(authorization.as_bytes());
    let request = RuleRequest {
        host: &host,
        target: original.target,
        method: original.method,
        address: Some(original.address),
    };
    let mut needs_sign_in = session.is_none();
    if let Some(verified) = session {
        let session = verified.borrow();
        match rules::decide_session(site, &request, session, now) {
            (_, SessionSufficiency::Sufficient) => {
                // An application never sees an app password, whether it was needed or not.
                let authorization = if credential.is_app_password() {
                    &EMPTY
                } else {
                    authorization
                };
                let identity = verified.identity().cloned();
                return allow_user(identity, cookie(), authorization.clone());
            }
            (decision, SessionSufficiency::Denied) => {
                return deny_by_rule(&decision, Some(&session.name), original, headers);
            }
            (_, SessionSufficiency::UpgradeRequired) => {}
            (_, SessionSufficiency::SignInRequired) => needs_sign_in = true,
        }
    } else {
        let decision = rules::decide_anonymous(site, &request);
        match decision.access {
            RuleAccess::Deny => return deny_by_rule(&decision, None, original, headers),
            // A client that shows an app password wants to be identified.
            RuleAccess::Open if !credential.is_app_password() => {
                return CheckResult::Allow(Allowed {
                    identity: IdentityHeaders::anonymous(),
                    cookie: cookie(),
                    authorization: authorization.clone(),
                });
            }
            RuleAccess::Open | RuleAccess::Password | RuleAccess::Code | RuleAccess::Passkey => {}
        }
    }
    match verify_app_password(site, original, &host, &credential, now) {
        Ok(found) => {
            let decision = rules::decide_app_password(site, &request, &found);
            // an app password is no passkey
            if matches!(decision.access, RuleAccess::Deny | RuleAccess::Passkey) {
                return deny_by_rule(&decision, Some(&found.account), original, headers);
            }
            let (groups, email) = (&found.groups, found.email.as_ref());
            let identity = IdentityHeaders::of_user(&site.config, &found.account, groups, email);
            allow_user(identity, cookie(), EMPTY.clone())
        }
        // A program sent it, and has no use for a page.
        Err(NoAccess::Scope) => CheckResult::Forbid(WantedReply::Data),
        Err(NoAccess::InvalidCredential) if !is_navigation(headers) => CheckResult::AppPassword,
        // A browser may send Basic credentials of the application, and can still sign in.
        Err(NoAccess::InvalidCredential | NoAccess::NoCredential) => match session {
            Some(_) if !needs_sign_in => {
                CheckResult::Upgrade(wanted_reply(original.method, headers))
            }
            _ if !site.covers(&host) => {
                site.uncovered_hosts.log_once(site, &host);
                CheckResult::NotCovered(wanted_reply(original.method, headers))
            }
            _ => CheckResult::SignIn(wanted_reply(original.method, headers)),
        },
    }
}

fn refuse_conflicting_cookies(
    conflict: &ConflictingCookies,
    original: &OriginalRequest<'_>,
    headers: &HeaderMap,
) -> CheckResult {
    conflict.log(original.address);
    CheckResult::ConflictingCookies(wanted_reply(original.method, headers))
}

fn deny_by_rule(
    decision: &RuleDecision,
    name: Option<&UserName>,
    original: &OriginalRequest<'_>,
    headers: &HeaderMap,
) -> CheckResult {
    log_refusal(&decision.name().to_string(), name, original.address);
    CheckResult::Forbid(wanted_reply(original.method, headers))
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
    original: &OriginalRequest<'_>,
    host: &str,
    credential: &Authorization,
    now: Timestamp,
) -> Result<Arc<FoundAppPassword>, NoAccess> {
    let claim = match credential {
        Authorization::Other => return Err(NoAccess::NoCredential),
        Authorization::OtherBasic => return Err(NoAccess::InvalidCredential),
        Authorization::Mistyped => {
            log_refusal("app-password-mistyped", None, original.address);
            return Err(NoAccess::InvalidCredential);
        }
        Authorization::AppPassword(claim) => claim,
    };
    if !site.revocation_cache.has_lease() {
        return Err(NoAccess::NoCredential);
    }
    let verified = match site.is_own_page(host, original.target) {
        true => Err(CacheRefusal::Scope),
        false => {
            let request = WebRequest {
                host,
                target: original.target,
                method: original.method,
            };
            let (keys, scopes) = (site.revocation_cache.token_keys(), &site.gate().scope);
            site.revocation_cache.app_passwords().verify_app_password(
                claim,
                &keys,
                &request,
                scopes,
                original.address,
                now,
            )
        }
    };
    verified.map_err(|why| {
        log_refusal(why.name(), claim.name.as_ref(), original.address);
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

/// Grants access to a user, unless a value of the account cannot be a header.
fn allow_user(
    identity: Option<IdentityHeaders>,
    cookie: HeaderValue,
    authorization: HeaderValue,
) -> CheckResult {
    match identity {
        Some(identity) => CheckResult::Allow(Allowed {
            identity,
            cookie,
            authorization,
        }),
        None => CheckResult::Refuse,
    }
}

/// Whether a session is neither expired, revoked nor idle for too long, and was opened in a way that
/// the configuration permits. The request counts as a use of it.
pub(crate) fn is_valid_session(site: &Site, session: &Session, now: Timestamp) -> bool {
    session.is_valid_at(site.gate().session_lifetime.seconds(), now)
        && !site.revocation_cache.refuses_session(session)
        && permits_first_factor(site.gate(), session.passed.first)
        && match (&site.session_uses, site.gate().idle_timeout) {
            (None, None) => true,
            (Some(uses), Some(timeout)) => uses.record_use(session, timeout.seconds(), now),
            (None, Some(_)) | (Some(_), None) => false,
        }
}

/// Whether the configuration permits a session of this first factor. One by a passkey alone ends when
/// `gate.passkeys.sign_in` is turned off, also for another `gate.first_factor`.
fn permits_first_factor(gate: &GateConfig, first: FirstFactorMethod) -> bool {
    first != FirstFactorMethod::Passkey || gate.passkeys.sign_in
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
fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<&'a HeaderValue, RepeatedField> {
    Ok(single_value(headers, name)?.unwrap_or(&EMPTY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

    #[test]
    fn sessions_by_a_passkey_alone_are_valid_while_it_may_sign_in() {
        for sign_in in [true, false] {
            let mut gate = GateConfig::default();
            gate.passkeys.sign_in = sign_in;
            let permits = |first| permits_first_factor(&gate, first);
            assert_eq!(permits(FirstFactorMethod::Passkey), sign_in);
            assert!(permits(FirstFactorMethod::Password));
            assert!(permits(FirstFactorMethod::HostPassword));
            assert!(permits(FirstFactorMethod::Identity));
        }
    }

    #[test]
    fn a_cookie_line_is_opaque_and_a_repeated_header_is_refused() {
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
        assert_eq!(single_header(&doubled, &AUTHORIZATION), Err(RepeatedField));
    }
}

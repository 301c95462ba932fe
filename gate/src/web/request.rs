//! The context of one request for a page or an API endpoint: who asks, from where, with which cookies and in which
//! language.
//!
//! MUST NOT accept a session or a token that a check would refuse: the browser would be redirected in a loop.

use super::language::Language;
use super::pages::PageFrame;
use super::refusal::ActRefused;
use crate::check::forward_auth;
use crate::check::proxy_reply;
use crate::check::rules::{self, ReturnPage};
use crate::http::cookies::{ConflictingCookies, MAX_SESSION_COOKIES, SessionCookies, scan_cookies};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolHandle, ShareKey};
use crate::observe::log;
use crate::observe::metrics::METRICS;
use crate::proxy::identity::Identity;
use crate::state::site::Site;
use hyper::HeaderMap;
use hyper::header::USER_AGENT;
use shared::account::name::{OtherSpelling, UserName};
use shared::config::gate::FirstFactorSource;
use shared::engine::EnrollmentToken;
use shared::engine::{BrowserContext, SERVICE};
use shared::network::address::Address;
use shared::system::clock::{self, Timestamp};
use shared::token::LoginToken;
use shared::token::session::{Session, SessionId};
use shared::verify::origin::Origin;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Someone at one of the pages.
pub(crate) struct RequestContext<'a> {
    pub(crate) site: &'a Arc<Site>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: Address,
    /// Who the proxy says is there.
    pub(crate) identity: Identity,
    /// The texts of what they read.
    pub(crate) t: &'static Language,
}

/// The word in logs for a name that is another spelling of an account's.
const OTHER_SPELLING: &str = "similar-name";

impl RequestContext<'_> {
    /// The setup that has begun.
    pub(crate) fn enrollment_token(&self) -> Option<EnrollmentToken> {
        let (keys, now) = (self.site.revocation_cache.token_keys(), clock::now().ok()?);
        let read = |value: &str| EnrollmentToken::read(value, &keys, now);
        let ticket = self
            .find_token(self.site.cookies.names.enrollment, read)
            .ok()??;
        self.accepts_token_of(ticket.account()).then_some(ticket)
    }

    /// The session, for pages of somebody's account.
    pub(crate) fn require_session(&self) -> Result<Session, ActRefused> {
        self.session().ok_or_else(|| ActRefused::signed_out(self.t))
    }

    /// The workers, for this request: of a valid session or token that it carries, else of its address.
    pub(crate) fn store_pool(&self) -> PoolHandle {
        let applicant = if let Some(session) = self.any_session() {
            PoolClient::of_session(&session)
        } else if let Some(ticket) = self.login_token() {
            PoolClient::proven(ShareKey::Account(ticket.account().clone()))
        } else if let Some(ticket) = self.enrollment_token() {
            PoolClient::proven(ShareKey::Account(ticket.account().clone()))
        } else {
            PoolClient::unauthenticated(self.address)
        };
        self.site.store_pool.for_client(applicant)
    }

    /// The session, if it is enough for the gate's own pages.
    pub(crate) fn session(&self) -> Option<Session> {
        self.any_session()
            .filter(|session| rules::is_full_session(self.site, session, Some(self.address)))
    }

    /// Takes back what only a sign-in gives; the browser stays trusted.
    pub(crate) fn without_sign_in_cookies(&self, page: HttpReply) -> HttpReply {
        let cookies = &self.site.cookies;
        let page = reply::with_cookie(page, &cookies.session_cookie("", 0));
        let page = reply::with_cookie(page, &cookies.own_cookie(cookies.names.login, "", 0));
        let page = reply::with_cookie(page, &cookies.strict_cookie(cookies.names.step_up, "", 0));
        reply::with_cookie(
            page,
            &cookies.strict_cookie(cookies.names.enrollment, "", 0),
        )
    }

    /// The session, also one that the first factor alone opened.
    pub(crate) fn any_session(&self) -> Option<Session> {
        self.find_session().ok().flatten()
    }

    /// The same, if it is clear which one counts.
    fn find_session(&self) -> Result<Option<Session>, ConflictingCookies> {
        let line = forward_auth::cookie_line(self.headers)?;
        let shown = SessionCookies::parse(
            line.as_bytes(),
            self.site.cookies.names.session,
            &self.site.revocation_cache.token_keys(),
            MAX_SESSION_COOKIES,
        );
        shown
            .select_session(|session| self.accepts_session(session))
            .map(|session| session.cloned())
    }

    /// What is unclear about the cookies of whoever is here.
    pub(crate) fn cookie_conflict(&self) -> Option<ConflictingCookies> {
        self.find_session().err().or_else(|| {
            self.find_token(self.site.cookies.names.login, |value| {
                self.read_login_token(value)
            })
            .err()
        })
    }

    /// Whether a session is good here and now. One that checks refuse is none here either, or the browser would be sent to
    /// and fro.
    pub(crate) fn accepts_session(&self, session: &Session) -> bool {
        let is_live =
            clock::now().is_ok_and(|now| forward_auth::is_valid_session(self.site, session, now));
        let is_ours = self.site.accepts_session_at(session, self.site.url.host());
        is_live && is_ours && !self.identity.contradicts(&session.name)
    }

    /// Whether a ticket of this person's is good here: where a proxy says who is there, theirs alone.
    pub(crate) fn accepts_token_of(&self, name: &UserName) -> bool {
        match self.site.gate().first_factor {
            FirstFactorSource::Header => self.identity.matches(name),
            FirstFactorSource::Password | FirstFactorSource::Pam => true,
        }
    }

    /// The sign-in that waits for its code.
    pub(crate) fn login_token(&self) -> Option<LoginToken> {
        self.find_token(self.site.cookies.names.login, |value| {
            self.read_login_token(value)
        })
        .ok()
        .flatten()
    }

    fn read_login_token(&self, value: &str) -> Option<LoginToken> {
        let token = LoginToken::open_login(
            value,
            &self.site.revocation_cache.token_keys(),
            clock::now().ok()?,
        )?;
        self.accepts_token_of(token.account()).then_some(token)
    }

    /// What one of our cookies holds: of several under its name the valid one counts, and two that disagree are none.
    pub(crate) fn find_token<T: PartialEq>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConflictingCookies> {
        let line = forward_auth::cookie_line(self.headers)?;
        let values = scan_cookies(line.as_bytes(), name).values;
        if values.len() > MAX_SESSION_COOKIES {
            return Err(ConflictingCookies::TooMany);
        }
        let mut valid = values.into_iter().filter_map(read);
        let first = valid.next();
        match valid.any(|other| Some(&other) != first.as_ref()) {
            true => Err(ConflictingCookies::Tokens),
            false => Ok(first),
        }
    }

    /// The value of a trusted browser's cookie. Only the store knows which of several is good, and a wrong one could end
    /// the trust: several are none.
    fn trusted_browser_cookie(&self) -> Option<Zeroizing<String>> {
        let read = |value: &str| Some(Zeroizing::new(value.to_owned()));
        self.find_token(self.site.cookies.names.trusted_browser, read)
            .ok()
            .flatten()
    }

    pub(crate) fn frame(&self) -> PageFrame<'_> {
        PageFrame {
            base: &self.site.url.path,
            t: self.t,
            look: &self.site.branding,
        }
    }

    pub(crate) fn path_to(&self, page: &str) -> String {
        format!("{}{page}", self.site.url.path)
    }

    pub(crate) fn sign_in_path(&self, back_to: &str) -> String {
        proxy_reply::sign_in_url(&self.path_to("sign-in"), Some(back_to))
    }

    /// The same format as the PAM module's.
    pub(crate) fn log_sign_in(&self, name: &UserName, result: &str, cause: &str) {
        METRICS.count_sign_in(result, cause);
        let line = log::event(result)
            .with("cause", cause)
            .with("address", self.address);
        line.with("service", SERVICE).quoted("user", name).write();
    }

    /// Notes that a name is another spelling of an account's.
    pub(crate) fn log_other_spelling(&self, other: &OtherSpelling) {
        METRICS.count_sign_in("refused", OTHER_SPELLING);
        let line = log::event("refused")
            .with("cause", OTHER_SPELLING)
            .with("address", self.address);
        line.with("service", SERVICE)
            .quoted("user", &other.name)
            .write_with_message(other);
    }

    /// Whether administration is reached at this address of the gate, and from there: not at a place that it shares with an
    /// application.
    fn reaches_administration(&self) -> bool {
        self.site.url.has_own_host() && self.site.gate().administration.allows_address(self.address)
    }

    /// The secret, where programs may show it.
    pub(crate) fn administration_secret(&self) -> Option<&Zeroizing<String>> {
        self.site
            .admin_secret
            .secret
            .as_ref()
            .filter(|_| self.reaches_administration())
    }

    /// Whether there are pages for administrators where this request comes from.
    pub(crate) fn has_administration_pages(&self) -> bool {
        self.site.gate().administration.pages && self.reaches_administration()
    }
}

/// What a judging thread needs of a guest.
pub(crate) struct OwnedBrowserContext {
    pub(crate) origin: Origin,
    name: String,
    cookie: Option<Zeroizing<String>>,
    scope: String,
    page: Option<ReturnPage>,
    session: Option<SessionId>,
}

impl OwnedBrowserContext {
    pub(crate) fn new(request: &RequestContext<'_>) -> OwnedBrowserContext {
        let agent = request
            .headers
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("-");
        OwnedBrowserContext {
            origin: Origin::Remote(request.address),
            name: agent.chars().take(160).collect(),
            cookie: request.trusted_browser_cookie(),
            scope: request.site.session_scope().to_owned(),
            page: None,
            session: request.any_session().map(|session| session.id),
        }
    }

    /// The same, on the way to a page behind the gate.
    pub(crate) fn to_page(self, site: &Site, back_to: &str) -> OwnedBrowserContext {
        OwnedBrowserContext {
            page: ReturnPage::parse(site, back_to),
            ..self
        }
    }

    pub(crate) fn browser(&self) -> BrowserContext<'_> {
        BrowserContext {
            origin: &self.origin,
            name: &self.name,
            cookie: self.cookie.as_ref().map(|value| value.as_str()),
            scope: &self.scope,
            page: self.page.as_ref().map(ReturnPage::page),
            session: self.session,
        }
    }

    pub(crate) fn now(&self) -> Result<Timestamp, shared::engine::LoginError> {
        clock::now().map_err(shared::engine::LoginError::Clock)
    }
}

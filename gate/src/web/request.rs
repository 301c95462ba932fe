//! The context of one request for a page or an API endpoint: client address, headers, identity
//! from the proxy and language; and the session and tokens that its cookies hold.
//!
//! MUST NOT accept a session or a token that a check would refuse: the browser would be redirected
//! in a loop.

use super::language::Language;
use super::pages::PageFrame;
use super::refusal::{ActRefused, ActResult};
use crate::check::rules::{self, ReturnPage};
use crate::check::{forward_auth, proxy_reply};
use crate::http::cookies::{
    ConflictingCookies, MAX_SESSION_COOKIES, SessionCookies, TokenChanges, scan_cookies,
};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolError, PoolHandle, ShareKey, WorkKind};
use crate::observe::log;
use crate::observe::metrics::METRICS;
use crate::proxy::identity::Identity;
use crate::state::site::Site;
use hyper::HeaderMap;
use hyper::header::USER_AGENT;
use postern_shared::account::name::{OtherSpelling, UserName};
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::engine::{
    AdministrationError, BrowserContext, Engine, EnrollmentToken, LoginError, SERVICE,
};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::network::address::Address;
use postern_shared::token::LoginToken;
use postern_shared::token::session::Session;
use postern_shared::verify::origin::Origin;
use std::fmt::Display;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One request, with all that decides about it apart from its body.
pub(crate) struct RequestContext<'a> {
    pub(crate) site: &'a Arc<Site>,
    pub(crate) headers: &'a HeaderMap,
    /// Query of the URL.
    pub(crate) query: &'a str,
    pub(crate) address: Address,
    /// Identity that a trusted proxy sends.
    pub(crate) identity: Identity,
    pub(crate) language: &'static Language,
}

/// Cause in the log of a name that is another spelling of an account's name.
const OTHER_SPELLING: &str = "similar-name";

impl RequestContext<'_> {
    /// Returns the session at either level.
    pub(crate) fn any_session(&self) -> Option<Session> {
        self.find_session().ok().flatten()
    }

    /// Returns the session if its level suffices for the gate's own pages.
    pub(crate) fn session(&self) -> Option<Session> {
        self.any_session()
            .filter(|session| rules::is_full_session(self.site, session, Some(self.address)))
    }

    /// Returns the session, or a refusal without one.
    pub(crate) fn require_session(&self) -> ActResult<Session> {
        self.session()
            .ok_or_else(|| ActRefused::signed_out(self.language))
    }

    /// Returns the session, or an error if several cookies conflict.
    fn find_session(&self) -> Result<Option<Session>, ConflictingCookies> {
        let line = forward_auth::cookie_line(self.headers)?;
        let keys = self.site.revocation_cache.token_keys();
        let session_cookies = SessionCookies::parse(
            line.as_bytes(),
            self.site.cookies.names.session,
            MAX_SESSION_COOKIES,
            |value| Session::from_cookie(value, &keys),
        );
        session_cookies
            .select_session(|session| self.accepts_session(session))
            .map(|session| session.cloned())
    }

    /// Whether a session is valid for this request. The rules are those of a check, which avoids a
    /// redirect loop.
    pub(crate) fn accepts_session(&self, session: &Session) -> bool {
        let is_valid =
            clock::now().is_ok_and(|now| forward_auth::is_valid_session(self.site, session, now));
        let is_for_this_host = self.site.accepts_session_at(session, self.site.url.host());
        is_valid && is_for_this_host && !self.identity.contradicts(&session.name)
    }

    /// Returns the token of a sign-in whose first factor has passed.
    pub(crate) fn login_token(&self) -> Option<LoginToken> {
        self.find_login_token().ok().flatten()
    }

    fn find_login_token(&self) -> Result<Option<LoginToken>, ConflictingCookies> {
        self.find_token(self.site.cookies.names.login, |value| {
            let keys = self.site.revocation_cache.token_keys();
            let token = LoginToken::open_login(value, &keys, clock::now().ok()?)?;
            self.accepts_token_of(token.account()).then_some(token)
        })
    }

    /// Returns the token of an enrollment that has begun.
    pub(crate) fn enrollment_token(&self) -> Option<EnrollmentToken> {
        let (keys, now) = (self.site.revocation_cache.token_keys(), clock::now().ok()?);
        let open = |value: &str| EnrollmentToken::open_enrollment(value, &keys, now);
        let token = self
            .find_token(self.site.cookies.names.enrollment, open)
            .ok()??;
        self.accepts_token_of(token.account()).then_some(token)
    }

    /// Whether a token of this user is valid for this request: with an identity from the proxy,
    /// only that user's.
    pub(crate) fn accepts_token_of(&self, name: &UserName) -> bool {
        match self.site.gate().first_factor {
            FirstFactorSource::Header => self.identity.matches(name),
            FirstFactorSource::Password | FirstFactorSource::Pam => true,
        }
    }

    /// Returns the cookie of a trusted browser. Only the store can verify it, and a wrong value can
    /// revoke the trust, so several values count as none.
    fn trusted_browser_cookie(&self) -> Option<Zeroizing<String>> {
        let read = |value: &str| Some(Zeroizing::new(value.to_owned()));
        self.find_token(self.site.cookies.names.trusted_browser, read)
            .ok()
            .flatten()
    }

    /// Returns the valid value among the cookies of a name. Two valid values that differ are a
    /// conflict.
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

    /// Returns the conflict between cookies of the gate, if there is one.
    pub(crate) fn cookie_conflict(&self) -> Option<ConflictingCookies> {
        let sessions = self.find_session().err();
        sessions.or_else(|| self.find_login_token().err())
    }

    /// Sets the cookies that a reply issues or clears.
    pub(crate) fn with_tokens(&self, reply: HttpReply, changes: &TokenChanges) -> HttpReply {
        let lines = self.site.cookies.render(changes);
        lines
            .iter()
            .fold(reply, |reply, line| reply::with_cookie(reply, line))
    }

    /// Runs work of this request on a worker thread.
    pub(crate) async fn run<T: Send + 'static, E: Into<LoginError> + 'static>(
        &self,
        work: impl FnOnce(&mut Engine, &OwnedBrowserContext, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, PoolError> {
        self.run_in(WorkKind::Plain, work).await
    }

    pub(crate) async fn run_in<T: Send + 'static, E: Into<LoginError> + 'static>(
        &self,
        kind: WorkKind,
        work: impl FnOnce(&mut Engine, &OwnedBrowserContext, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, PoolError> {
        let client = OwnedBrowserContext::new(self);
        client.run(&self.store_pool(), kind, work).await
    }

    /// Returns the worker pool for this request, with the priority of the session or token that the
    /// request has, or of its address.
    pub(crate) fn store_pool(&self) -> PoolHandle {
        let of_token = || {
            let account = self.login_token().map(|token| token.account().clone());
            account.or_else(|| Some(self.enrollment_token()?.account().clone()))
        };
        let pool_client = match self.any_session() {
            Some(session) => PoolClient::of_session(&session),
            None => match of_token() {
                Some(account) => PoolClient::authenticated(ShareKey::Account(account)),
                None => PoolClient::unauthenticated(self.address),
            },
        };
        self.site.store_pool.for_client(pool_client)
    }

    /// Whether administration is reachable at this address of the gate and from this client. It
    /// never is on a path of an application's host.
    fn reaches_administration(&self) -> bool {
        self.site.url.has_own_host() && self.site.gate().administration.allows_address(self.address)
    }

    pub(crate) fn has_administration_pages(&self) -> bool {
        self.site.gate().administration.pages && self.reaches_administration()
    }

    /// Returns the secret of the administration API, where the API is reachable.
    pub(crate) fn administration_secret(&self) -> Option<&Zeroizing<String>> {
        self.site
            .admin_secret
            .secret
            .as_ref()
            .filter(|_| self.reaches_administration())
    }

    /// Logs why no worker did what the request needs, and makes a refusal of it.
    pub(crate) fn refuse_unprocessed(&self, error: &PoolError) -> ActRefused {
        if let PoolError::Failed { cause, why } = error {
            self.log_refusal(cause, why);
        }
        ActRefused::unprocessed(self.language, error)
    }

    /// The same at sign-in, where failures are counted.
    pub(crate) fn refuse_sign_in(&self, error: &PoolError) -> ActRefused {
        if let PoolError::Failed { cause, .. } = error {
            METRICS.count_sign_in("failed", cause);
        }
        self.refuse_unprocessed(error)
    }

    /// Returns the result of an act, or logs why there is none and makes a refusal of it.
    pub(crate) fn check_act<T>(
        &self,
        result: Result<Result<T, AdministrationError>, PoolError>,
    ) -> ActResult<T> {
        let result = result.map_err(|error| self.refuse_unprocessed(&error))?;
        result.map_err(|error| {
            let refused = ActRefused::act(self.language, &error);
            self.log_refusal(refused.code, &error);
            refused
        })
    }

    pub(crate) fn log_refusal(&self, cause: &str, why: impl Display) {
        let line = log::event("refused").with("cause", cause);
        line.with("address", self.address).write_with_message(why);
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.language.text(name)
    }

    /// Returns the frame of a page, with the message above its content.
    pub(crate) fn frame<'a>(&'a self, message: Option<&'a str>) -> PageFrame<'a> {
        PageFrame {
            base: &self.site.url.path,
            language: self.language,
            branding: &self.site.branding,
            user: self.session().map(|session| session.name),
            now: clock::now().ok(),
            message,
        }
    }

    pub(crate) fn path_to(&self, page: &str) -> String {
        format!("{}{page}", self.site.url.path)
    }

    pub(crate) fn sign_in_path(&self, return_url: &str) -> String {
        self.page_path("sign-in", return_url)
    }

    /// Returns the path of a page of the gate that leads on to another page.
    pub(crate) fn page_path(&self, page: &str, return_url: &str) -> String {
        proxy_reply::sign_in_url(&self.path_to(page), Some(return_url))
    }

    /// Logs in the format of the PAM module, and counts.
    pub(crate) fn log_sign_in(&self, name: &UserName, result: &str, cause: &str) {
        METRICS.count_sign_in(result, cause);
        let line = log::event(result)
            .with("cause", cause)
            .with("address", self.address);
        line.with("service", SERVICE).quoted("user", name).write();
    }

    /// Logs that a name is another spelling of an account's name.
    pub(crate) fn log_other_spelling(&self, other: &OtherSpelling) {
        METRICS.count_sign_in("refused", OTHER_SPELLING);
        let line = log::event("refused")
            .with("cause", OTHER_SPELLING)
            .with("address", self.address);
        line.with("service", SERVICE)
            .quoted("user", &other.name)
            .write_with_message(other);
    }
}

/// Owned form of [`BrowserContext`], for work on another thread.
pub(crate) struct OwnedBrowserContext {
    pub(crate) origin: Origin,
    name: String,
    cookie: Option<Zeroizing<String>>,
    scope: String,
    page: Option<ReturnPage>,
    session: Option<Session>,
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
            session: request.any_session(),
        }
    }

    /// Adds the page behind the gate that the sign-in leads to.
    pub(crate) fn with_page(self, site: &Site, return_url: &str) -> OwnedBrowserContext {
        OwnedBrowserContext {
            page: ReturnPage::parse(site, return_url),
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
            session: self.session.as_ref(),
        }
    }

    /// Runs work for this client with an engine of a pool.
    pub(crate) async fn run<T: Send + 'static, E: Into<LoginError> + 'static>(
        self,
        pool: &PoolHandle,
        kind: WorkKind,
        work: impl FnOnce(&mut Engine, &OwnedBrowserContext, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, PoolError> {
        let run = pool.run(kind, move |engine| {
            let now = clock::now().map_err(LoginError::Clock)?;
            work(engine, &self, now).map_err(Into::into)
        });
        run.await
    }
}

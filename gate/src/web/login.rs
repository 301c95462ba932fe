//! The sign-in, page by page: first factor, code, back to the page that was asked for; and sign-out.

mod first_factor;
mod mail;

use crate::check::proxy_reply;
use crate::http::form::Form;
pub(crate) use mail::CodeMailed;

use super::language::Language;
use super::pages::{self, PageFrame, html};
use super::refusal::ActRefused;
use crate::check::forward_auth;
use crate::check::rules::ReturnPage;
use crate::http::cookies::{ConflictingCookies, MAX_SESSION_COOKIES, SessionCookies, scan_cookies};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::METRICS;
use crate::proxy::identity::Identity;
use crate::state::site::Site;
use hyper::header::USER_AGENT;
use hyper::{HeaderMap, StatusCode};
use shared::account::name::{OtherSpelling, UserName};
use shared::account::second_factor::CodeMethods;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::engine::{AfterCode, BrowserContext, OpenedSession, SERVICE, TrustRequest};
use shared::network::address::Address;
use shared::system::clock::{self, Timestamp};
use shared::token::LoginToken;
use shared::token::session::{Session, SessionId};
use shared::verify::decision::Refusal;
use shared::verify::origin::Origin;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What the code page says above the form.
#[derive(Clone, Copy)]
enum CodePageNote<'a> {
    Nothing,
    /// What went wrong.
    Alert(&'a str),
    /// What was done.
    Status(&'a str),
}

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

impl RequestContext<'_> {
    /// GET code
    pub(crate) fn code_page(&self, any_text: bool) -> HttpReply {
        match self.ticket() {
            Some(ticket) => self.code(StatusCode::OK, &ticket, CodePageNote::Nothing, any_text),
            None => reply::see_other(&self.at("sign-in")),
        }
    }

    /// POST code
    pub(crate) async fn enter_code(&self, form: &Form) -> HttpReply {
        let Some(ticket) = self.ticket() else {
            let text = self.t.refusal(Refusal::Expired);
            return self.sign_in(StatusCode::UNAUTHORIZED, "", "", Some(&text));
        };
        let answer = Input::read(form.field("code").as_bytes());
        let any_text = !matches!(answer, Input::Digits(_));
        let trust = if form.field("trust") == "yes" {
            TrustRequest::Asked
        } else {
            TrustRequest::NotAsked
        };
        match self.judge_code(&ticket, answer, trust).await {
            Err(error) => self.not_judged(&error),
            Ok(AfterCode::Opened(opened)) => self.opened(&opened, &ticket.payload().back_to),
            Ok(AfterCode::Refused(refusal)) => {
                let text = self.t.refusal(refusal);
                match refusal {
                    Refusal::Expired => self.sign_in(
                        StatusCode::UNAUTHORIZED,
                        &ticket.payload().back_to,
                        ticket.account().as_str(),
                        Some(&text),
                    ),
                    Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
                        let page = self.code(
                            StatusCode::TOO_MANY_REQUESTS,
                            &ticket,
                            CodePageNote::Alert(&text),
                            any_text,
                        );
                        reply::with_retry_after(page, wait)
                    }
                    _ => self.code(
                        StatusCode::UNAUTHORIZED,
                        &ticket,
                        CodePageNote::Alert(&text),
                        any_text,
                    ),
                }
            }
        }
    }

    /// The code of a sign-in; what was refused stands in the log.
    pub(crate) async fn judge_code(
        &self,
        ticket: &LoginToken,
        answer: Input,
        trust: TrustRequest,
    ) -> Result<AfterCode, PoolError> {
        let (said, visit) = (ticket.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            door.enter_code(&visit.browser(), &said, &answer, trust, visit.now()?)
        });
        let next = run.await?;
        if let AfterCode::Refused(refusal) = &next {
            self.log(ticket.account(), "refused", &refusal.to_string());
        }
        Ok(next)
    }

    /// Takes back what only a sign-in gives; the browser stays trusted.
    pub(crate) fn without_cookies(&self, page: HttpReply) -> HttpReply {
        let jar = &self.site.cookies;
        let page = reply::with_cookie(page, &jar.session_cookie("", 0));
        let page = reply::with_cookie(page, &jar.own_cookie(jar.names.login, "", 0));
        let page = reply::with_cookie(page, &jar.strict_cookie(jar.names.step_up, "", 0));
        reply::with_cookie(page, &jar.strict_cookie(jar.names.enrollment, "", 0))
    }

    /// The session, also one that the first factor alone opened.
    pub(crate) fn any_session(&self) -> Option<Session> {
        self.clear_session().ok().flatten()
    }

    /// The same, if it is clear which one counts.
    fn clear_session(&self) -> Result<Option<Session>, ConflictingCookies> {
        let line = forward_auth::cookie_line(self.headers)?;
        let shown = SessionCookies::parse(
            line.as_bytes(),
            self.site.cookies.names.session,
            &self.site.revocation_cache.token_keys(),
            MAX_SESSION_COOKIES,
        );
        shown
            .select_session(|session| self.is_good(session))
            .map(|session| session.cloned())
    }

    /// What is unclear about the cookies of whoever is here.
    pub(crate) fn unclear(&self) -> Option<ConflictingCookies> {
        self.clear_session().err().or_else(|| {
            self.token(self.site.cookies.names.login, |value| {
                self.read_ticket(value)
            })
            .err()
        })
    }

    /// Whether a session is good here and now. One that checks refuse is none here either, or the browser would be sent to
    /// and fro.
    pub(crate) fn is_good(&self, session: &Session) -> bool {
        let is_live =
            clock::now().is_ok_and(|now| forward_auth::is_valid_session(self.site, session, now));
        let is_ours = self.site.accepts_session_at(session, self.site.url.host());
        is_live && is_ours && !self.identity.contradicts(&session.name)
    }

    /// Whether a ticket of this person's is good here: where a proxy says who is there, theirs alone.
    pub(crate) fn may_go_on(&self, name: &UserName) -> bool {
        match self.site.gate().first_factor {
            FirstFactorSource::Header => self.identity.matches(name),
            FirstFactorSource::Password | FirstFactorSource::Pam => true,
        }
    }

    /// The sign-in that waits for its code.
    pub(crate) fn ticket(&self) -> Option<LoginToken> {
        self.token(self.site.cookies.names.login, |value| {
            self.read_ticket(value)
        })
        .ok()
        .flatten()
    }

    fn read_ticket(&self, value: &str) -> Option<LoginToken> {
        let token = LoginToken::read(
            value,
            &self.site.revocation_cache.token_keys(),
            clock::now().ok()?,
        )?;
        self.may_go_on(token.account()).then_some(token)
    }

    /// What one of our cookies holds: of several under its name the valid one counts, and two that disagree are none.
    pub(crate) fn token<T: PartialEq>(
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
    fn browser_cookie(&self) -> Option<Zeroizing<String>> {
        let read = |value: &str| Some(Zeroizing::new(value.to_owned()));
        self.token(self.site.cookies.names.trusted_browser, read)
            .ok()
            .flatten()
    }

    /// The session has begun: its cookies, and the way back.
    pub(crate) fn opened(&self, opened: &OpenedSession, back_to: &str) -> HttpReply {
        let told = self.told(opened);
        let back_to = if back_to.is_empty() {
            self.site.url.path.as_str()
        } else {
            back_to
        };
        let page = if told.is_empty() {
            reply::see_other(back_to)
        } else {
            let page = pages::NoticePage {
                frame: self.frame(),
                title: &self.t.say("signed-in"),
                lines: &told,
                link: Some((back_to, self.t.say("continue"))),
                signed_in: false,
                stepped_up: self.steps_up(opened),
            };
            reply::page(StatusCode::OK, html(&page))
        };
        self.with_sign_in(page, opened)
    }

    /// What whoever signs in should know.
    pub(crate) fn told(&self, opened: &OpenedSession) -> Vec<String> {
        let told = [
            opened.missed.as_ref().map(|missed| self.t.missed(missed)),
            opened.recovery.map(|recovered| self.t.recovered(recovered)),
            self.t.app_passwords(opened.app_passwords),
        ];
        told.into_iter().flatten().collect()
    }

    /// The cookies of a session that a sign-in has opened.
    pub(crate) fn with_sign_in(&self, page: HttpReply, opened: &OpenedSession) -> HttpReply {
        let (gate, jar) = (self.site.gate(), &self.site.cookies);
        self.log(&opened.session.name, "accepted", &opened.cause());
        let page = self.with_session(page, opened);
        let page = reply::with_cookie(page, &jar.own_cookie(jar.names.login, "", 0));
        let page = match &opened.browser_cookie {
            Some(value) => reply::with_cookie(
                page,
                &jar.own_cookie(jar.names.trusted_browser, value, gate.trust.seconds()),
            ),
            None => page,
        };
        self.with_step_up(page, opened)
    }

    pub(crate) fn frame(&self) -> PageFrame<'_> {
        PageFrame {
            base: &self.site.url.path,
            t: self.t,
            look: &self.site.branding,
        }
    }

    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.site.url.path)
    }

    fn to_sign_in(&self, back_to: &str) -> String {
        proxy_reply::sign_in_url(&self.at("sign-in"), Some(back_to))
    }

    pub(crate) fn sign_in(
        &self,
        status: StatusCode,
        back_to: &str,
        user: &str,
        message: Option<&str>,
    ) -> HttpReply {
        if self.site.gate().first_factor == FirstFactorSource::Header {
            // there is nothing to type: what to read, and the way on
            let title = self.t.say("sign-in");
            let page = pages::NoticePage {
                frame: self.frame(),
                title: &title,
                lines: &message.map(str::to_owned).into_iter().collect::<Vec<_>>(),
                link: Some((&self.to_sign_in(back_to), title.clone())),
                signed_in: false,
                stepped_up: false,
            };
            return reply::page(status, html(&page));
        }
        let page = pages::SignInPage {
            frame: self.frame(),
            back_to,
            user,
            message,
        };
        reply::page(status, html(&page))
    }

    fn code(
        &self,
        status: StatusCode,
        ticket: &LoginToken,
        said: CodePageNote<'_>,
        any_text: bool,
    ) -> HttpReply {
        let (app, mail) = match &ticket.payload().methods {
            CodeMethods::App => (true, None),
            CodeMethods::AppOrMail(to) => (true, Some(to.as_str())),
            CodeMethods::Mail(to) => (false, Some(to.as_str())),
        };
        let page = pages::CodePage {
            frame: self.frame(),
            user: ticket.account().as_str(),
            sign_in: &self.to_sign_in(&ticket.payload().back_to),
            days: self.site.gate().trust.seconds() / 86_400,
            message: if let CodePageNote::Alert(text) = said {
                Some(text)
            } else {
                None
            },
            status: if let CodePageNote::Status(text) = said {
                Some(text)
            } else {
                None
            },
            any_text,
            digits: ticket.payload().digits,
            app,
            mail,
        };
        reply::page(status, html(&page))
    }

    pub(crate) fn notice(&self, status: StatusCode, title: &str, lines: &[String]) -> HttpReply {
        let sign_in = self.at("sign-in");
        let page = pages::NoticePage {
            frame: self.frame(),
            title,
            lines,
            link: Some((&sign_in, self.t.say("sign-in"))),
            signed_in: false,
            stepped_up: false,
        };
        reply::page(status, html(&page))
    }

    pub(crate) fn not_judged(&self, error: &PoolError) -> HttpReply {
        match error {
            PoolError::Busy(busy) => {
                let (title, line) = (self.t.say("busy"), self.t.busy(*busy));
                let page = self.notice(StatusCode::SERVICE_UNAVAILABLE, &title, &[line]);
                reply::with_retry_after(page, 2)
            }
            PoolError::Failed { cause, why } => self.failed(cause, why),
        }
    }

    pub(crate) fn failed(&self, cause: &str, why: &str) -> HttpReply {
        METRICS.count_sign_in("failed", cause);
        log::event("refused")
            .with("cause", cause)
            .with("address", self.address)
            .write_with_message(why);
        let (title, line) = (self.t.say("unavailable"), self.t.say("unavailable-line"));
        self.notice(StatusCode::SERVICE_UNAVAILABLE, &title, &[line])
    }

    /// What no door could judge on the way in, for a program.
    pub(crate) fn not_signed_in(&self, error: &PoolError) -> ActRefused {
        if let PoolError::Failed { cause, .. } = error {
            METRICS.count_sign_in("failed", cause);
        }
        self.not_run(error)
    }

    /// The same format as the PAM module's.
    pub(crate) fn log(&self, name: &UserName, result: &str, cause: &str) {
        METRICS.count_sign_in(result, cause);
        let line = log::event(result)
            .with("cause", cause)
            .with("address", self.address);
        line.with("service", SERVICE).quoted("user", name).write();
    }

    /// Notes that a name is another spelling of an account's.
    pub(crate) fn log_spelling(&self, other: &OtherSpelling) {
        METRICS.count_sign_in("refused", OTHER_SPELLING);
        let line = log::event("refused")
            .with("cause", OTHER_SPELLING)
            .with("address", self.address);
        line.with("service", SERVICE)
            .quoted("user", &other.name)
            .write_with_message(other);
    }
}

/// The word in logs for a name that is another spelling of an account's.
const OTHER_SPELLING: &str = "similar-name";

/// What a judging thread needs of a guest.
pub(crate) struct LoginRequest {
    pub(crate) origin: Origin,
    name: String,
    cookie: Option<Zeroizing<String>>,
    scope: String,
    page: Option<ReturnPage>,
    session: Option<SessionId>,
}

impl LoginRequest {
    pub(crate) fn of(guest: &RequestContext<'_>) -> LoginRequest {
        let agent = guest
            .headers
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("-");
        LoginRequest {
            origin: Origin::Remote(guest.address),
            name: agent.chars().take(160).collect(),
            cookie: guest.browser_cookie(),
            scope: guest.site.session_scope().to_owned(),
            page: None,
            session: guest.any_session().map(|session| session.id),
        }
    }

    /// The same, on the way to a page behind the gate.
    fn to(self, site: &Site, back_to: &str) -> LoginRequest {
        LoginRequest {
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

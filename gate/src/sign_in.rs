//! The sign-in, page by page: password, code, back to the page that was asked for; and sign-out.

mod mail;

use crate::check;
use crate::cookies::scan;
use crate::judge::NotJudged;
use crate::log;
use crate::metrics::METRICS;
use crate::pages::{self, html};
use crate::reply::{self, Reply};
use crate::site::Site;
use hyper::header::USER_AGENT;
use hyper::{HeaderMap, StatusCode};
use shared::account::Methods;
use shared::answer::Answer;
use shared::clock::{self, Timestamp};
use shared::decision::Refusal;
use shared::door::{AfterCode, AfterPassword, Browser, Opened, SERVICE, Trust};
use shared::name::UserName;
use shared::password::Password;
use shared::place::{Address, Origin};
use shared::session::Session;
use shared::ticket::LoginTicket;
use shared::words;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The one text before the first factor has passed.
const REFUSED: &str =
    "Name or password is wrong, or there were too many attempts. Check them, wait a little, and try again.";
const BUSY: &str = "Too many people are signing in right now. Try again in a moment.";
const FAILED: &str = "The sign-in does not work right now. Tell the administrator: the gate's log says why.";

/// The fields of a form.
pub(crate) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    pub(crate) fn read(body: &[u8]) -> Form {
        let pairs = form_urlencoded::parse(body);
        Form(
            pairs
                .take(16)
                .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
                .collect(),
        )
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
    }
}

/// What the code page says above the form.
#[derive(Clone, Copy)]
enum Said<'a> {
    Nothing,
    /// What went wrong.
    Alert(&'a str),
    /// What was done.
    Status(&'a str),
}

/// Someone at one of the pages.
pub(crate) struct Guest<'a> {
    pub(crate) site: &'a Arc<Site>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: Address,
}

impl Guest<'_> {
    /// GET sign-in
    pub(crate) fn sign_in_page(&self, rd: &str) -> Reply {
        let back_to = self.site.back_to(rd).unwrap_or_default();
        if self.session().is_some() && !back_to.is_empty() {
            return reply::see_other(back_to);
        }
        self.sign_in(StatusCode::OK, back_to, "", None)
    }

    /// POST sign-in
    pub(crate) async fn enter_password(&self, form: &Form) -> Reply {
        let back_to = self.site.back_to(form.field("rd")).unwrap_or_default().to_owned();
        let user = form.field("user").trim();
        let Ok(name) = UserName::parse(user.as_bytes()) else {
            return self.sign_in(StatusCode::UNAUTHORIZED, &back_to, "", Some(REFUSED));
        };
        let password = Password::typed(Zeroizing::new(form.field("password").to_owned()));
        let recovery = Answer::read(form.field("recovery").as_bytes());
        let (who, visit) = (name.clone(), Visit::of(self));
        let judged = self
            .site
            .judge
            .run(move |door| {
                door.enter_password(&visit.browser(), &who, password.as_ref(), &recovery, visit.now()?)
            })
            .await;
        match judged {
            Err(error) => self.not_judged(&error),
            Ok(AfterPassword::Opened(opened)) => self.opened(&opened, &back_to),
            Ok(AfterPassword::Code { generation, digits, methods }) => {
                self.ask_code(|expires| LoginTicket { name, expires, generation, digits, methods, back_to })
            }
            Ok(AfterPassword::Setup { generation, needs }) => {
                self.log(&name, "refused", &Refusal::NotEnrolled.to_string());
                self.ask_setup(name, generation, needs, back_to)
            }
            Ok(AfterPassword::Refused(refusal)) => {
                self.log(&name, "refused", &format!("password-{refusal}"));
                match refusal {
                    Refusal::AddressDelayed { wait } => {
                        let text = words::refusal(refusal);
                        let page = self.sign_in(StatusCode::TOO_MANY_REQUESTS, &back_to, user, Some(&text));
                        reply::with_retry_after(page, wait)
                    }
                    _ => self.sign_in(StatusCode::UNAUTHORIZED, &back_to, user, Some(REFUSED)),
                }
            }
        }
    }

    /// GET code
    pub(crate) fn code_page(&self, any_text: bool) -> Reply {
        match self.ticket() {
            Some(ticket) => self.code(StatusCode::OK, &ticket, Said::Nothing, any_text),
            None => reply::see_other(&self.at("sign-in")),
        }
    }

    /// POST code
    pub(crate) async fn enter_code(&self, form: &Form) -> Reply {
        let Some(ticket) = self.ticket() else {
            let text = words::refusal(Refusal::Expired);
            return self.sign_in(StatusCode::UNAUTHORIZED, "", "", Some(&text));
        };
        let answer = Answer::read(form.field("code").as_bytes());
        let any_text = !matches!(answer, Answer::Digits(_));
        let trust = if form.field("trust") == "yes" { Trust::Asked } else { Trust::NotAsked };
        let (said, visit) = (ticket.clone(), Visit::of(self));
        let judged = self
            .site
            .judge
            .run(move |door| {
                door.enter_code(&visit.browser(), &said.name, said.generation, &answer, trust, visit.now()?)
            })
            .await;
        match judged {
            Err(error) => self.not_judged(&error),
            Ok(AfterCode::Opened(opened)) => self.opened(&opened, &ticket.back_to),
            Ok(AfterCode::Refused(refusal)) => {
                self.log(&ticket.name, "refused", &refusal.to_string());
                let text = words::refusal(refusal);
                match refusal {
                    Refusal::Expired => self.sign_in(
                        StatusCode::UNAUTHORIZED,
                        &ticket.back_to,
                        ticket.name.as_str(),
                        Some(&text),
                    ),
                    Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
                        let page =
                            self.code(StatusCode::TOO_MANY_REQUESTS, &ticket, Said::Alert(&text), any_text);
                        reply::with_retry_after(page, wait)
                    }
                    _ => self.code(StatusCode::UNAUTHORIZED, &ticket, Said::Alert(&text), any_text),
                }
            }
        }
    }

    /// POST sign-out
    pub(crate) async fn sign_out(&self) -> Reply {
        if let Some(session) = self.session() {
            let judged = self.site.judge.run(move |door| door.sign_out(session.id)).await;
            if let Err(error) = judged {
                return self.not_judged(&error);
            }
        }
        let jar = &self.site.jar;
        let page = self.notice(StatusCode::OK, "Signed out", &["You are signed out here.".to_owned()]);
        let page = reply::with_cookie(page, &jar.session("", 0));
        let page = reply::with_cookie(page, &jar.own(jar.names.login, "", 0));
        let page = reply::with_cookie(page, &jar.strict(jar.names.step_up, "", 0));
        reply::with_cookie(page, &jar.strict(jar.names.setup, "", 0))
    }

    /// GET the gate's own address
    pub(crate) fn home(&self) -> Reply {
        let signed_in = self.session();
        let (title, lines, link) = match &signed_in {
            Some(session) => ("Signed in", vec![format!("You are signed in as {}.", session.name)], None),
            None => ("Signed out", vec!["You are not signed in.".to_owned()], Some(self.at("sign-in"))),
        };
        let page = pages::Notice {
            base: &self.site.url.path,
            title,
            lines: &lines,
            link: link.as_deref().map(|link| (link, "Sign in")),
            signed_in: signed_in.is_some(),
            stepped_up: self.stepped_up().is_some(),
        };
        reply::page(StatusCode::OK, html(&page))
    }

    pub(crate) fn session(&self) -> Option<Session> {
        let line = check::cookie_line(self.headers).ok()?;
        let scanned = scan(line, self.site.jar.names.session).ok()?;
        let session = check::session(self.site, &scanned, clock::now().ok()?)?;
        // one that checks refuse is none here either, or the browser would be sent to and fro
        self.site.is_good_at(&session, self.site.url.host()).then_some(session)
    }

    fn ticket(&self) -> Option<LoginTicket> {
        let value = self.cookie(self.site.jar.names.login)?;
        LoginTicket::from_cookie(value, &self.site.watch.keys(), clock::now().ok()?)
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        scan(check::cookie_line(self.headers).ok()?, name).ok()?.value
    }

    /// The session has begun: its cookies, and the way back.
    pub(crate) fn opened(&self, opened: &Opened, back_to: &str) -> Reply {
        let (gate, jar) = (self.site.gate(), &self.site.jar);
        self.log(&opened.session.name, "accepted", &opened.cause());
        let told = [
            opened.missed.as_ref().map(words::missed),
            opened.recovery.map(words::recovered),
            words::app_passwords(opened.app_passwords),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let back_to = if back_to.is_empty() { self.site.url.path.as_str() } else { back_to };
        let page = if told.is_empty() {
            reply::see_other(back_to)
        } else {
            let page = pages::Notice {
                base: &self.site.url.path,
                title: "Signed in",
                lines: &told,
                link: Some((back_to, "Continue")),
                signed_in: false,
                stepped_up: self.steps_up(opened),
            };
            reply::page(StatusCode::OK, html(&page))
        };
        let page = reply::with_cookie(
            page,
            &jar.session(&opened.session.to_cookie(&opened.keys), gate.session.seconds()),
        );
        let page = reply::with_cookie(page, &jar.own(jar.names.login, "", 0));
        let page = match &opened.browser_cookie {
            Some(value) => reply::with_cookie(page, &jar.own(jar.names.browser, value, gate.trust.seconds())),
            None => page,
        };
        self.with_step_up(page, opened)
    }

    fn ask_code(&self, ticket: impl FnOnce(Timestamp) -> LoginTicket) -> Reply {
        let jar = &self.site.jar;
        let Ok(now) = clock::now() else { return self.failed("unavailable", "the clock stands before 1970") };
        match ticket(now.plus(LoginTicket::LIFE)).to_cookie(&self.site.watch.keys()) {
            Ok(value) => {
                let page = reply::see_other(&self.at("code"));
                reply::with_cookie(page, &jar.own(jar.names.login, &value, LoginTicket::LIFE))
            }
            Err(error) => self.failed("unavailable", &error.to_string()),
        }
    }

    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.site.url.path)
    }

    pub(crate) fn sign_in(
        &self,
        status: StatusCode,
        back_to: &str,
        user: &str,
        message: Option<&str>,
    ) -> Reply {
        let page = pages::SignIn { base: &self.site.url.path, back_to, user, message };
        reply::page(status, html(&page))
    }

    fn code(&self, status: StatusCode, ticket: &LoginTicket, said: Said<'_>, any_text: bool) -> Reply {
        let (app, mail) = match &ticket.methods {
            Methods::App => (true, None),
            Methods::AppOrMail(to) => (true, Some(to.as_str())),
            Methods::Mail(to) => (false, Some(to.as_str())),
        };
        let page = pages::Code {
            base: &self.site.url.path,
            user: ticket.name.as_str(),
            sign_in: &reply::to_sign_in(&self.at("sign-in"), Some(&ticket.back_to)),
            days: self.site.gate().trust.seconds() / 86_400,
            message: if let Said::Alert(text) = said { Some(text) } else { None },
            status: if let Said::Status(text) = said { Some(text) } else { None },
            any_text,
            digits: ticket.digits,
            app,
            mail,
        };
        reply::page(status, html(&page))
    }

    pub(crate) fn notice(&self, status: StatusCode, title: &str, lines: &[String]) -> Reply {
        let sign_in = self.at("sign-in");
        let page = pages::Notice {
            base: &self.site.url.path,
            title,
            lines,
            link: Some((&sign_in, "Sign in")),
            signed_in: false,
            stepped_up: false,
        };
        reply::page(status, html(&page))
    }

    pub(crate) fn not_judged(&self, error: &NotJudged) -> Reply {
        match error {
            NotJudged::Busy => {
                let page = self.notice(StatusCode::SERVICE_UNAVAILABLE, "Busy", &[BUSY.to_owned()]);
                reply::with_retry_after(page, 2)
            }
            NotJudged::Failed { cause, why } => self.failed(cause, why),
        }
    }

    pub(crate) fn failed(&self, cause: &str, why: &str) -> Reply {
        METRICS.signed_in("failed", cause);
        log::event("refused").with("cause", cause).with("address", self.address).because(why);
        self.notice(StatusCode::SERVICE_UNAVAILABLE, "Out of order", &[FAILED.to_owned()])
    }

    /// The same format as the PAM module's.
    pub(crate) fn log(&self, name: &UserName, result: &str, cause: &str) {
        METRICS.signed_in(result, cause);
        let line = log::event(result).with("cause", cause).with("address", self.address);
        line.with("service", SERVICE).quoted("user", name).write();
    }
}

/// What a judging thread needs of a guest.
pub(crate) struct Visit {
    pub(crate) origin: Origin,
    name: String,
    cookie: Option<Zeroizing<String>>,
    scope: String,
}

impl Visit {
    pub(crate) fn of(guest: &Guest<'_>) -> Visit {
        let agent = guest.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("-");
        Visit {
            origin: Origin::Remote(guest.address),
            name: agent.chars().take(160).collect(),
            cookie: guest.cookie(guest.site.jar.names.browser).map(|value| Zeroizing::new(value.to_owned())),
            scope: guest.site.scope().to_owned(),
        }
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            origin: &self.origin,
            name: &self.name,
            cookie: self.cookie.as_ref().map(|value| value.as_str()),
            scope: &self.scope,
        }
    }

    pub(crate) fn now(&self) -> Result<Timestamp, shared::door::SignInError> {
        clock::now().map_err(shared::door::SignInError::Clock)
    }
}

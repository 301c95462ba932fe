//! Critical acts, which take more than a session: a fresh code, given in this session a short time ago. A recovery code
//! or an administrator's one-time code is one, so that whoever lost the phone can mend that at once.
//!
//! On a path of the protected host nothing of this is open: the application's scripts share the gate's origin there.

use crate::log;
use crate::reply::{self, Reply};
use crate::sign_in::{Guest, Visit};
use hyper::StatusCode;
use shared::clock;
use shared::door::{Actor, AdministrationError, Opened, SERVICE, SignInError};
use shared::session::Session;
use shared::ticket::{Leave, SetupTicket, StepUpTicket};
use shared::words;

const NEEDED: &str = "This takes a fresh code: sign out, and sign in with a recovery code or an administrator's one-time code.";
const REQUIRED: &str = "This account must have a second factor: set up a new one instead.";
const NOT_DONE: &str =
    "That did not work, or it is off already. Tell the administrator: the gate's log says why.";
const DECLARED: &str = "The administrator keeps this second factor in a file; only they can change it.";

impl Guest<'_> {
    /// Whether what opened a session is proof enough for critical acts.
    pub(crate) fn steps_up(&self, opened: &Opened) -> bool {
        self.site.url.has_own_host() && opened.means.steps_up()
    }

    /// Adds the proof to the page that follows.
    pub(crate) fn with_step_up(&self, page: Reply, opened: &Opened) -> Reply {
        let Ok(now) = clock::now() else { return page };
        if !self.steps_up(opened) {
            return page;
        }
        match StepUpTicket::begun(&opened.session, now).to_cookie(&opened.keys) {
            Ok(value) => {
                let jar = &self.site.jar;
                reply::with_cookie(page, &jar.strict(jar.names.step_up, &value, StepUpTicket::LIFE))
            }
            Err(_) => page,
        }
    }

    /// The session, if a fresh code was given in it.
    pub(crate) fn stepped_up(&self) -> Option<Session> {
        let (session, now) = (self.session()?, clock::now().ok()?);
        let value = self.cookie(self.site.jar.names.step_up)?;
        let proven = StepUpTicket::proves(value, &self.site.watch.keys(), &session, now);
        (proven && self.site.url.has_own_host()).then_some(session)
    }

    /// POST replace
    pub(crate) fn replace(&self) -> Reply {
        let (Some(session), Ok(now)) = (self.stepped_up(), clock::now()) else {
            return self.step_up_needed();
        };
        let back_to = String::new();
        let ticket = SetupTicket::begun(
            session.name,
            session.generation,
            Leave::Replacement(session.id),
            back_to,
            now,
        );
        match ticket {
            Ok(ticket) => self.with_ticket(reply::see_other(&self.at("setup")), &ticket),
            Err(error) => self.failed("unavailable", &error.to_string()),
        }
    }

    /// POST turn-off
    pub(crate) async fn turn_off(&self) -> Reply {
        let Some(session) = self.stepped_up() else { return self.step_up_needed() };
        let (name, visit) = (session.name.clone(), Visit::of(self));
        let turned_off = self.site.judge.run(move |door| {
            if door.is_required(&name)? {
                return Ok(Err(REQUIRED));
            }
            match door.disable(&name, Actor::Session(&name, &visit.origin, session.id), visit.now()?) {
                Ok(after) => Ok(Ok(after)),
                Err(AdministrationError::Door(error)) => Err(SignInError::Door(error)),
                Err(AdministrationError::Declared(_)) => Ok(Err(DECLARED)),
                // the session ended since it was looked at
                Err(AdministrationError::Stale) => Ok(Err(NEEDED)),
                Err(error) => {
                    let line = log::event("refused").with("cause", "not-turned-off").with("service", SERVICE);
                    line.quoted("user", &name).because(error);
                    Ok(Err(NOT_DONE))
                }
            }
        });
        match turned_off.await {
            Err(error) => self.not_judged(&error),
            Ok(Err(why)) => self.notice(StatusCode::CONFLICT, "Not turned off", &[why.to_owned()]),
            Ok(Ok(after)) => {
                self.log(&session.name, "disabled", "step-up");
                let off =
                    "Your second factor is off. Every session and trusted browser has ended.".to_owned();
                let lines: Vec<String> = std::iter::once(off).chain(words::app_passwords(after)).collect();
                self.notice(StatusCode::OK, "Second factor off", &lines)
            }
        }
    }

    fn step_up_needed(&self) -> Reply {
        self.notice(StatusCode::FORBIDDEN, "A fresh code is needed", &[NEEDED.to_owned()])
    }
}

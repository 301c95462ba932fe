//! The pages of administrators: find someone, see how the account stands, do something about it.

use super::accounts::{Act, Came, Needs};
use crate::http::form::Form;
use crate::http::reply::{self, Reply};
use crate::web::login::Guest;
use crate::web::pages::admin::{Account, Found, Issued, Row};
use crate::web::pages::html;
use crate::web::refusal::Refused;
use crate::web::step_up::Fresh;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::account::name::UserName;
use shared::engine::{AdministrationError, Door};
use shared::protocol::status::{AuthenticatorState, State, Status};
use shared::store::{BrowserRecord, SessionRecord};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// The most of a list that is shown.
const MOST: usize = 50;

/// How somebody else's account stands.
pub(crate) struct Seen {
    pub(crate) status: Status,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) browsers: Vec<BrowserRecord>,
    pub(crate) one_time_code: Option<Timestamp>,
}

impl Seen {
    fn of(door: &mut Door, name: &UserName, now: Timestamp) -> Result<Seen, AdministrationError> {
        let mut sessions = listed(door.sessions(name, now))?;
        let mut browsers = listed(door.browsers(name, now))?;
        sessions.truncate(MOST);
        browsers.truncate(MOST);
        Ok(Seen {
            status: door.status(name)?,
            authenticators: door.authenticators(name)?,
            sessions,
            browsers,
            one_time_code: door.one_time_code_until(name, now)?,
        })
    }

    /// What can be done to it.
    fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::Unlock, Act::MendClock];
        if self.one_time_code.is_some() {
            acts.push(Act::CancelCode);
        }
        acts.push(Act::IssueCode);
        if !self.sessions.is_empty() {
            acts.push(Act::EndSessions);
        }
        if !self.browsers.is_empty() {
            acts.push(Act::ForgetBrowsers);
        }
        if self.status.state == State::On {
            acts.push(Act::Disable);
        }
        acts
    }
}

/// A list; none of an account that is declared and that nobody has used yet.
fn listed<T>(list: Result<Vec<T>, AdministrationError>) -> Result<Vec<T>, AdministrationError> {
    match list {
        Err(AdministrationError::UnknownAccount(_)) => Ok(Vec::new()),
        list => list,
    }
}

impl Guest<'_> {
    /// GET administration and what lies below it
    pub(crate) async fn administration_page(&self, page: &str, query: &str) -> Reply {
        let session = match self.administrator().await {
            Ok(session) => session,
            Err(reply) => return reply,
        };
        let asked = |field: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
            found.map_or_else(String::new, |(_, value)| value.into_owned())
        };
        let shown = match page {
            "administration" => self.found(&session, asked("find")).await,
            "administration/account" => self.account_of(&session, &asked("name")).await,
            "administration/log" => {
                self.events_of(&session, &asked("account"), &asked("before"))
                    .await
            }
            "administration/act" => match self.meant(&asked("account"), &asked("action")) {
                Ok((name, act)) => return self.ask(act.asked(self.t, &name), None).await,
                Err(refused) => Err(refused),
            },
            _ => return reply::bare(StatusCode::NOT_FOUND),
        };
        shown.unwrap_or_else(|refused| self.refused(&refused))
    }

    /// POST administration/act
    pub(crate) async fn administration_act(&self, form: &Form) -> Reply {
        if let Err(reply) = self.administrator().await {
            return reply;
        }
        let (name, act) = match self.meant(form.field("account"), form.field("action")) {
            Ok(meant) => meant,
            Err(refused) => return self.refused(&refused),
        };
        let done = match self.prove(&Fresh::of(form)).await {
            Ok(proven) => self
                .administer(&proven, name.clone(), act)
                .await
                .map(|came| (proven, came)),
            Err(refused) => Err(refused),
        };
        match done {
            Err(refused) => self.ask(act.asked(self.t, &name), Some(&refused)).await,
            Ok((proven, came)) => self.with_proof(self.after_act(&name, act, &came), &proven),
        }
    }

    /// What was done, and the way back to the account.
    fn after_act(&self, name: &UserName, act: Act, came: &Came) -> Reply {
        let t = self.t;
        let (code, line) = match came {
            Came::Done => (None, Some(t.say("admin-done"))),
            Came::Off(after, needs) => {
                let needed = match needs {
                    Needs::Nothing => None,
                    Needs::NewFactor => Some(t.say("admin-still-required")),
                };
                let lines = [
                    Some(t.say("admin-disabled")),
                    t.app_passwords(*after),
                    needed,
                ];
                (
                    None,
                    Some(lines.into_iter().flatten().collect::<Vec<_>>().join(" ")),
                )
            }
            Came::Many(count) => (None, Some(t.say_of("admin-done-count", "count", *count))),
            Came::Code(code, until) => (Some((code.grouped(), *until)), None),
        };
        let page = Issued {
            frame: self.frame(),
            title: &act.title(t),
            user: name.as_str(),
            line: line.as_deref(),
            code: code.as_ref().map(|(code, until)| (code.as_str(), *until)),
            back: &self.to_account(name),
        };
        reply::page(StatusCode::OK, html(&page))
    }

    async fn found(&self, session: &Session, part: String) -> Result<Reply, Refused> {
        let wanted = part.clone();
        let found = self
            .act(session, move |door, _, _| {
                door.find(&wanted, None, MOST + 1)
            })
            .await?;
        let rows: Vec<Row> = found
            .iter()
            .take(MOST)
            .map(|status| self.row(status))
            .collect();
        let page = Found {
            frame: self.frame(),
            part: &part,
            rows: &rows,
            more: found.len() > MOST,
        };
        Ok(reply::page(StatusCode::OK, html(&page)))
    }

    fn row(&self, status: &Status) -> Row {
        let state = match status.state {
            State::On => self.t.say("on"),
            State::Off => self.t.say("admin-off"),
            State::Declared => self.t.say("by-administrator"),
        };
        let name = &status.tally.name;
        Row {
            name: name.to_string(),
            state,
            link: self.to_account(name),
            locked: status.tally.locks > 0,
        }
    }

    async fn account_of(&self, session: &Session, name: &str) -> Result<Reply, Refused> {
        let name = self.name_of(name)?;
        let whose = name.clone();
        let seen = self
            .act(session, move |door, _, now| Seen::of(door, &whose, now))
            .await?;
        let acts: Vec<(Act, String)> = match name == session.name {
            true => Vec::new(),
            false => seen
                .acts()
                .into_iter()
                .map(|act| (act, act.title(self.t)))
                .collect(),
        };
        let page = Account {
            frame: self.frame(),
            user: name.as_str(),
            row: &self.row(&seen.status),
            seen: &seen,
            acts: &acts,
            log: &self.at(&format!(
                "administration/log?account={}",
                encoded(name.as_str())
            )),
        };
        Ok(reply::page(StatusCode::OK, html(&page)))
    }

    /// Whose account is meant, and what is to be done to it.
    fn meant(&self, name: &str, act: &str) -> Result<(UserName, Act), Refused> {
        let act = Act::read(act).ok_or_else(|| Refused::unreadable(self.t.say("act-failed")))?;
        Ok((self.name_of(name)?, act))
    }

    pub(super) fn name_of(&self, text: &str) -> Result<UserName, Refused> {
        text.parse().map_err(|_| {
            Refused::new(
                StatusCode::NOT_FOUND,
                "no_account",
                self.t.say("no-account"),
            )
        })
    }

    fn to_account(&self, name: &UserName) -> String {
        self.at(&format!(
            "administration/account?name={}",
            encoded(name.as_str())
        ))
    }
}

/// A value in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

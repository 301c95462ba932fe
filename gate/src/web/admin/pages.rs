//! The pages of administrators: find someone, see how the account stands, do something about it.

use super::accounts::{AdminAct, AdminActResult, Needs};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::pages::admin::{AccountPage, AccountRow, FoundAccounts, IssuedCodePage};
use crate::web::pages::html;
use crate::web::refusal::ActRefused;
use crate::web::step_up::FreshStepUp;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::account::name::UserName;
use shared::engine::{AdministrationError, Engine};
use shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use shared::store::{BrowserRecord, SessionRecord};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// The most of a list that is shown.
const MOST: usize = 50;

/// How somebody else's account stands.
pub(crate) struct SeenAccount {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) browsers: Vec<BrowserRecord>,
    pub(crate) one_time_code: Option<Timestamp>,
}

impl SeenAccount {
    fn of(
        door: &mut Engine,
        name: &UserName,
        now: Timestamp,
    ) -> Result<SeenAccount, AdministrationError> {
        let mut sessions = listed(door.sessions(name, now))?;
        let mut browsers = listed(door.trusted_browsers(name, now))?;
        sessions.truncate(MOST);
        browsers.truncate(MOST);
        Ok(SeenAccount {
            status: door.account_status(name)?,
            authenticators: door.authenticators(name)?,
            sessions,
            browsers,
            one_time_code: door.one_time_code_expiry(name, now)?,
        })
    }

    /// What can be done to it.
    fn acts(&self) -> Vec<AdminAct> {
        let mut acts = vec![AdminAct::Unlock, AdminAct::MendClock];
        if self.one_time_code.is_some() {
            acts.push(AdminAct::CancelCode);
        }
        acts.push(AdminAct::IssueCode);
        if !self.sessions.is_empty() {
            acts.push(AdminAct::EndSessions);
        }
        if !self.browsers.is_empty() {
            acts.push(AdminAct::ForgetBrowsers);
        }
        if self.status.state == SecondFactorState::On {
            acts.push(AdminAct::Disable);
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

impl RequestContext<'_> {
    /// GET administration and what lies below it
    pub(crate) async fn administration_page(&self, page: &str, query: &str) -> HttpReply {
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
    pub(crate) async fn administration_act(&self, form: &Form) -> HttpReply {
        if let Err(reply) = self.administrator().await {
            return reply;
        }
        let (name, act) = match self.meant(form.field("account"), form.field("action")) {
            Ok(meant) => meant,
            Err(refused) => return self.refused(&refused),
        };
        let done = match self.prove(&FreshStepUp::of(form)).await {
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
    fn after_act(&self, name: &UserName, act: AdminAct, came: &AdminActResult) -> HttpReply {
        let t = self.t;
        let (code, line) = match came {
            AdminActResult::Done => (None, Some(t.say("admin-done"))),
            AdminActResult::Off(after, needs) => {
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
            AdminActResult::Many(count) => {
                (None, Some(t.say_of("admin-done-count", "count", *count)))
            }
            AdminActResult::Code(code, until) => (Some((code.grouped(), *until)), None),
        };
        let page = IssuedCodePage {
            frame: self.frame(),
            title: &act.title(t),
            user: name.as_str(),
            line: line.as_deref(),
            code: code.as_ref().map(|(code, until)| (code.as_str(), *until)),
            back: &self.to_account(name),
        };
        reply::page(StatusCode::OK, html(&page))
    }

    async fn found(&self, session: &Session, part: String) -> Result<HttpReply, ActRefused> {
        let wanted = part.clone();
        let found = self
            .act(session, move |door, _, _| {
                door.find_accounts(&wanted, None, MOST + 1)
            })
            .await?;
        let rows: Vec<AccountRow> = found
            .iter()
            .take(MOST)
            .map(|status| self.row(status))
            .collect();
        let page = FoundAccounts {
            frame: self.frame(),
            part: &part,
            rows: &rows,
            more: found.len() > MOST,
        };
        Ok(reply::page(StatusCode::OK, html(&page)))
    }

    fn row(&self, status: &AccountStatus) -> AccountRow {
        let state = match status.state {
            SecondFactorState::On => self.t.say("on"),
            SecondFactorState::Off => self.t.say("admin-off"),
            SecondFactorState::Declared => self.t.say("by-administrator"),
        };
        let name = &status.tally.name;
        AccountRow {
            name: name.to_string(),
            state,
            link: self.to_account(name),
            locked: status.tally.locks > 0,
        }
    }

    async fn account_of(&self, session: &Session, name: &str) -> Result<HttpReply, ActRefused> {
        let name = self.name_of(name)?;
        let whose = name.clone();
        let seen = self
            .act(session, move |door, _, now| {
                SeenAccount::of(door, &whose, now)
            })
            .await?;
        let acts: Vec<(AdminAct, String)> = match name == session.name {
            true => Vec::new(),
            false => seen
                .acts()
                .into_iter()
                .map(|act| (act, act.title(self.t)))
                .collect(),
        };
        let page = AccountPage {
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
    fn meant(&self, name: &str, act: &str) -> Result<(UserName, AdminAct), ActRefused> {
        let act =
            AdminAct::read(act).ok_or_else(|| ActRefused::unreadable(self.t.say("act-failed")))?;
        Ok((self.name_of(name)?, act))
    }

    pub(super) fn name_of(&self, text: &str) -> Result<UserName, ActRefused> {
        text.parse().map_err(|_| {
            ActRefused::new(
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

//! The pages of administrators: find someone, see how the account stands, do something about it.

use super::accounts::{AdminAct, AdminActResult, Needs};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::admin::accounts;
use crate::web::admin::audit_log;
use crate::web::notice;
use crate::web::pages::admin::{AccountPage, AccountRow, AccountsPage, ActDonePage};
use crate::web::pages::html;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
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
pub(crate) struct AccountDetails {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) browsers: Vec<BrowserRecord>,
    pub(crate) one_time_code: Option<Timestamp>,
}

impl AccountDetails {
    fn of(
        engine: &mut Engine,
        name: &UserName,
        now: Timestamp,
    ) -> Result<AccountDetails, AdministrationError> {
        let mut sessions = listed(engine.sessions(name, now))?;
        let mut browsers = listed(engine.trusted_browsers(name, now))?;
        sessions.truncate(MOST);
        browsers.truncate(MOST);
        Ok(AccountDetails {
            status: engine.account_status(name)?,
            authenticators: engine.authenticators(name)?,
            sessions,
            browsers,
            one_time_code: engine.one_time_code_expiry(name, now)?,
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

/// A value in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// GET administration and what lies below it
pub(crate) async fn show_administration_page(
    request: &RequestContext<'_>,
    page: &str,
    query: &str,
) -> HttpReply {
    let session = match accounts::require_administrator(request).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    let asked = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    let shown = match page {
        "administration" => show_accounts_page(request, &session, asked("find")).await,
        "administration/account" => show_account_page(request, &session, &asked("name")).await,
        "administration/log" => {
            audit_log::show_events_page(request, &session, &asked("account"), &asked("before"))
                .await
        }
        "administration/act" => match parse_act(request, &asked("account"), &asked("action")) {
            Ok((name, act)) => {
                return account::show_confirmation(request, act.asked(request.t, &name), None)
                    .await;
            }
            Err(refused) => Err(refused),
        },
        _ => return reply::bare(StatusCode::NOT_FOUND),
    };
    shown.unwrap_or_else(|refused| notice::show_refusal(request, &refused))
}

/// POST administration/act
pub(crate) async fn submit_admin_act(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    if let Err(reply) = accounts::require_administrator(request).await {
        return reply;
    }
    let (name, act) = match parse_act(request, form.field("account"), form.field("action")) {
        Ok(meant) => meant,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let done = match step_up::verify_step_up(request, &StepUpInput::of(form)).await {
        Ok(step_up) => accounts::run_admin_act(request, &step_up, name.clone(), act)
            .await
            .map(|came| (step_up, came)),
        Err(refused) => Err(refused),
    };
    match done {
        Err(refused) => {
            account::show_confirmation(request, act.asked(request.t, &name), Some(&refused)).await
        }
        Ok((step_up, came)) => step_up::with_step_up_cookie(
            request,
            render_act_result(request, &name, act, &came),
            &step_up,
        ),
    }
}

/// What was done, and the way back to the account.
fn render_act_result(
    request: &RequestContext<'_>,
    name: &UserName,
    act: AdminAct,
    came: &AdminActResult,
) -> HttpReply {
    let t = request.t;
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
        AdminActResult::Many(count) => (None, Some(t.say_of("admin-done-count", "count", *count))),
        AdminActResult::Code(code, until) => (Some((code.grouped(), *until)), None),
    };
    let page = ActDonePage {
        frame: request.frame(),
        title: &act.title(t),
        user: name.as_str(),
        line: line.as_deref(),
        code: code.as_ref().map(|(code, until)| (code.as_str(), *until)),
        back: &account_path(request, name),
    };
    reply::page(StatusCode::OK, html(&page))
}

async fn show_accounts_page(
    request: &RequestContext<'_>,
    session: &Session,
    part: String,
) -> Result<HttpReply, ActRefused> {
    let wanted = part.clone();
    let found = account::run_act(request, session, move |engine, _, _| {
        engine.find_accounts(&wanted, None, MOST + 1)
    })
    .await?;
    let rows: Vec<AccountRow> = found
        .iter()
        .take(MOST)
        .map(|status| account_row(request, status))
        .collect();
    let page = AccountsPage {
        frame: request.frame(),
        part: &part,
        rows: &rows,
        more: found.len() > MOST,
    };
    Ok(reply::page(StatusCode::OK, html(&page)))
}

fn account_row(request: &RequestContext<'_>, status: &AccountStatus) -> AccountRow {
    let state = match status.state {
        SecondFactorState::On => request.t.say("on"),
        SecondFactorState::Off => request.t.say("admin-off"),
        SecondFactorState::Declared => request.t.say("by-administrator"),
    };
    let name = &status.tally.name;
    AccountRow {
        name: name.to_string(),
        state,
        link: account_path(request, name),
        locked: status.tally.locks > 0,
    }
}

async fn show_account_page(
    request: &RequestContext<'_>,
    session: &Session,
    name: &str,
) -> Result<HttpReply, ActRefused> {
    let name = parse_name(request, name)?;
    let whose = name.clone();
    let seen = account::run_act(request, session, move |engine, _, now| {
        AccountDetails::of(engine, &whose, now)
    })
    .await?;
    let acts: Vec<(AdminAct, String)> = match name == session.name {
        true => Vec::new(),
        false => seen
            .acts()
            .into_iter()
            .map(|act| (act, act.title(request.t)))
            .collect(),
    };
    let page = AccountPage {
        frame: request.frame(),
        user: name.as_str(),
        row: &account_row(request, &seen.status),
        seen: &seen,
        acts: &acts,
        log: &request.path_to(&format!(
            "administration/log?account={}",
            encoded(name.as_str())
        )),
    };
    Ok(reply::page(StatusCode::OK, html(&page)))
}

/// Whose account is meant, and what is to be done to it.
fn parse_act(
    request: &RequestContext<'_>,
    name: &str,
    act: &str,
) -> Result<(UserName, AdminAct), ActRefused> {
    let act =
        AdminAct::read(act).ok_or_else(|| ActRefused::unreadable(request.t.say("act-failed")))?;
    Ok((parse_name(request, name)?, act))
}

pub(crate) fn parse_name(request: &RequestContext<'_>, text: &str) -> Result<UserName, ActRefused> {
    text.parse().map_err(|_| {
        ActRefused::new(
            StatusCode::NOT_FOUND,
            "no_account",
            request.t.say("no-account"),
        )
    })
}

fn account_path(request: &RequestContext<'_>, name: &UserName) -> String {
    request.path_to(&format!(
        "administration/account?name={}",
        encoded(name.as_str())
    ))
}

//! The pages of administrators: find an account, show its state, and change it.

use super::accounts::{AdminAct, AdminActResult};
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
use postern_shared::account::name::UserName;
use postern_shared::engine::messages::AfterDisabled;
use postern_shared::engine::{AdministrationError, Engine};
use postern_shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use postern_shared::store::{BrowserRecord, SessionRecord};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;

/// Rows that a list shows at most.
const MAX_ROWS: usize = 50;

/// State of another account.
pub(crate) struct AccountDetails {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) browsers: Vec<BrowserRecord>,
    pub(crate) one_time_code: Option<Timestamp>,
}

impl AccountDetails {
    fn read(
        engine: &mut Engine,
        name: &UserName,
        now: Timestamp,
    ) -> Result<AccountDetails, AdministrationError> {
        let mut sessions = empty_if_unknown(engine.sessions().list_sessions(name, now))?;
        let mut browsers = empty_if_unknown(engine.sessions().list_trusted_browsers(name, now))?;
        sessions.truncate(MAX_ROWS);
        browsers.truncate(MAX_ROWS);
        Ok(AccountDetails {
            status: engine.accounts().account_status(name)?,
            authenticators: engine.enrollment().list_authenticators(name)?,
            sessions,
            browsers,
            one_time_code: engine.accounts().one_time_code_expiry(name, now)?,
        })
    }

    /// Returns the acts that the state of the account allows.
    fn acts(&self) -> Vec<AdminAct> {
        let mut acts = vec![AdminAct::Unlock, AdminAct::ResetClock];
        if self.one_time_code.is_some() {
            acts.push(AdminAct::CancelCode);
        }
        acts.push(AdminAct::IssueCode);
        if !self.sessions.is_empty() {
            acts.push(AdminAct::EndSessions);
        }
        if !self.browsers.is_empty() {
            acts.push(AdminAct::RevokeBrowsers);
        }
        if self.status.state == SecondFactorState::On {
            acts.push(AdminAct::Disable);
        }
        acts
    }
}

/// Returns an empty list for an account that is declared in a file and has never signed in.
fn empty_if_unknown<T>(
    list: Result<Vec<T>, AdministrationError>,
) -> Result<Vec<T>, AdministrationError> {
    match list {
        Err(AdministrationError::UnknownAccount(_)) => Ok(Vec::new()),
        list => list,
    }
}

/// Encodes a value for a query.
pub(super) fn encode_query_value(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Handles GET administration and the pages below it.
pub(crate) async fn show_administration_page(
    request: &RequestContext<'_>,
    page: &str,
    query: &str,
) -> HttpReply {
    let session = match accounts::require_administrator(request).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    let value = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    let page_result = match page {
        "administration" => show_accounts_page(request, &session, value("find")).await,
        "administration/account" => show_account_page(request, &session, &value("name")).await,
        "administration/log" => {
            audit_log::show_events_page(request, &session, &value("account"), &value("before"))
                .await
        }
        "administration/act" => match parse_act(request, &value("account"), &value("action")) {
            Ok((name, act)) => {
                return account::show_confirmation(
                    request,
                    act.confirmation(request.language, &name),
                    None,
                )
                .await;
            }
            Err(refused) => Err(refused),
        },
        _ => return reply::bare(StatusCode::NOT_FOUND),
    };
    page_result.unwrap_or_else(|refused| notice::show_refusal(request, &refused))
}

/// Handles a POST request for administration/act.
pub(crate) async fn submit_admin_act(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    if let Err(reply) = accounts::require_administrator(request).await {
        return reply;
    }
    let (name, act) = match parse_act(request, form.field("account"), form.field("action")) {
        Ok(act) => act,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let done = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => accounts::run_admin_act(request, &step_up, name.clone(), act)
            .await
            .map(|result| (step_up, result)),
        Err(refused) => Err(refused),
    };
    match done {
        Err(refused) => {
            account::show_confirmation(
                request,
                act.confirmation(request.language, &name),
                Some(&refused),
            )
            .await
        }
        Ok((step_up, result)) => step_up::with_step_up_cookie(
            request,
            render_act_result(request, &name, act, &result),
            &step_up,
        ),
    }
}

/// Renders the result of an act, with a link to the account.
fn render_act_result(
    request: &RequestContext<'_>,
    name: &UserName,
    act: AdminAct,
    result: &AdminActResult,
) -> HttpReply {
    let language = request.language;
    let (code, line) = match result {
        AdminActResult::Done => (None, Some(language.text("admin-done"))),
        AdminActResult::Disabled(after, policy) => {
            let needed = match policy {
                AfterDisabled::NotRequired => None,
                AfterDisabled::Required => Some(language.text("admin-still-required")),
            };
            let lines = [
                Some(language.text("admin-disabled")),
                language.app_passwords(*after),
                needed,
            ];
            (
                None,
                Some(lines.into_iter().flatten().collect::<Vec<_>>().join(" ")),
            )
        }
        AdminActResult::Count(count) => (
            None,
            Some(language.text_with("admin-done-count", "count", *count)),
        ),
        AdminActResult::Code(code, until) => (Some((code.grouped(), *until)), None),
    };
    let page = ActDonePage {
        frame: request.frame(),
        title: &act.title(language),
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
    let owned_part = part.clone();
    let found = account::run_act(request, session, move |engine, _, _| {
        engine
            .accounts()
            .find_accounts(&owned_part, None, MAX_ROWS + 1)
    })
    .await?;
    let rows: Vec<AccountRow> = found
        .iter()
        .take(MAX_ROWS)
        .map(|status| account_row(request, status))
        .collect();
    let page = AccountsPage {
        frame: request.frame(),
        part: &part,
        rows: &rows,
        more: found.len() > MAX_ROWS,
    };
    Ok(reply::page(StatusCode::OK, html(&page)))
}

fn account_row(request: &RequestContext<'_>, status: &AccountStatus) -> AccountRow {
    let state = match status.state {
        SecondFactorState::On => request.language.text("on"),
        SecondFactorState::Off => request.language.text("admin-off"),
        SecondFactorState::Declared => request.language.text("by-administrator"),
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
    let account = name.clone();
    let seen = account::run_act(request, session, move |engine, _, now| {
        AccountDetails::read(engine, &account, now)
    })
    .await?;
    let acts: Vec<(AdminAct, String)> = match name == session.name {
        true => Vec::new(),
        false => seen
            .acts()
            .into_iter()
            .map(|act| (act, act.title(request.language)))
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
            encode_query_value(name.as_str())
        )),
    };
    Ok(reply::page(StatusCode::OK, html(&page)))
}

/// Parses the account and the act of a form.
fn parse_act(
    request: &RequestContext<'_>,
    name: &str,
    act: &str,
) -> Result<(UserName, AdminAct), ActRefused> {
    let act = AdminAct::parse(act)
        .ok_or_else(|| ActRefused::invalid_value(request.language.text("act-failed")))?;
    Ok((parse_name(request, name)?, act))
}

pub(crate) fn parse_name(request: &RequestContext<'_>, text: &str) -> Result<UserName, ActRefused> {
    text.parse().map_err(|_| {
        ActRefused::new(
            StatusCode::NOT_FOUND,
            "no_account",
            request.language.text("no-account"),
        )
    })
}

fn account_path(request: &RequestContext<'_>, name: &UserName) -> String {
    request.path_to(&format!(
        "administration/account?name={}",
        encode_query_value(name.as_str())
    ))
}

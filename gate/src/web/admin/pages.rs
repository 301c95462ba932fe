//! The pages of administrators: find an account, show its state, and change it.

use super::accounts::{
    AccountDetails, AdminAct, AdminActResult, require_administrator, run_admin_act,
};
use super::templates::{AccountPage, AccountRow, AccountsPage, ActDonePage};
use crate::http::reply::HttpReply;
use crate::web::account::{parse_label, run_act, show_confirmation};
use crate::web::pages;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postern_shared::account::name::UserName;
use postern_shared::engine::messages::AfterDisabled;
use postern_shared::protocol::status::{AccountStatus, SecondFactorState};

/// Rows that a list shows at most.
const MAX_ROWS: usize = 50;

/// Shows administration: the accounts that match what was searched for.
pub(crate) async fn show_accounts_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let session = require_administrator(request).await?;
    let part = form.field("find").to_owned();
    let found = run_act(request, session, move |engine, _| {
        engine.accounts().find_accounts(&part, None, MAX_ROWS + 1)
    });
    let found = found.await?;
    let rows = found
        .iter()
        .take(MAX_ROWS)
        .map(|status| account_row(request, status));
    let page = AccountsPage {
        frame: request.frame(None),
        part: form.field("find"),
        rows: &rows.collect::<Vec<_>>(),
        more: found.len() > MAX_ROWS,
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

fn account_row(request: &RequestContext<'_>, status: &AccountStatus) -> AccountRow {
    let state = match status.state {
        SecondFactorState::On => request.text("on"),
        SecondFactorState::Off => request.text("admin-off"),
        SecondFactorState::Declared => request.text("by-administrator"),
    };
    let name = &status.tally.name;
    AccountRow {
        name: name.to_string(),
        state,
        link: account_path(request, name),
        locked: status.tally.locks > 0,
    }
}

pub(crate) async fn show_account_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let session = require_administrator(request).await?;
    let name = parse_name(request, form.field("name"))?;
    let account = name.clone();
    let seen = run_act(request, session.clone(), move |engine, owner| {
        AccountDetails::read(engine, &account, MAX_ROWS, owner.now)
    });
    let seen = seen.await?;
    let acts: Vec<(AdminAct, String)> = match name == session.name {
        true => Vec::new(),
        false => {
            let acts = seen.acts().into_iter();
            acts.map(|act| (act, act.title(request.language))).collect()
        }
    };
    let page = AccountPage {
        frame: request.frame(None),
        user: name.as_str(),
        row: &account_row(request, &seen.status),
        seen: &seen,
        acts: &acts,
        log: &log_path(request, Some(&name), None),
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

/// Shows administration/act: the confirmation of an act, with the refusal of the attempt before.
pub(crate) async fn show_act_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    require_administrator(request).await?;
    let (name, act) = parse_act(request, form)?;
    let confirmation = act.confirmation(request.language, &name, form.field("which"));
    show_confirmation(request, confirmation, form).await
}

pub(crate) async fn submit_admin_act(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    require_administrator(request).await?;
    let (name, act) = parse_act(request, form)?;
    let step_up = step_up::verify_form(request, form).await?;
    let passkey = match act {
        AdminAct::RemovePasskey => Some(parse_label(request, form.field("which"))?),
        _ => None,
    };
    let result = run_admin_act(request, &step_up, name.clone(), act, passkey).await?;
    let page = render_act_result(request, &name, act, &result);
    Ok(request.with_tokens(page, &step_up.tokens(request)))
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
        frame: request.frame(None),
        title: &act.title(language),
        user: name.as_str(),
        line: line.as_deref(),
        code: code.as_ref().map(|(code, until)| (code.as_str(), *until)),
        back: &account_path(request, name),
    };
    pages::reply(StatusCode::OK, &page)
}

/// Parses the account and the act of a form.
fn parse_act(request: &RequestContext<'_>, form: &PageForm) -> ActResult<(UserName, AdminAct)> {
    let act = AdminAct::parse(form.field("action"));
    let act = act.ok_or_else(|| ActRefused::invalid_value(request.text("act-failed")))?;
    Ok((parse_name(request, form.field("account"))?, act))
}

pub(super) fn parse_name(request: &RequestContext<'_>, text: &str) -> ActResult<UserName> {
    let unknown = |_| ActRefused::not_found("no_account", request.text("no-account"));
    text.parse().map_err(unknown)
}

fn account_path(request: &RequestContext<'_>, name: &UserName) -> String {
    request.path_to(&format!(
        "administration/account?name={}",
        encode_name(name)
    ))
}

/// Returns the path of the audit log, of one account or of all, before an event.
pub(super) fn log_path(
    request: &RequestContext<'_>,
    name: Option<&UserName>,
    before: Option<i64>,
) -> String {
    let account = name.map(|name| format!("account={}", encode_name(name)));
    let before = before.map(|number| format!("before={number}"));
    let query: Vec<String> = account.into_iter().chain(before).collect();
    request.path_to(&format!("administration/log?{}", query.join("&")))
}

/// Encodes a name for a query.
fn encode_name(name: &UserName) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC)
}

//! Sign-in: the code page, and the cookies and notices of the session that it opens. The first
//! factor, mailed codes and upgrades are in files below.

pub(crate) mod first_factor;
pub(crate) mod mail;
pub(crate) mod password;
pub(crate) mod upgrade;

use super::pages;
use super::refusal::{PageForm, PageResult};
use super::request::RequestContext;
use crate::http::cookies::TokenChanges;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::notice;
use crate::web::step_up;
use hyper::StatusCode;
use postern_shared::account::second_factor::CodeMethods;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterCode, AfterLogin, OpenedSession, TrustRequest};
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;

/// Message above the form of the code page.
#[derive(Clone, Copy)]
enum CodePageNote<'a> {
    Empty,
    Alert(&'a str),
    Status(&'a str),
}

pub(crate) async fn show_code_page(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    let Some(token) = request.login_token() else {
        return Ok(reply::see_other(&request.path_to("sign-in")));
    };
    let any_text = request.query == "other";
    Ok(render_code_page(
        request,
        StatusCode::OK,
        &token,
        CodePageNote::Empty,
        any_text,
    ))
}

/// Verifies the code of a sign-in.
pub(crate) async fn submit_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let Some(token) = request.login_token() else {
        return Ok(render_expired(request, None));
    };
    let input = Input::parse(form.field("code").as_bytes());
    let any_text = !matches!(input, Input::Digits(_));
    let trust = if form.field("trust") == "yes" {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let refusal = match verify_code(request, &token, input, trust).await? {
        AfterCode::Opened(opened) => {
            return Ok(finish_sign_in(request, &opened, &token.payload().back_to));
        }
        AfterCode::Refused(Refusal::Expired) => return Ok(render_expired(request, Some(&token))),
        AfterCode::Refused(refusal) => refusal,
    };
    let text = request.language.message(refusal);
    let note = CodePageNote::Alert(&text);
    Ok(match refusal {
        Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let page = render_code_page(request, status, &token, note, any_text);
            reply::with_retry_after(page, wait)
        }
        _ => render_code_page(request, StatusCode::UNAUTHORIZED, &token, note, any_text),
    })
}

/// Verifies the code of a sign-in, and logs a refusal.
pub(crate) async fn verify_code(
    request: &RequestContext<'_>,
    token: &LoginToken,
    input: Input,
    trust: TrustRequest,
) -> Result<AfterCode, PoolError> {
    let owned_token = token.clone();
    let run = request.run(move |engine, client, now| {
        engine
            .login()
            .enter_code(&client.browser(), &owned_token, &input, trust, now)
    });
    let next = run.await?;
    if let AfterCode::Refused(refusal) = &next {
        request.log_sign_in(token.account(), "refused", &refusal.to_string());
    }
    Ok(next)
}

/// Issues the tokens of the new session, and returns to the requested page.
pub(crate) fn finish_sign_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    return_url: &str,
) -> HttpReply {
    let page = render_signed_in(request, opened, return_url);
    request.with_tokens(page, &sign_in_tokens(request, opened))
}

/// Returns to the requested page, or shows the notices of a sign-in before.
pub(crate) fn render_signed_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    return_url: &str,
) -> HttpReply {
    let notices = sign_in_notices(request, opened);
    let return_url = if return_url.is_empty() {
        request.site.url.path.as_str()
    } else {
        return_url
    };
    if notices.is_empty() {
        return reply::see_other(return_url);
    }
    let page = pages::NoticePage {
        frame: request.frame(None),
        title: &request.text("signed-in"),
        lines: &notices,
        link: Some((return_url, request.text("continue"))),
        stepped_up: step_up::counts_as_step_up(request, opened),
    };
    pages::reply(StatusCode::OK, &page)
}

/// Returns the notices of a sign-in: wrong codes since the last one, recovery codes, app passwords.
pub(crate) fn sign_in_notices(request: &RequestContext<'_>, opened: &OpenedSession) -> Vec<String> {
    let language = request.language;
    let AfterLogin { missed, recovery } = &opened.after_login;
    let notices = [
        missed.as_ref().map(|missed| language.message(missed)),
        recovery.map(|recovered| language.recovered(recovered)),
        language.app_passwords(opened.app_passwords),
    ];
    notices.into_iter().flatten().collect()
}

/// Logs a sign-in, and returns the tokens of its session.
pub(crate) fn sign_in_tokens(request: &RequestContext<'_>, opened: &OpenedSession) -> TokenChanges {
    request.log_sign_in(&opened.session.name, "accepted", &opened.cause());
    step_up::sign_in_tokens(request, opened)
}

/// Renders the sign-in page for a sign-in that has expired.
fn render_expired(request: &RequestContext<'_>, token: Option<&LoginToken>) -> HttpReply {
    let text = request.language.message(Refusal::Expired);
    let return_url = token.map_or("", |token| &token.payload().back_to);
    let user = token.map_or("", |token| token.account().as_str());
    render_sign_in_page(
        request,
        StatusCode::UNAUTHORIZED,
        return_url,
        user,
        Some(&text),
    )
}

pub(crate) fn render_sign_in_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    return_url: &str,
    user: &str,
    message: Option<&str>,
) -> HttpReply {
    if request.site.gate().first_factor == FirstFactorSource::Header {
        // there is no form: the page shows the message, and a link to try again
        let title = request.text("sign-in");
        let lines: Vec<String> = message.map(str::to_owned).into_iter().collect();
        let link = (&*request.sign_in_path(return_url), title.clone());
        return notice::render_notice(request, status, &title, &lines, Some(link));
    }
    let page = pages::SignInPage {
        frame: request.frame(message),
        return_url,
        user,
    };
    pages::reply(status, &page)
}

fn render_code_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    token: &LoginToken,
    note: CodePageNote<'_>,
    any_text: bool,
) -> HttpReply {
    let (app, mail) = match &token.payload().methods {
        CodeMethods::App => (true, None),
        CodeMethods::AppOrMail(to) => (true, Some(to.as_str())),
        CodeMethods::Mail(to) => (false, Some(to.as_str())),
    };
    let (message, note_status) = match note {
        CodePageNote::Empty => (None, None),
        CodePageNote::Alert(text) => (Some(text), None),
        CodePageNote::Status(text) => (None, Some(text)),
    };
    let page = pages::CodePage {
        frame: request.frame(message),
        user: token.account().as_str(),
        sign_in: &request.sign_in_path(&token.payload().back_to),
        days: request.site.gate().trusted_browser_lifetime.seconds() / 86_400,
        status: note_status,
        any_text,
        digits: token.payload().digits,
        app,
        mail,
    };
    pages::reply(status, &page)
}

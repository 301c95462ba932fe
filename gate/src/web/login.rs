//! Sign-in: the code page, and the cookies and notices of the session that it opens. The first
//! factor, mailed codes and upgrades are in files below.

pub(crate) mod first_factor;
pub(crate) mod mail;
pub(crate) mod password;
pub(crate) mod upgrade;

use super::pages::{self, html};
use super::request::{OwnedBrowserContext, RequestContext};
use crate::http::form::Form;
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

/// Handles a GET request for code.
pub(crate) fn show_code_page(request: &RequestContext<'_>, any_text: bool) -> HttpReply {
    match request.login_token() {
        Some(token) => render_code_page(
            request,
            StatusCode::OK,
            &token,
            CodePageNote::Empty,
            any_text,
        ),
        None => reply::see_other(&request.path_to("sign-in")),
    }
}

/// Handles a POST request for code.
pub(crate) async fn submit_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(token) = request.login_token() else {
        let text = request.language.refusal(Refusal::Expired);
        return render_sign_in_page(request, StatusCode::UNAUTHORIZED, "", "", Some(&text));
    };
    let input = Input::parse(form.field("code").as_bytes());
    let any_text = !matches!(input, Input::Digits(_));
    let trust = if form.field("trust") == "yes" {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    match verify_code(request, &token, input, trust).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterCode::Opened(opened)) => finish_sign_in(request, &opened, &token.payload().back_to),
        Ok(AfterCode::Refused(refusal)) => {
            let text = request.language.refusal(refusal);
            match refusal {
                Refusal::Expired => render_sign_in_page(
                    request,
                    StatusCode::UNAUTHORIZED,
                    &token.payload().back_to,
                    token.account().as_str(),
                    Some(&text),
                ),
                Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
                    let page = render_code_page(
                        request,
                        StatusCode::TOO_MANY_REQUESTS,
                        &token,
                        CodePageNote::Alert(&text),
                        any_text,
                    );
                    reply::with_retry_after(page, wait)
                }
                _ => render_code_page(
                    request,
                    StatusCode::UNAUTHORIZED,
                    &token,
                    CodePageNote::Alert(&text),
                    any_text,
                ),
            }
        }
    }
}

/// Verifies the code of a sign-in, and logs a refusal.
pub(crate) async fn verify_code(
    request: &RequestContext<'_>,
    token: &LoginToken,
    input: Input,
    trust: TrustRequest,
) -> Result<AfterCode, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.login().enter_code(
            &client.browser(),
            &owned_token,
            &input,
            trust,
            client.now()?,
        )
    });
    let next = run.await?;
    if let AfterCode::Refused(refusal) = &next {
        request.log_sign_in(token.account(), "refused", &refusal.to_string());
    }
    Ok(next)
}

/// Sets the cookies of the new session, and returns to the requested page.
pub(crate) fn finish_sign_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    back_to: &str,
) -> HttpReply {
    let notices = sign_in_notices(request, opened);
    let back_to = if back_to.is_empty() {
        request.site.url.path.as_str()
    } else {
        back_to
    };
    let page = if notices.is_empty() {
        reply::see_other(back_to)
    } else {
        let page = pages::NoticePage {
            frame: request.frame(),
            title: &request.language.text("signed-in"),
            lines: &notices,
            link: Some((back_to, request.language.text("continue"))),
            stepped_up: step_up::counts_as_step_up(request, opened),
        };
        reply::page(StatusCode::OK, html(&page))
    };
    with_sign_in_cookies(request, page, opened)
}

/// Returns the notices of a sign-in: wrong codes since the last one, recovery codes, app passwords.
pub(crate) fn sign_in_notices(request: &RequestContext<'_>, opened: &OpenedSession) -> Vec<String> {
    let AfterLogin { missed, recovery } = &opened.after_login;
    let notices = [
        missed
            .as_ref()
            .map(|missed| request.language.missed(missed)),
        recovery.map(|recovered| request.language.recovered(recovered)),
        request.language.app_passwords(opened.app_passwords),
    ];
    notices.into_iter().flatten().collect()
}

/// Adds the cookies of a new session, and removes the cookie of its sign-in.
pub(crate) fn with_sign_in_cookies(
    request: &RequestContext<'_>,
    page: HttpReply,
    opened: &OpenedSession,
) -> HttpReply {
    let (gate, cookies) = (request.site.gate(), &request.site.cookies);
    request.log_sign_in(&opened.session.name, "accepted", &opened.cause());
    let page = step_up::with_session_cookie(request, page, opened);
    let page = reply::with_cookie(page, &cookies.own_cookie(cookies.names.login, "", 0));
    let page = match &opened.browser_cookie {
        Some(value) => reply::with_cookie(
            page,
            &cookies.own_cookie(
                cookies.names.trusted_browser,
                value,
                gate.trusted_browser_lifetime.seconds(),
            ),
        ),
        None => page,
    };
    step_up::with_step_up_of_sign_in(request, page, opened)
}

pub(crate) fn render_sign_in_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    back_to: &str,
    user: &str,
    message: Option<&str>,
) -> HttpReply {
    if request.site.gate().first_factor == FirstFactorSource::Header {
        // there is no form: the page shows the message, and a link to try again
        let title = request.language.text("sign-in");
        let lines: Vec<String> = message.map(str::to_owned).into_iter().collect();
        let link = (&*request.sign_in_path(back_to), title.clone());
        return notice::render_notice(request, status, &title, &lines, Some(link));
    }
    let page = pages::SignInPage {
        frame: request.frame(),
        back_to,
        user,
        message,
    };
    reply::page(status, html(&page))
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
        frame: request.frame(),
        user: token.account().as_str(),
        sign_in: &request.sign_in_path(&token.payload().back_to),
        days: request.site.gate().trusted_browser_lifetime.seconds() / 86_400,
        message,
        status: note_status,
        any_text,
        digits: token.payload().digits,
        app,
        mail,
    };
    reply::page(status, html(&page))
}

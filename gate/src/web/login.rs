//! The sign-in, page by page: first factor, code, back to the page that was asked for; and sign-out.

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
use shared::account::second_factor::CodeMethods;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::engine::{AfterCode, OpenedSession, TrustRequest};
use shared::token::LoginToken;
use shared::verify::decision::Refusal;

/// What the code page says above the form.
#[derive(Clone, Copy)]
enum CodePageNote<'a> {
    Nothing,
    /// What went wrong.
    Alert(&'a str),
    /// What was done.
    Status(&'a str),
}

/// GET code
pub(crate) fn show_code_page(request: &RequestContext<'_>, any_text: bool) -> HttpReply {
    match request.login_token() {
        Some(ticket) => render_code_page(
            request,
            StatusCode::OK,
            &ticket,
            CodePageNote::Nothing,
            any_text,
        ),
        None => reply::see_other(&request.path_to("sign-in")),
    }
}

/// POST code
pub(crate) async fn submit_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(ticket) = request.login_token() else {
        let text = request.t.refusal(Refusal::Expired);
        return render_sign_in_page(request, StatusCode::UNAUTHORIZED, "", "", Some(&text));
    };
    let answer = Input::parse(form.field("code").as_bytes());
    let any_text = !matches!(answer, Input::Digits(_));
    let trust = if form.field("trust") == "yes" {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    match verify_code(request, &ticket, answer, trust).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterCode::Opened(opened)) => {
            finish_sign_in(request, &opened, &ticket.payload().back_to)
        }
        Ok(AfterCode::Refused(refusal)) => {
            let text = request.t.refusal(refusal);
            match refusal {
                Refusal::Expired => render_sign_in_page(
                    request,
                    StatusCode::UNAUTHORIZED,
                    &ticket.payload().back_to,
                    ticket.account().as_str(),
                    Some(&text),
                ),
                Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
                    let page = render_code_page(
                        request,
                        StatusCode::TOO_MANY_REQUESTS,
                        &ticket,
                        CodePageNote::Alert(&text),
                        any_text,
                    );
                    reply::with_retry_after(page, wait)
                }
                _ => render_code_page(
                    request,
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
pub(crate) async fn verify_code(
    request: &RequestContext<'_>,
    ticket: &LoginToken,
    answer: Input,
    trust: TrustRequest,
) -> Result<AfterCode, PoolError> {
    let (said, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.enter_code(&client.browser(), &said, &answer, trust, client.now()?)
    });
    let next = run.await?;
    if let AfterCode::Refused(refusal) = &next {
        request.log_sign_in(ticket.account(), "refused", &refusal.to_string());
    }
    Ok(next)
}

/// The session has begun: its cookies, and the way back.
pub(crate) fn finish_sign_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    back_to: &str,
) -> HttpReply {
    let told = sign_in_notices(request, opened);
    let back_to = if back_to.is_empty() {
        request.site.url.path.as_str()
    } else {
        back_to
    };
    let page = if told.is_empty() {
        reply::see_other(back_to)
    } else {
        let page = pages::NoticePage {
            frame: request.frame(),
            title: &request.t.say("signed-in"),
            lines: &told,
            link: Some((back_to, request.t.say("continue"))),
            stepped_up: step_up::counts_as_step_up(request, opened),
        };
        reply::page(StatusCode::OK, html(&page))
    };
    with_sign_in_cookies(request, page, opened)
}

/// What whoever signs in should know.
pub(crate) fn sign_in_notices(request: &RequestContext<'_>, opened: &OpenedSession) -> Vec<String> {
    let told = [
        opened
            .missed
            .as_ref()
            .map(|missed| request.t.missed(missed)),
        opened
            .recovery
            .map(|recovered| request.t.recovered(recovered)),
        request.t.app_passwords(opened.app_passwords),
    ];
    told.into_iter().flatten().collect()
}

/// The cookies of a session that a sign-in has opened.
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
        // there is nothing to type: what to read, and the way on
        let title = request.t.say("sign-in");
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
        frame: request.frame(),
        user: ticket.account().as_str(),
        sign_in: &request.sign_in_path(&ticket.payload().back_to),
        days: request.site.gate().trusted_browser_lifetime.seconds() / 86_400,
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

//! Sign-in: the code page, and the cookies and notices of the session that it opens. The first
//! factor, mailed codes and upgrades are in files below.

pub(crate) mod first_factor;
pub(crate) mod mail;
pub(crate) mod passkey;
pub(crate) mod passkey_alone;
pub(crate) mod password;
pub(crate) mod upgrade;

use super::pages;
use super::refusal::{ActRefused, PageForm, PageResult};
use super::request::RequestContext;
use crate::check::rules::ReturnPage;
use crate::http::cookies::TokenChanges;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::notice::{self, redirect};
use crate::web::passkey::request_options;
use crate::web::step_up;
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::CodeMethods;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterCode, AfterLogin, OpenedSession, PasskeyOptions, TrustRequest};
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;

/// Shows the code page. Without a first factor it leads on: to the requested page, if a session
/// suffices for it by now, or else to the sign-in page.
pub(crate) async fn show_code_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let requested = requested_page(request, form);
    Ok(match request.login_token() {
        Some(token) => {
            let options = passkey::find_options(request, &token).await;
            render_code_page(request, &token, options.as_ref(), form)
        }
        None if first_factor::may_open(request, requested) => reply::see_other(requested),
        None => reply::see_other(&request.sign_in_path(requested)),
    })
}

/// Returns the page that this tab requested: another tab may have requested another one meanwhile,
/// and have signed in.
fn requested_page<'a>(request: &RequestContext<'_>, form: &'a PageForm) -> &'a str {
    let return_url = request.site.valid_return_url(form.field("rd"));
    return_url.unwrap_or_default()
}

/// Returns the token of the sign-in that a form belongs to.
fn token_of_form(request: &RequestContext<'_>, form: &PageForm) -> Option<LoginToken> {
    let user = form.field("user");
    let token = request.login_token()?;
    (user.is_empty() || user == token.account().as_str()).then_some(token)
}

/// Verifies the code of a sign-in.
pub(crate) async fn submit_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let requested = requested_page(request, form);
    let Some(token) = token_of_form(request, form) else {
        return Ok(match first_factor::may_open(request, requested) {
            true => reply::see_other(requested),
            false => show_expired(request, requested, form.field("user")),
        });
    };
    let input = Input::parse(form.field("code").as_bytes());
    let trust = if form.field("trust") == "yes" {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let requested = page_after(requested, &token);
    // The page would ask for a passkey again, which the account can only add now.
    let lacks_passkey =
        token.payload().needs_passkey && passkey::find_options(request, &token).await.is_none();
    match verify_code(request, &token, input, trust).await? {
        AfterCode::Opened(opened) if lacks_passkey => {
            Ok(passkey::lead_to_passkeys(request, &opened))
        }
        AfterCode::Opened(opened) => Ok(finish_sign_in(request, &opened, requested)),
        AfterCode::Refused(Refusal::Expired) => {
            Ok(show_expired(request, requested, token.account().as_str()))
        }
        AfterCode::Refused(refusal) => {
            let refused = ActRefused::code(request.language, refusal);
            Err(refused.into_unauthorized().into())
        }
    }
}

/// Returns the page that follows a sign-in: the one that this tab requested, if it says one.
fn page_after<'a>(requested: &'a str, token: &'a LoginToken) -> &'a str {
    match requested.is_empty() {
        true => &token.payload().back_to,
        false => requested,
    }
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
        change_user: None,
        stepped_up: step_up::counts_as_step_up(request, opened),
    };
    pages::reply(StatusCode::OK, &page)
}

/// Returns the notices of a sign-in: wrong codes since the last one, recovery codes, app passwords.
pub(crate) fn sign_in_notices(request: &RequestContext<'_>, opened: &OpenedSession) -> Vec<String> {
    let language = request.language;
    let AfterLogin {
        missed, recovery, ..
    } = &opened.after_login;
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

/// Leads back to the sign-in page, for a sign-in that has expired.
fn show_expired(request: &RequestContext<'_>, requested: &str, user: &str) -> HttpReply {
    let text = request.language.message(Refusal::Expired);
    let refused = ActRefused::unauthorized("sign_in_expired", text);
    show_sign_in_refusal(request, refused, requested, user)
}

/// Shows on the sign-in page why a sign-in does not go on. A browser is redirected there.
pub(crate) fn show_sign_in_refusal(
    request: &RequestContext<'_>,
    refused: ActRefused,
    requested: &str,
    user: &str,
) -> HttpReply {
    let form = PageForm::of_sign_in(requested, user).with_refusal(refused);
    redirect::redirect_to_page(request, "sign-in", &form)
        .unwrap_or_else(|| render_sign_in_page(request, &form))
}

/// Renders the sign-in page, with the refusal of the attempt before.
pub(crate) fn render_sign_in_page(request: &RequestContext<'_>, form: &PageForm) -> HttpReply {
    let return_url = requested_page(request, form);
    if request.site.gate().first_factor == FirstFactorSource::Header {
        // there is no form: the page shows the message, and a link to try again
        let title = request.text("sign-in");
        let lines: Vec<String> = form.message().map(str::to_owned).into_iter().collect();
        let link = (&*request.sign_in_path(return_url), title.clone());
        let status = form
            .refused
            .as_ref()
            .map_or(StatusCode::OK, |refused| refused.status);
        return notice::render_notice(request, status, &title, &lines, Some(link));
    }
    // what cannot be a name may be a password in the wrong field
    let user = form.field("user").trim();
    let is_name = UserName::parse(user.as_bytes()).is_ok();
    let application = ReturnPage::parse(request.site, return_url);
    let page = pages::SignInPage {
        frame: request.frame(form.message()),
        return_url,
        application: application.as_ref().map(ReturnPage::host),
        is_shortened: form.field("cut") == "yes" && !return_url.is_empty(),
        user: if is_name { user } else { "" },
        wait: form.wait(),
        passkey: passkey_alone::prompt(request),
    };
    notice::page_with_refusal(&page, form)
}

fn render_code_page(
    request: &RequestContext<'_>,
    token: &LoginToken,
    passkeys: Option<&PasskeyOptions>,
    form: &PageForm,
) -> HttpReply {
    let (app, mail) = match &token.payload().methods {
        CodeMethods::App => (true, None),
        CodeMethods::AppOrMail(to) => (true, Some(to.as_str())),
        CodeMethods::Mail(to) => (false, Some(to.as_str())),
    };
    let requested = requested_page(request, form);
    let after = page_after(requested, token);
    let is_other = |part: &str| part == "other";
    let typed = form.field("code");
    let any_text = request.query.split('&').any(is_other)
        || !typed.is_empty() && !matches!(Input::parse(typed.as_bytes()), Input::Digits(_));
    let code_page = request.page_path("code", requested);
    let application = ReturnPage::parse(request.site, after);
    let page = pages::CodePage {
        frame: request.frame(form.message()),
        user: token.account().as_str(),
        return_url: requested,
        application: application.as_ref().map(ReturnPage::host),
        code_page: &code_page,
        other_page: &match requested.is_empty() {
            true => format!("{code_page}?other"),
            false => format!("{code_page}&other"),
        },
        sign_in: &request.sign_in_path(after),
        days: request.site.gate().trusted_browser_lifetime.seconds() / 86_400,
        status: form.status.as_deref(),
        trust: form.field("trust") == "yes",
        wait: form.wait(),
        any_text,
        digits: token.payload().digits,
        app,
        mail,
        passkeys: passkeys.map(|options| request_options(options).to_string()),
        needs_passkey: token.payload().needs_passkey,
    };
    notice::page_with_refusal(&page, form)
}

//! The first factor at the sign-in page: a password, or the identity that the proxy sends; and the
//! page that follows.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolError, ShareKey};
use crate::observe::log;
use crate::web::enroll;
use crate::web::login;
use crate::web::login::password;
use crate::web::login::upgrade;
use crate::web::notice;
use crate::web::request::{OwnedBrowserContext, RequestContext};
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::crypto::vault::VaultError;
use postern_shared::engine::{AfterPassword, SERVICE};
use postern_shared::token::{LoginToken, TokenKind};
use postern_shared::verify::decision::Refusal;
use zeroize::Zeroizing;

/// Handles a GET request for sign-in.
pub(crate) async fn show_sign_in_page(request: &RequestContext<'_>, rd: &str) -> HttpReply {
    let back_to = request.site.valid_return_url(rd).unwrap_or_default();
    if upgrade::may_open(request, back_to) {
        return reply::see_other(back_to);
    }
    match request.site.gate().first_factor {
        FirstFactorSource::Password | FirstFactorSource::Pam => {
            login::render_sign_in_page(request, StatusCode::OK, back_to, "", None)
        }
        FirstFactorSource::Header if request.session().is_some() && back_to.is_empty() => {
            reply::see_other(&request.path_to(""))
        }
        FirstFactorSource::Header => sign_in_by_identity(request, back_to).await,
    }
}

/// Handles a POST request for sign-in.
pub(crate) async fn submit_password(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let back_to = request
        .site
        .valid_return_url(form.field("rd"))
        .unwrap_or_default();
    let user = form.field("user").trim();
    let refused = || request.language.text("sign-in-refused");
    let Ok(name) = UserName::parse(user.as_bytes()) else {
        return login::render_sign_in_page(
            request,
            StatusCode::UNAUTHORIZED,
            back_to,
            "",
            Some(&refused()),
        );
    };
    if request.site.gate().first_factor == FirstFactorSource::Header {
        // with this first factor there is no password
        return reply::see_other(&request.sign_in_path(back_to));
    }
    let typed = Zeroizing::new(form.field("password").to_owned());
    let recovery = Input::parse(form.field("recovery").as_bytes());
    match password::verify_password(request, &name, typed, recovery, back_to).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterPassword::Refused(refusal)) => match refusal {
            Refusal::AddressDelayed { wait } => {
                let text = request.language.refusal(refusal);
                let page = login::render_sign_in_page(
                    request,
                    StatusCode::TOO_MANY_REQUESTS,
                    back_to,
                    user,
                    Some(&text),
                );
                reply::with_retry_after(page, wait)
            }
            _ => login::render_sign_in_page(
                request,
                StatusCode::UNAUTHORIZED,
                back_to,
                user,
                Some(&refused()),
            ),
        },
        Ok(next) => continue_sign_in(request, name, next, back_to),
    }
}

/// Signs in by the identity that the proxy sends, before the code is asked for.
async fn sign_in_by_identity(request: &RequestContext<'_>, back_to: &str) -> HttpReply {
    let Some(name) = identified_user(request) else {
        return render_missing_identity(request);
    };
    // another site can send the browser here, but an image on its pages changes nothing
    let mode = request.headers.get("sec-fetch-mode");
    if mode.is_some_and(|mode| mode.as_bytes() != b"navigate") {
        return reply::bare(StatusCode::FORBIDDEN);
    }
    match verify_identity(request, &name, back_to).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterPassword::Refused(refusal)) => {
            let text = request.language.refusal(refusal);
            login::render_sign_in_page(request, StatusCode::UNAUTHORIZED, back_to, "", Some(&text))
        }
        Ok(next) => continue_sign_in(request, name, next, back_to),
    }
}

/// Returns the user that the proxy names, and logs the reason if it names none.
pub(crate) fn identified_user(request: &RequestContext<'_>) -> Option<UserName> {
    let (cause, why) = match (&request.identity, request.identity.missing_reason()) {
        (crate::proxy::identity::Identity::Named(name), None) => return Some(name.clone()),
        (_, reason) => reason.unwrap_or_default(),
    };
    log::event("refused")
        .with("cause", cause)
        .with("address", request.address)
        .with("service", SERVICE)
        .write_with_message(why);
    None
}

/// Verifies the identity of a sign-in, and logs a refusal.
pub(crate) async fn verify_identity(
    request: &RequestContext<'_>,
    name: &UserName,
    back_to: &str,
) -> Result<AfterPassword, PoolError> {
    let (account, client) = (
        name.clone(),
        OwnedBrowserContext::new(request).with_page(request.site, back_to),
    );
    // a trusted proxy has authenticated the user
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::authenticated(ShareKey::Account(name.clone())));
    let run = store_pool.with_engine(move |engine| {
        engine
            .login()
            .enter_identity(&client.browser(), &account, client.now()?)
    });
    let next = run.await?;
    if let AfterPassword::Refused(refusal) = &next {
        request.log_sign_in(name, "refused", &format!("identity-{refusal}"));
    }
    Ok(next)
}

/// Renders the page that follows the first factor.
pub(crate) fn continue_sign_in(
    request: &RequestContext<'_>,
    name: UserName,
    next: AfterPassword,
    back_to: &str,
) -> HttpReply {
    match next {
        AfterPassword::Opened(opened) => login::finish_sign_in(request, &opened, back_to),
        AfterPassword::Code(token) => {
            redirect_to_code(request, &token.with_back_to(back_to.to_owned()))
        }
        AfterPassword::Enroll(token) => {
            request.log_sign_in(&name, "refused", &Refusal::NotEnrolled.to_string());
            enroll::redirect_to_enrollment(request, &token.to_page(back_to.to_owned()))
        }
        AfterPassword::Refused(refusal) => {
            let text = request.language.refusal(refusal);
            login::render_sign_in_page(
                request,
                StatusCode::UNAUTHORIZED,
                back_to,
                name.as_str(),
                Some(&text),
            )
        }
        AfterPassword::OtherSpelling(other) => {
            request.log_other_spelling(&other);
            let text = request.language.text("other-spelling");
            login::render_sign_in_page(
                request,
                StatusCode::FORBIDDEN,
                back_to,
                name.as_str(),
                Some(&text),
            )
        }
    }
}

fn redirect_to_code(request: &RequestContext<'_>, token: &LoginToken) -> HttpReply {
    match with_login_token(request, reply::see_other(&request.path_to("code")), token) {
        Ok(page) => page,
        Err(error) => notice::show_unavailable(request, "unavailable", &error.to_string()),
    }
}

/// Adds the cookie of a sign-in whose first factor has passed.
pub(crate) fn with_login_token(
    request: &RequestContext<'_>,
    page: HttpReply,
    token: &LoginToken,
) -> Result<HttpReply, VaultError> {
    let (cookies, value) = (
        &request.site.cookies,
        token.seal(&request.site.revocation_cache.token_keys())?,
    );
    Ok(reply::with_cookie(
        page,
        &cookies.own_cookie(cookies.names.login, &value, TokenKind::Login.lifetime()),
    ))
}

fn render_missing_identity(request: &RequestContext<'_>) -> HttpReply {
    let lines = [request.language.text("identity-missing-line")];
    let title = request.language.text("identity-missing");
    notice::render_notice(request, StatusCode::FORBIDDEN, &title, &lines, None)
}

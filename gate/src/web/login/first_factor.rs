//! The first factor at the sign-in page: a password, or the identity that the proxy sends; and the
//! page that follows.

use crate::check::rules::{self, ReturnPage, SessionSufficiency};
use crate::http::cookies::{TokenChange, TokenChanges};
use crate::http::reply;
use crate::live::store_pool::{PoolClient, PoolError, ShareKey, WorkKind};
use crate::observe::log;
use crate::state::site::shorten_return_url;
use crate::web::enroll;
use crate::web::login::{self, password};
use crate::web::notice;
use crate::web::refusal::{ActRefused, HandlerError, PageForm, PageResult};
use crate::web::request::{OwnedBrowserContext, RequestContext};
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterPassword, SERVICE};
use postern_shared::system::clock;
use postern_shared::token::{LoginToken, TokenKind};
use postern_shared::verify::decision::Refusal;
use zeroize::Zeroizing;

/// Longest URL that the token of a sign-in keeps as well, in bytes, so that cookie and redirect fit
/// the 4 KiB that nginx keeps of a reply's headers.
const MAX_KEPT_URL: usize = 512;

/// Whether the session suffices for a page behind the gate, or no session ever would.
pub(super) fn may_open(request: &RequestContext<'_>, return_url: &str) -> bool {
    let (Some(session), Ok(now)) = (request.any_session(), clock::now()) else {
        return false;
    };
    match ReturnPage::parse(request.site, return_url) {
        Some(page) => {
            let target = page.request(request.address);
            let (_, reach) = rules::decide_session(request.site, &target, &session, now);
            matches!(
                reach,
                SessionSufficiency::Sufficient | SessionSufficiency::Denied
            )
        }
        None => {
            !return_url.is_empty()
                && rules::is_full_session(request.site, &session, Some(request.address))
        }
    }
}

pub(crate) async fn show_sign_in_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let return_url = request
        .site
        .valid_return_url(form.field("rd"))
        .unwrap_or_default();
    if form.refused.is_none() && may_open(request, return_url) {
        return Ok(reply::see_other(return_url));
    }
    // the person of a session whose first factor is too old for the page
    let known = request.any_session().map(|session| session.name);
    match request.site.gate().first_factor {
        // an identity was refused, which another try at once would not change
        _ if form.refused.is_some() => Ok(login::render_sign_in_page(request, form)),
        FirstFactorSource::Password | FirstFactorSource::Pam => Ok(match known {
            Some(name) if form.field("user").is_empty() => {
                let form = PageForm::of_sign_in(return_url, name.as_str());
                login::render_sign_in_page(request, &form)
            }
            _ => login::render_sign_in_page(request, form),
        }),
        FirstFactorSource::Header if request.session().is_some() && return_url.is_empty() => {
            Ok(reply::see_other(&request.path_to("")))
        }
        FirstFactorSource::Header => sign_in_by_identity(request, return_url).await,
    }
}

/// Verifies the password of a sign-in.
pub(crate) async fn submit_password(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let return_url = request
        .site
        .valid_return_url(form.field("rd"))
        .unwrap_or_default();
    let user = form.field("user").trim();
    let refused = || {
        let text = request.text("sign-in-refused");
        ActRefused::unauthorized("refused", text)
    };
    let Ok(name) = UserName::parse(user.as_bytes()) else {
        return Err(refused().into());
    };
    if request.site.gate().first_factor == FirstFactorSource::Header {
        // with this first factor there is no password
        return Ok(reply::see_other(&request.sign_in_path(return_url)));
    }
    let typed = Zeroizing::new(form.field("password").to_owned());
    let recovery = Input::parse(form.field("recovery").as_bytes());
    match password::verify_password(request, &name, typed, recovery, return_url).await? {
        AfterPassword::Refused(refusal @ Refusal::AddressDelayed { .. }) => {
            Err(ActRefused::code(request.language, refusal).into())
        }
        AfterPassword::Refused(_) => Err(refused().into()),
        next => continue_sign_in(request, name, next, return_url),
    }
}

/// Whether a request may change the state of the browser. Another site can send the browser here,
/// but an image on its pages changes nothing.
pub(super) fn may_navigate(request: &RequestContext<'_>) -> bool {
    let mode = request.headers.get("sec-fetch-mode");
    mode.is_none_or(|mode| mode.as_bytes() == b"navigate")
}

/// Shows a refusal of a sign-in that no form began, at once: a redirect to the sign-in page would
/// begin it again.
pub(super) fn show_refusal(
    request: &RequestContext<'_>,
    result: PageResult,
    return_url: &str,
    user: &str,
) -> PageResult {
    match result {
        Err(HandlerError::Refused(refused)) => {
            let form = PageForm::of_sign_in(return_url, user).with_refusal(refused);
            Ok(login::render_sign_in_page(request, &form))
        }
        other => other,
    }
}

/// Signs in by the identity that the proxy sends, before the code is asked for.
async fn sign_in_by_identity(request: &RequestContext<'_>, return_url: &str) -> PageResult {
    let Some(name) = identified_user(request) else {
        let (title, line) = (
            request.text("identity-missing"),
            request.text("identity-missing-line"),
        );
        return Ok(notice::render_notice(
            request,
            StatusCode::FORBIDDEN,
            &title,
            &[line],
            None,
        ));
    };
    if !may_navigate(request) {
        return Ok(reply::bare(StatusCode::FORBIDDEN));
    }
    let next = verify_identity(request, &name, return_url).await?;
    let result = continue_sign_in(request, name.clone(), next, return_url);
    show_refusal(request, result, return_url, name.as_str())
}

/// Returns the user that the proxy names, and logs the reason if it names none.
pub(crate) fn identified_user(request: &RequestContext<'_>) -> Option<UserName> {
    let (cause, why) = match (&request.identity, request.identity.missing_reason()) {
        (crate::proxy::identity::Identity::Named(name), None) => return Some(name.clone()),
        (_, reason) => reason.unwrap_or_default(),
    };
    let line = log::event("refused").with("cause", cause);
    line.with("address", request.address)
        .with("service", SERVICE)
        .write_with_message(why);
    None
}

/// Verifies the identity of a sign-in, and logs a refusal.
pub(crate) async fn verify_identity(
    request: &RequestContext<'_>,
    name: &UserName,
    return_url: &str,
) -> Result<AfterPassword, PoolError> {
    let client = OwnedBrowserContext::new(request).with_page(request.site, return_url);
    let account = name.clone();
    // a trusted proxy has authenticated the user
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::authenticated(ShareKey::Account(name.clone())));
    let run = client.run(&store_pool, WorkKind::Plain, move |engine, client, now| {
        engine
            .login()
            .enter_identity(&client.browser(), &account, now)
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
    return_url: &str,
) -> PageResult {
    Ok(match next {
        AfterPassword::Opened(opened) => login::finish_sign_in(request, &opened, return_url),
        AfterPassword::Code(token) => {
            // the code page keeps the page that its tab requested
            let kept = match return_url.len() <= MAX_KEPT_URL {
                true => return_url,
                false => "",
            };
            let tokens = issue_login_token(request, &token.with_back_to(kept.to_owned()))?;
            let page = reply::see_other(&request.page_path("code", return_url));
            request.with_tokens(page, &tokens)
        }
        AfterPassword::Enroll(token) => {
            request.log_sign_in(&name, "refused", &Refusal::NotEnrolled.to_string());
            let kept = shorten_return_url(return_url);
            enroll::redirect_to_enrollment(request, &token.to_page(kept.to_owned()))?
        }
        AfterPassword::Refused(refusal) => {
            let refused = ActRefused::code(request.language, refusal);
            return Err(refused.into_unauthorized().into());
        }
        AfterPassword::OtherSpelling(other) => {
            request.log_other_spelling(&other);
            let text = request.text("other-spelling");
            return Err(ActRefused::forbidden("name_taken", text).into());
        }
    })
}

/// Issues the token of a sign-in whose first factor has passed.
pub(crate) fn issue_login_token(
    request: &RequestContext<'_>,
    token: &LoginToken,
) -> Result<TokenChanges, PoolError> {
    let value = token.seal(&request.site.revocation_cache.token_keys());
    let value = value.map_err(|error| PoolError::unavailable(&error))?;
    Ok(TokenChanges {
        login: Some(TokenChange::Issued(value, TokenKind::Login.lifetime())),
        ..TokenChanges::default()
    })
}

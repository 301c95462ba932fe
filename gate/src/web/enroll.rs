//! Enrollment, page by page: the QR code, the first code, the recovery codes, and then the session.
//! A user who must have a second factor and has none can open no other page.
//!
//! The state is a token in a cookie and a pending enrollment in the form; nothing is stored before
//! the recovery codes are confirmed as saved.

use super::pages::{self, html};
use super::request::{OwnedBrowserContext, RequestContext};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::login;
use crate::web::notice;
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::config::RecoveryCodeUse;
use postern_shared::credential::input::Input;
use postern_shared::credential::qr;
use postern_shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, ShownEnrollment,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::token::TokenKind;
use postern_shared::verify::decision::Refusal;
use zeroize::Zeroizing;

/// Path that receives the first code, of a first authenticator or of one that replaces all.
const FIRST: &str = "enroll/code";
/// Path that receives the confirmation that the recovery codes are saved.
const FINISH: &str = "enroll/finish";

/// Makes a [`PoolError`] of an error that occurs before a worker is asked.
pub(crate) fn pool_error(error: &dyn std::error::Error) -> PoolError {
    PoolError::Failed {
        cause: "unavailable",
        why: error.to_string(),
    }
}

/// Groups a secret in fours, as people copy it by hand. Authenticator apps ignore the spaces.
fn group_in_fours(secret: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (at, character) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    grouped
}

/// Sends the browser to the enrollment, or asks for the one-time code that it requires.
pub(crate) fn redirect_to_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> HttpReply {
    let page = match token.payload().may {
        EnrollmentPermission::WithOneTimeCode => {
            render_one_time_code_page(request, StatusCode::FORBIDDEN, token.account(), None)
        }
        EnrollmentPermission::Yes
        | EnrollmentPermission::Replacing
        | EnrollmentPermission::Invited(_) => reply::see_other(&request.path_to("enroll")),
    };
    match with_enrollment_cookie(request, page, token) {
        Ok(page) => page,
        Err(error) => notice::show_pool_error(request, &error),
    }
}

/// Makes a pending enrollment, which is not stored. Returns `None` if the token has expired.
pub(crate) async fn begin_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<Option<ShownEnrollment>, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    request
        .store_pool()
        .with_engine(move |engine| {
            engine
                .enrollment()
                .begin_web_enrollment(&owned_token, client.now()?)
        })
        .await
}

/// Verifies the one-time code without which an enrollment cannot begin, and logs a refusal.
pub(crate) async fn verify_one_time_code(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
    input: Input,
) -> Result<Result<EnrollmentToken, Refusal>, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.enrollment().verify_web_one_time_code(
            &client.browser(),
            owned_token,
            &input,
            client.now()?,
        )
    });
    let result = run.await?;
    if let Err(refusal) = &result {
        request.log_sign_in(token.account(), "refused", &refusal.to_string());
    }
    Ok(result)
}

/// Verifies the first code of a pending enrollment.
pub(crate) async fn confirm_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
    draft: TypedText,
    input: Input,
) -> Result<AfterEnrollmentCode, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine
            .enrollment()
            .confirm_web_enrollment(&owned_token, draft, &input, client.now()?)
    });
    run.await
}

/// Stores the authenticator and the recovery codes, and opens the session.
pub(crate) async fn activate_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
    confirmed: TypedText,
) -> Result<AfterEnrollment, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.enrollment().finish_web_enrollment(
            &client.browser(),
            &owned_token,
            &confirmed,
            client.now()?,
        )
    });
    run.await
}

/// Handles a GET request for enroll.
pub(crate) async fn show_enrollment_page(request: &RequestContext<'_>) -> HttpReply {
    let Some(token) = request.enrollment_token() else {
        return reply::see_other(&request.path_to("sign-in"));
    };
    if token.payload().may == EnrollmentPermission::WithOneTimeCode {
        return render_one_time_code_page(request, StatusCode::OK, token.account(), None);
    }
    match begin_enrollment(request, &token).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(None) => render_expired(request),
        Ok(Some(shown)) => render_new_authenticator(
            request,
            StatusCode::OK,
            FIRST,
            token.account(),
            &shown,
            None,
        ),
    }
}

/// Handles a POST request for enroll/one-time-code.
pub(crate) async fn submit_one_time_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(token) = request.enrollment_token() else {
        return render_expired(request);
    };
    let input = Input::parse(form.field("code").as_bytes());
    match verify_one_time_code(request, &token, input).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(Ok(token)) => {
            match with_enrollment_cookie(
                request,
                reply::see_other(&request.path_to("enroll")),
                &token,
            ) {
                Ok(page) => page,
                Err(error) => notice::show_pool_error(request, &error),
            }
        }
        Ok(Err(Refusal::Expired)) => render_expired(request),
        Ok(Err(refusal)) => {
            let text = match refusal {
                Refusal::Malformed => request.language.text("one-time-code-invalid"),
                refusal => request.language.refusal(refusal),
            };
            match refusal {
                Refusal::AddressDelayed { wait } => {
                    let status = StatusCode::TOO_MANY_REQUESTS;
                    let page =
                        render_one_time_code_page(request, status, token.account(), Some(&text));
                    reply::with_retry_after(page, wait)
                }
                _ => render_one_time_code_page(
                    request,
                    StatusCode::UNAUTHORIZED,
                    token.account(),
                    Some(&text),
                ),
            }
        }
    }
}

/// Handles a POST request for enroll/code.
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(token) = request.enrollment_token() else {
        return render_expired(request);
    };
    let input = Input::parse(form.field("code").as_bytes());
    match confirm_enrollment(
        request,
        &token,
        form.field("pending").to_owned().into(),
        input,
    )
    .await
    {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterEnrollmentCode::Over) => render_expired(request),
        Ok(AfterEnrollmentCode::Refused(refusal, shown)) => {
            let text = request.language.refusal(refusal);
            render_new_authenticator(
                request,
                StatusCode::UNAUTHORIZED,
                FIRST,
                token.account(),
                &shown,
                Some(&text),
            )
        }
        Ok(AfterEnrollmentCode::Confirmed { codes, confirmed }) => {
            let codes: Vec<&str> = codes.iter().map(|code| &**code).collect();
            render_recovery_codes(
                request,
                &codes,
                FINISH,
                &confirmed,
                request.language.text("turn-on"),
            )
        }
    }
}

/// Handles a POST request for enroll/finish.
pub(crate) async fn submit_codes_saved(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(token) = request.enrollment_token() else {
        return render_expired(request);
    };
    // browsers require the checkbox, so a request without it was made by hand
    if form.field("saved") != "yes" {
        return reply::bare(StatusCode::BAD_REQUEST);
    }
    match activate_enrollment(request, &token, form.field("confirmed").to_owned().into()).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterEnrollment::Over) => render_expired(request),
        Ok(AfterEnrollment::Opened(opened)) => without_enrollment_cookie(
            request,
            login::finish_sign_in(request, &opened, &token.payload().back_to),
        ),
    }
}

/// Renders recovery codes, which are shown once. The form sends `pending` to `act`, which activates
/// the codes.
pub(crate) fn render_recovery_codes(
    request: &RequestContext<'_>,
    codes: &[&str],
    act: &str,
    pending: &str,
    button: String,
) -> HttpReply {
    let page = pages::RecoveryCodesPage {
        frame: request.frame(),
        codes,
        act,
        pending,
        button,
        first: act == FINISH,
        turns_off: request.site.config.recovery.on_use == RecoveryCodeUse::Disable,
    };
    reply::page(StatusCode::OK, html(&page))
}

/// Adds the cookie of an enrollment.
pub(crate) fn with_enrollment_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
    token: &EnrollmentToken,
) -> Result<HttpReply, PoolError> {
    let (cookies, value) = (
        &request.site.cookies,
        token.seal(&request.site.revocation_cache.token_keys()),
    );
    let value = value.map_err(|error| pool_error(&error))?;
    Ok(reply::with_cookie(
        page,
        &cookies.strict_cookie(
            cookies.names.enrollment,
            &value,
            TokenKind::Enrollment.lifetime(),
        ),
    ))
}

/// Removes the cookie of an enrollment.
pub(crate) fn without_enrollment_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
) -> HttpReply {
    reply::with_cookie(
        page,
        &request
            .site
            .cookies
            .strict_cookie(request.site.cookies.names.enrollment, "", 0),
    )
}

fn render_expired(request: &RequestContext<'_>) -> HttpReply {
    let page = login::render_sign_in_page(
        request,
        StatusCode::UNAUTHORIZED,
        "",
        "",
        Some(&request.language.text("enrollment-expired")),
    );
    without_enrollment_cookie(request, page)
}

fn render_one_time_code_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    name: &UserName,
    message: Option<&str>,
) -> HttpReply {
    let display_name = |display_name: &str| match display_name.strip_prefix('%') {
        Some(group) => request
            .language
            .text_with("group", "name", group.to_owned()),
        None => display_name.to_owned(),
    };
    let administrators: Vec<String> = request
        .site
        .config
        .policy
        .administrators
        .entries()
        .map(display_name)
        .collect();
    let ask = match administrators.is_empty() {
        true => request.language.text("enrollment-required-line"),
        false => request.language.text_with(
            "enrollment-required-one-of",
            "administrators",
            administrators.join(", "),
        ),
    };
    let page = pages::OneTimeCodePage {
        frame: request.frame(),
        user: name.as_str(),
        ask: &ask,
        message,
    };
    reply::page(status, html(&page))
}

/// Renders a pending enrollment. `act` is the path that receives its first code.
pub(crate) fn render_new_authenticator(
    request: &RequestContext<'_>,
    status: StatusCode,
    act: &str,
    name: &UserName,
    shown: &ShownEnrollment,
    message: Option<&str>,
) -> HttpReply {
    let Some(qr) = qr::draw_svg(&shown.url) else {
        return notice::show_unavailable(
            request,
            "unavailable",
            "the otpauth URI is too long for a QR code; shorten totp.issuer",
        );
    };
    let page = pages::EnrollmentPage {
        frame: request.frame(),
        user: name.as_str(),
        qr: &qr,
        secret: &group_in_fours(&shown.secret),
        url: &shown.url,
        draft: &shown.draft,
        act,
        digits: shown.digits,
        message,
    };
    reply::page(status, html(&page))
}

//! Enrollment, page by page: the QR code, the first code, the recovery codes, and then the session.
//! A user who must have a second factor and has none can open no other page.
//!
//! The state is a token in a cookie and a pending enrollment in the form; nothing is stored before
//! the recovery codes are confirmed as saved.

use super::pages;
use super::refusal::{PageForm, PageResult};
use super::request::RequestContext;
use crate::http::cookies::{TokenChange, TokenChanges};
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
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, OpenedSession,
    ShownEnrollment,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::token::TokenKind;
use postern_shared::verify::decision::Refusal;
use zeroize::Zeroizing;

pub(crate) const NO_QR_CODE: &str =
    "the otpauth URI is too long for a QR code; shorten totp.issuer";
/// Path that receives the first code, of a first authenticator or of one that replaces all.
const FIRST: &str = "enroll/code";
/// Path that receives the confirmation that the recovery codes are saved.
const FINISH: &str = "enroll/finish";

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
) -> Result<HttpReply, PoolError> {
    let page = match token.payload().may {
        EnrollmentPermission::WithOneTimeCode => {
            render_one_time_code_page(request, StatusCode::FORBIDDEN, token.account(), None)
        }
        EnrollmentPermission::Yes
        | EnrollmentPermission::Replacing
        | EnrollmentPermission::ByOneTimeCode(_) => reply::see_other(&request.path_to("enroll")),
    };
    Ok(request.with_tokens(page, &issue_token(request, token)?))
}

/// Makes a pending enrollment, which is not stored. Returns `None` if the token has expired.
pub(crate) async fn begin_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<Option<ShownEnrollment>, PoolError> {
    let token = token.clone();
    request
        .run(move |engine, _, now| engine.enrollment().begin_web_enrollment(&token, now))
        .await
}

/// Verifies the one-time code without which an enrollment cannot begin, and logs a refusal.
pub(crate) async fn verify_one_time_code(
    request: &RequestContext<'_>,
    token: EnrollmentToken,
    input: Input,
) -> Result<Result<EnrollmentToken, Refusal>, PoolError> {
    let name = token.account().clone();
    let run = request.run(move |engine, client, now| {
        engine
            .enrollment()
            .verify_web_one_time_code(&client.browser(), token, &input, now)
    });
    let result = run.await?;
    if let Err(refusal) = &result {
        request.log_sign_in(&name, "refused", &refusal.to_string());
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
    let token = token.clone();
    let run = request.run(move |engine, _, now| {
        engine
            .enrollment()
            .confirm_web_enrollment(&token, draft, &input, now)
    });
    run.await
}

/// Stores the authenticator and the recovery codes, and opens the session.
pub(crate) async fn activate_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
    confirmed: TypedText,
) -> Result<AfterEnrollment, PoolError> {
    let token = token.clone();
    let run = request.run(move |engine, client, now| {
        engine
            .enrollment()
            .finish_web_enrollment(&client.browser(), &token, &confirmed, now)
    });
    run.await
}

/// Returns the tokens of the session that an enrollment opened. Its own token is cleared.
pub(crate) fn finish_tokens(request: &RequestContext<'_>, opened: &OpenedSession) -> TokenChanges {
    TokenChanges {
        enrollment: Some(TokenChange::Cleared),
        ..login::sign_in_tokens(request, opened)
    }
}

pub(crate) async fn show_enrollment_page(
    request: &RequestContext<'_>,
    _form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(reply::see_other(&request.path_to("sign-in")));
    };
    let (status, name) = (StatusCode::OK, token.account());
    if token.payload().may == EnrollmentPermission::WithOneTimeCode {
        return Ok(render_one_time_code_page(request, status, name, None));
    }
    Ok(match begin_enrollment(request, &token).await? {
        None => render_expired(request),
        Some(shown) => render_new_authenticator(request, status, FIRST, name, &shown, None),
    })
}

/// Verifies the one-time code that an enrollment requires.
pub(crate) async fn submit_one_time_code(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(render_expired(request));
    };
    let name = token.account().clone();
    let input = Input::parse(form.field("code").as_bytes());
    let refusal = match verify_one_time_code(request, token, input).await? {
        Ok(token) => {
            let page = reply::see_other(&request.path_to("enroll"));
            return Ok(request.with_tokens(page, &issue_token(request, &token)?));
        }
        Err(Refusal::Expired) => return Ok(render_expired(request)),
        Err(refusal) => refusal,
    };
    let text = match refusal {
        Refusal::Malformed => request.text("one-time-code-invalid"),
        refusal => request.language.message(refusal),
    };
    let page = |status| render_one_time_code_page(request, status, &name, Some(&text));
    Ok(match refusal {
        Refusal::AddressDelayed { wait } => {
            reply::with_retry_after(page(StatusCode::TOO_MANY_REQUESTS), wait)
        }
        _ => page(StatusCode::UNAUTHORIZED),
    })
}

/// Verifies the first code.
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(render_expired(request));
    };
    let input = Input::parse(form.field("code").as_bytes());
    Ok(
        match confirm_enrollment(request, &token, form.typed("pending"), input).await? {
            AfterEnrollmentCode::Over => render_expired(request),
            AfterEnrollmentCode::Refused(refusal, shown) => {
                let text = request.language.message(refusal);
                let (status, name) = (StatusCode::UNAUTHORIZED, token.account());
                render_new_authenticator(request, status, FIRST, name, &shown, Some(&text))
            }
            AfterEnrollmentCode::Confirmed { codes, confirmed } => {
                render_recovery_codes(request, &codes, FINISH, &confirmed, request.text("turn-on"))
            }
        },
    )
}

/// Confirms that the recovery codes are saved.
pub(crate) async fn submit_codes_saved(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(render_expired(request));
    };
    // browsers require the checkbox, so a request without it was made by hand
    if form.field("saved") != "yes" {
        return Ok(reply::bare(StatusCode::BAD_REQUEST));
    }
    Ok(
        match activate_enrollment(request, &token, form.typed("confirmed")).await? {
            AfterEnrollment::Over => render_expired(request),
            AfterEnrollment::Opened(opened) => {
                let page = login::render_signed_in(request, &opened, &token.payload().back_to);
                request.with_tokens(page, &finish_tokens(request, &opened))
            }
        },
    )
}

/// Renders recovery codes, which are shown once. The form sends `pending` to `act`, which activates
/// the codes.
pub(crate) fn render_recovery_codes(
    request: &RequestContext<'_>,
    codes: &[TypedText],
    act: &str,
    pending: &str,
    button: String,
) -> HttpReply {
    let codes: Vec<&str> = codes.iter().map(|code| &**code).collect();
    let page = pages::RecoveryCodesPage {
        frame: request.frame(None),
        codes: &codes,
        act,
        pending,
        button,
        first: act == FINISH,
        turns_off: request.site.config.recovery.on_use == RecoveryCodeUse::Disable,
    };
    pages::reply(StatusCode::OK, &page)
}

/// Issues the token of an enrollment.
pub(crate) fn issue_token(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<TokenChanges, PoolError> {
    let value = token.seal(&request.site.revocation_cache.token_keys());
    let value = value.map_err(|error| PoolError::unavailable(&error))?;
    Ok(TokenChanges {
        enrollment: Some(TokenChange::Issued(value, TokenKind::Enrollment.lifetime())),
        ..TokenChanges::default()
    })
}

fn render_expired(request: &RequestContext<'_>) -> HttpReply {
    let text = request.text("enrollment-expired");
    let status = StatusCode::UNAUTHORIZED;
    let page = login::render_sign_in_page(request, status, "", "", Some(&text));
    let cleared = Some(TokenChange::Cleared);
    request.with_tokens(
        page,
        &TokenChanges {
            enrollment: cleared,
            ..TokenChanges::default()
        },
    )
}

fn render_one_time_code_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    name: &UserName,
    message: Option<&str>,
) -> HttpReply {
    let language = request.language;
    let display_name = |display_name: &str| match display_name.strip_prefix('%') {
        Some(group) => language.text_with("group", "name", group.to_owned()),
        None => display_name.to_owned(),
    };
    let administrators = &request.site.config.policy.administrators;
    let administrators: Vec<String> = administrators.entries().map(display_name).collect();
    let ask = match administrators.is_empty() {
        true => request.text("enrollment-required-line"),
        false => request.language.text_with(
            "enrollment-required-one-of",
            "administrators",
            administrators.join(", "),
        ),
    };
    let page = pages::OneTimeCodePage {
        frame: request.frame(message),
        user: name.as_str(),
        ask: &ask,
    };
    pages::reply(status, &page)
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
        return notice::show_unavailable(request, "unavailable", NO_QR_CODE);
    };
    let page = pages::EnrollmentPage {
        frame: request.frame(message),
        user: name.as_str(),
        qr: &qr,
        secret: &group_in_fours(&shown.secret),
        url: &shown.url,
        draft: &shown.draft,
        act,
        digits: shown.digits,
    };
    pages::reply(status, &page)
}

//! Enrollment, page by page: the QR code, the first code, the recovery codes, and then the session.
//! A user who must have a second factor and has none can open no other page.
//!
//! The state is a token in a cookie and a pending enrollment in the form; nothing is stored before
//! the recovery codes are confirmed as saved.

use super::pages;
use super::refusal::{ActRefused, PageForm, PageResult};
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
use postern_shared::credential::otp::qr;
use postern_shared::credential::otp::secret::group_by_four;
use postern_shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, OpenedSession,
    ShownEnrollment,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::token::TokenKind;
use postern_shared::verify::decision::Refusal;

pub(crate) const NO_QR_CODE: &str =
    "the otpauth URI is too long for a QR code; shorten totp.issuer";
/// Path that receives the first code, of a first authenticator or of one that replaces all.
const FIRST: &str = "enroll/code";
/// Path that receives the confirmation that the recovery codes are saved.
const FINISH: &str = "enroll/finish";

/// Sends the browser to the enrollment, or asks for the one-time code that it requires.
pub(crate) fn redirect_to_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<HttpReply, PoolError> {
    let page = reply::see_other(&request.path_to("enroll"));
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

/// Shows the authenticator of a pending enrollment, or asks for the one-time code before it. A form
/// that was refused brings its pending enrollment along, whose secret the user's app has by now.
pub(crate) async fn show_enrollment_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(reply::see_other(&request.path_to("sign-in")));
    };
    if token.payload().may == EnrollmentPermission::WithOneTimeCode {
        return Ok(render_one_time_code_page(request, token.account(), form));
    }
    let reopened = match form.field("pending").is_empty() {
        true => None,
        false => reopen_enrollment(request, &token, form.typed("pending")).await?,
    };
    let shown = match reopened {
        Some(shown) => Some(shown),
        None => begin_enrollment(request, &token).await?,
    };
    Ok(match shown {
        None => show_expired(request),
        Some(shown) => {
            let title = match token.payload().may {
                EnrollmentPermission::Replacing => "enroll-new",
                _ => "enroll",
            };
            let purpose = EnrollmentForm {
                title: request.text(title),
                act: FIRST,
                cancel: CancelEnrollment::Form,
            };
            render_new_authenticator(request, &purpose, token.account(), &shown, form)
        }
    })
}

/// Returns a pending enrollment that the page showed before.
async fn reopen_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
    draft: TypedText,
) -> Result<Option<ShownEnrollment>, PoolError> {
    let token = token.clone();
    let run = request.run(move |engine, _, now| {
        engine
            .enrollment()
            .reopen_web_enrollment(&token, draft, now)
    });
    run.await
}

/// Verifies the one-time code that an enrollment requires.
pub(crate) async fn submit_one_time_code(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(show_expired(request));
    };
    let input = Input::parse(form.field("code").as_bytes());
    match verify_one_time_code(request, token, input).await? {
        Ok(token) => {
            let page = reply::see_other(&request.path_to("enroll"));
            Ok(request.with_tokens(page, &issue_token(request, &token)?))
        }
        Err(Refusal::Expired) => Ok(show_expired(request)),
        Err(Refusal::Malformed) => {
            let text = request.text("one-time-code-invalid");
            Err(ActRefused::unauthorized("no_code", text).into())
        }
        Err(refusal) => {
            let refused = ActRefused::code(request.language, refusal);
            Err(refused.into_unauthorized().into())
        }
    }
}

/// Verifies the first code.
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(show_expired(request));
    };
    let input = Input::parse(form.field("code").as_bytes());
    match confirm_enrollment(request, &token, form.typed("pending"), input).await? {
        AfterEnrollmentCode::Over => Ok(show_expired(request)),
        AfterEnrollmentCode::Refused(refusal, _) => {
            let refused = ActRefused::code(request.language, refusal);
            Err(refused.into_unauthorized().into())
        }
        AfterEnrollmentCode::Confirmed { codes, confirmed } => {
            let button = request.text("turn-on");
            Ok(render_recovery_codes(
                request, &codes, FINISH, &confirmed, button,
            ))
        }
    }
}

/// Ends an enrollment that was not completed: nothing of it was stored.
pub(crate) async fn submit_cancel(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    let token = request.enrollment_token();
    let back_to = token.as_ref().map(|token| token.payload().back_to.as_str());
    let page = match back_to.filter(|url| !url.is_empty()) {
        Some(url) if request.session().is_none() => request.sign_in_path(url),
        Some(url) => url.to_owned(),
        None => request.path_to(""),
    };
    let changes = TokenChanges {
        enrollment: Some(TokenChange::Cleared),
        ..TokenChanges::default()
    };
    Ok(request.with_tokens(reply::see_other(&page), &changes))
}

/// Confirms that the recovery codes are saved.
pub(crate) async fn submit_codes_saved(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = request.enrollment_token() else {
        return Ok(show_expired(request));
    };
    // browsers require the checkbox, so a request without it was made by hand
    if form.field("saved") != "yes" {
        return Ok(reply::bare(StatusCode::BAD_REQUEST));
    }
    Ok(
        match activate_enrollment(request, &token, form.typed("confirmed")).await? {
            AfterEnrollment::Over => show_expired(request),
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

/// Leads back to the sign-in page, for an enrollment that has expired.
fn show_expired(request: &RequestContext<'_>) -> HttpReply {
    let text = request.text("enrollment-expired");
    let refused = ActRefused::unauthorized("enrollment_expired", text);
    let page = login::show_sign_in_refusal(request, refused, "", "");
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
    name: &UserName,
    form: &PageForm,
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
        frame: request.frame(form.message()),
        user: name.as_str(),
        ask: &ask,
    };
    // this page says what is missing, whether a code was refused or none was entered
    match form.refused {
        Some(_) => notice::page_with_refusal(&page, form),
        None => pages::reply(StatusCode::FORBIDDEN, &page),
    }
}

/// What the page of a new authenticator is for.
pub(crate) struct EnrollmentForm {
    pub(crate) title: String,
    /// Path that receives the first code.
    pub(crate) act: &'static str,
    /// Path that ends the enrollment, by a form; or of the page to return to.
    pub(crate) cancel: CancelEnrollment,
}

/// Way out of an enrollment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelEnrollment {
    /// A form, which discards the token of the enrollment.
    Form,
    /// A link to the account: nothing is kept.
    Link,
}

/// Renders a pending enrollment, with the refusal of the attempt before.
pub(crate) fn render_new_authenticator(
    request: &RequestContext<'_>,
    purpose: &EnrollmentForm,
    name: &UserName,
    shown: &ShownEnrollment,
    form: &PageForm,
) -> HttpReply {
    let Some(qr) = qr::draw_svg(&shown.url) else {
        return notice::show_unavailable(request, "unavailable", NO_QR_CODE);
    };
    let page = pages::EnrollmentPage {
        frame: request.frame(form.message()),
        title: &purpose.title,
        user: name.as_str(),
        qr: &qr,
        secret: &group_by_four(&shown.secret),
        url: &shown.url,
        draft: &shown.draft,
        act: purpose.act,
        cancels: purpose.cancel == CancelEnrollment::Form,
        wait: form.wait(),
        digits: shown.digits,
    };
    notice::page_with_refusal(&page, form)
}

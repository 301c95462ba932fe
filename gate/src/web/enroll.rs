//! A setup, page by page: the QR, a code, the recovery codes, and only then the way on. Someone who must have a second
//! factor and has none finds nothing else open.

use super::pages::{self, html};
use super::request::{OwnedBrowserContext, RequestContext};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::login;
use crate::web::notice;
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::config::OnUse;
use shared::credential::input::Input;
use shared::credential::qr;
use shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, ShownEnrollment,
};
use shared::protocol::command_request::TypedText;
use shared::token::TokenKind;
use shared::verify::decision::Refusal;
use zeroize::Zeroizing;

/// Where the code of a first authenticator, or of one in place of all, goes.
const FIRST: &str = "enroll/code";
/// Where its recovery codes are said to be saved.
const FINISH: &str = "enroll/finish";

/// What no door was asked for.
pub(crate) fn unavailable(error: &dyn std::error::Error) -> PoolError {
    PoolError::Failed {
        cause: "unavailable",
        why: error.to_string(),
    }
}

/// As people copy it by hand; apps read over the blanks.
fn in_fours(secret: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (at, character) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    grouped
}

/// The password has passed, and there is no second factor.
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

/// A new authenticator, which nothing keeps yet; none, if the setup is over.
pub(crate) async fn begin_enrollment(
    request: &RequestContext<'_>,
    ticket: &EnrollmentToken,
) -> Result<Option<ShownEnrollment>, PoolError> {
    let (asked, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    request
        .store_pool()
        .with_engine(move |engine| engine.begin_web_enrollment(&asked, client.now()?))
        .await
}

/// The one-time code without which a setup may not begin; what was refused stands in the log.
pub(crate) async fn verify_one_time_code(
    request: &RequestContext<'_>,
    ticket: &EnrollmentToken,
    answer: Input,
) -> Result<Result<EnrollmentToken, Refusal>, PoolError> {
    let (asked, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.verify_web_one_time_code(&client.browser(), asked, &answer, client.now()?)
    });
    let invited = run.await?;
    if let Err(refusal) = &invited {
        request.log_sign_in(ticket.account(), "refused", &refusal.to_string());
    }
    Ok(invited)
}

/// The first code of the new authenticator.
pub(crate) async fn confirm_enrollment(
    request: &RequestContext<'_>,
    ticket: &EnrollmentToken,
    draft: TypedText,
    answer: Input,
) -> Result<AfterEnrollmentCode, PoolError> {
    let (asked, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.confirm_web_enrollment(&asked, draft, &answer, client.now()?)
    });
    run.await
}

/// The recovery codes are saved: it is all active.
pub(crate) async fn activate_enrollment(
    request: &RequestContext<'_>,
    ticket: &EnrollmentToken,
    confirmed: TypedText,
) -> Result<AfterEnrollment, PoolError> {
    let (asked, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.finish_web_enrollment(&client.browser(), &asked, &confirmed, client.now()?)
    });
    run.await
}

/// GET enroll
pub(crate) async fn show_enrollment_page(request: &RequestContext<'_>) -> HttpReply {
    let Some(ticket) = request.enrollment_token() else {
        return reply::see_other(&request.path_to("sign-in"));
    };
    if ticket.payload().may == EnrollmentPermission::WithOneTimeCode {
        return render_one_time_code_page(request, StatusCode::OK, ticket.account(), None);
    }
    match begin_enrollment(request, &ticket).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(None) => render_expired(request),
        Ok(Some(shown)) => render_new_authenticator(
            request,
            StatusCode::OK,
            FIRST,
            ticket.account(),
            &shown,
            None,
        ),
    }
}

/// POST enroll/one-time-code
pub(crate) async fn submit_one_time_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(ticket) = request.enrollment_token() else {
        return render_expired(request);
    };
    let answer = Input::parse(form.field("code").as_bytes());
    match verify_one_time_code(request, &ticket, answer).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(Ok(ticket)) => {
            match with_enrollment_cookie(
                request,
                reply::see_other(&request.path_to("enroll")),
                &ticket,
            ) {
                Ok(page) => page,
                Err(error) => notice::show_pool_error(request, &error),
            }
        }
        Ok(Err(Refusal::Expired)) => render_expired(request),
        Ok(Err(refusal)) => {
            let text = match refusal {
                Refusal::Malformed => request.t.say("one-time-code-invalid"),
                refusal => request.t.refusal(refusal),
            };
            match refusal {
                Refusal::AddressDelayed { wait } => {
                    let status = StatusCode::TOO_MANY_REQUESTS;
                    let page =
                        render_one_time_code_page(request, status, ticket.account(), Some(&text));
                    reply::with_retry_after(page, wait)
                }
                _ => render_one_time_code_page(
                    request,
                    StatusCode::UNAUTHORIZED,
                    ticket.account(),
                    Some(&text),
                ),
            }
        }
    }
}

/// POST enroll/code
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(ticket) = request.enrollment_token() else {
        return render_expired(request);
    };
    let answer = Input::parse(form.field("code").as_bytes());
    match confirm_enrollment(
        request,
        &ticket,
        form.field("pending").to_owned().into(),
        answer,
    )
    .await
    {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterEnrollmentCode::Over) => render_expired(request),
        Ok(AfterEnrollmentCode::Refused(refusal, shown)) => {
            let text = request.t.refusal(refusal);
            render_new_authenticator(
                request,
                StatusCode::UNAUTHORIZED,
                FIRST,
                ticket.account(),
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
                request.t.say("turn-on"),
            )
        }
    }
}

/// POST enroll/finish
pub(crate) async fn submit_codes_saved(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let Some(ticket) = request.enrollment_token() else {
        return render_expired(request);
    };
    // browsers insist on the tick; whoever leaves it out wrote the request by hand
    if form.field("saved") != "yes" {
        return reply::bare(StatusCode::BAD_REQUEST);
    }
    match activate_enrollment(request, &ticket, form.field("confirmed").to_owned().into()).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(AfterEnrollment::Over) => render_expired(request),
        Ok(AfterEnrollment::Opened(opened)) => without_enrollment_cookie(
            request,
            login::finish_sign_in(request, &opened, &ticket.payload().back_to),
        ),
    }
}

/// Recovery codes, shown once; `ticket` makes them good.
pub(crate) fn render_recovery_codes(
    request: &RequestContext<'_>,
    codes: &[&str],
    act: &str,
    ticket: &str,
    button: String,
) -> HttpReply {
    let page = pages::RecoveryCodesPage {
        frame: request.frame(),
        codes,
        act,
        ticket,
        button,
        first: act == FINISH,
        turns_off: request.site.config.recovery.on_use == OnUse::Disable,
    };
    reply::page(StatusCode::OK, html(&page))
}

/// The cookie of a setup.
pub(crate) fn with_enrollment_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
    ticket: &EnrollmentToken,
) -> Result<HttpReply, PoolError> {
    let (cookies, value) = (
        &request.site.cookies,
        ticket.seal(&request.site.revocation_cache.token_keys()),
    );
    let value = value.map_err(|error| unavailable(&error))?;
    Ok(reply::with_cookie(
        page,
        &cookies.strict_cookie(
            cookies.names.enrollment,
            &value,
            TokenKind::Enrollment.lifetime(),
        ),
    ))
}

/// The setup is over.
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
        Some(&request.t.say("enrollment-expired")),
    );
    without_enrollment_cookie(request, page)
}

fn render_one_time_code_page(
    request: &RequestContext<'_>,
    status: StatusCode,
    name: &UserName,
    message: Option<&str>,
) -> HttpReply {
    let word = |word: &str| match word.strip_prefix('%') {
        Some(group) => request.t.say_of("group", "name", group.to_owned()),
        None => word.to_owned(),
    };
    let administrators: Vec<String> = request
        .site
        .config
        .policy
        .administrators
        .entries()
        .map(word)
        .collect();
    let ask = match administrators.is_empty() {
        true => request.t.say("enrollment-required-line"),
        false => request.t.say_of(
            "enrollment-required-one-of",
            "administrators",
            administrators.join(", "),
        ),
    };
    let page = pages::InvitationPage {
        frame: request.frame(),
        user: name.as_str(),
        ask: &ask,
        message,
    };
    reply::page(status, html(&page))
}

/// The page that shows it; `act` is where its code goes.
pub(crate) fn render_new_authenticator(
    request: &RequestContext<'_>,
    status: StatusCode,
    act: &str,
    name: &UserName,
    shown: &ShownEnrollment,
    message: Option<&str>,
) -> HttpReply {
    let Some(picture) = qr::draw_svg(&shown.url) else {
        return notice::show_unavailable(
            request,
            "unavailable",
            "the otpauth URI is too long for a QR code; shorten totp.issuer",
        );
    };
    let page = pages::EnrollmentPage {
        frame: request.frame(),
        user: name.as_str(),
        qr: &picture,
        secret: &in_fours(&shown.secret),
        url: &shown.url,
        draft: &shown.draft,
        act,
        digits: shown.digits,
        message,
    };
    reply::page(status, html(&page))
}

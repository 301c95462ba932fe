//! Sign-in, step by step, and sign-out.

use super::body::{NoBody, OptionalBody, RequiredBody, optional_text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply;
use crate::web::account::sessions;
use crate::web::enroll;
use crate::web::enroll::pool_error;
use crate::web::login;
use crate::web::login::first_factor;
use crate::web::login::mail;
use crate::web::login::mail::CodeMailed;
use crate::web::login::password;
use crate::web::login::upgrade;
use crate::web::logout;
use crate::web::logout::SignedOut;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use hyper::{Method, StatusCode};
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::CodeMethods;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, EnrollmentPermission, EnrollmentToken, MailRefusal, OpenedSession,
    TrustRequest,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of the sign-in.
#[derive(Serialize, ToSchema)]
struct SignInState {
    first_factor: FirstFactorKind,
    state: SessionState,
    /// User of the session.
    user: Option<String>,
    /// Whether critical acts require no further step-up.
    stepped_up: bool,
}

/// How a sign-in begins.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FirstFactorKind {
    /// A password that Postern keeps.
    Password,
    /// The password of the host, verified by PAM.
    HostPassword,
    /// A name that the proxy sends.
    Identity,
}

/// Level of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionState {
    SignedOut,
    /// Only the first factor has passed: valid for pages whose rule requires no code, not for this
    /// API.
    FirstFactorOnly,
    SignedIn,
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    user: String,
    #[schema(value_type = String, format = Password)]
    password: TypedText,
    /// A recovery code or a one-time code.
    #[schema(value_type = Option<String>)]
    recovery: Option<TypedText>,
    /// Page behind the gate that is requested. Its rule can require less.
    page: Option<String>,
}

/// Purpose of a sign-in without a password.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginPurpose {
    /// Page behind the gate that is requested. Its rule can require less.
    page: Option<String>,
}

/// A code of an authenticator, a mailed code, a recovery code or a one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInCode {
    #[schema(value_type = String)]
    code: TypedText,
    /// Whether the second factor is to be skipped in this browser from now on.
    #[serde(default)]
    trust: bool,
}

/// What to revoke.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignOut {
    /// Every session of the account, not only this one.
    #[serde(default)]
    everywhere: bool,
}

/// Next step of a sign-in.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Next {
    /// The session is open, with its cookie.
    SignedIn {
        user: String,
        /// Wrong codes since the last sign-in, recovery codes that are left, and the like.
        notices: Vec<String>,
        /// Page that was requested.
        page: Option<String>,
    },
    /// A code is required, at sign-in/code.
    CodeRequired {
        methods: Vec<CodeMethod>,
        preferred: CodeMethod,
        /// Length of the account's longest code.
        digits: u32,
        /// Address that a code can be mailed to, masked.
        mail_to: Option<String>,
    },
    /// A second factor is required and there is none; enrollment begins at enroll.
    EnrollmentRequired {
        /// Whether an administrator's one-time code is required first, at enroll/one-time-code.
        one_time_code: bool,
    },
}

/// Source of a code.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CodeMethod {
    App,
    Mail,
}

/// Result of a mailed code.
#[derive(Serialize, ToSchema)]
struct Mailed {
    /// Address, masked.
    to: String,
    /// Seconds until the code expires.
    expires_in: u64,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Anyone;
    vec![
        Endpoint::with_answer(
            (Method::GET, "sign-in"),
            Anyone,
            "Returns whether the request has a session.",
            |call, NoBody| Box::pin(async { Ok(EndpointReply::new(sign_in_state(call.request))) }),
        ),
        Endpoint::with_answer(
            (Method::POST, "sign-in"),
            Anyone,
            "Begins a sign-in with name and password.",
            |call, RequiredBody(body)| Box::pin(submit_password(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "sign-in/identity"),
            Anyone,
            "Begins a sign-in with the name that the proxy sends.",
            |call, OptionalBody(body)| Box::pin(submit_identity(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "sign-in/upgrade"),
            Anyone,
            "Begins the upgrade of a session that only has the first factor.",
            |call, OptionalBody(body)| Box::pin(upgrade_session(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "sign-in/code"),
            Anyone,
            "Enters the code of a sign-in.",
            |call, RequiredBody(body)| Box::pin(submit_code(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "sign-in/mail"),
            Anyone,
            "Mails a code for a sign-in.",
            |call, NoBody| Box::pin(mail_code(call.request)),
        ),
        Endpoint::without_answer(
            (Method::POST, "sign-out"),
            Anyone,
            "Ends this session, or every session of the account.",
            |call, OptionalBody(body)| Box::pin(sign_out(call, body)),
        ),
    ]
}

fn sign_in_state(request: &RequestContext<'_>) -> SignInState {
    let (any, full) = (request.any_session(), request.session());
    SignInState {
        first_factor: match request.site.gate().first_factor {
            FirstFactorSource::Password => FirstFactorKind::Password,
            FirstFactorSource::Pam => FirstFactorKind::HostPassword,
            FirstFactorSource::Header => FirstFactorKind::Identity,
        },
        state: match (&any, &full) {
            (None, _) => SessionState::SignedOut,
            (Some(_), None) => SessionState::FirstFactorOnly,
            (Some(_), Some(_)) => SessionState::SignedIn,
        },
        user: any.map(|session| session.name.to_string()),
        stepped_up: step_up::recent_step_up(request).is_some(),
    }
}

async fn submit_password(
    request: &RequestContext<'_>,
    body: Credentials,
) -> Result<EndpointReply<Next>, ActRefused> {
    if request.site.gate().first_factor == FirstFactorSource::Header {
        let text = request.language.text("password-elsewhere");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "password_not_managed",
            text,
        ));
    }
    let text = || request.language.text("sign-in-refused");
    let refused = || ActRefused::new(StatusCode::UNAUTHORIZED, "refused", text());
    let name = UserName::parse(body.user.trim().as_bytes()).map_err(|_| refused())?;
    let back_to = requested_page(request, body.page.as_deref());
    let recovery = Input::parse(optional_text(body.recovery).as_bytes());
    let result = password::verify_password(
        request,
        &name,
        optional_text(Some(body.password)),
        recovery,
        back_to,
    )
    .await;
    match result.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterPassword::Refused(refusal @ Refusal::AddressDelayed { .. }) => {
            Err(ActRefused::code(request.language, refusal))
        }
        AfterPassword::Refused(_) => Err(refused()),
        next => continue_sign_in(request, name, next, back_to),
    }
}

async fn submit_identity(
    request: &RequestContext<'_>,
    body: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let missing = || {
        let text = request.language.text("identity-missing-line");
        ActRefused::new(StatusCode::FORBIDDEN, "identity_missing", text)
    };
    if request.site.gate().first_factor != FirstFactorSource::Header {
        return Err(missing());
    }
    let name = first_factor::identified_user(request).ok_or_else(missing)?;
    let back_to = requested_page(request, body.page.as_deref());
    let next = first_factor::verify_identity(request, &name, back_to)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?;
    continue_sign_in(request, name, next, back_to)
}

async fn upgrade_session(
    request: &RequestContext<'_>,
    body: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let session = request
        .any_session()
        .ok_or_else(|| ActRefused::signed_out(request.language))?;
    let name = session.name.clone();
    let back_to = requested_page(request, body.page.as_deref());
    match upgrade::upgrade_session(request, session)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        Some(next) => continue_sign_in(request, name, next, back_to),
        // only a complete sign-in upgrades the session
        None => Err(ActRefused::signed_out(request.language)),
    }
}

async fn submit_code(
    request: &RequestContext<'_>,
    body: SignInCode,
) -> Result<EndpointReply<Next>, ActRefused> {
    let token = require_token(request)?;
    let trust = if body.trust {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let result =
        login::verify_code(request, &token, Input::parse(body.code.as_bytes()), trust).await;
    match result.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterCode::Opened(opened) => Ok(finish_sign_in(request, &opened, &token.payload().back_to)),
        AfterCode::Refused(refusal) => {
            Err(as_unauthorized(ActRefused::code(request.language, refusal)))
        }
    }
}

async fn mail_code(request: &RequestContext<'_>) -> Result<EndpointReply<Mailed>, ActRefused> {
    let token = require_token(request)?;
    match mail::mail_code(request, &token)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        CodeMailed::Sent(to) => {
            let expires_in = request.site.config.email.code_ttl.seconds();
            Ok(EndpointReply::new(Mailed {
                to: to.masked().to_string(),
                expires_in,
            }))
        }
        CodeMailed::NotSent => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_mailed",
            request.language.not_mailed(),
        )),
        CodeMailed::Queued => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "mail_waits",
            request.language.mail_waits(),
        )),
        CodeMailed::Refused(refusal) => {
            let text = request.language.mail_refusal(refusal);
            let (refused, wait) = match refusal {
                MailRefusal::Code(why) => {
                    return Err(as_unauthorized(ActRefused::code(request.language, why)));
                }
                MailRefusal::Cooldown { wait } => (
                    ActRefused::new(StatusCode::TOO_MANY_REQUESTS, "mail_cooldown", text),
                    Some(wait),
                ),
                MailRefusal::NotConfigured | MailRefusal::NoAddress => {
                    (ActRefused::new(StatusCode::CONFLICT, "no_mail", text), None)
                }
            };
            Err(ActRefused {
                retry_after: wait,
                ..refused
            })
        }
    }
}

async fn sign_out(call: &Call<'_>, body: SignOut) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    match body.everywhere {
        true => {
            sessions::revoke_sessions(request, &request.require_session()?, None).await?;
        }
        false => {
            if let SignedOut::Incomplete(left, error) = logout::end_sessions(request).await {
                let refused = ActRefused::unprocessed(request.language, &error);
                return Err(ActRefused {
                    text: logout::sessions_not_ended(request, &left),
                    ..refused
                });
            }
        }
    }
    Ok(EndpointReply {
        reply: request.without_sign_in_cookies(reply::bare(StatusCode::OK)),
        answer: (),
    })
}

/// Returns the step that follows the first factor.
fn continue_sign_in(
    request: &RequestContext<'_>,
    name: UserName,
    next: AfterPassword,
    back_to: &str,
) -> Result<EndpointReply<Next>, ActRefused> {
    match next {
        AfterPassword::Opened(opened) => Ok(finish_sign_in(request, &opened, back_to)),
        AfterPassword::Code(token) => {
            let answer = require_code(&token.payload().methods, token.payload().digits);
            let token = token.with_back_to(back_to.to_owned());
            let reply =
                first_factor::with_login_token(request, reply::bare(StatusCode::OK), &token);
            let reply =
                reply.map_err(|error| refusal::refuse_sign_in(request, &pool_error(&error)))?;
            Ok(EndpointReply { reply, answer })
        }
        AfterPassword::Enroll(token) => {
            request.log_sign_in(&name, "refused", &Refusal::NotEnrolled.to_string());
            require_enrollment(request, &token.to_page(back_to.to_owned()))
        }
        AfterPassword::Refused(refusal) => {
            Err(as_unauthorized(ActRefused::code(request.language, refusal)))
        }
        AfterPassword::OtherSpelling(other) => {
            request.log_other_spelling(&other);
            Err(ActRefused::new(
                StatusCode::FORBIDDEN,
                "name_taken",
                request.language.text("other-spelling"),
            ))
        }
    }
}

/// Returns the reply that begins an enrollment, with its token.
pub(super) fn require_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<EndpointReply<Next>, ActRefused> {
    let reply = enroll::with_enrollment_cookie(request, reply::bare(StatusCode::OK), token);
    let reply = reply.map_err(|error| refusal::refuse_sign_in(request, &error))?;
    let one_time_code = token.payload().may == EnrollmentPermission::WithOneTimeCode;
    Ok(EndpointReply {
        reply,
        answer: Next::EnrollmentRequired { one_time_code },
    })
}

/// Returns the reply that ends a sign-in, with the session's cookies.
pub(super) fn finish_sign_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    back_to: &str,
) -> EndpointReply<Next> {
    let page = (!back_to.is_empty()).then(|| back_to.to_owned());
    let (user, notices) = (
        opened.session.name.to_string(),
        login::sign_in_notices(request, opened),
    );
    let reply = login::with_sign_in_cookies(request, reply::bare(StatusCode::OK), opened);
    EndpointReply {
        reply,
        answer: Next::SignedIn {
            user,
            notices,
            page,
        },
    }
}

fn require_code(methods: &CodeMethods, digits: u32) -> Next {
    let (methods, mail_to) = match methods {
        CodeMethods::App => (vec![CodeMethod::App], None),
        CodeMethods::AppOrMail(to) => (vec![CodeMethod::App, CodeMethod::Mail], Some(to.clone())),
        CodeMethods::Mail(to) => (vec![CodeMethod::Mail], Some(to.clone())),
    };
    let preferred = methods.first().copied().unwrap_or(CodeMethod::App);
    Next::CodeRequired {
        methods,
        preferred,
        digits,
        mail_to,
    }
}

fn require_token(request: &RequestContext<'_>) -> Result<LoginToken, ActRefused> {
    request
        .login_token()
        .ok_or_else(|| ActRefused::code(request.language, Refusal::Expired))
}

fn requested_page<'a>(request: &RequestContext<'_>, page: Option<&'a str>) -> &'a str {
    page.and_then(|page| request.site.valid_return_url(page))
        .unwrap_or_default()
}

/// Turns 403 into 401, since the client is not authenticated yet.
pub(super) fn as_unauthorized(refused: ActRefused) -> ActRefused {
    match refused.status {
        StatusCode::FORBIDDEN => ActRefused {
            status: StatusCode::UNAUTHORIZED,
            ..refused
        },
        _ => refused,
    }
}

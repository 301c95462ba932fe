//! The sign-in, step by step, and the sign-out.

use super::body::{NoBody, OptionalBody, RequiredBody, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply;
use crate::web::account::sessions;
use crate::web::enroll;
use crate::web::enroll::unavailable;
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
use serde::{Deserialize, Serialize};
use shared::account::name::UserName;
use shared::account::second_factor::CodeMethods;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::engine::{
    AfterCode, AfterPassword, EnrollmentPermission, EnrollmentToken, MailRefusal, OpenedSession,
    TrustRequest,
};
use shared::protocol::command_request::TypedText;
use shared::token::LoginToken;
use shared::verify::decision::Refusal;
use utoipa::ToSchema;

/// How it stands with whoever asks.
#[derive(Serialize, ToSchema)]
struct SignInState {
    first_factor: FirstFactorKind,
    state: SessionState,
    /// Who has a session.
    user: Option<String>,
    /// Whether critical acts need no further proof.
    stepped_up: bool,
}

/// What a sign-in begins with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FirstFactorKind {
    /// A password that Postern keeps.
    Password,
    /// The password of this host.
    HostPassword,
    /// A name that the proxy in front brings.
    Identity,
}

/// How far a session goes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionState {
    SignedOut,
    /// The first factor alone has passed: good for pages that ask no code, and not here.
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
    /// A recovery or one-time code, given along.
    #[schema(value_type = Option<String>)]
    recovery: Option<TypedText>,
    /// The page behind the gate that is wanted: its rule may ask for less.
    page: Option<String>,
}

/// What a sign-in without a password is for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginPurpose {
    /// The page behind the gate that is wanted: its rule may ask for less.
    page: Option<String>,
}

/// A code of the app, a mailed one, a recovery code or a one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInCode {
    #[schema(value_type = String)]
    code: TypedText,
    /// Whether this browser is to be trusted from now on.
    #[serde(default)]
    trust: bool,
}

/// What is ended.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignOut {
    /// Every session of the account, not only this one.
    #[serde(default)]
    everywhere: bool,
}

/// What comes next.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Next {
    /// The session has begun; its cookie comes along.
    SignedIn {
        user: String,
        /// What the person should know: wrong codes since the last time, recovery codes left.
        notices: Vec<String>,
        /// The page that was wanted.
        page: Option<String>,
    },
    /// A code is asked for at sign-in/code.
    CodeRequired {
        methods: Vec<CodeMethod>,
        preferred: CodeMethod,
        /// The longest code of an app.
        digits: u32,
        /// Where a code would be mailed, as much of it as may be shown.
        mail_to: Option<String>,
    },
    /// There must be a second factor first, and is none: it begins at enroll.
    EnrollmentRequired {
        /// Whether an administrator's one-time code is needed before: enroll/one-time-code.
        one_time_code: bool,
    },
}

/// Where codes come from.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CodeMethod {
    App,
    Mail,
}

/// Where a code was mailed.
#[derive(Serialize, ToSchema)]
struct Mailed {
    /// As much of the address as may be shown.
    to: String,
    /// How long it is good, in seconds.
    expires_in: u64,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Anyone;
    vec![
        Endpoint::tells(
            (Method::GET, "sign-in"),
            Anyone,
            "Returns whether the request has a session.",
            |call, NoBody| Box::pin(async { Ok(EndpointReply::saying(state(call.request))) }),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in"),
            Anyone,
            "Begins a sign-in with name and password.",
            |call, RequiredBody(given)| Box::pin(enter_password(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/identity"),
            Anyone,
            "Begins a sign-in with the name that the proxy sends.",
            |call, OptionalBody(wanted)| Box::pin(enter_identity(call.request, wanted)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/upgrade"),
            Anyone,
            "Begins the upgrade of a session that only has the first factor.",
            |call, OptionalBody(wanted)| Box::pin(rise(call.request, wanted)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/code"),
            Anyone,
            "Enters the code of a sign-in.",
            |call, RequiredBody(given)| Box::pin(enter_code(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/mail"),
            Anyone,
            "Mails a code for a sign-in.",
            |call, NoBody| Box::pin(mail(call.request)),
        ),
        Endpoint::does(
            (Method::POST, "sign-out"),
            Anyone,
            "Ends this session, or every session of the account.",
            |call, OptionalBody(given)| Box::pin(sign_out(call, given)),
        ),
    ]
}

fn state(request: &RequestContext<'_>) -> SignInState {
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

async fn enter_password(
    request: &RequestContext<'_>,
    given: Credentials,
) -> Result<EndpointReply<Next>, ActRefused> {
    if request.site.gate().first_factor == FirstFactorSource::Header {
        let text = request.t.say("password-elsewhere");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "password_not_managed",
            text,
        ));
    }
    let text_of_all = || request.t.say("sign-in-refused");
    let refused = || ActRefused::new(StatusCode::UNAUTHORIZED, "refused", text_of_all());
    let name = UserName::parse(given.user.trim().as_bytes()).map_err(|_| refused())?;
    let back_to = wanted(request, given.page.as_deref());
    let recovery = Input::parse(text(given.recovery).as_bytes());
    let judged = password::verify_password(
        request,
        &name,
        text(Some(given.password)),
        recovery,
        back_to,
    )
    .await;
    match judged.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterPassword::Refused(refusal @ Refusal::AddressDelayed { .. }) => {
            Err(ActRefused::answer(request.t, refusal))
        }
        AfterPassword::Refused(_) => Err(refused()),
        next => go_on(request, name, next, back_to),
    }
}

async fn enter_identity(
    request: &RequestContext<'_>,
    given: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let nobody = || {
        let text = request.t.say("identity-missing-line");
        ActRefused::new(StatusCode::FORBIDDEN, "identity_missing", text)
    };
    if request.site.gate().first_factor != FirstFactorSource::Header {
        return Err(nobody());
    }
    let name = first_factor::identified_user(request).ok_or_else(nobody)?;
    let back_to = wanted(request, given.page.as_deref());
    let next = first_factor::verify_identity(request, &name, back_to)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?;
    go_on(request, name, next, back_to)
}

async fn rise(
    request: &RequestContext<'_>,
    given: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let session = request
        .any_session()
        .ok_or_else(|| ActRefused::signed_out(request.t))?;
    let name = session.name.clone();
    let back_to = wanted(request, given.page.as_deref());
    match upgrade::upgrade_session(request, session)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        Some(next) => go_on(request, name, next, back_to),
        // nothing but the whole sign-in raises it
        None => Err(ActRefused::signed_out(request.t)),
    }
}

async fn enter_code(
    request: &RequestContext<'_>,
    given: SignInCode,
) -> Result<EndpointReply<Next>, ActRefused> {
    let ticket = ticket(request)?;
    let trust = if given.trust {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let judged =
        login::verify_code(request, &ticket, Input::parse(given.code.as_bytes()), trust).await;
    match judged.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterCode::Opened(opened) => Ok(signed_in(request, &opened, &ticket.payload().back_to)),
        AfterCode::Refused(refusal) => Err(at_sign_in(ActRefused::answer(request.t, refusal))),
    }
}

async fn mail(request: &RequestContext<'_>) -> Result<EndpointReply<Mailed>, ActRefused> {
    let ticket = ticket(request)?;
    match mail::mail_code(request, &ticket)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        CodeMailed::Sent(to) => {
            let expires_in = request.site.config.email.code_ttl.seconds();
            Ok(EndpointReply::saying(Mailed {
                to: to.masked().to_string(),
                expires_in,
            }))
        }
        CodeMailed::NotSent => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_mailed",
            request.t.not_mailed(),
        )),
        CodeMailed::Waits => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "mail_waits",
            request.t.mail_waits(),
        )),
        CodeMailed::Refused(refusal) => {
            let text = request.t.mail_refusal(refusal);
            let (refused, wait) = match refusal {
                MailRefusal::Code(why) => {
                    return Err(at_sign_in(ActRefused::answer(request.t, why)));
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

async fn sign_out(call: &Call<'_>, given: SignOut) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    match given.everywhere {
        true => {
            sessions::revoke_sessions(request, &request.require_session()?, None).await?;
        }
        false => {
            if let SignedOut::Left(left, error) = logout::end_sessions(request).await {
                let refused = ActRefused::not_judged(request.t, &error);
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

/// Where a first factor that has passed leads.
fn go_on(
    request: &RequestContext<'_>,
    name: UserName,
    next: AfterPassword,
    back_to: &str,
) -> Result<EndpointReply<Next>, ActRefused> {
    match next {
        AfterPassword::Opened(opened) => Ok(signed_in(request, &opened, back_to)),
        AfterPassword::Code(token) => {
            let answer = code_required(&token.payload().methods, token.payload().digits);
            let token = token.with_back_to(back_to.to_owned());
            let reply =
                first_factor::with_login_token(request, reply::bare(StatusCode::OK), &token);
            let reply =
                reply.map_err(|error| refusal::refuse_sign_in(request, &unavailable(&error)))?;
            Ok(EndpointReply { reply, answer })
        }
        AfterPassword::Enroll(token) => {
            request.log_sign_in(&name, "refused", &Refusal::NotEnrolled.to_string());
            setup_required(request, &token.to_page(back_to.to_owned()))
        }
        AfterPassword::Refused(refusal) => Err(at_sign_in(ActRefused::answer(request.t, refusal))),
        AfterPassword::OtherSpelling(other) => {
            request.log_other_spelling(&other);
            Err(ActRefused::new(
                StatusCode::FORBIDDEN,
                "name_taken",
                request.t.say("other-spelling"),
            ))
        }
    }
}

/// A first setup begins.
pub(super) fn setup_required(
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

/// The session has begun.
pub(super) fn signed_in(
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

fn code_required(methods: &CodeMethods, digits: u32) -> Next {
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

fn ticket(request: &RequestContext<'_>) -> Result<LoginToken, ActRefused> {
    request
        .login_token()
        .ok_or_else(|| ActRefused::answer(request.t, Refusal::Expired))
}

fn wanted<'a>(request: &RequestContext<'_>, page: Option<&'a str>) -> &'a str {
    page.and_then(|page| request.site.valid_return_url(page))
        .unwrap_or_default()
}

/// Nobody is there yet.
pub(super) fn at_sign_in(refused: ActRefused) -> ActRefused {
    match refused.status {
        StatusCode::FORBIDDEN => ActRefused {
            status: StatusCode::UNAUTHORIZED,
            ..refused
        },
        _ => refused,
    }
}

//! The sign-in, step by step, and the sign-out.

use super::body::{IfAny, Needed, Nothing, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply;
use crate::web::enroll::unavailable;
use crate::web::login::{CodeMailed, RequestContext};
use crate::web::logout::SignedOut;
use crate::web::refusal::ActRefused;
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
            |call, Nothing| Box::pin(async { Ok(EndpointReply::saying(state(call.guest))) }),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in"),
            Anyone,
            "Begins a sign-in with name and password.",
            |call, Needed(given)| Box::pin(enter_password(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/identity"),
            Anyone,
            "Begins a sign-in with the name that the proxy sends.",
            |call, IfAny(wanted)| Box::pin(enter_identity(call.guest, wanted)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/upgrade"),
            Anyone,
            "Begins the upgrade of a session that only has the first factor.",
            |call, IfAny(wanted)| Box::pin(rise(call.guest, wanted)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/code"),
            Anyone,
            "Enters the code of a sign-in.",
            |call, Needed(given)| Box::pin(enter_code(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "sign-in/mail"),
            Anyone,
            "Mails a code for a sign-in.",
            |call, Nothing| Box::pin(mail(call.guest)),
        ),
        Endpoint::does(
            (Method::POST, "sign-out"),
            Anyone,
            "Ends this session, or every session of the account.",
            |call, IfAny(given)| Box::pin(sign_out(call, given)),
        ),
    ]
}

fn state(guest: &RequestContext<'_>) -> SignInState {
    let (any, full) = (guest.any_session(), guest.session());
    SignInState {
        first_factor: match guest.site.gate().first_factor {
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
        stepped_up: guest.stepped_up().is_some(),
    }
}

async fn enter_password(
    guest: &RequestContext<'_>,
    given: Credentials,
) -> Result<EndpointReply<Next>, ActRefused> {
    if guest.site.gate().first_factor == FirstFactorSource::Header {
        let text = guest.t.say("password-elsewhere");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "password_not_managed",
            text,
        ));
    }
    let text_of_all = || guest.t.say("sign-in-refused");
    let refused = || ActRefused::new(StatusCode::UNAUTHORIZED, "refused", text_of_all());
    let name = UserName::parse(given.user.trim().as_bytes()).map_err(|_| refused())?;
    let back_to = wanted(guest, given.page.as_deref());
    let recovery = Input::read(text(given.recovery).as_bytes());
    let judged = guest
        .judge_password(&name, text(Some(given.password)), recovery, back_to)
        .await;
    match judged.map_err(|error| guest.not_signed_in(&error))? {
        AfterPassword::Refused(refusal @ Refusal::AddressDelayed { .. }) => {
            Err(ActRefused::answer(guest.t, refusal))
        }
        AfterPassword::Refused(_) => Err(refused()),
        next => go_on(guest, name, next, back_to),
    }
}

async fn enter_identity(
    guest: &RequestContext<'_>,
    given: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let nobody = || {
        let text = guest.t.say("identity-missing-line");
        ActRefused::new(StatusCode::FORBIDDEN, "identity_missing", text)
    };
    if guest.site.gate().first_factor != FirstFactorSource::Header {
        return Err(nobody());
    }
    let name = guest.named().ok_or_else(nobody)?;
    let back_to = wanted(guest, given.page.as_deref());
    let next = guest
        .judge_identity(&name, back_to)
        .await
        .map_err(|error| guest.not_signed_in(&error))?;
    go_on(guest, name, next, back_to)
}

async fn rise(
    guest: &RequestContext<'_>,
    given: LoginPurpose,
) -> Result<EndpointReply<Next>, ActRefused> {
    let session = guest
        .any_session()
        .ok_or_else(|| ActRefused::signed_out(guest.t))?;
    let name = session.name.clone();
    let back_to = wanted(guest, given.page.as_deref());
    match guest
        .rise(session)
        .await
        .map_err(|error| guest.not_signed_in(&error))?
    {
        Some(next) => go_on(guest, name, next, back_to),
        // nothing but the whole sign-in raises it
        None => Err(ActRefused::signed_out(guest.t)),
    }
}

async fn enter_code(
    guest: &RequestContext<'_>,
    given: SignInCode,
) -> Result<EndpointReply<Next>, ActRefused> {
    let ticket = ticket(guest)?;
    let trust = if given.trust {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let judged = guest
        .judge_code(&ticket, Input::read(given.code.as_bytes()), trust)
        .await;
    match judged.map_err(|error| guest.not_signed_in(&error))? {
        AfterCode::Opened(opened) => Ok(signed_in(guest, &opened, &ticket.payload().back_to)),
        AfterCode::Refused(refusal) => Err(at_sign_in(ActRefused::answer(guest.t, refusal))),
    }
}

async fn mail(guest: &RequestContext<'_>) -> Result<EndpointReply<Mailed>, ActRefused> {
    let ticket = ticket(guest)?;
    match guest
        .post_code(&ticket)
        .await
        .map_err(|error| guest.not_signed_in(&error))?
    {
        CodeMailed::Sent(to) => {
            let expires_in = guest.site.config.email.code_ttl.seconds();
            Ok(EndpointReply::saying(Mailed {
                to: to.masked().to_string(),
                expires_in,
            }))
        }
        CodeMailed::NotSent => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_mailed",
            guest.t.not_mailed(),
        )),
        CodeMailed::Waits => Err(ActRefused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "mail_waits",
            guest.t.mail_waits(),
        )),
        CodeMailed::Refused(refusal) => {
            let text = guest.t.mail_refusal(refusal);
            let (refused, wait) = match refusal {
                MailRefusal::Code(why) => return Err(at_sign_in(ActRefused::answer(guest.t, why))),
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
    let guest = call.guest;
    match given.everywhere {
        true => {
            guest.revoke_sessions(&guest.signed_in()?, None).await?;
        }
        false => {
            if let SignedOut::Left(left, error) = guest.end_sessions().await {
                let refused = ActRefused::not_judged(guest.t, &error);
                return Err(ActRefused {
                    text: guest.left(&left),
                    ..refused
                });
            }
        }
    }
    Ok(EndpointReply {
        reply: guest.without_cookies(reply::bare(StatusCode::OK)),
        answer: (),
    })
}

/// Where a first factor that has passed leads.
fn go_on(
    guest: &RequestContext<'_>,
    name: UserName,
    next: AfterPassword,
    back_to: &str,
) -> Result<EndpointReply<Next>, ActRefused> {
    match next {
        AfterPassword::Opened(opened) => Ok(signed_in(guest, &opened, back_to)),
        AfterPassword::Code(token) => {
            let answer = code_required(&token.payload().methods, token.payload().digits);
            let token = token.to_page(back_to.to_owned());
            let reply = guest.with_login(reply::bare(StatusCode::OK), &token);
            let reply = reply.map_err(|error| guest.not_signed_in(&unavailable(&error)))?;
            Ok(EndpointReply { reply, answer })
        }
        AfterPassword::Enroll(token) => {
            guest.log(&name, "refused", &Refusal::NotEnrolled.to_string());
            setup_required(guest, &token.to_page(back_to.to_owned()))
        }
        AfterPassword::Refused(refusal) => Err(at_sign_in(ActRefused::answer(guest.t, refusal))),
        AfterPassword::OtherSpelling(other) => {
            guest.log_spelling(&other);
            Err(ActRefused::new(
                StatusCode::FORBIDDEN,
                "name_taken",
                guest.t.say("other-spelling"),
            ))
        }
    }
}

/// A first setup begins.
pub(super) fn setup_required(
    guest: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> Result<EndpointReply<Next>, ActRefused> {
    let reply = guest.with_ticket(reply::bare(StatusCode::OK), token);
    let reply = reply.map_err(|error| guest.not_signed_in(&error))?;
    let one_time_code = token.payload().may == EnrollmentPermission::WithOneTimeCode;
    Ok(EndpointReply {
        reply,
        answer: Next::EnrollmentRequired { one_time_code },
    })
}

/// The session has begun.
pub(super) fn signed_in(
    guest: &RequestContext<'_>,
    opened: &OpenedSession,
    back_to: &str,
) -> EndpointReply<Next> {
    let page = (!back_to.is_empty()).then(|| back_to.to_owned());
    let (user, notices) = (opened.session.name.to_string(), guest.told(opened));
    let reply = guest.with_sign_in(reply::bare(StatusCode::OK), opened);
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

fn ticket(guest: &RequestContext<'_>) -> Result<LoginToken, ActRefused> {
    guest
        .ticket()
        .ok_or_else(|| ActRefused::answer(guest.t, Refusal::Expired))
}

fn wanted<'a>(guest: &RequestContext<'_>, page: Option<&'a str>) -> &'a str {
    page.and_then(|page| guest.site.valid_return_url(page))
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

//! Sign-in, step by step, and sign-out.

use super::body::{Json, NoBody, OptionalJson, optional_text};
use super::endpoint::{Call, Done, Endpoint, EndpointReply, EndpointResult, endpoint};
use crate::http::cookies::TokenChanges;
use crate::http::route_table::Route;
use crate::state::site::shorten_return_url;
use crate::web::account::sessions;
use crate::web::login::mail::CodeMailed;
use crate::web::login::{self, first_factor, mail, passkey, passkey_alone, password, upgrade};
use crate::web::logout::{self, SignedOut};
use crate::web::passkey::request_options;
use crate::web::refusal::{ActRefused, ActResult};
use crate::web::request::RequestContext;
use crate::web::{enroll, step_up};
use hyper::Method;
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::CodeMethods;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::engine::messages;
use postern_shared::engine::{
    AfterCode, AfterPassword, EnrollmentPermission, EnrollmentToken, MailRefusal, OpenedSession,
    TrustRequest,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::token::{LoginPayload, LoginToken};
use postern_shared::verify::decision::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

/// A passkey in the place of the code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInPasskey {
    /// What `navigator.credentials.get` returned.
    #[schema(value_type = Object)]
    credential: Value,
    /// Whether the second factor is to be skipped in this browser from now on.
    #[serde(default)]
    trust: bool,
}

/// A request to the account's passkeys.
#[derive(Serialize, ToSchema)]
struct PasskeyRequest {
    /// For `navigator.credentials.get`; absent if the account has no passkey.
    #[schema(value_type = Option<Object>)]
    options: Option<Value>,
}

/// A sign-in by a passkey alone, which has begun.
#[derive(Serialize, ToSchema)]
struct PasskeySignInRequest {
    /// For the request that completes it, within an hour and once.
    token: String,
    /// For `navigator.credentials.get`: any passkey of this gate that can sign in without a name.
    #[schema(value_type = Object)]
    options: Value,
}

/// A passkey in the place of name, password and code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInPasskeyAlone {
    token: String,
    /// What `navigator.credentials.get` returned, with its user handle.
    #[schema(value_type = Object)]
    credential: Value,
    /// Page behind the gate that is requested.
    page: Option<String>,
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
        /// Whether the requested page needs a passkey, at sign-in/passkey: a code signs in, but does
        /// not open it.
        needs_passkey: bool,
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

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    vec![
        endpoint(Method::GET, "sign-in", read_state)
            .summary("Returns whether the request has a session."),
        endpoint(Method::POST, "sign-in", submit_password)
            .summary("Begins a sign-in with name and password."),
        endpoint(Method::POST, "sign-in/identity", submit_identity)
            .summary("Begins a sign-in with the name that the proxy sends."),
        endpoint(Method::POST, "sign-in/upgrade", upgrade_session)
            .summary("Begins the upgrade of a session that only has the first factor."),
        endpoint(Method::POST, "sign-in/code", submit_code)
            .summary("Enters the code of a sign-in."),
        endpoint(Method::POST, "sign-in/passkey/request", request_passkey)
            .summary("Asks for a passkey in the place of the code."),
        endpoint(Method::POST, "sign-in/passkey", submit_passkey)
            .summary("Enters a passkey in the place of the code."),
        endpoint(
            Method::POST,
            "sign-in/passkey-alone/request",
            begin_passkey_alone,
        )
        .summary("Begins a sign-in by a passkey alone, where gate.passkeys.sign_in is on."),
        endpoint(Method::POST, "sign-in/passkey-alone", submit_passkey_alone)
            .summary("Signs in by a passkey alone, without a name and a password."),
        endpoint(Method::POST, "sign-in/mail", mail_code).summary("Mails a code for a sign-in."),
        endpoint(Method::POST, "sign-out", sign_out)
            .summary("Ends this session, or every session of the account."),
    ]
}

async fn read_state(call: &Call<'_>, _: NoBody) -> EndpointResult<SignInState> {
    let request = call.request;
    let (any, full) = (request.any_session(), request.session());
    let state = SignInState {
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
    };
    Ok(state.into())
}

async fn submit_password(call: &Call<'_>, body: Json<Credentials>) -> EndpointResult<Next> {
    let Json(body) = body;
    let request = call.request;
    if request.site.gate().first_factor == FirstFactorSource::Header {
        let text = request.text("password-elsewhere");
        return Err(ActRefused::conflict("password_not_managed", text).into());
    }
    let refused = || ActRefused::unauthorized("refused", request.text("sign-in-refused"));
    let name = UserName::parse(body.user.trim().as_bytes()).map_err(|_| refused())?;
    let return_url = requested_page(request, body.page.as_deref());
    let recovery = Input::parse(optional_text(body.recovery).as_bytes());
    let typed = optional_text(Some(body.password));
    match password::verify_password(request, &name, typed, recovery, return_url).await? {
        AfterPassword::Refused(refusal @ Refusal::AddressDelayed { .. }) => {
            Err(ActRefused::code(request.language, refusal).into())
        }
        AfterPassword::Refused(_) => Err(refused().into()),
        next => continue_sign_in(request, name, next, return_url),
    }
}

async fn submit_identity(
    call: &Call<'_>,
    OptionalJson(body): OptionalJson<LoginPurpose>,
) -> EndpointResult<Next> {
    let request = call.request;
    let missing =
        || ActRefused::forbidden("identity_missing", request.text("identity-missing-line"));
    if request.site.gate().first_factor != FirstFactorSource::Header {
        return Err(missing().into());
    }
    let name = first_factor::identified_user(request).ok_or_else(missing)?;
    let return_url = requested_page(request, body.page.as_deref());
    let next = first_factor::verify_identity(request, &name, return_url).await?;
    continue_sign_in(request, name, next, return_url)
}

async fn upgrade_session(
    call: &Call<'_>,
    OptionalJson(body): OptionalJson<LoginPurpose>,
) -> EndpointResult<Next> {
    let request = call.request;
    let signed_out = || ActRefused::signed_out(request.language);
    let session = request.any_session().ok_or_else(signed_out)?;
    let name = session.name.clone();
    let return_url = requested_page(request, body.page.as_deref());
    // only a complete sign-in upgrades the session if nothing is required
    let next = upgrade::upgrade_session(request, session, return_url)
        .await?
        .ok_or_else(signed_out)?;
    continue_sign_in(request, name, next, return_url)
}

async fn submit_code(call: &Call<'_>, body: Json<SignInCode>) -> EndpointResult<Next> {
    let Json(body) = body;
    let (request, token) = (call.request, require_token(call.request)?);
    let trust = if body.trust {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let input = Input::parse(body.code.as_bytes());
    match login::verify_code(request, &token, input, trust).await? {
        AfterCode::Opened(opened) => {
            let tokens = login::sign_in_tokens(request, &opened);
            Ok(finish_sign_in(
                request,
                &opened,
                &token.payload().back_to,
                tokens,
            ))
        }
        AfterCode::Refused(refusal) => Err(ActRefused::code(request.language, refusal)
            .into_unauthorized()
            .into()),
    }
}

async fn request_passkey(call: &Call<'_>, _: NoBody) -> EndpointResult<PasskeyRequest> {
    let (request, token) = (call.request, require_token(call.request)?);
    let options = passkey::find_options(request, &token).await;
    let options = options.as_ref().map(request_options);
    Ok(PasskeyRequest { options }.into())
}

async fn submit_passkey(call: &Call<'_>, body: Json<SignInPasskey>) -> EndpointResult<Next> {
    let Json(body) = body;
    let (request, token) = (call.request, require_token(call.request)?);
    let trust = if body.trust {
        TrustRequest::Asked
    } else {
        TrustRequest::NotAsked
    };
    let refused = || ActRefused::passkey(request.language).into_unauthorized();
    let response = passkey::parse_response(request, &body.credential.to_string());
    let response = response.ok_or_else(refused)?;
    match passkey::verify_passkey(request, &token, response, trust).await? {
        AfterCode::Opened(opened) => {
            let tokens = login::sign_in_tokens(request, &opened);
            let back_to = &token.payload().back_to;
            Ok(finish_sign_in(request, &opened, back_to, tokens))
        }
        AfterCode::Refused(refusal @ Refusal::Expired) => {
            Err(ActRefused::code(request.language, refusal).into())
        }
        AfterCode::Refused(_) => Err(refused().into()),
    }
}

async fn begin_passkey_alone(call: &Call<'_>, _: NoBody) -> EndpointResult<PasskeySignInRequest> {
    let none = || {
        let text = call.request.text("passkeys-not-available");
        ActRefused::conflict("no_passkeys", text)
    };
    let begun = passkey_alone::begin_sign_in(call.request).ok_or_else(none)?;
    let answer = PasskeySignInRequest {
        token: begun.token,
        options: begun.options,
    };
    Ok(answer.into())
}

async fn submit_passkey_alone(
    call: &Call<'_>,
    Json(body): Json<SignInPasskeyAlone>,
) -> EndpointResult<Next> {
    let request = call.request;
    let credential = body.credential.to_string();
    let opened = passkey_alone::verify_passkey_alone(request, &body.token, &credential).await?;
    let tokens = login::sign_in_tokens(request, &opened);
    let return_url = requested_page(request, body.page.as_deref());
    Ok(finish_sign_in(request, &opened, return_url, tokens))
}

async fn mail_code(call: &Call<'_>, _: NoBody) -> EndpointResult<Mailed> {
    let (request, token) = (call.request, require_token(call.request)?);
    let language = request.language;
    let refused = match mail::mail_code(request, &token).await? {
        CodeMailed::Sent(to) => {
            let expires_in = request.site.config.email.code_ttl.seconds();
            let to = to.masked().to_string();
            return Ok(Mailed { to, expires_in }.into());
        }
        CodeMailed::NotSent => {
            ActRefused::unavailable("not_mailed", language.message(messages::not_mailed()))
        }
        CodeMailed::Queued => {
            ActRefused::unavailable("mail_waits", language.message(messages::mail_waits()))
        }
        CodeMailed::Refused(MailRefusal::Code(why)) => {
            ActRefused::code(language, why).into_unauthorized()
        }
        CodeMailed::Refused(refusal @ MailRefusal::Cooldown { wait }) => {
            let text = language.message(refusal);
            ActRefused::too_many_requests("mail_cooldown", text, wait)
        }
        CodeMailed::Refused(refusal @ (MailRefusal::NotConfigured | MailRefusal::NoAddress)) => {
            ActRefused::conflict("no_mail", language.message(refusal))
        }
    };
    Err(refused.into())
}

async fn sign_out(call: &Call<'_>, body: OptionalJson<SignOut>) -> EndpointResult<Done> {
    let request = call.request;
    if body.0.everywhere {
        sessions::revoke_sessions(request, None).await?;
    } else if let SignedOut::Incomplete(left, error) = logout::end_sessions(request).await {
        let text = logout::sessions_not_ended(request, &left);
        return Err(ActRefused {
            text,
            ..ActRefused::unprocessed(request.language, &error)
        }
        .into());
    }
    let (answer, tokens) = (Done {}, TokenChanges::signed_out());
    Ok(EndpointReply { answer, tokens })
}

/// Returns the step that follows the first factor.
fn continue_sign_in(
    request: &RequestContext<'_>,
    name: UserName,
    next: AfterPassword,
    return_url: &str,
) -> EndpointResult<Next> {
    match next {
        AfterPassword::Opened(opened) => {
            let tokens = login::sign_in_tokens(request, &opened);
            Ok(finish_sign_in(request, &opened, return_url, tokens))
        }
        AfterPassword::Code(token) => {
            let answer = require_code(token.payload());
            let token = token.with_back_to(return_url.to_owned());
            let tokens = first_factor::issue_login_token(request, &token)?;
            Ok(EndpointReply { answer, tokens })
        }
        AfterPassword::Enroll(token) => {
            request.log_sign_in(&name, "refused", &Refusal::NotEnrolled.to_string());
            require_enrollment(request, &token.to_page(return_url.to_owned()))
        }
        AfterPassword::Refused(refusal) => Err(ActRefused::code(request.language, refusal)
            .into_unauthorized()
            .into()),
        AfterPassword::OtherSpelling(other) => {
            request.log_other_spelling(&other);
            Err(ActRefused::forbidden("name_taken", request.text("other-spelling")).into())
        }
    }
}

/// Returns the reply that begins an enrollment, with its token.
pub(super) fn require_enrollment(
    request: &RequestContext<'_>,
    token: &EnrollmentToken,
) -> EndpointResult<Next> {
    let one_time_code = token.payload().may == EnrollmentPermission::WithOneTimeCode;
    Ok(EndpointReply {
        answer: Next::EnrollmentRequired { one_time_code },
        tokens: enroll::issue_token(request, token)?,
    })
}

/// Returns the reply that ends a sign-in, with the tokens of its session.
pub(super) fn finish_sign_in(
    request: &RequestContext<'_>,
    opened: &OpenedSession,
    return_url: &str,
    tokens: TokenChanges,
) -> EndpointReply<Next> {
    let answer = Next::SignedIn {
        user: opened.session.name.to_string(),
        notices: login::sign_in_notices(request, opened),
        page: (!return_url.is_empty()).then(|| return_url.to_owned()),
    };
    EndpointReply { answer, tokens }
}

fn require_code(login: &LoginPayload) -> Next {
    let (methods, mail_to) = match &login.methods {
        CodeMethods::App => (vec![CodeMethod::App], None),
        CodeMethods::AppOrMail(to) => (vec![CodeMethod::App, CodeMethod::Mail], Some(to.clone())),
        CodeMethods::Mail(to) => (vec![CodeMethod::Mail], Some(to.clone())),
    };
    Next::CodeRequired {
        preferred: methods.first().copied().unwrap_or(CodeMethod::App),
        methods,
        digits: login.digits,
        mail_to,
        needs_passkey: login.needs_passkey,
    }
}

fn require_token(request: &RequestContext<'_>) -> ActResult<LoginToken> {
    let expired = || ActRefused::code(request.language, Refusal::Expired);
    request.login_token().ok_or_else(expired)
}

fn requested_page<'a>(request: &RequestContext<'_>, page: Option<&'a str>) -> &'a str {
    page.and_then(|page| request.site.valid_return_url(page))
        .map(shorten_return_url)
        .unwrap_or_default()
}

//! Further authenticators: added, activated by their first code, and removed.

use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{WorkKind, separate_engine_error};
use crate::web::account::{self, ContinuedSession, Owner, parse_label, run_act};
use crate::web::enroll::{self, CancelEnrollment, EnrollmentForm};
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages::account::{AddAuthenticatorPage, Confirmation};
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use postern_shared::account::name::{Label, UserName};
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::totp::Algorithm;
use postern_shared::engine::{AppPasswordsAfter, Engine, LoginError, ShownEnrollment};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, EnrollmentOperation, TypedText,
};
use postern_shared::verify::decision::Refusal;

/// Path that receives the first code of a new authenticator.
const CONFIRM: &str = "authenticators/confirm";

pub(crate) enum ConfirmedAuthenticator {
    /// The authenticator is active.
    Activated(Box<ContinuedSession>),
    /// The code is wrong; another one can be entered.
    Refused(Refusal),
}

/// Makes a pending authenticator, which is not stored.
pub(crate) async fn begin_authenticator(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    operation: EnrollmentOperation,
) -> ActResult<ShownEnrollment> {
    let (session, token) = (step_up.session.clone(), step_up.token().clone());
    run_act(request, session, move |engine, owner| {
        let (session, origin) = (owner.session, owner.origin());
        let mut enrollment = engine.enrollment();
        enrollment.begin_further_enrollment(session, origin, &token, &operation, owner.now)
    })
    .await
}

/// Returns what the page shows of a pending authenticator.
async fn find_pending_authenticator(
    request: &RequestContext<'_>,
    token: TypedText,
) -> ActResult<ShownEnrollment> {
    run_act(request, request.require_session()?, move |engine, owner| {
        engine
            .enrollment()
            .reopen_further_enrollment(owner.session, token, owner.now)
    })
    .await
}

/// Activates an authenticator by its first code. Every other session of the account is revoked.
pub(crate) async fn confirm_authenticator(
    request: &RequestContext<'_>,
    token: TypedText,
    code: TypedText,
) -> ActResult<ConfirmedAuthenticator> {
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    let session = request.require_session()?;
    let input = Input::parse(code.as_bytes());
    let run = request.run(move |engine, client, now| {
        let owner = Owner::new(&session, client, now);
        let mut enrollment = engine.enrollment();
        let (session, origin) = (owner.session, owner.origin());
        let added = enrollment.confirm_further_enrollment(session, origin, token, &input, now);
        Ok::<_, LoginError>(match separate_engine_error(added)? {
            Ok(Ok(())) => Ok(Ok(owner.reopen_session(engine)?)),
            Ok(Err(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(error),
        })
    });
    Ok(match request.check_act(run.await)? {
        Err(refusal) => ConfirmedAuthenticator::Refused(refusal),
        Ok(opened) => {
            let app_passwords = AppPasswordsAfter::None;
            ConfirmedAuthenticator::Activated(Box::new(ContinuedSession {
                step_up,
                opened,
                app_passwords,
            }))
        }
    })
}

/// Removes an authenticator that is not the only one.
pub(crate) async fn remove_authenticator(
    request: &RequestContext<'_>,
    step_up: StepUpProof,
    label: Label,
) -> ActResult<ContinuedSession> {
    let kind = WorkKind::Plain;
    let remove = move |engine: &mut Engine, owner: &Owner<'_>| {
        let (name, principal, now) = (owner.name(), owner.principal(), owner.now);
        engine
            .enrollment()
            .remove_authenticator(name, &label, principal, now)?;
        Ok(((), AppPasswordsAfter::None))
    };
    let run = account::run_act_and_continue(request, kind, Some(step_up), remove);
    Ok(run.await?.1)
}

pub(crate) async fn show_add_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let page = AddAuthenticatorPage {
        frame: request.frame(form.message()),
        step_up: step_up::required_step_up(request).await?,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Makes a pending authenticator, and asks for its first code.
pub(crate) async fn submit_new_authenticator(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let operation = parse_enrollment(request, form)?;
    let step_up = step_up::verify_form(request, form).await?;
    let shown = begin_authenticator(request, &step_up, operation).await?;
    let page = render_pending(request, &step_up.session.name, &shown, form);
    Ok(request.with_tokens(page, &step_up.tokens(request)))
}

/// Parses the form: an authenticator app, unless the seed of a hardware token is given.
fn parse_enrollment(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> ActResult<EnrollmentOperation> {
    let name = parse_label(request, form.field("name"))?;
    let seed: String = form.field("secret").split_whitespace().collect();
    let mut operation = EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name,
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    };
    if seed.is_empty() {
        return Ok(operation);
    }
    operation.seed = Some(seed.into());
    operation.digits = Some(if form.field("digits") == "8" { 8 } else { 6 });
    operation.algorithm = Some(match form.field("algorithm") {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => Algorithm::Sha1,
    });
    match form.field("type") {
        "counter" => operation.counter = Some(0),
        "60" => operation.period = Some(60),
        _ => operation.period = Some(30),
    }
    Ok(operation)
}

fn render_pending(
    request: &RequestContext<'_>,
    name: &UserName,
    shown: &ShownEnrollment,
    form: &PageForm,
) -> HttpReply {
    let purpose = EnrollmentForm {
        title: request.text("add-authenticator"),
        act: CONFIRM,
        cancel: CancelEnrollment::Link,
    };
    enroll::render_new_authenticator(request, &purpose, name, shown, form)
}

/// Shows a pending authenticator again, after its first code was refused.
pub(crate) async fn show_first_code_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let session = request.require_session()?;
    if form.field("pending").is_empty() {
        return Ok(reply::see_other(&request.path_to("authenticators/add")));
    }
    let shown = find_pending_authenticator(request, form.typed("pending")).await?;
    Ok(render_pending(request, &session.name, &shown, form))
}

/// Activates an authenticator by its first code.
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    request.require_session()?;
    let (token, code) = (form.typed("pending"), form.typed("code"));
    match confirm_authenticator(request, token, code).await? {
        ConfirmedAuthenticator::Refused(why) => Err(ActRefused::code(request.language, why).into()),
        ConfirmedAuthenticator::Activated(ended) => {
            let title = request.text("authenticator-added");
            let text = [title, request.text("authenticator-added-line")];
            Ok(account::show_sessions_ended(request, &ended, text))
        }
    }
}

/// Content of the page that confirms the removal of an authenticator.
pub(crate) fn confirm_removal(language: &Language, form: &PageForm) -> Confirmation {
    let name = form.field("name").to_owned();
    Confirmation {
        act: "authenticators/remove",
        title: language.text("remove-authenticator"),
        lines: vec![language.text_with("remove-authenticator-line", "name", name.clone())],
        button: language.text("remove"),
        hidden: vec![("name", name)],
        is_destructive: true,
    }
}

pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let name = form.field("name").parse();
    let name = name.map_err(|_| ActRefused::invalid_value(request.text("name-invalid")))?;
    let step_up = step_up::verify_form(request, form).await?;
    let ended = remove_authenticator(request, step_up, name).await?;
    let title = request.text("authenticator-removed");
    let text = [title, request.text("authenticator-removed-line")];
    Ok(account::show_sessions_ended(request, &ended, text))
}

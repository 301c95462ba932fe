//! The page that approves a prompt of a PAM service: what asks, a field for the number that the prompt
//! shows, and a passkey. A session alone is not enough, and no other page leads here.
//!
//! MUST NOT tell a request of another account from one that never was.

use super::account::run_act;
use super::pages::{self, ApprovalPage};
use super::refusal::{ActRefused, ActResult, HandlerError, PageForm, PageResult};
use super::request::RequestContext;
use crate::http::reply::{self, HttpReply};
use crate::web::{notice, passkey};
use hyper::StatusCode;
use postern_shared::credential::approval_code::{ApprovalCode, ApprovalNumber};
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::crypto::vault::VaultError;
use postern_shared::engine::{AdministrationError, ApprovalAnswer};
use postern_shared::system::clock;
use postern_shared::token::PasskeyToken;
use postern_shared::token::session::Session;

/// The variable part of the page's path.
pub(crate) const CODE: &str = "code";

fn parse_code(form: &PageForm) -> Option<ApprovalCode> {
    ApprovalCode::parse(form.field(CODE))
}

/// Shows a request, after a sign-in where there is no session.
pub(crate) async fn show_approval_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    if !passkey::are_available(request) {
        return Err(HandlerError::NotFound);
    }
    let Some(session) = request.session() else {
        let page = format!("approve/{}", form.field(CODE));
        let origin = request.site.url.origin();
        let url = format!("{origin}{}", request.path_to(&page));
        let url = request.site.valid_return_url(&url).unwrap_or_default();
        return Ok(reply::see_other(&request.sign_in_path(url)));
    };
    let Some(code) = parse_code(form) else {
        return Ok(show_unknown(request, &session));
    };
    let (keys, asked_code) = (request.site.revocation_cache.token_keys(), code.clone());
    let found = run_act(request, session.clone(), move |engine, owner| {
        let mut approvals = engine.approvals();
        let found = approvals.show_request(owner.session, &asked_code, owner.now)?;
        let Some((shown, token, options)) = found else {
            return Ok(None);
        };
        let sealed = token
            .seal(&keys)
            .map_err(|error: VaultError| AdministrationError::from(error))?;
        Ok(Some((shown, sealed, options)))
    });
    let Some((shown, token, options)) = found.await? else {
        return Ok(show_unknown(request, &session));
    };
    let page = ApprovalPage {
        frame: request.frame(None),
        code: code.plain(),
        shown: &shown,
        token: &token,
        options: &passkey::request_options(&options).to_string(),
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

/// The same for every request that is not open for this account.
fn show_unknown(request: &RequestContext<'_>, session: &Session) -> HttpReply {
    request.log_sign_in(&session.name, "refused", "approval-unknown");
    let (title, line) = (
        request.text("approval-unknown"),
        request.text("approval-unknown-line"),
    );
    let link = (&*request.path_to(""), request.text("to-account"));
    notice::render_notice(request, StatusCode::NOT_FOUND, &title, &[line], Some(link))
}

/// Approves a request by a passkey and the number.
pub(crate) async fn submit_approval(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let session = request.require_session()?;
    let Some(code) = parse_code(form) else {
        return Ok(show_unknown(request, &session));
    };
    let (token, response) = read_passkey(request, &session, &code, form).await?;
    let number = ApprovalNumber::parse(form.field("number"));
    let own = session.clone();
    let run = request.run(move |engine, client, now| {
        let (browser, passkey) = (client.browser(), (&token, &response));
        engine
            .approvals()
            .approve_request(&browser, &own, &code, number, passkey, now)
    });
    let answer = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    let name = &session.name;
    match answer {
        ApprovalAnswer::Approved(shown) => {
            request.log_sign_in(name, "accepted", "passkey-approval");
            let line = request.language.text_with_all(
                "approved-line",
                &[
                    ("service", shown.service.into()),
                    ("host", shown.host.into()),
                ],
            );
            Ok(notice::show_done(
                request,
                &request.text("approved"),
                &[line],
            ))
        }
        ApprovalAnswer::PasskeyRefused => {
            request.log_sign_in(name, "refused", "approval-passkey");
            Err(ActRefused::passkey(request.language).into())
        }
        ApprovalAnswer::WrongNumber => {
            request.log_sign_in(name, "refused", "approval-wrong-number");
            let text = request.text("approval-wrong-number");
            Err(ActRefused::forbidden("wrong_code", text).into())
        }
        ApprovalAnswer::Unknown => Ok(show_unknown(request, &session)),
    }
}

/// Reads the response of a passkey, with the token of its challenge for this request.
async fn read_passkey(
    request: &RequestContext<'_>,
    session: &Session,
    code: &ApprovalCode,
    form: &PageForm,
) -> ActResult<(PasskeyToken, AssertionResponse)> {
    let keys = request.site.revocation_cache.token_keys();
    let (code, own) = (code.clone(), session.clone());
    let run = request.run(move |engine, _, _| engine.approvals().approval_purpose(&own, &code));
    let purpose = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    let text = form.field("token");
    let open = |now| PasskeyToken::open_in(text, &keys, session, purpose, now);
    let token = clock::now().ok().and_then(open);
    let token = token.filter(|_| passkey::are_available(request));
    let response = AssertionResponse::parse(form.field("passkey"));
    token.zip(response).ok_or_else(|| {
        request.log_sign_in(&session.name, "refused", "approval-passkey");
        ActRefused::passkey(request.language)
    })
}

/// Refuses a request: "This was not me".
pub(crate) async fn submit_refusal(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let session = request.require_session()?;
    let Some(code) = parse_code(form) else {
        return Ok(show_unknown(request, &session));
    };
    let own = session.clone();
    let run = request.run(move |engine, client, now| {
        let browser = client.browser();
        engine
            .approvals()
            .refuse_request(&browser, &own, &code, now)
    });
    let refused = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    if refused.is_none() {
        return Ok(show_unknown(request, &session));
    }
    request.log_sign_in(&session.name, "refused", "approval-not-me");
    let lines = [
        request.text("approval-refused-line"),
        request.text("approval-refused-advice"),
    ];
    let title = request.text("approval-refused");
    Ok(notice::show_done(request, &title, &lines))
}

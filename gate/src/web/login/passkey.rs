//! A passkey on the code page, in the place of a code.

use super::{
    finish_sign_in, page_after, requested_page, show_expired, sign_in_notices, sign_in_tokens,
    token_of_form,
};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::login::first_factor;
use crate::web::notice::redirect;
use crate::web::passkey;
use crate::web::refusal::{ActRefused, PageForm, PageResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::engine::{AfterCode, OpenedSession, PasskeyOptions, TrustRequest};
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;

/// Returns the request to the passkeys of the account, if it has any. Where they cannot be read, the
/// page is shown without: a code signs in as well.
pub(crate) async fn find_options(
    request: &RequestContext<'_>,
    token: &LoginToken,
) -> Option<PasskeyOptions> {
    if !passkey::are_available(request) {
        return None;
    }
    let token = token.clone();
    let run = request.run(move |engine, _, now| engine.passkeys().request_at_login(&token, now));
    run.await.ok().flatten()
}

/// Leads a user who has signed in by a code, and needs a passkey, to the page where one is added.
pub(super) fn lead_to_passkeys(request: &RequestContext<'_>, opened: &OpenedSession) -> HttpReply {
    let path = request.path_to("passkeys");
    if !sign_in_notices(request, opened).is_empty() {
        return finish_sign_in(request, opened, &path);
    }
    let text = request.text("add-needed-passkey");
    let page = redirect::redirect_with_text(request, "passkeys", StatusCode::OK, &text);
    let page = page.unwrap_or_else(|| reply::see_other(&path));
    request.with_tokens(page, &sign_in_tokens(request, opened))
}

/// Verifies the passkey of a sign-in.
pub(crate) async fn submit_passkey(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let requested = requested_page(request, form);
    let Some(token) = token_of_form(request, form) else {
        return Ok(match first_factor::may_open(request, requested) {
            true => reply::see_other(requested),
            false => show_expired(request, requested, form.field("user")),
        });
    };
    let trust = match form.field("trust") {
        "yes" => TrustRequest::Asked,
        _ => TrustRequest::NotAsked,
    };
    let requested = page_after(requested, &token);
    let refused = || ActRefused::passkey(request.language).into_unauthorized();
    let Some(response) = parse_response(request, form.field("passkey")) else {
        return Err(refused().into());
    };
    match verify_passkey(request, &token, response, trust).await? {
        AfterCode::Opened(opened) => Ok(finish_sign_in(request, &opened, requested)),
        AfterCode::Refused(Refusal::Expired) => {
            Ok(show_expired(request, requested, token.account().as_str()))
        }
        AfterCode::Refused(_) => Err(refused().into()),
    }
}

/// Parses the response of a browser, where passkeys can be used.
pub(crate) fn parse_response(
    request: &RequestContext<'_>,
    json: &str,
) -> Option<AssertionResponse> {
    AssertionResponse::parse(json).filter(|_| passkey::are_available(request))
}

/// Verifies the passkey of a sign-in, and logs a refusal.
pub(crate) async fn verify_passkey(
    request: &RequestContext<'_>,
    token: &LoginToken,
    response: AssertionResponse,
    trust: TrustRequest,
) -> Result<AfterCode, PoolError> {
    let owned_token = token.clone();
    let run = request.run(move |engine, client, now| {
        engine
            .login()
            .enter_passkey(&client.browser(), &owned_token, &response, trust, now)
    });
    let next = run.await?;
    if let AfterCode::Refused(refusal) = &next {
        request.log_sign_in(token.account(), "refused", &format!("passkey-{refusal}"));
    }
    Ok(next)
}

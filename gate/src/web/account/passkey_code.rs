//! The one-time code for PAM prompts that a passkey makes. Neither a step-up of before nor password and
//! code make one: the passkey is asked for at each, with user verification.

use crate::web::notice;
use crate::web::pages;
use crate::web::pages::account::{IssuedPasskeyCodePage, PasskeyCodePage};
use crate::web::passkey;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::find_passkeys;
use hyper::StatusCode;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::credential::recovery_code::OneTimeCode;
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::token::{PasskeyPurpose, PasskeyToken};

const PURPOSE: PasskeyPurpose = PasskeyPurpose::PamCode;

/// Whether passkeys make codes at this address of the gate.
pub(crate) fn is_available(request: &RequestContext<'_>) -> bool {
    request.site.gate().passkeys.pam_code && passkey::are_available(request)
}

/// Verifies the passkey of this act, and makes the code.
async fn issue_code(
    request: &RequestContext<'_>,
    token: &str,
    response: &str,
) -> ActResult<(OneTimeCode, Timestamp)> {
    let session = request.require_session()?;
    let keys = request.site.revocation_cache.token_keys();
    let open = |now| PasskeyToken::open_in(token, &keys, &session, PURPOSE, now);
    let token = clock::now().ok().and_then(open);
    let token = token.filter(|_| is_available(request));
    let refused = || ActRefused::passkey(request.language);
    let (Some(token), Some(response)) = (token, AssertionResponse::parse(response)) else {
        return Err(refused());
    };
    let name = session.name.clone();
    let run = request.run(move |engine, client, now| {
        let browser = client.browser();
        engine
            .login()
            .issue_passkey_code(&browser, &session, &token, &response, now)
    });
    let issued = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    let (result, cause) = match issued {
        Some(_) => ("accepted", "passkey-code-issued"),
        None => ("refused", "passkey-code-passkey"),
    };
    request.log_sign_in(&name, result, cause);
    issued.ok_or_else(refused)
}

/// Asks for a passkey.
pub(crate) async fn show_passkey_code_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let session = request.require_session()?;
    let prompt = match is_available(request) {
        true => find_passkeys(request, session, PURPOSE).await,
        false => None,
    };
    let Some(prompt) = prompt else {
        let text = request.text("passkey-code-none");
        return Err(ActRefused::conflict("no_passkeys", text).into());
    };
    let page = PasskeyCodePage {
        frame: request.frame(form.message()),
        prompt: &prompt,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Makes a code, and shows it in the reply to the form itself, as recovery codes are shown.
pub(crate) async fn submit_passkey_code(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let (token, response) = (form.field("passkey_token"), form.field("passkey"));
    let (code, expires) = issue_code(request, token, response).await?;
    let page = IssuedPasskeyCodePage {
        frame: request.frame(None),
        code: &code.grouped(),
        expires,
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

//! Sign-in by a passkey alone, without a name and a password, on the sign-in page.

use super::{finish_sign_in, requested_page};
use crate::observe::log;
use crate::observe::metrics::METRICS;
use crate::web::passkey::{self, request_options};
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::PasskeyPrompt;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::engine::{AfterPasskeyAlone, OpenedSession, PasskeyOptions, SERVICE};
use postern_shared::system::clock;
use postern_shared::token::PasskeySignIn;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::passkey::PasskeyRefusal;
use serde_json::Value;

/// A sign-in that has begun: its sealed request, and what the browser is asked for.
pub(crate) struct BegunPasskeySignIn {
    pub(crate) token: String,
    pub(crate) options: Value,
}

/// Begins a sign-in by a passkey alone. `None` where the configuration permits none. Nothing is
/// stored.
pub(crate) fn begin_sign_in(request: &RequestContext<'_>) -> Option<BegunPasskeySignIn> {
    if !passkey::are_available(request) || !request.site.gate().passkeys.sign_in {
        return None;
    }
    let keys = request.site.revocation_cache.token_keys();
    let begun = PasskeySignIn::begin(&keys, clock::now().ok()?).ok()?;
    let options = PasskeyOptions::of_sign_in(&request.site.config, &begun)?;
    Some(BegunPasskeySignIn {
        token: begun.seal(&keys).ok()?.to_string(),
        options: request_options(&options),
    })
}

/// Returns the same for the sign-in page.
pub(crate) fn prompt(request: &RequestContext<'_>) -> Option<PasskeyPrompt> {
    begin_sign_in(request).map(|begun| PasskeyPrompt {
        token: begun.token,
        options: begun.options.to_string(),
    })
}

/// Verifies the passkey of a sign-in without a name.
pub(crate) async fn submit_passkey_alone(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let (token, response) = (form.field("passkey_token"), form.field("passkey"));
    let opened = verify_passkey_alone(request, token, response).await?;
    let requested = requested_page(request, form);
    Ok(finish_sign_in(request, &opened, requested))
}

/// Verifies a passkey, and opens the session. A refusal is logged.
pub(crate) async fn verify_passkey_alone(
    request: &RequestContext<'_>,
    token: &str,
    response: &str,
) -> ActResult<OpenedSession> {
    if !passkey::are_available(request) || !request.site.gate().passkeys.sign_in {
        let text = request.text("passkeys-not-available");
        return Err(ActRefused::conflict("no_passkeys", text));
    }
    let keys = request.site.revocation_cache.token_keys();
    let open = |now| PasskeySignIn::open(token, &keys, now);
    let Some(begun) = clock::now().ok().and_then(open) else {
        return Err(ActRefused::code(request.language, Refusal::Expired));
    };
    let refused = || {
        let text = request.text("passkey-sign-in-refused");
        ActRefused::unauthorized("passkey_refused", text)
    };
    let response = AssertionResponse::parse(response).ok_or_else(refused)?;
    let run = request.run(move |engine, client, now| {
        engine
            .login()
            .enter_passkey_alone(&client.browser(), &begun, &response, now)
    });
    let result = run.await.map_err(|error| request.refuse_sign_in(&error))?;
    let (cause, refused) = match result {
        AfterPasskeyAlone::Opened(opened) => return Ok(*opened),
        AfterPasskeyAlone::NotVerified => {
            let text = request.text("passkey-not-verified");
            let refused = ActRefused::unauthorized("passkey_not_verified", text);
            ("user-not-verified".to_owned(), refused)
        }
        AfterPasskeyAlone::Refused(
            refusal @ (Refusal::Expired | Refusal::AddressDelayed { .. }),
        ) => (
            refusal.to_string(),
            ActRefused::code(request.language, refusal),
        ),
        AfterPasskeyAlone::Refused(refusal) => (refusal.to_string(), refused()),
        AfterPasskeyAlone::Wrong(reason) => {
            log_refusal(request, "passkey-wrong", Some(&reason));
            return Err(refused());
        }
    };
    log_refusal(request, &format!("passkey-{cause}"), None);
    Err(refused)
}

/// Logs and counts a refusal of a sign-in in which no user is known.
fn log_refusal(request: &RequestContext<'_>, cause: &str, reason: Option<&PasskeyRefusal>) {
    METRICS.count_sign_in("refused", cause);
    let line = log::event("refused")
        .with("cause", cause)
        .with("address", request.address);
    let line = line.with("service", SERVICE);
    match reason {
        Some(reason) => line.quoted("reason", reason).write(),
        None => line.write(),
    }
}

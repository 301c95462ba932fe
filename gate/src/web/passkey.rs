//! What pages and programs give to `navigator.credentials`: options in the JSON form of W3C Web
//! Authentication Level 3 (sections 5.4 and 5.5).

use crate::http::reply;
use crate::web::refusal::{HandlerError, PageForm, PageResult};
use crate::web::request::RequestContext;
use data_encoding::BASE64URL_NOPAD;
use postern_shared::account::name::UserName;
use postern_shared::credential::passkey::CredentialId;
use postern_shared::credential::passkey::public_key::OFFERED;
use postern_shared::engine::PasskeyOptions;
use serde_json::{Value, json};

/// Time that a browser waits for the user, in milliseconds: that of the token.
const TIMEOUT: u32 = 600_000;

/// Whether the pages of this address of the gate use passkeys. On a path of an application's host they
/// do not: the application's scripts have the same origin there, and could register one.
pub(crate) fn are_available(request: &RequestContext<'_>) -> bool {
    request.site.url.has_own_host()
}

/// Returns the options of `navigator.credentials.get`.
pub(crate) fn request_options(options: &PasskeyOptions) -> Value {
    json!({
        "challenge": options.challenge.to_text(),
        "timeout": TIMEOUT,
        "rpId": options.rp_id,
        "allowCredentials": descriptors(&options.ids),
        "userVerification": options.user_verification.name(),
    })
}

/// Returns the options of `navigator.credentials.create`, of an account at a service of this name.
pub(crate) fn creation_options(
    options: &PasskeyOptions,
    service: &str,
    account: &UserName,
) -> Value {
    let algorithms: Vec<Value> = OFFERED
        .iter()
        .map(|algorithm| json!({ "type": "public-key", "alg": algorithm }))
        .collect();
    json!({
        "rp": { "id": options.rp_id, "name": service },
        "user": {
            "id": BASE64URL_NOPAD.encode(&options.user_handle),
            "name": account.as_str(),
            "displayName": account.as_str(),
        },
        "challenge": options.challenge.to_text(),
        "pubKeyCredParams": algorithms,
        "timeout": TIMEOUT,
        "excludeCredentials": descriptors(&options.ids),
        "authenticatorSelection": {
            // One that signs in without a name is found by the authenticator itself.
            "residentKey": if options.is_discoverable { "required" } else { "preferred" },
            "userVerification": options.user_verification.name(),
        },
        "attestation": "none",
    })
}

fn descriptors(ids: &[CredentialId]) -> Vec<Value> {
    ids.iter()
        .map(|id| json!({ "type": "public-key", "id": BASE64URL_NOPAD.encode(id.as_bytes()) }))
        .collect()
}

/// Shows where passkeys are added and managed, for programs that keep them (W3C Relying Party Passkey
/// Endpoints).
pub(crate) async fn show_endpoints(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    let site = request.site;
    let passkeys = &site.gate().passkeys;
    if !are_available(request) || passkeys.relying_party(Some(&site.url)).is_none() {
        return Err(HandlerError::NotFound);
    }
    let page = format!("{}{}", site.url.origin(), request.path_to("passkeys"));
    let endpoints = json!({ "enroll": page, "manage": page });
    Ok(reply::content("application/json", endpoints.to_string()))
}

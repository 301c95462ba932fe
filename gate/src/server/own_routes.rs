//! The gate's own pages, by path and method: those of everyone, those of administrators, and the API.

use crate::api;
use crate::http::body::{is_same_origin, read_form};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply, bare, bare_and_close};
use crate::state::branding::SCRIPTS;
use crate::web::account::app_passwords;
use crate::web::account::authenticators;
use crate::web::account::email;
use crate::web::account::overview;
use crate::web::account::password;
use crate::web::account::recovery_codes;
use crate::web::account::second_factor;
use crate::web::account::sessions;
use crate::web::admin::pages;
use crate::web::enroll;
use crate::web::login;
use crate::web::login::first_factor;
use crate::web::login::mail;
use crate::web::login::upgrade;
use crate::web::logout;
use crate::web::notice;
use crate::web::request::RequestContext;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

/// What the gate shows at its own address.
const SHOWN: [&str; 22] = [
    "",
    "sign-in",
    "upgrade",
    "cookies",
    "not-covered",
    "code",
    "enroll",
    "style.css",
    "code.js",
    "keep.js",
    "logo",
    "turn-on",
    "turn-off",
    "replace",
    "authenticators/add",
    "authenticators/remove",
    "recovery-codes",
    "app-passwords",
    "email",
    "email/remove",
    "sign-ins",
    "password",
];
/// The forms that it takes there.
const FORMS: [&str; 23] = [
    "sign-in",
    "code",
    "mail",
    "sign-out",
    "cookies",
    "enroll/one-time-code",
    "enroll/code",
    "enroll/finish",
    "turn-on",
    "turn-off",
    "replace",
    "authenticators/add",
    "authenticators/confirm",
    "authenticators/remove",
    "recovery-codes",
    "recovery-codes/confirm",
    "app-passwords",
    "app-passwords/change",
    "email",
    "email/confirm",
    "email/remove",
    "sign-ins",
    "password",
];
/// One of the gate's own pages, by its path below the gate's.
pub(crate) async fn answer_page(
    request: &RequestContext<'_>,
    parts: &Parts,
    page: &str,
    body: Incoming,
) -> HttpReply {
    if page.split('/').next() == Some("administration") {
        return to_administrator(request, parts, page, body).await;
    }
    if let Some(path) = page.strip_prefix(api::PATH_PREFIX) {
        return api::answer_endpoint(request, parts, path, body).await;
    }
    match (&parts.method, page) {
        (&Method::GET | &Method::HEAD, page) if SHOWN.contains(&page) => {
            show(request, page, parts.uri.query().unwrap_or_default()).await
        }
        (&Method::POST, page) if FORMS.contains(&page) => {
            if !is_same_origin(&parts.headers, &request.site.url.origin()) {
                return bare(StatusCode::FORBIDDEN);
            }
            match read_form(&parts.headers, body).await {
                Ok(form) => take(request, page, &form).await,
                Err(status) => bare_and_close(status),
            }
        }
        (_, page) if SHOWN.contains(&page) || FORMS.contains(&page) => {
            bare(StatusCode::METHOD_NOT_ALLOWED)
        }
        _ => bare(StatusCode::NOT_FOUND),
    }
}

/// A page of administrators. To everyone else nothing is there, whatever they send.
async fn to_administrator(
    request: &RequestContext<'_>,
    parts: &Parts,
    page: &str,
    body: Incoming,
) -> HttpReply {
    if !request.has_administration_pages() || request.session().is_none() {
        return bare_and_close(StatusCode::NOT_FOUND);
    }
    match (&parts.method, page) {
        (&Method::GET | &Method::HEAD, page) => {
            pages::show_administration_page(request, page, parts.uri.query().unwrap_or_default())
                .await
        }
        (&Method::POST, "administration/act") => {
            if !is_same_origin(&parts.headers, &request.site.url.origin()) {
                return bare_and_close(StatusCode::FORBIDDEN);
            }
            match read_form(&parts.headers, body).await {
                Ok(form) => pages::submit_admin_act(request, &form).await,
                Err(status) => bare_and_close(status),
            }
        }
        _ => bare_and_close(StatusCode::NOT_FOUND),
    }
}

async fn show(request: &RequestContext<'_>, page: &str, query: &str) -> HttpReply {
    let asked_for = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    // these are shown to whomever
    let is_anyones = ["style.css", "code.js", "keep.js", "logo", "not-covered"].contains(&page);
    if let Some(unclear) = request.cookie_conflict().filter(|_| !is_anyones) {
        unclear.log(request.address);
        return logout::clear_cookies(request);
    }
    match page {
        "" => overview::show_home_page(request).await,
        "sign-in" => first_factor::show_sign_in_page(request, &asked_for("rd")).await,
        "cookies" => logout::show_cookies_page(request),
        "not-covered" => notice::show_not_covered_page(request, &asked_for("host")),
        "upgrade" => upgrade::show_upgrade_page(request, &asked_for("rd")).await,
        "code" => login::show_code_page(request, query == "other"),
        "enroll" => enroll::show_enrollment_page(request).await,
        "style.css" => reply::content("text/css", request.site.branding.style.clone()),
        "code.js" => reply::content("text/javascript", SCRIPTS[0]),
        "keep.js" => reply::content("text/javascript", SCRIPTS[1]),
        "logo" => match &request.site.branding.logo {
            Some(logo) => reply::content(logo.kind, logo.bytes.clone()),
            None => bare(StatusCode::NOT_FOUND),
        },
        "turn-on" => second_factor::show_turn_on_page(request, None).await,
        "turn-off" => second_factor::show_turn_off_page(request, None).await,
        "replace" => second_factor::show_replacement_page(request, None).await,
        "authenticators/add" => authenticators::show_add_page(request, None).await,
        "authenticators/remove" => {
            authenticators::show_removal_page(request, &asked_for("name"), None).await
        }
        "recovery-codes" => recovery_codes::show_recovery_codes_page(request, None).await,
        "app-passwords" => app_passwords::show_app_passwords_page(request, None).await,
        "email" => email::show_email_page(request, None).await,
        "email/remove" => email::show_removal_page(request, None).await,
        "sign-ins" => sessions::show_sign_ins_page(request, None).await,
        "password" => password::show_password_page(request, None).await,
        _ => bare(StatusCode::NOT_FOUND),
    }
}

async fn take(request: &RequestContext<'_>, page: &str, form: &Form) -> HttpReply {
    match page {
        "sign-in" => first_factor::submit_password(request, form).await,
        "code" => login::submit_code(request, form).await,
        "mail" => mail::submit_mail_request(request).await,
        "sign-out" => logout::submit_sign_out(request).await,
        "cookies" => logout::clear_cookies(request),
        "enroll/one-time-code" => enroll::submit_one_time_code(request, form).await,
        "enroll/code" => enroll::submit_first_code(request, form).await,
        "enroll/finish" => enroll::submit_codes_saved(request, form).await,
        "turn-on" => second_factor::submit_turn_on(request, form).await,
        "turn-off" => second_factor::submit_turn_off(request, form).await,
        "replace" => second_factor::submit_replacement(request, form).await,
        "authenticators/add" => authenticators::submit_new_authenticator(request, form).await,
        "authenticators/confirm" => authenticators::submit_first_code(request, form).await,
        "authenticators/remove" => authenticators::submit_removal(request, form).await,
        "recovery-codes" => recovery_codes::submit_renewal(request, form).await,
        "recovery-codes/confirm" => recovery_codes::submit_codes_saved(request, form).await,
        "app-passwords" => app_passwords::submit_app_password(request, form).await,
        "app-passwords/change" => app_passwords::submit_change(request, form).await,
        "email" => email::submit_email(request, form).await,
        "email/confirm" => email::submit_email_code(request, form).await,
        "email/remove" => email::submit_removal(request, form).await,
        "sign-ins" => sessions::submit_sign_ins_change(request, form).await,
        "password" => password::submit_new_password(request, form).await,
        _ => bare(StatusCode::NOT_FOUND),
    }
}

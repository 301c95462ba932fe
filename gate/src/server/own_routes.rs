//! The gate's own pages, by path and method: those of everyone, those of administrators, and the API.

use crate::api;
use crate::http::body::{is_same_origin, read_form};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply, bare, bare_and_close};
use crate::state::branding::SCRIPTS;
use crate::web::login::RequestContext;
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
    guest: &RequestContext<'_>,
    parts: &Parts,
    page: &str,
    body: Incoming,
) -> HttpReply {
    if page.split('/').next() == Some("administration") {
        return to_administrator(guest, parts, page, body).await;
    }
    if let Some(path) = page.strip_prefix(api::PLACE) {
        return api::answer(guest, parts, path, body).await;
    }
    match (&parts.method, page) {
        (&Method::GET | &Method::HEAD, page) if SHOWN.contains(&page) => {
            show(guest, page, parts.uri.query().unwrap_or_default()).await
        }
        (&Method::POST, page) if FORMS.contains(&page) => {
            if !is_same_origin(&parts.headers, &guest.site.url.origin()) {
                return bare(StatusCode::FORBIDDEN);
            }
            match read_form(&parts.headers, body).await {
                Ok(form) => take(guest, page, &form).await,
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
    guest: &RequestContext<'_>,
    parts: &Parts,
    page: &str,
    body: Incoming,
) -> HttpReply {
    if !guest.has_administration() || guest.session().is_none() {
        return bare_and_close(StatusCode::NOT_FOUND);
    }
    match (&parts.method, page) {
        (&Method::GET | &Method::HEAD, page) => {
            guest
                .administration_page(page, parts.uri.query().unwrap_or_default())
                .await
        }
        (&Method::POST, "administration/act") => {
            if !is_same_origin(&parts.headers, &guest.site.url.origin()) {
                return bare_and_close(StatusCode::FORBIDDEN);
            }
            match read_form(&parts.headers, body).await {
                Ok(form) => guest.administration_act(&form).await,
                Err(status) => bare_and_close(status),
            }
        }
        _ => bare_and_close(StatusCode::NOT_FOUND),
    }
}

async fn show(guest: &RequestContext<'_>, page: &str, query: &str) -> HttpReply {
    let asked_for = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    // these are shown to whomever
    let is_anyones = ["style.css", "code.js", "keep.js", "logo", "not-covered"].contains(&page);
    if let Some(unclear) = guest.unclear().filter(|_| !is_anyones) {
        unclear.log(guest.address);
        return guest.clear_cookies();
    }
    match page {
        "" => guest.home().await,
        "sign-in" => guest.sign_in_page(&asked_for("rd")).await,
        "cookies" => guest.cookies_page(),
        "not-covered" => guest.not_covered_page(&asked_for("host")),
        "upgrade" => guest.rise_page(&asked_for("rd")).await,
        "code" => guest.code_page(query == "other"),
        "enroll" => guest.setup_page().await,
        "style.css" => reply::content("text/css", guest.site.branding.style.clone()),
        "code.js" => reply::content("text/javascript", SCRIPTS[0]),
        "keep.js" => reply::content("text/javascript", SCRIPTS[1]),
        "logo" => match &guest.site.branding.logo {
            Some(logo) => reply::content(logo.kind, logo.bytes.clone()),
            None => bare(StatusCode::NOT_FOUND),
        },
        "turn-on" => guest.turn_on_page(None).await,
        "turn-off" => guest.turn_off_page(None).await,
        "replace" => guest.replace_page(None).await,
        "authenticators/add" => guest.add_authenticator_page(None).await,
        "authenticators/remove" => {
            guest
                .remove_authenticator_page(&asked_for("name"), None)
                .await
        }
        "recovery-codes" => guest.recovery_codes_page(None).await,
        "app-passwords" => guest.app_passwords_page(None).await,
        "email" => guest.email_page(None).await,
        "email/remove" => guest.remove_email_page(None).await,
        "sign-ins" => guest.sign_ins_page(None).await,
        "password" => guest.password_page(None).await,
        _ => bare(StatusCode::NOT_FOUND),
    }
}

async fn take(guest: &RequestContext<'_>, page: &str, form: &Form) -> HttpReply {
    match page {
        "sign-in" => guest.enter_password(form).await,
        "code" => guest.enter_code(form).await,
        "mail" => guest.mail_code().await,
        "sign-out" => guest.sign_out().await,
        "cookies" => guest.clear_cookies(),
        "enroll/one-time-code" => guest.enter_invitation(form).await,
        "enroll/code" => guest.confirm_setup(form).await,
        "enroll/finish" => guest.finish_setup(form).await,
        "turn-on" => guest.turn_on(form).await,
        "turn-off" => guest.turn_off(form).await,
        "replace" => guest.replace(form).await,
        "authenticators/add" => guest.add_authenticator(form).await,
        "authenticators/confirm" => guest.confirm_added(form).await,
        "authenticators/remove" => guest.remove_authenticator_asked(form).await,
        "recovery-codes" => guest.make_recovery_codes(form).await,
        "recovery-codes/confirm" => guest.recovery_codes_are_saved(form).await,
        "app-passwords" => guest.make_app_password(form).await,
        "app-passwords/change" => guest.change_app_password(form).await,
        "email" => guest.change_email(form).await,
        "email/confirm" => guest.confirm_new_email(form).await,
        "email/remove" => guest.remove_email_asked(form).await,
        "sign-ins" => guest.change_sign_ins(form).await,
        "password" => guest.change_password(form).await,
        _ => bare(StatusCode::NOT_FOUND),
    }
}

//! Which request goes where: checks of proxies, and the gate's own pages.

use crate::access;
use crate::administration;
use crate::api;
use crate::authorization::Authorization;
use crate::belief::{Connected, Through};
use crate::contract::{self, Broken};
use crate::identity::Identity;
use crate::language::Language;
use crate::log;
use crate::metrics::{Answered, METRICS};
use crate::pages::SCRIPTS;
use crate::reply::{self, Reply};
use crate::sign_in::{Form, Guest};
use crate::site::Site;
use crate::{check, reply::bare};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, COOKIE, HOST, HeaderValue, ORIGIN, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode, Version};
use shared::config::gate::Proxy;
use shared::remote;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest form, in bytes.
pub(crate) const LARGEST: usize = 16 * 1024;
/// What the gate shows at its own address.
const SHOWN: [&str; 20] = [
    "",
    "sign-in",
    "rise",
    "code",
    "setup",
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
const FORMS: [&str; 22] = [
    "sign-in",
    "code",
    "mail",
    "sign-out",
    "setup/one-time-code",
    "setup/code",
    "setup/finish",
    "turn-on",
    "turn-off",
    "replace",
    "authenticators/add",
    "authenticators/confirm",
    "authenticators/remove",
    "recovery-codes",
    "recovery-codes/keep",
    "app-passwords",
    "app-passwords/change",
    "email",
    "email/confirm",
    "email/remove",
    "sign-ins",
    "password",
];
/// How long a form may take to arrive.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Answers one request.
pub(crate) async fn answer(site: &Arc<Site>, connected: Connected, mut request: Request<Incoming>) -> Reply {
    if request.version() == Version::HTTP_2 {
        join_crumbs(request.headers_mut());
    }
    // no proxy or browser sends a form in chunks; of two lengths, another reader may take the other
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return last(StatusCode::BAD_REQUEST);
    }
    match request.uri().path() {
        "/check/nginx" => check(site, connected, request.headers(), Proxy::Nginx),
        "/check/traefik" => check(site, connected, request.headers(), Proxy::Traefik),
        "/healthz" => match site.watch.is_sure() {
            true => bare(StatusCode::OK),
            false => bare(StatusCode::SERVICE_UNAVAILABLE),
        },
        _ => own_page(site, connected, request).await,
    }
}

/// An answer that ends the connection: what is left of the request is not to be read.
fn last(status: StatusCode) -> Reply {
    closing(bare(status))
}

/// The same of one that has a body.
pub(crate) fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// HTTP/2 splits one Cookie line into many (RFC 9113, section 8.2.3), as Traefik does.
fn join_crumbs(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(line) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, line);
        }
    }
}

fn check(site: &Site, connected: Connected, headers: &HeaderMap, proxy: Proxy) -> Reply {
    let began = Instant::now();
    let through = match site.believed.proxy(connected, headers) {
        Some(through) if through.proxy == proxy => through,
        _ => return stranger(connected),
    };
    let asked = match contract::asked(proxy, headers, |address| site.believed.is_proxy(address)) {
        Ok(asked) => asked,
        Err(Broken(name)) => {
            log::event("refused").with("cause", "contract").because(format_args!(
                "a check of {proxy:?} came with {name} missing, doubled or malformed; compare the proxy's configuration with postern print-config"
            ));
            METRICS.checked(proxy, Answered::Malformed, began.elapsed());
            return bare(StatusCode::UNAUTHORIZED);
        }
    };
    let site = match site.own_paths.is_empty() {
        true => site,
        false => site.protecting(&asked.host()),
    };
    let ruling = check::check(site, &asked, headers, &through.identity(headers));
    let page = if matches!(ruling, check::Ruling::Rise(_)) { "rise" } else { "sign-in" };
    let sign_in = format!("{}{}{page}", site.url.origin(), site.url.path);
    METRICS.checked(proxy, ruling.answered(), began.elapsed());
    if log::has_access() {
        access::check(&asked, &ruling, began.elapsed());
    }
    reply::ruling(&ruling, proxy, asked.method, &sign_in, site.back_to(&asked.url()))
}

fn stranger(connected: Connected) -> Reply {
    METRICS.turned_away();
    let peer = connected.address.map_or_else(|| "the unix socket".to_owned(), |address| address.to_string());
    log::event("refused").with("cause", "not-a-trusted-proxy").because(format_args!(
        "a request from {peer} proves no proxy; see gate.trusted_proxies and secret_file in postern.toml"
    ));
    bare(StatusCode::FORBIDDEN)
}

async fn own_page(site: &Arc<Site>, connected: Connected, request: Request<Incoming>) -> Reply {
    let headers = request.headers();
    let through = site.believed.proxy(connected, headers);
    let address = match (through, connected.address) {
        (Some(Through { proxy, .. }), _) => {
            match contract::address(proxy, headers, |address| site.believed.is_proxy(address)) {
                Ok(address) => address,
                Err(Broken(name)) => {
                    let line = log::event("refused").with("cause", "contract");
                    line.because(format_args!("{proxy:?} sent {name} missing, doubled or malformed"));
                    return bare(StatusCode::BAD_REQUEST);
                }
            }
        }
        // A browser of its own accord; whoever stands on loopback could be any local process.
        (None, Some(address)) if !address.is_loopback() || site.gate().insecure_loopback => address,
        (None, _) => return stranger(connected),
    };
    let identity = through.map_or(Identity::NotBrought, |through| through.identity(headers));
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| headers.get(HOST).and_then(|value| value.to_str().ok()));
    // as gate.url leaves it out
    let host = host.map(|host| host.strip_suffix(":443").unwrap_or(host));
    let Some(site) = host.and_then(|host| site.at(host)) else {
        return bare(StatusCode::MISDIRECTED_REQUEST);
    };
    // never good here, and so not even looked up
    if headers.get_all(AUTHORIZATION).iter().any(is_app_password) {
        let line = log::event("refused").with("cause", "scope").with("address", address);
        line.because("an app password opens none of the gate's own pages");
        return bare(StatusCode::FORBIDDEN);
    }
    let Some(page) = request.uri().path().strip_prefix(site.url.path.as_str()).map(str::to_owned) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let (parts, body) = request.into_parts();
    let t = Language::asked(&parts.headers);
    let guest = Guest { site, headers: &parts.headers, address, identity, t };
    if !log::has_access() {
        return turn_to(&guest, &parts, &page, body).await;
    }
    // before a page of sign-out ends it
    let (began, session) = (Instant::now(), guest.session());
    let reply = turn_to(&guest, &parts, &page, body).await;
    let user = session.as_ref().map(|session| &session.name);
    access::page(&parts, &site.url, address, user, reply.status(), began.elapsed());
    reply
}

/// One of the gate's own pages, by its path below the gate's.
async fn turn_to(guest: &Guest<'_>, parts: &Parts, page: &str, body: Incoming) -> Reply {
    if let Some(below) = page.strip_prefix(remote::PATH) {
        return to_program(guest, parts, below, body).await;
    }
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
            match form(&parts.headers, body).await {
                Ok(form) => take(guest, page, &form).await,
                Err(status) => last(status),
            }
        }
        (_, page) if SHOWN.contains(&page) || FORMS.contains(&page) => bare(StatusCode::METHOD_NOT_ALLOWED),
        _ => bare(StatusCode::NOT_FOUND),
    }
}

/// A page of administrators. To everyone else nothing is there, whatever they send.
async fn to_administrator(guest: &Guest<'_>, parts: &Parts, page: &str, body: Incoming) -> Reply {
    if !guest.has_administration() || guest.session().is_none() {
        return last(StatusCode::NOT_FOUND);
    }
    match (&parts.method, page) {
        (&Method::GET | &Method::HEAD, page) => {
            guest.administration_page(page, parts.uri.query().unwrap_or_default()).await
        }
        (&Method::POST, "administration/act") => {
            if !is_same_origin(&parts.headers, &guest.site.url.origin()) {
                return last(StatusCode::FORBIDDEN);
            }
            match form(&parts.headers, body).await {
                Ok(form) => guest.administration_act(&form).await,
                Err(status) => last(status),
            }
        }
        _ => last(StatusCode::NOT_FOUND),
    }
}

/// A program's request, by its path below [`remote::PATH`].
async fn to_program(guest: &Guest<'_>, parts: &Parts, below: &str, body: Incoming) -> Reply {
    if !guest.takes_programs() {
        return bare(StatusCode::NOT_FOUND);
    }
    match collected(&parts.headers, body, "application/json").await {
        Ok(body) => {
            let segments: Vec<&str> = below.split('/').collect();
            let query = parts.uri.query().unwrap_or_default();
            administration::answer(guest, &parts.method, &segments, query, &body).await
        }
        Err(status) => last(status),
    }
}

async fn show(guest: &Guest<'_>, page: &str, query: &str) -> Reply {
    let asked_for = |field: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    match page {
        "" => guest.home().await,
        "sign-in" => guest.sign_in_page(&asked_for("rd")).await,
        "rise" => guest.rise_page(&asked_for("rd")).await,
        "code" => guest.code_page(query == "other"),
        "setup" => guest.setup_page().await,
        "style.css" => reply::content("text/css", guest.site.look.style.clone()),
        "code.js" => reply::content("text/javascript", SCRIPTS[0]),
        "keep.js" => reply::content("text/javascript", SCRIPTS[1]),
        "logo" => match &guest.site.look.logo {
            Some(logo) => reply::content(logo.kind, logo.bytes.clone()),
            None => bare(StatusCode::NOT_FOUND),
        },
        "turn-on" => guest.turn_on_page(None).await,
        "turn-off" => guest.turn_off_page(None).await,
        "replace" => guest.replace_page(None).await,
        "authenticators/add" => guest.add_authenticator_page(None).await,
        "authenticators/remove" => guest.remove_authenticator_page(&asked_for("name"), None).await,
        "recovery-codes" => guest.recovery_codes_page(None).await,
        "app-passwords" => guest.app_passwords_page(None).await,
        "email" => guest.email_page(None).await,
        "email/remove" => guest.remove_email_page(None).await,
        "sign-ins" => guest.sign_ins_page(None).await,
        "password" => guest.password_page(None).await,
        _ => bare(StatusCode::NOT_FOUND),
    }
}

async fn take(guest: &Guest<'_>, page: &str, form: &Form) -> Reply {
    match page {
        "sign-in" => guest.enter_password(form).await,
        "code" => guest.enter_code(form).await,
        "mail" => guest.mail_code().await,
        "sign-out" => guest.sign_out().await,
        "setup/one-time-code" => guest.enter_invitation(form).await,
        "setup/code" => guest.confirm_setup(form).await,
        "setup/finish" => guest.finish_setup(form).await,
        "turn-on" => guest.turn_on(form).await,
        "turn-off" => guest.turn_off(form).await,
        "replace" => guest.replace(form).await,
        "authenticators/add" => guest.add_authenticator(form).await,
        "authenticators/confirm" => guest.confirm_added(form).await,
        "authenticators/remove" => guest.remove_authenticator_asked(form).await,
        "recovery-codes" => guest.make_recovery_codes(form).await,
        "recovery-codes/keep" => guest.recovery_codes_are_saved(form).await,
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

fn is_app_password(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| Authorization::read(text).is_ours())
}

/// Whether a form comes from one of our own pages, as every browser says in one of two headers.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("-"));
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin_fits = text(ORIGIN.as_str()).is_none_or(|said| said == origin);
    site && origin_fits
}

async fn form(headers: &HeaderMap, body: Incoming) -> Result<Form, StatusCode> {
    let bytes = collected(headers, body, "application/x-www-form-urlencoded").await?;
    Ok(Form::read(&bytes))
}

/// A body of this type, or none, within its limits.
async fn collected(headers: &HeaderMap, body: Incoming, wanted: &str) -> Result<Bytes, StatusCode> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    match collected {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => {
            let bytes = body.to_bytes();
            if !bytes.is_empty() && !kind.starts_with(wanted) {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            Ok(bytes)
        }
    }
}

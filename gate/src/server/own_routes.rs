//! Routes of the gate's own pages: method, path, who may use it, and its handler.
//!
//! The pages of administrators and the API are below paths of their own, and have routes of their
//! own there.
//!
//! MUST check the origin of every form before its body is read.

use crate::api;
use crate::http::body::{is_same_origin, read_form};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply, bare, bare_and_close};
use crate::state::branding::SCRIPTS;
use crate::web::account::{
    app_passwords, authenticators, email, overview, password, recovery_codes, second_factor,
    sessions,
};
use crate::web::admin::pages;
use crate::web::login::{self, first_factor, mail, upgrade};
use crate::web::request::RequestContext;
use crate::web::{enroll, logout, notice};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use std::pin::Pin;

/// First segment of the paths of administrators.
const ADMINISTRATION: &str = "administration";

/// Who may see a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PageAccess {
    /// Every client: the page holds nothing about a user.
    Anyone,
    /// Clients with at most one valid session. Conflicting cookies are cleared instead.
    OneSession,
}

type PageFuture<'a> = Pin<Box<dyn Future<Output = HttpReply> + Send + 'a>>;
/// Handler of a page, which gets the query.
type PageHandler = for<'a> fn(&'a RequestContext<'a>, &'a str) -> PageFuture<'a>;
type FormHandler = for<'a> fn(&'a RequestContext<'a>, &'a Form) -> PageFuture<'a>;

enum RouteHandler {
    /// GET and HEAD.
    Page(PageAccess, PageHandler),
    /// POST from one of the gate's own pages.
    Form(FormHandler),
}

struct PageRoute {
    /// Below the gate's own path.
    path: &'static str,
    handler: RouteHandler,
}

const fn get(path: &'static str, handler: PageHandler) -> PageRoute {
    let handler = RouteHandler::Page(PageAccess::OneSession, handler);
    PageRoute { path, handler }
}

const fn get_public(path: &'static str, handler: PageHandler) -> PageRoute {
    let handler = RouteHandler::Page(PageAccess::Anyone, handler);
    PageRoute { path, handler }
}

const fn post(path: &'static str, handler: FormHandler) -> PageRoute {
    let handler = RouteHandler::Form(handler);
    PageRoute { path, handler }
}

static PAGES: [PageRoute; 45] = [
    get("", |c, _| Box::pin(overview::show_home_page(c))),
    get_public("style.css", |c, _| {
        ready(reply::content("text/css", c.site.branding.style.clone()))
    }),
    get_public("code.js", |_, _| {
        ready(reply::content("text/javascript", SCRIPTS[0]))
    }),
    get_public("keep.js", |_, _| {
        ready(reply::content("text/javascript", SCRIPTS[1]))
    }),
    get_public("logo", |c, _| {
        ready(match &c.site.branding.logo {
            Some(logo) => reply::content(logo.kind, logo.bytes.clone()),
            None => bare(StatusCode::NOT_FOUND),
        })
    }),
    // Signing in and out.
    get("sign-in", |c, q| {
        Box::pin(async { first_factor::show_sign_in_page(c, &parameter(q, "rd")).await })
    }),
    post("sign-in", |c, f| {
        Box::pin(first_factor::submit_password(c, f))
    }),
    get("upgrade", |c, q| {
        Box::pin(async { upgrade::show_upgrade_page(c, &parameter(q, "rd")).await })
    }),
    get("code", |c, q| ready(login::show_code_page(c, q == "other"))),
    post("code", |c, f| Box::pin(login::submit_code(c, f))),
    post("mail", |c, _| Box::pin(mail::submit_mail_request(c))),
    post("sign-out", |c, _| Box::pin(logout::submit_sign_out(c))),
    get("cookies", |c, _| ready(logout::show_cookies_page(c))),
    post("cookies", |c, _| ready(logout::clear_cookies(c))),
    get_public("not-covered", |c, q| {
        ready(notice::show_not_covered_page(c, &parameter(q, "host")))
    }),
    // Enrollment.
    get("enroll", |c, _| Box::pin(enroll::show_enrollment_page(c))),
    post("enroll/one-time-code", |c, f| {
        Box::pin(enroll::submit_one_time_code(c, f))
    }),
    post("enroll/code", |c, f| {
        Box::pin(enroll::submit_first_code(c, f))
    }),
    post("enroll/finish", |c, f| {
        Box::pin(enroll::submit_codes_saved(c, f))
    }),
    // The user's own account.
    get("turn-on", |c, _| {
        Box::pin(second_factor::show_turn_on_page(c, None))
    }),
    post("turn-on", |c, f| {
        Box::pin(second_factor::submit_turn_on(c, f))
    }),
    get("turn-off", |c, _| {
        Box::pin(second_factor::show_turn_off_page(c, None))
    }),
    post("turn-off", |c, f| {
        Box::pin(second_factor::submit_turn_off(c, f))
    }),
    get("replace", |c, _| {
        Box::pin(second_factor::show_replacement_page(c, None))
    }),
    post("replace", |c, f| {
        Box::pin(second_factor::submit_replacement(c, f))
    }),
    get("authenticators/add", |c, _| {
        Box::pin(authenticators::show_add_page(c, None))
    }),
    post("authenticators/add", |c, f| {
        Box::pin(authenticators::submit_new_authenticator(c, f))
    }),
    post("authenticators/confirm", |c, f| {
        Box::pin(authenticators::submit_first_code(c, f))
    }),
    get("authenticators/remove", |c, q| {
        Box::pin(async {
            let name = parameter(q, "name");
            authenticators::show_removal_page(c, &name, None).await
        })
    }),
    post("authenticators/remove", |c, f| {
        Box::pin(authenticators::submit_removal(c, f))
    }),
    get("recovery-codes", |c, _| {
        Box::pin(recovery_codes::show_recovery_codes_page(c, None))
    }),
    post("recovery-codes", |c, f| {
        Box::pin(recovery_codes::submit_renewal(c, f))
    }),
    post("recovery-codes/confirm", |c, f| {
        Box::pin(recovery_codes::submit_codes_saved(c, f))
    }),
    get("app-passwords", |c, _| {
        Box::pin(app_passwords::show_app_passwords_page(c, None))
    }),
    post("app-passwords", |c, f| {
        Box::pin(app_passwords::submit_app_password(c, f))
    }),
    post("app-passwords/change", |c, f| {
        Box::pin(app_passwords::submit_change(c, f))
    }),
    get("email", |c, _| Box::pin(email::show_email_page(c, None))),
    post("email", |c, f| Box::pin(email::submit_email(c, f))),
    post("email/confirm", |c, f| {
        Box::pin(email::submit_email_code(c, f))
    }),
    get("email/remove", |c, _| {
        Box::pin(email::show_removal_page(c, None))
    }),
    post("email/remove", |c, f| Box::pin(email::submit_removal(c, f))),
    get("sign-ins", |c, _| {
        Box::pin(sessions::show_sign_ins_page(c, None))
    }),
    post("sign-ins", |c, f| {
        Box::pin(sessions::submit_sign_ins_change(c, f))
    }),
    get("password", |c, _| {
        Box::pin(password::show_password_page(c, None))
    }),
    post("password", |c, f| {
        Box::pin(password::submit_new_password(c, f))
    }),
];

/// Answers a request for one of the gate's own pages, by its path below the gate's own.
pub(crate) async fn answer_page(
    context: &RequestContext<'_>,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> HttpReply {
    if path.split('/').next() == Some(ADMINISTRATION) {
        return answer_administrator(context, parts, path, body).await;
    }
    if let Some(path) = path.strip_prefix(api::PATH_PREFIX) {
        return api::answer_endpoint(context, parts, path, body).await;
    }
    let mut status = StatusCode::NOT_FOUND;
    for route in PAGES.iter().filter(|route| route.path == path) {
        match (&route.handler, &parts.method) {
            (RouteHandler::Page(access, handler), &Method::GET | &Method::HEAD) => {
                if *access == PageAccess::OneSession {
                    if let Some(conflict) = context.cookie_conflict() {
                        conflict.log(context.address);
                        return logout::clear_cookies(context);
                    }
                }
                return handler(context, parts.uri.query().unwrap_or_default()).await;
            }
            (RouteHandler::Form(handler), &Method::POST) => {
                if !is_same_origin(&parts.headers, &context.site.url.origin()) {
                    return bare(StatusCode::FORBIDDEN);
                }
                return match read_form(&parts.headers, body).await {
                    Ok(form) => handler(context, &form).await,
                    Err(status) => bare_and_close(status),
                };
            }
            _ => status = StatusCode::METHOD_NOT_ALLOWED,
        }
    }
    bare(status)
}

/// Answers a request for a page of administrators. To every other client no such page exists,
/// whatever it sends.
async fn answer_administrator(
    context: &RequestContext<'_>,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> HttpReply {
    if !context.has_administration_pages() || context.session().is_none() {
        return bare_and_close(StatusCode::NOT_FOUND);
    }
    match (&parts.method, path) {
        (&Method::GET | &Method::HEAD, path) => {
            let query = parts.uri.query().unwrap_or_default();
            pages::show_administration_page(context, path, query).await
        }
        (&Method::POST, "administration/act") => {
            if !is_same_origin(&parts.headers, &context.site.url.origin()) {
                return bare_and_close(StatusCode::FORBIDDEN);
            }
            match read_form(&parts.headers, body).await {
                Ok(form) => pages::submit_admin_act(context, &form).await,
                Err(status) => bare_and_close(status),
            }
        }
        _ => bare_and_close(StatusCode::NOT_FOUND),
    }
}

fn ready<'a>(reply: HttpReply) -> PageFuture<'a> {
    Box::pin(std::future::ready(reply))
}

/// Returns the first parameter of a name in a query, empty if there is none.
fn parameter(query: &str, name: &str) -> String {
    form_urlencoded::parse(query.as_bytes())
        .find(|(found, _)| found == name)
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_routes_answer_the_same_request() {
        for (position, one) in PAGES.iter().enumerate() {
            for other in &PAGES[position + 1..] {
                let is_page = |route: &PageRoute| matches!(route.handler, RouteHandler::Page(..));
                assert!(
                    one.path != other.path || is_page(one) != is_page(other),
                    "{}",
                    one.path
                );
            }
        }
    }
}

//! Routes of the gate's own pages: method, path, who may use it, and its handler. The API has a
//! table of its own, of the same type.
//!
//! MUST check the origin of every form before its body is read.

use crate::api;
use crate::http::body::{is_same_origin, read_form};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply, bare, bare_and_close};
use crate::http::route_table::{Route, RouteTable};
use crate::state::branding::SCRIPTS;
use crate::web::account::{
    app_passwords, authenticators, email, overview, password, recovery_codes, second_factor,
    sessions, show_confirmation,
};
use crate::web::admin::{accounts, audit_log, pages};
use crate::web::language::Language;
use crate::web::login::{self, first_factor, mail, upgrade};
use crate::web::pages::account::Confirmation;
use crate::web::refusal::{HandlerError, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::{enroll, logout, notice};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use std::pin::Pin;
use std::sync::LazyLock;

/// First segment of the paths of administrators.
const ADMINISTRATION: &str = "administration";

type PageFuture<'a> = Pin<Box<dyn Future<Output = PageResult> + Send + 'a>>;

/// Handler of a page or a form: an async function of the request and the fields of its query or
/// body.
trait FormHandler<'a>: Send + Sync {
    fn call(&self, request: &'a RequestContext<'a>, form: &'a PageForm) -> PageFuture<'a>;
}

impl<'a, H, F> FormHandler<'a> for H
where
    H: Fn(&'a RequestContext<'a>, &'a PageForm) -> F + Send + Sync,
    F: Future<Output = PageResult> + Send + 'a,
{
    fn call(&self, request: &'a RequestContext<'a>, form: &'a PageForm) -> PageFuture<'a> {
        Box::pin(self(request, form))
    }
}

/// Content of a page that confirms an act.
type ConfirmationContent = fn(&Language, &PageForm) -> Confirmation;

/// What shows a page, and a form again whose act was refused.
enum PageContent {
    Page(Box<dyn for<'a> FormHandler<'a>>),
    Confirmation(ConfirmationContent),
}

impl PageContent {
    async fn show(&self, request: &RequestContext<'_>, form: &PageForm) -> PageResult {
        match self {
            PageContent::Page(page) => page.call(request, form).await,
            PageContent::Confirmation(content) => {
                show_confirmation(request, content(request.language, form), form).await
            }
        }
    }
}

/// Who may see a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PageAccess {
    /// Every client: the page holds nothing about a user.
    Anyone,
    /// Clients with at most one valid session. Conflicting cookies are cleared instead.
    OneSession,
}

enum PageHandler {
    /// GET and HEAD.
    Page(PageAccess, PageContent),
    /// POST from one of the gate's own pages; and what shows the refusal of its act, if not a page
    /// of its own.
    Form(Box<dyn for<'a> FormHandler<'a>>, Option<PageContent>),
}

fn get(path: &'static str, access: PageAccess, content: PageContent) -> Route<PageHandler> {
    let (method, handler) = (Method::GET, PageHandler::Page(access, content));
    Route {
        method,
        path,
        handler,
    }
}

fn post(
    path: &'static str,
    act: impl for<'a> FormHandler<'a> + 'static,
    page: Option<PageContent>,
) -> Route<PageHandler> {
    let (method, handler) = (Method::POST, PageHandler::Form(Box::new(act), page));
    Route {
        method,
        path,
        handler,
    }
}

fn public(path: &'static str, page: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    vec![get(
        path,
        PageAccess::Anyone,
        PageContent::Page(Box::new(page)),
    )]
}

fn page(path: &'static str, page: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    vec![get(
        path,
        PageAccess::OneSession,
        PageContent::Page(Box::new(page)),
    )]
}

fn form(path: &'static str, act: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    vec![post(path, act, None)]
}

/// A form on another page, which shows the refusal.
fn form_of(
    page: impl for<'a> FormHandler<'a> + 'static,
    path: &'static str,
    act: impl for<'a> FormHandler<'a> + 'static,
) -> PageRoutes {
    vec![post(path, act, Some(PageContent::Page(Box::new(page))))]
}

/// A page with a form, and its act.
fn act(
    path: &'static str,
    page: impl for<'a> FormHandler<'a> + Copy + 'static,
    act: impl for<'a> FormHandler<'a> + 'static,
) -> PageRoutes {
    let content = || PageContent::Page(Box::new(page));
    vec![
        get(path, PageAccess::OneSession, content()),
        post(path, act, Some(content())),
    ]
}

/// A page that confirms an act, and the act.
fn confirmed(
    path: &'static str,
    content: ConfirmationContent,
    act: impl for<'a> FormHandler<'a> + 'static,
) -> PageRoutes {
    let content = || PageContent::Confirmation(content);
    vec![
        get(path, PageAccess::OneSession, content()),
        post(path, act, Some(content())),
    ]
}

type PageRoutes = Vec<Route<PageHandler>>;

static PAGES: LazyLock<RouteTable<PageHandler>> = LazyLock::new(|| {
    RouteTable::new([
        page("", overview::show_home_page),
        public("style.css", show_style),
        public("code.js", show_code_script),
        public("keep.js", show_keep_script),
        public("logo", show_logo),
        // Signing in and out.
        page("sign-in", first_factor::show_sign_in_page),
        form("sign-in", first_factor::submit_password),
        page("upgrade", upgrade::show_upgrade_page),
        page("code", login::show_code_page),
        form("code", login::submit_code),
        form("mail", mail::submit_mail_request),
        form("sign-out", logout::submit_sign_out),
        page("cookies", logout::show_cookies_page),
        form("cookies", logout::submit_cookies),
        public("not-covered", notice::show_not_covered_page),
        // Enrollment.
        page("enroll", enroll::show_enrollment_page),
        form("enroll/one-time-code", enroll::submit_one_time_code),
        form("enroll/code", enroll::submit_first_code),
        form("enroll/finish", enroll::submit_codes_saved),
        // The user's own account.
        confirmed(
            "turn-on",
            second_factor::confirm_turn_on,
            second_factor::submit_turn_on,
        ),
        confirmed(
            "turn-off",
            second_factor::confirm_turn_off,
            second_factor::submit_turn_off,
        ),
        confirmed(
            "replace",
            second_factor::confirm_replacement,
            second_factor::submit_replacement,
        ),
        act(
            "authenticators/add",
            authenticators::show_add_page,
            authenticators::submit_new_authenticator,
        ),
        form("authenticators/confirm", authenticators::submit_first_code),
        confirmed(
            "authenticators/remove",
            authenticators::confirm_removal,
            authenticators::submit_removal,
        ),
        confirmed(
            "recovery-codes",
            recovery_codes::confirm_renewal,
            recovery_codes::submit_renewal,
        ),
        form("recovery-codes/confirm", recovery_codes::submit_codes_saved),
        act(
            "app-passwords",
            app_passwords::show_app_passwords_page,
            app_passwords::submit_app_password,
        ),
        form_of(
            app_passwords::show_app_passwords_page,
            "app-passwords/change",
            app_passwords::submit_change,
        ),
        act("email", email::show_email_page, email::submit_email),
        form_of(
            email::show_email_page,
            "email/confirm",
            email::submit_email_code,
        ),
        confirmed(
            "email/remove",
            email::confirm_removal,
            email::submit_removal,
        ),
        act(
            "sign-ins",
            sessions::show_sign_ins_page,
            sessions::submit_sign_ins_change,
        ),
        act(
            "password",
            password::show_password_page,
            password::submit_new_password,
        ),
        // Administration.
        page("administration", pages::show_accounts_page),
        page("administration/account", pages::show_account_page),
        page("administration/log", audit_log::show_events_page),
        act(
            "administration/act",
            pages::show_act_page,
            pages::submit_admin_act,
        ),
    ])
});

/// Answers a request for one of the gate's own pages, by its path below the gate's own.
pub(crate) async fn answer_page(
    request: &RequestContext<'_>,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> HttpReply {
    if let Some(path) = path.strip_prefix(api::PATH_PREFIX) {
        return api::answer_endpoint(request, parts, path, body).await;
    }
    // To other clients than administrators none of these pages exists, whatever they send.
    let is_administration = path.split('/').next() == Some(ADMINISTRATION);
    if is_administration && (!request.has_administration_pages() || request.session().is_none()) {
        return bare_and_close(StatusCode::NOT_FOUND);
    }
    let handler = match PAGES.find(&parts.method, path) {
        Ok((route, _)) => &route.handler,
        Err(_) if is_administration => return refuse_administration(request, &parts.method).await,
        Err(allowed) if allowed.is_empty() => return bare(StatusCode::NOT_FOUND),
        Err(_) => return bare(StatusCode::METHOD_NOT_ALLOWED),
    };
    let result = match handler {
        PageHandler::Page(access, page) => {
            let is_exclusive = *access == PageAccess::OneSession && !is_administration;
            match is_exclusive.then(|| request.cookie_conflict()).flatten() {
                Some(conflict) => {
                    conflict.log(request.address);
                    Ok(logout::clear_cookies(request))
                }
                None => {
                    let fields = Form::of_query(request.query);
                    let refused = None;
                    page.show(request, &PageForm { fields, refused }).await
                }
            }
        }
        PageHandler::Form(..) if !is_same_origin(&parts.headers, &request.site.url.origin()) => {
            return match is_administration {
                true => bare_and_close(StatusCode::FORBIDDEN),
                false => bare(StatusCode::FORBIDDEN),
            };
        }
        PageHandler::Form(act, page) => match read_form(&parts.headers, body).await {
            Err(status) => return bare_and_close(status),
            Ok(fields) => {
                let form = PageForm {
                    fields,
                    refused: None,
                };
                match (act.call(request, &form).await, page) {
                    (Err(HandlerError::Refused(refused)), Some(page)) => {
                        page.show(
                            request,
                            &PageForm {
                                refused: Some(refused),
                                ..form
                            },
                        )
                        .await
                    }
                    (done, _) => done,
                }
            }
        },
    };
    result.unwrap_or_else(|error| notice::show_error(request, error))
}

/// Answers a request for a page below administration that does not exist.
async fn refuse_administration(request: &RequestContext<'_>, method: &Method) -> HttpReply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return bare_and_close(StatusCode::NOT_FOUND);
    }
    let refused = accounts::require_administrator(request).await.err();
    notice::show_error(request, refused.unwrap_or(HandlerError::NotFound))
}

async fn show_style(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content(
        "text/css",
        request.site.branding.style.clone(),
    ))
}

async fn show_code_script(_request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content("text/javascript", SCRIPTS[0]))
}

async fn show_keep_script(_request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content("text/javascript", SCRIPTS[1]))
}

async fn show_logo(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    let logo = request
        .site
        .branding
        .logo
        .as_ref()
        .ok_or(HandlerError::NotFound)?;
    Ok(reply::content(logo.kind, logo.bytes.clone()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_routes_answer_the_same_request() {
        super::PAGES.assert_unambiguous();
    }
}

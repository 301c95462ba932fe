//! Routes of the gate's own pages: method, path, who may use it, and its handler. The API has a
//! table of its own, of the same type.
//!
//! MUST check the origin of every form before its body is read.

use crate::api;
use crate::check::client;
use crate::http::body::{collect_body, is_same_origin, read_form};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply, bare, bare_and_close};
use crate::http::route_table::{Route, RouteTable};
use crate::state::branding::SCRIPTS;
use crate::web::account::{
    app_passwords, authenticators, email, language, overview, passkey_code, passkeys, password,
    recovery_codes, second_factor, sessions, show_confirmation,
};
use crate::web::admin::{accounts, audit_log, pages};
use crate::web::language::Language;
use crate::web::login::{self, first_factor, mail, passkey_alone, upgrade};
use crate::web::notice::redirect;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::{HandlerError, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::{approve, end_sessions, enroll, logout, notice, passkey};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use postern_shared::system::clock;
use std::pin::Pin;
use std::sync::LazyLock;

/// A keyhole. Its ground is black here.
const ICON: &str = include_str!("../../templates/icon.svg");
/// Path of the page that shows refusals of forms that are on no page of their own.
const REFUSED: &str = "refused";
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
    /// A page, for GET and HEAD.
    Page(PageAccess, PageContent),
    /// POST from one of the gate's own pages; and the path of the page that shows how the form was
    /// answered.
    Form(Box<dyn for<'a> FormHandler<'a>>, &'static str),
}

/// Routes of one path.
struct PageRoutes(Vec<Route<PageHandler>>);

fn public(path: &'static str, page: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    let page = PageHandler::Page(PageAccess::Anyone, PageContent::Page(Box::new(page)));
    PageRoutes(vec![Route::new(Method::GET, path, page)])
}

fn page(path: &'static str, page: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    let page = PageHandler::Page(PageAccess::OneSession, PageContent::Page(Box::new(page)));
    PageRoutes(vec![Route::new(Method::GET, path, page)])
}

/// A form, whose refusal is shown on a page of its own.
fn form(path: &'static str, act: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
    let act = PageHandler::Form(Box::new(act), REFUSED);
    PageRoutes(vec![Route::new(Method::POST, path, act)])
}

impl PageRoutes {
    /// The form is on the page at another path.
    fn on(mut self, path: &'static str) -> PageRoutes {
        if let PageHandler::Form(_, page) = &mut self.0[0].handler {
            *page = path;
        }
        self
    }

    /// The form is on this page at the same path.
    fn under(self, page: impl for<'a> FormHandler<'a> + 'static) -> PageRoutes {
        self.with_page(PageContent::Page(Box::new(page)))
    }

    /// The form confirms an act, on a page at the same path.
    fn confirmed(self, content: ConfirmationContent) -> PageRoutes {
        self.with_page(PageContent::Confirmation(content))
    }

    fn with_page(mut self, content: PageContent) -> PageRoutes {
        let page = PageHandler::Page(PageAccess::OneSession, content);
        let path = self.0[0].path;
        self.0.push(Route::new(Method::GET, path, page));
        self.on(path)
    }
}

static PAGES: LazyLock<RouteTable<PageHandler>> = LazyLock::new(|| {
    let pages = [
        page("", overview::show_home_page),
        public("style.css", show_style),
        public("code.js", show_code_script),
        public("keep.js", show_keep_script),
        public("times.js", show_times_script),
        public("passkey.js", show_passkey_script),
        public(".well-known/passkey-endpoints", passkey::show_endpoints),
        public("logo", show_logo),
        public("icon.svg", show_icon),
        public("favicon.ico", show_icon),
        form("language", language::submit_language),
        // Signing in and out.
        form("sign-in", first_factor::submit_password).under(first_factor::show_sign_in_page),
        form("sign-in/passkey", passkey_alone::submit_passkey_alone).on("sign-in"),
        page("upgrade", upgrade::show_upgrade_page),
        form("code", login::submit_code).under(login::show_code_page),
        form("mail", mail::submit_mail_request).on("code"),
        form("passkey", login::passkey::submit_passkey).on("code"),
        form(logout::SIGN_OUT, logout::submit_sign_out).under(logout::show_signed_out_page),
        page("cookies", logout::show_cookies_page),
        form("cookies", logout::submit_cookies),
        public("not-covered", notice::show_not_covered_page),
        page("denied", notice::show_denied_page),
        public("end-sessions", end_sessions::show_end_sessions_page),
        form("end-sessions", end_sessions::submit_end_sessions),
        page(REFUSED, notice::show_refused_page),
        // The approval of a prompt.
        page("approve/{code}", approve::show_approval_page),
        form("approve", approve::submit_approval),
        form("approve/refuse", approve::submit_refusal),
        // Enrollment.
        page("enroll", enroll::show_enrollment_page),
        form("enroll/one-time-code", enroll::submit_one_time_code).on("enroll"),
        form("enroll/code", enroll::submit_first_code).on("enroll"),
        form("enroll/finish", enroll::submit_codes_saved),
        form("enroll/cancel", enroll::submit_cancel),
        // The user's own account.
        form("turn-on", second_factor::submit_turn_on).confirmed(second_factor::confirm_turn_on),
        form("turn-off", second_factor::submit_turn_off).confirmed(second_factor::confirm_turn_off),
        form("replace", second_factor::submit_replacement)
            .confirmed(second_factor::confirm_replacement),
        form(
            "authenticators/add",
            authenticators::submit_new_authenticator,
        )
        .under(authenticators::show_add_page),
        form("authenticators/confirm", authenticators::submit_first_code)
            .under(authenticators::show_first_code_page),
        form("authenticators/remove", authenticators::submit_removal)
            .confirmed(authenticators::confirm_removal),
        form("passkeys", passkeys::submit_new_passkey).under(passkeys::show_passkeys_page),
        form("passkeys/register", passkeys::submit_registration).on("passkeys"),
        form("passkeys/rename", passkeys::submit_change).on("passkeys"),
        form("passkeys/code", passkey_code::submit_passkey_code)
            .under(passkey_code::show_passkey_code_page),
        form("passkeys/remove", passkeys::submit_removal).confirmed(passkeys::confirm_removal),
        form("recovery-codes", recovery_codes::submit_renewal)
            .confirmed(recovery_codes::confirm_renewal),
        form("recovery-codes/confirm", recovery_codes::submit_codes_saved)
            .under(recovery_codes::show_renewed_page),
        form("app-passwords", app_passwords::submit_app_password)
            .under(app_passwords::show_app_passwords_page),
        form("app-passwords/change", app_passwords::submit_change).on("app-passwords"),
        form("email", email::submit_email).under(email::show_email_page),
        form("email/confirm", email::submit_email_code).on("email"),
        form("email/remove", email::submit_removal).confirmed(email::confirm_removal),
        form("sign-ins", sessions::submit_sign_ins_change).under(sessions::show_sign_ins_page),
        form("password", password::submit_new_password).under(password::show_password_page),
        // Administration.
        page("administration", pages::show_accounts_page),
        page("administration/account", pages::show_account_page),
        page("administration/log", audit_log::show_events_page),
        form("administration/act", pages::submit_admin_act).under(pages::show_act_page),
    ];
    RouteTable::new(pages.map(|routes| routes.0))
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
        return match is_page_load(&parts.method) {
            true => notice::show_not_found(request, Some(target(parts))),
            false => bare_and_close(StatusCode::NOT_FOUND),
        };
    }
    let (route, arguments) = match PAGES.find(&parts.method, path) {
        Ok(found) => found,
        Err(_) if is_administration => return refuse_administration(request, &parts.method).await,
        Err(allowed) if allowed.is_empty() && is_page_load(&parts.method) => {
            return notice::show_not_found(request, Some(target(parts)));
        }
        Err(allowed) if allowed.is_empty() => return bare(StatusCode::NOT_FOUND),
        Err(_) => return refuse_method(request, &parts.method, path),
    };
    match &route.handler {
        PageHandler::Page(PageAccess::Anyone, page) => {
            let query = read_query(request, route.path, arguments);
            let result = page.show(request, &query).await;
            result.unwrap_or_else(|error| notice::show_error(request, error))
        }
        PageHandler::Page(PageAccess::OneSession, page) => {
            match (!is_administration).then(|| request.cookie_conflict()) {
                Some(Some(conflict)) => {
                    conflict.log(request.address);
                    logout::clear_cookies(request)
                }
                _ => show_page(request, route.path, arguments, page).await,
            }
        }
        PageHandler::Form(..) if !is_same_origin(&parts.headers, &request.site.url.origin()) => {
            match is_administration {
                true => bare_and_close(StatusCode::FORBIDDEN),
                false => refuse_foreign_form(body).await,
            }
        }
        PageHandler::Form(act, page) => match read_form(&parts.headers, body).await {
            Err(status) => bare_and_close(status),
            Ok(fields) => answer_form(request, act.as_ref(), page, PageForm::new(fields)).await,
        },
    }
}

/// Returns the fields of a page: the variable parts of its path under their names, and its query.
fn read_query(request: &RequestContext<'_>, path: &str, arguments: Vec<String>) -> PageForm {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parts = names.map(str::to_owned).zip(arguments).collect();
    PageForm::new(Form::of_query(request.query).with_first(parts))
}

/// Refuses a form of another site. Its body is read first: a connection that is closed with unread
/// bytes may cost the proxy that sends them the reply.
async fn refuse_foreign_form(body: Incoming) -> HttpReply {
    match collect_body(body).await {
        Ok(_) => bare(StatusCode::FORBIDDEN),
        Err(_) => bare_and_close(StatusCode::FORBIDDEN),
    }
}

/// Answers a request by another method than a path has. A browser that loads the address of a form, which
/// was in the address bar after it was sent, is led to the page of the form.
fn refuse_method(request: &RequestContext<'_>, method: &Method, path: &str) -> HttpReply {
    let form = PAGES
        .find(&Method::POST, path)
        .map(|(route, _)| &route.handler);
    let wanted = client::wanted_reply(method.as_str(), request.headers);
    match form {
        Ok(PageHandler::Form(_, page))
            if is_page_load(method) && wanted == client::WantedReply::Page =>
        {
            reply::see_other(&request.path_to(page))
        }
        _ => bare(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn is_page_load(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Returns path and query of a request.
fn target(parts: &Parts) -> &str {
    parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
}

/// Shows a page, with the message that a redirect to it brought.
async fn show_page(
    request: &RequestContext<'_>,
    path: &str,
    arguments: Vec<String>,
    content: &PageContent,
) -> HttpReply {
    let query = read_query(request, path, arguments);
    let message = redirect::read_message(request, path).zip(clock::now().ok());
    let Some((message, now)) = message else {
        let result = content.show(request, &query).await;
        return result.unwrap_or_else(|error| notice::show_error(request, error));
    };
    let result = content
        .show(request, &query.with_message(message, now))
        .await;
    let page = result.unwrap_or_else(|error| notice::show_error(request, error));
    redirect::with_message_cleared(request, page)
}

/// Runs the act of a form. A browser is redirected to the page that says how it was answered;
/// another client gets that page.
async fn answer_form(
    request: &RequestContext<'_>,
    act: &dyn for<'a> FormHandler<'a>,
    page: &str,
    mut form: PageForm,
) -> HttpReply {
    match act.call(request, &form).await {
        Ok(reply) => return reply,
        Err(HandlerError::Done(text)) => form.status = Some(text),
        Err(HandlerError::Refused(refused)) => form.refused = Some(refused),
        Err(HandlerError::SignIn(error)) if client::is_navigation(request.headers) => {
            form.refused = Some(request.refuse_sign_in(&error));
        }
        Err(error) => return notice::show_error(request, error),
    }
    if let Some(reply) = redirect::redirect_to_page(request, page, &form) {
        return reply;
    }
    let shown = match PAGES
        .find(&Method::GET, page)
        .map(|(route, _)| &route.handler)
    {
        Ok(PageHandler::Page(_, content)) => content.show(request, &form).await,
        _ => Err(HandlerError::NotFound),
    };
    shown.unwrap_or_else(|error| notice::show_error(request, error))
}

/// Answers a request for a page below administration that does not exist.
async fn refuse_administration(request: &RequestContext<'_>, method: &Method) -> HttpReply {
    if !is_page_load(method) {
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

async fn show_passkey_script(_request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content("text/javascript", SCRIPTS[3]))
}

async fn show_keep_script(_request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content("text/javascript", SCRIPTS[1]))
}

/// Shows the icon of a browser's tab, in the colour of the pages.
async fn show_icon(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    let color = request.site.gate().branding.color.to_string();
    let icon = ICON.replace("#000000", &color);
    Ok(reply::content("image/svg+xml", icon))
}

async fn show_times_script(_request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(reply::content("text/javascript", SCRIPTS[2]))
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

    #[test]
    fn each_form_has_a_page_that_shows_how_it_was_answered() {
        for route in super::PAGES.iter() {
            let super::PageHandler::Form(_, page) = route.handler else {
                continue;
            };
            let shown = super::PAGES.find(&hyper::Method::GET, page);
            let is_page = |handler: &super::PageHandler| {
                matches!(
                    handler,
                    super::PageHandler::Page(super::PageAccess::OneSession, _)
                )
            };
            assert!(
                shown.is_ok_and(|(route, _)| is_page(&route.handler)),
                "{page}"
            );
        }
    }
}

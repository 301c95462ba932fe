//! Pages without a form: what was done, or why nothing was done.

pub(crate) mod redirect;

use super::pages::{self, NoticePage};
use super::refusal::{ActRefused, HandlerError, PageForm, PageResult};
use super::request::RequestContext;
use crate::check::client::{self, WantedReply};
use crate::check::rules::ReturnPage;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::observe::metrics::METRICS;
use askama::Template;
use hyper::StatusCode;
use postern_shared::system::network::web_address;

/// Renders a notice. `link` is the path and the text of the button below it.
pub(crate) fn render_notice(
    request: &RequestContext<'_>,
    status: StatusCode,
    title: &str,
    lines: &[String],
    link: Option<(&str, String)>,
) -> HttpReply {
    let page = NoticePage {
        frame: request.frame(None),
        title,
        lines,
        link,
        change_user: None,
        stepped_up: false,
    };
    pages::reply(status, &page)
}

/// Shows why a check denies a page: by a rule of this host, which the user cannot change.
pub(crate) async fn show_denied_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let return_url = request
        .site
        .valid_return_url(form.field("rd"))
        .unwrap_or_default();
    let page = ReturnPage::parse(request.site, return_url);
    let host = page
        .as_ref()
        .map_or(request.site.url.host(), ReturnPage::host);
    let session = request.any_session();
    let line = match &session {
        Some(session) => request.language.text_with_all(
            "denied-user",
            &[
                ("name", session.name.as_str().to_owned().into()),
                ("host", host.to_owned().into()),
            ],
        ),
        None => request
            .language
            .text_with("denied-line", "host", host.to_owned()),
    };
    let again = (return_url, request.text("try-again"));
    let page = NoticePage {
        frame: request.frame(None),
        title: &request.text("denied"),
        lines: &[line, request.text("denied-ask")],
        link: (!return_url.is_empty()).then_some(again),
        change_user: session.is_some().then_some(return_url),
        stepped_up: false,
    };
    Ok(pages::reply(StatusCode::FORBIDDEN, &page))
}

/// Says that there is no such page. `target` is the path that a client without a session requested,
/// which may exist for it after sign-in.
pub(crate) fn show_not_found(request: &RequestContext<'_>, target: Option<&str>) -> HttpReply {
    if client::wanted_reply("GET", request.headers) == WantedReply::Data {
        return reply::bare(StatusCode::NOT_FOUND);
    }
    let title = request.text("page-not-found");
    let lines = [request.text("page-not-found-line")];
    let url = target.map(|target| format!("{}{target}", request.site.url.origin()));
    let (to, text) = match request.session() {
        Some(_) => (request.path_to(""), "to-account"),
        None => {
            let url = url
                .as_deref()
                .and_then(|url| request.site.valid_return_url(url));
            (request.sign_in_path(url.unwrap_or_default()), "sign-in")
        }
    };
    let link = (to.as_str(), request.text(text));
    render_notice(request, StatusCode::NOT_FOUND, &title, &lines, Some(link))
}

/// Renders a notice with a link to the sign-in page.
pub(crate) fn show_notice(
    request: &RequestContext<'_>,
    status: StatusCode,
    title: &str,
    lines: &[String],
) -> HttpReply {
    let link = (&*request.path_to("sign-in"), request.text("sign-in"));
    render_notice(request, status, title, lines, Some(link))
}

/// Renders what was done, with a link to the account.
pub(crate) fn show_done(request: &RequestContext<'_>, title: &str, lines: &[String]) -> HttpReply {
    let link = (&*request.path_to(""), request.text("to-account"));
    render_notice(request, StatusCode::OK, title, lines, Some(link))
}

/// Renders a refusal on a page of its own. Without a session the browser is sent to the sign-in
/// page.
fn show_refusal(request: &RequestContext<'_>, refused: &ActRefused) -> HttpReply {
    if refused.status == StatusCode::UNAUTHORIZED {
        return reply::see_other(&request.path_to("sign-in"));
    }
    let title = request.text("act-failed-title");
    let lines = std::slice::from_ref(&refused.text);
    let page = match request.session() {
        Some(_) => {
            let link = (&*request.path_to(""), request.text("to-account"));
            render_notice(request, refused.status, &title, lines, Some(link))
        }
        None => show_notice(request, refused.status, &title, lines),
    };
    with_wait(page, refused.retry_after)
}

/// Shows the refusal of a form that is on no page of its own.
pub(crate) async fn show_refused_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    Ok(show_outcome(request, form, ""))
}

/// Shows how a form was answered that is on no page of its own. `title` is that of its success.
pub(crate) fn show_outcome(
    request: &RequestContext<'_>,
    form: &PageForm,
    title: &str,
) -> HttpReply {
    match (&form.refused, &form.status) {
        (Some(refused), _) => show_refusal(request, refused),
        (None, Some(line)) => show_done(request, title, std::slice::from_ref(line)),
        // The page was loaded again, or its address was typed.
        (None, None) => reply::see_other(&request.path_to("")),
    }
}

/// Makes a reply of a page that may show a refusal, with the status of the refusal.
pub(crate) fn page_with_refusal(page: &impl Template, form: &PageForm) -> HttpReply {
    match &form.refused {
        Some(refused) => with_wait(pages::reply(refused.status, page), refused.retry_after),
        None => pages::reply(StatusCode::OK, page),
    }
}

fn with_wait(page: HttpReply, seconds: Option<u64>) -> HttpReply {
    match seconds {
        Some(seconds) => reply::with_retry_after(page, seconds),
        None => page,
    }
}

/// Renders why a handler has no page.
pub(crate) fn show_error(request: &RequestContext<'_>, error: HandlerError) -> HttpReply {
    match error {
        HandlerError::Refused(refused) => show_refusal(request, &refused),
        HandlerError::SignIn(error) => show_pool_error(request, &error),
        HandlerError::NotFound => show_not_found(request, None),
        HandlerError::Done(text) => show_done(request, &text, &[]),
    }
}

fn show_pool_error(request: &RequestContext<'_>, error: &PoolError) -> HttpReply {
    match error {
        PoolError::Busy(busy) => {
            let (title, line) = (request.text("busy"), request.language.busy(*busy));
            let status = StatusCode::SERVICE_UNAVAILABLE;
            reply::with_retry_after(show_notice(request, status, &title, &[line]), 2)
        }
        PoolError::Failed { cause, why } => show_unavailable(request, cause, why),
    }
}

/// Logs why sign-in is not available, and says no more than that on the page.
pub(crate) fn show_unavailable(request: &RequestContext<'_>, cause: &str, why: &str) -> HttpReply {
    METRICS.count_sign_in("failed", cause);
    request.log_refusal(cause, why);
    let (title, line) = (
        request.text("unavailable"),
        request.text("unavailable-line"),
    );
    show_notice(request, StatusCode::SERVICE_UNAVAILABLE, &title, &[line])
}

/// Shows not-covered. The host in the query is shown only if it is one and is not covered.
pub(crate) async fn show_not_covered_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let host = form.field("host");
    let is_shown = web_address::is_host(host) && !request.site.covers(&host.to_ascii_lowercase());
    let host = if is_shown { host } else { "" };
    let line = request
        .language
        .text_with("not-covered-line", "host", host.to_owned());
    let (title, lines) = (
        request.text("not-covered"),
        [line, request.text("not-covered-ask")],
    );
    Ok(render_notice(
        request,
        StatusCode::FORBIDDEN,
        &title,
        &lines,
        None,
    ))
}

//! The language of the pages, chosen at their foot. The choice is a cookie of this browser alone: it
//! names no account, and nothing is decided by it.

use crate::http::reply;
use crate::web::language::Language;
use crate::web::refusal::{ActRefused, PageForm, PageResult};
use crate::web::request::RequestContext;
use hyper::header::REFERER;

/// Longest URL of a page to return to, in bytes.
const MAX_URL: usize = 4096;

/// Sets the language, and returns to the page from which the form came.
pub(crate) async fn submit_language(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let language = Language::find(form.field("to"))
        .ok_or_else(|| ActRefused::invalid_value(request.text("act-failed")))?;
    let page = reply::see_other(&find_page(request).unwrap_or_else(|| request.path_to("")));
    let cookie = request.site.cookies.language_cookie(&language.tag());
    Ok(reply::with_cookie(page, &cookie))
}

/// Returns the URL of the page that the request came from, if it is one of the gate's own. It keeps
/// scheme and host, so that no path of it can be read as another host.
fn find_page(request: &RequestContext<'_>) -> Option<String> {
    let own = format!("{}{}", request.site.url.origin(), request.site.url.path);
    let from = request.headers.get(REFERER)?.to_str().ok()?;
    let is_sound = from.len() <= MAX_URL && from.bytes().all(|byte| byte.is_ascii_graphic());
    (is_sound && from.starts_with(&own)).then(|| from.to_owned())
}

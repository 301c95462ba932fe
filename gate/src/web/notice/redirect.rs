//! Redirect after POST: a browser that sent a form is led to a page that says how the form was
//! answered. Going back finds the page, and loading it again sends no code a second time.
//!
//! Other clients read the answer in the reply to the form: its status, and Retry-After.

use crate::check::client;
use crate::check::proxy_reply;
use crate::http::reply::{self, HttpReply};
use crate::web::refusal::PageForm;
use crate::web::request::RequestContext;
use hyper::StatusCode;
use hyper::header::REFERER;
use postern_shared::system::clock;
use postern_shared::token::PageMessage;

/// Fields that a form keeps after a refusal.
///
/// MUST NOT list a field that holds a password, a code or a secret, apart from `pending`: a pending
/// enrollment is sealed, and the page holds it as well.
const KEPT: [&str; 15] = [
    "user",
    "trust",
    "pending",
    "name",
    "type",
    "digits",
    "algorithm",
    "scope",
    "for",
    "days",
    "address",
    "id",
    "account",
    "action",
    "find",
];

/// Longest URL of a page that a browser is led back to, in bytes.
const MAX_URL: usize = 8000;

/// Returns the message for this page.
pub(crate) fn read_message(request: &RequestContext<'_>, page: &str) -> Option<PageMessage> {
    let (keys, now) = (
        request.site.revocation_cache.token_keys(),
        clock::now().ok()?,
    );
    let name = request.site.cookies.message_name();
    let open = |value: &str| PageMessage::open(value, &keys, page, now);
    request.find_token(name, open).ok()?
}

/// Clears the message that a page has shown.
pub(crate) fn with_message_cleared(request: &RequestContext<'_>, page: HttpReply) -> HttpReply {
    reply::with_cookie(page, &request.site.cookies.message(None))
}

/// Leads a browser to the page that shows how its form was answered. Returns `None` for another
/// client, and for a message that is too long for a cookie.
pub(crate) fn redirect_to_page(
    request: &RequestContext<'_>,
    page: &str,
    form: &PageForm,
) -> Option<HttpReply> {
    let fields = KEPT.iter().flat_map(|name| {
        let values = form.fields(name).filter(|value| !value.is_empty());
        values.map(|value| ((*name).to_owned(), value.to_owned()))
    });
    let (status, text, retry_after) = match (&form.refused, &form.status) {
        (Some(refused), _) => (refused.status, refused.text.clone(), refused.retry_after),
        (None, Some(text)) => (StatusCode::OK, text.clone(), None),
        (None, None) => return None,
    };
    let message = PageMessage {
        page: page.to_owned(),
        status: status.as_u16(),
        text,
        retry_after,
        fields: fields.collect(),
        issued: clock::now().ok()?,
    };
    let url = match page_of_form(request, page) {
        Some(url) => url,
        None => {
            let return_url = request.site.valid_return_url(form.field("rd"));
            proxy_reply::sign_in_url(&request.path_to(page), return_url)
        }
    };
    redirect_with_message(request, &message, &url)
}

/// Leads a browser to a page of the gate that says what was done, or what remains to do. Returns
/// `None` as [`redirect_to_page`] does.
pub(crate) fn redirect_with_text(
    request: &RequestContext<'_>,
    page: &str,
    status: StatusCode,
    text: &str,
) -> Option<HttpReply> {
    let message = PageMessage {
        page: page.to_owned(),
        status: status.as_u16(),
        text: text.to_owned(),
        retry_after: None,
        fields: Vec::new(),
        issued: clock::now().ok()?,
    };
    redirect_with_message(request, &message, &request.path_to(page))
}

/// Redirects a browser to a page of the gate with a message. Returns `None` as
/// [`redirect_to_page`] does.
fn redirect_with_message(
    request: &RequestContext<'_>,
    message: &PageMessage,
    url: &str,
) -> Option<HttpReply> {
    if !client::is_navigation(request.headers) {
        return None;
    }
    let keys = request.site.revocation_cache.token_keys();
    let sealed = message.seal(&keys).ok()??;
    let cookie = request.site.cookies.message(Some(&sealed));
    Some(reply::with_cookie(reply::see_other(url), &cookie))
}

/// Returns the URL of the page that the form is on, as the browser names it in Referer, if it is
/// this page of the gate: with its query the page can be loaded again.
fn page_of_form(request: &RequestContext<'_>, page: &str) -> Option<String> {
    let referer = request.headers.get(REFERER)?.to_str().ok()?;
    let target = referer.strip_prefix(&request.site.url.origin())?;
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let is_sound = target.len() <= MAX_URL && target.bytes().all(|byte| byte.is_ascii_graphic());
    (is_sound && path == request.path_to(page)).then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::KEPT;

    /// Fields for passwords, codes and secrets, by their type and by what browsers fill in.
    #[test]
    fn no_field_of_a_password_or_a_code_is_kept() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let mut secret = vec!["secret".to_owned()];
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for input in text.split("<input").skip(1) {
                let input = input.split('>').next().unwrap();
                let marks = [
                    "type=\"password\"",
                    "one-time-code",
                    "-password\"",
                    "characters",
                ];
                if !marks.iter().any(|mark| input.contains(mark)) {
                    continue;
                }
                let name = input.split("name=\"").nth(1).unwrap().split('"').next();
                secret.push(name.unwrap().to_owned());
            }
        }
        assert!(secret.len() > 8, "{secret:?}");
        for name in secret {
            assert!(!KEPT.contains(&name.as_str()), "{name}");
        }
    }
}

//! The page that a mail about a sign-in links to, "it was not me": it ends everything that someone
//! else may have opened. No session is required.
//!
//! Loading the page changes nothing, since programs that scan mail load every link.

use super::pages::{self, EndSessionsPage};
use super::refusal::{PageForm, PageResult};
use super::request::{OwnedBrowserContext, RequestContext};
use crate::http::cookies::TokenChanges;
use crate::http::reply::HttpReply;
use crate::live::store_pool::{PoolClient, ShareKey, WorkKind};
use crate::web::notice;
use hyper::StatusCode;
use postern_shared::engine::LoginError;
use postern_shared::system::clock;
use postern_shared::token::EndSessionsToken;

fn find_token(request: &RequestContext<'_>, form: &PageForm) -> Option<EndSessionsToken> {
    let keys = request.site.revocation_cache.token_keys();
    EndSessionsToken::open_link(form.field("token"), &keys, clock::now().ok()?)
}

fn show_invalid(request: &RequestContext<'_>) -> HttpReply {
    let (title, line) = (
        request.text("end-sessions-invalid"),
        request.text("end-sessions-invalid-line"),
    );
    notice::show_notice(request, StatusCode::FORBIDDEN, &title, &[line])
}

pub(crate) async fn show_end_sessions_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = find_token(request, form) else {
        return Ok(show_invalid(request));
    };
    let page = EndSessionsPage {
        frame: request.frame(None),
        line: &request.language.text_with(
            "end-sessions-line",
            "user",
            token.account().as_str().to_owned(),
        ),
        token: form.field("token"),
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

/// Ends every session and trusted browser of the account, once.
pub(crate) async fn submit_end_sessions(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let Some(token) = find_token(request, form) else {
        return Ok(show_invalid(request));
    };
    let name = token.account().clone();
    // the token proves the mailbox, so that strangers do not keep the owner waiting
    let client = PoolClient::authenticated(ShareKey::SignOut(name.clone()));
    let pool = request.site.store_pool.for_client(client);
    let run = OwnedBrowserContext::new(request).run(
        &pool,
        WorkKind::Plain,
        move |engine, client, now| {
            Ok::<_, LoginError>(
                engine
                    .sessions()
                    .end_all_by_link(&token, &client.origin, now),
            )
        },
    );
    let Some(app_passwords) = request.check_act(run.await)? else {
        request.log_sign_in(&name, "refused", "end-sessions-link");
        return Ok(show_invalid(request));
    };
    let mut lines = vec![request.text("ended-sessions-line")];
    lines.extend(request.language.app_passwords(app_passwords));
    let title = request.text("ended-sessions");
    let page = notice::show_notice(request, StatusCode::OK, &title, &lines);
    Ok(request.with_tokens(page, &TokenChanges::signed_out()))
}

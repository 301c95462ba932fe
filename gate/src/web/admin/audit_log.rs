//! The audit log on pages: events of one account or of all, newest first.

use super::pages::encode_query_value;
use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::admin::pages;
use crate::web::pages::admin::EventsPage;
use crate::web::pages::html;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::account::event::EventFilter;
use postern_shared::token::session::Session;

/// Events that one page lists.
const PAGE_SIZE: u32 = 50;

/// Handles a GET request for administration/log.
pub(crate) async fn show_events_page(
    request: &RequestContext<'_>,
    session: &Session,
    account: &str,
    before: &str,
) -> Result<HttpReply, ActRefused> {
    let account = if account.is_empty() {
        None
    } else {
        Some(pages::parse_name(request, account)?)
    };
    let before = if before.is_empty() {
        None
    } else {
        before.parse::<i64>().ok()
    };
    let filter = EventFilter {
        account: account.clone(),
        ..EventFilter::default()
    };
    let read = account::run_act(request, session, move |engine, _, _| {
        Ok(engine
            .audit_log()
            .newest_events(&filter, before, PAGE_SIZE + 1)?)
    });
    let mut events = read.await?;
    let is_last = events.len() <= PAGE_SIZE as usize;
    events.truncate(PAGE_SIZE as usize);
    let user = account.as_ref().map(|name| name.as_str());
    let older = events.last().filter(|_| !is_last).map(|(number, _)| {
        let of = user.map_or_else(String::new, |name| {
            format!("account={}&", encode_query_value(name))
        });
        request.path_to(&format!("administration/log?{of}before={number}"))
    });
    let page = EventsPage {
        frame: request.frame(),
        user,
        events: &events,
        older: older.as_deref(),
    };
    Ok(reply::page(StatusCode::OK, html(&page)))
}

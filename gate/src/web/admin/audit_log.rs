//! The audit log on pages: events of one account or of all, newest first.

use super::accounts::require_administrator;
use super::pages::{log_path, parse_name};
use super::templates::EventsPage;
use crate::web::account::run_act;
use crate::web::pages;
use crate::web::refusal::{PageForm, PageResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::account::event::EventFilter;

/// Events that one page lists.
const PAGE_SIZE: u32 = 50;

pub(crate) async fn show_events_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let session = require_administrator(request).await?;
    let account = form
        .parameter("account")
        .map(|name| parse_name(request, &name))
        .transpose()?;
    let before = form.field("before").parse::<i64>().ok();
    let filter = EventFilter {
        account: account.clone(),
        ..EventFilter::default()
    };
    let read = run_act(request, session, move |engine, _| {
        Ok(engine
            .audit_log()
            .newest_events(&filter, before, PAGE_SIZE + 1)?)
    });
    let mut events = read.await?;
    let is_last = events.len() <= PAGE_SIZE as usize;
    events.truncate(PAGE_SIZE as usize);
    let older = events.last().filter(|_| !is_last);
    let older = older.map(|(number, _)| log_path(request, account.as_ref(), Some(*number)));
    let page = EventsPage {
        frame: request.frame(None),
        user: account.as_ref().map(|name| name.as_str()),
        events: &events,
        older: older.as_deref(),
    };
    Ok(pages::reply(StatusCode::OK, &page))
}

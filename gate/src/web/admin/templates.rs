//! Templates of the pages of administrators.

use super::accounts::{AccountDetails, AdminAct};
use crate::web::pages::PageFrame;
use askama::Template;
use postern_shared::account::event::AuditEvent;
use postern_shared::system::clock::Timestamp;

#[derive(Template)]
#[template(path = "administration.html")]
pub(crate) struct AccountsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// Text that was searched for.
    pub(crate) part: &'a str,
    pub(crate) rows: &'a [AccountRow],
    /// Whether more accounts match than are listed.
    pub(crate) more: bool,
}

pub(crate) struct AccountRow {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) link: String,
    pub(crate) locked: bool,
}

#[derive(Template)]
#[template(path = "administration_account.html")]
pub(crate) struct AccountPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) row: &'a AccountRow,
    pub(crate) seen: &'a AccountDetails,
    pub(crate) acts: &'a [(AdminAct, String)],
    /// Path of the account's events.
    pub(crate) log: &'a str,
}

/// Result of an act. A one-time code is shown once.
#[derive(Template)]
#[template(path = "administration_done.html")]
pub(crate) struct ActDonePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) title: &'a str,
    pub(crate) user: &'a str,
    pub(crate) line: Option<&'a str>,
    pub(crate) code: Option<(&'a str, Timestamp)>,
    pub(crate) back: &'a str,
}

/// Audit events, newest first.
#[derive(Template)]
#[template(path = "administration_log.html")]
pub(crate) struct EventsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// `None` shows the events of every account.
    pub(crate) user: Option<&'a str>,
    pub(crate) events: &'a [(i64, AuditEvent)],
    /// Path of the page with earlier events.
    pub(crate) older: Option<&'a str>,
}

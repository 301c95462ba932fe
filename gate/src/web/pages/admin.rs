//! The pages of administrators.

use super::PageFrame;
use super::account::moment;
use crate::web::admin::{AccountDetails, AdminAct};
use askama::Template;
use shared::account::event::AuditEvent;
use shared::system::clock::Timestamp;

/// Who was found.
#[derive(Template)]
#[template(path = "administration.html")]
pub(crate) struct AccountsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// What was looked for.
    pub(crate) part: &'a str,
    pub(crate) rows: &'a [AccountRow],
    /// Whether there are more than these.
    pub(crate) more: bool,
}

/// One account in a list.
pub(crate) struct AccountRow {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) link: String,
    pub(crate) locked: bool,
}

/// How one account stands, and what can be done.
#[derive(Template)]
#[template(path = "administration_account.html")]
pub(crate) struct AccountPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) row: &'a AccountRow,
    pub(crate) seen: &'a AccountDetails,
    pub(crate) acts: &'a [(AdminAct, String)],
    /// The page of its events.
    pub(crate) log: &'a str,
}

/// What was done; a one-time code is shown once.
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

/// Events, newest first.
#[derive(Template)]
#[template(path = "administration_log.html")]
pub(crate) struct EventsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// Whose; everyone's if not given.
    pub(crate) user: Option<&'a str>,
    pub(crate) events: &'a [(i64, AuditEvent)],
    /// The page of those before.
    pub(crate) older: Option<&'a str>,
}

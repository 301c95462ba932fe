//! The pages of administrators.

use super::Frame;
use super::account::moment;
use crate::web::admin::{Act, Seen};
use askama::Template;
use shared::account::event::Event;
use shared::system::clock::Timestamp;

/// Who was found.
#[derive(Template)]
#[template(path = "administration.html")]
pub(crate) struct Found<'a> {
    pub(crate) frame: Frame<'a>,
    /// What was looked for.
    pub(crate) part: &'a str,
    pub(crate) rows: &'a [Row],
    /// Whether there are more than these.
    pub(crate) more: bool,
}

/// One account in a list.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) link: String,
    pub(crate) locked: bool,
}

/// How one account stands, and what can be done.
#[derive(Template)]
#[template(path = "administration_account.html")]
pub(crate) struct Account<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) user: &'a str,
    pub(crate) row: &'a Row,
    pub(crate) seen: &'a Seen,
    pub(crate) acts: &'a [(Act, String)],
    /// The page of its events.
    pub(crate) log: &'a str,
}

/// What was done; a one-time code is shown once.
#[derive(Template)]
#[template(path = "administration_done.html")]
pub(crate) struct Issued<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) title: &'a str,
    pub(crate) user: &'a str,
    pub(crate) line: Option<&'a str>,
    pub(crate) code: Option<(&'a str, Timestamp)>,
    pub(crate) back: &'a str,
}

/// Events, newest first.
#[derive(Template)]
#[template(path = "administration_log.html")]
pub(crate) struct Journal<'a> {
    pub(crate) frame: Frame<'a>,
    /// Whose; everyone's if not given.
    pub(crate) user: Option<&'a str>,
    pub(crate) events: &'a [(i64, Event)],
    /// The page of those before.
    pub(crate) older: Option<&'a str>,
}

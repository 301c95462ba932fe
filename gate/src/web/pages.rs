//! Templates of the pages, compiled into the gate by askama. No page requires a script; some are
//! easier to use with one.

pub(crate) mod account;
mod moments;

use super::language::Language;
use crate::http::reply::{self, HttpReply};
use crate::state::branding::Branding;
use crate::web::step_up::PasskeyPrompt;
use askama::Template;
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::engine::ShownApproval;
use postern_shared::system::clock::Timestamp;

/// What every page needs.
pub(crate) struct PageFrame<'a> {
    /// Path of the gate.
    pub(crate) base: &'a str,
    pub(crate) language: &'static Language,
    pub(crate) branding: &'a Branding,
    /// Who is signed in.
    pub(crate) user: Option<UserName>,
    pub(crate) now: Option<Timestamp>,
    /// Why the form was refused.
    pub(crate) message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) return_url: &'a str,
    /// Host of the application that was requested.
    pub(crate) application: Option<&'a str>,
    /// Whether the requested page's URL was too long to be kept.
    pub(crate) is_shortened: bool,
    pub(crate) user: &'a str,
    /// Seconds to wait before another attempt.
    pub(crate) wait: Option<u64>,
    /// The request to a passkey, which signs in without a name.
    pub(crate) passkey: Option<PasskeyPrompt>,
}

#[derive(Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    /// The page that this tab requested.
    pub(crate) return_url: &'a str,
    /// Host of the application that was requested.
    pub(crate) application: Option<&'a str>,
    /// Paths of this page, for a code of the app, and for any other.
    pub(crate) code_page: &'a str,
    pub(crate) other_page: &'a str,
    /// Path to start again, with the requested page.
    pub(crate) sign_in: &'a str,
    pub(crate) days: u64,
    pub(crate) status: Option<&'a str>,
    /// Whether the browser is to be trusted.
    pub(crate) trust: bool,
    /// Seconds to wait before another attempt.
    pub(crate) wait: Option<u64>,
    pub(crate) any_text: bool,
    /// Length of the account's longest code.
    pub(crate) digits: u32,
    /// Whether codes of an authenticator are accepted.
    pub(crate) app: bool,
    /// Address that a code can be mailed to, masked.
    pub(crate) mail: Option<&'a str>,
    /// The request to the account's passkeys, as JSON.
    pub(crate) passkeys: Option<String>,
    /// Whether the requested page needs a passkey.
    pub(crate) needs_passkey: bool,
}

/// Asks for the one-time code that an enrollment requires.
#[derive(Template)]
#[template(path = "one_time_code.html")]
pub(crate) struct OneTimeCodePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    /// Text that says whom to ask for a code.
    pub(crate) ask: &'a str,
}

#[derive(Template)]
#[template(path = "enrollment.html")]
pub(crate) struct EnrollmentPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) title: &'a str,
    pub(crate) user: &'a str,
    /// The QR code as SVG.
    pub(crate) qr: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) url: &'a str,
    pub(crate) draft: &'a str,
    /// Path that receives the first code.
    pub(crate) act: &'a str,
    /// Whether a form ends the enrollment; otherwise a link leads to the account.
    pub(crate) cancels: bool,
    /// Seconds to wait before another attempt.
    pub(crate) wait: Option<u64>,
    pub(crate) digits: u32,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(crate) struct RecoveryCodesPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) codes: &'a [&'a str],
    /// Path that receives the confirmation.
    pub(crate) act: &'a str,
    /// Text that activates the codes.
    pub(crate) pending: &'a str,
    pub(crate) button: String,
    /// Whether the codes belong to a first authenticator.
    pub(crate) first: bool,
    /// Whether the use of a recovery code turns the second factor off.
    pub(crate) turns_off: bool,
}

/// Conflicting cookies, and a button that removes them.
#[derive(Template)]
#[template(path = "cookies.html")]
pub(crate) struct CookiesPage<'a> {
    pub(crate) frame: PageFrame<'a>,
}

/// What asks for an approval, and the request to the passkeys that can give it.
#[derive(Template)]
#[template(path = "approve.html")]
pub(crate) struct ApprovalPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// Characters at the end of the page's address.
    pub(crate) code: &'a str,
    pub(crate) shown: &'a ShownApproval,
    pub(crate) token: &'a str,
    /// JSON.
    pub(crate) options: &'a str,
}

#[derive(Template)]
#[template(path = "end_sessions.html")]
pub(crate) struct EndSessionsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) line: &'a str,
    /// The token of the link.
    pub(crate) token: &'a str,
}

#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) title: &'a str,
    pub(crate) lines: &'a [String],
    /// Path and text of the button.
    pub(crate) link: Option<(&'a str, String)>,
    /// The page to return to after signing in as another user; `None` shows no button for that.
    pub(crate) change_user: Option<&'a str>,
    /// Whether critical acts are open, so that a lost phone can be replaced at once.
    pub(crate) stepped_up: bool,
}

/// Makes a reply of a page. A template that fails yields an empty page.
pub(crate) fn reply(status: StatusCode, page: &impl Template) -> HttpReply {
    reply::page(status, page.render().unwrap_or_default())
}

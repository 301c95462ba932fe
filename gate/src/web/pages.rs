//! The pages, from templates compiled into the gate. None needs a script; some help.

pub(crate) mod account;
pub(crate) mod admin;
mod user_agent;

use super::language::Language;
use crate::state::branding::Branding;
use askama::Template;

/// What every page has.
#[derive(Clone, Copy)]
pub(crate) struct PageFrame<'a> {
    /// The path of the gate's pages.
    pub(crate) base: &'a str,
    /// The texts.
    pub(crate) t: &'static Language,
    pub(crate) look: &'a Branding,
}

/// The first page: name and password.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) back_to: &'a str,
    pub(crate) user: &'a str,
    pub(crate) message: Option<&'a str>,
}

/// The second page: the code.
#[derive(Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    /// Where to begin anew, with the page asked for.
    pub(crate) sign_in: &'a str,
    pub(crate) days: u64,
    pub(crate) message: Option<&'a str>,
    pub(crate) status: Option<&'a str>,
    pub(crate) any_text: bool,
    /// How long the account's longest code is.
    pub(crate) digits: u32,
    /// Whether codes of an app open.
    pub(crate) app: bool,
    /// Where codes can be mailed.
    pub(crate) mail: Option<&'a str>,
}

/// Setting up the first second factor takes an administrator's one-time code.
#[derive(Template)]
#[template(path = "setup_invitation.html")]
pub(crate) struct InvitationPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    /// Whom to ask.
    pub(crate) ask: &'a str,
    pub(crate) message: Option<&'a str>,
}

/// The new authenticator.
#[derive(Template)]
#[template(path = "setup.html")]
pub(crate) struct EnrollmentPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    /// SVG
    pub(crate) qr: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) url: &'a str,
    pub(crate) draft: &'a str,
    /// Where the code goes.
    pub(crate) act: &'a str,
    pub(crate) digits: u32,
    pub(crate) message: Option<&'a str>,
}

/// Its recovery codes.
#[derive(Template)]
#[template(path = "setup_codes.html")]
pub(crate) struct RecoveryCodesPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) codes: &'a [&'a str],
    /// Where it goes on.
    pub(crate) act: &'a str,
    /// What makes them good.
    pub(crate) ticket: &'a str,
    pub(crate) button: String,
    /// Whether they come with a first authenticator.
    pub(crate) first: bool,
    /// Whether the use of the one code turns the second factor off.
    pub(crate) turns_off: bool,
}

/// Cookies that are not clear, and the button that takes them away.
#[derive(Template)]
#[template(path = "cookies.html")]
pub(crate) struct CookiesPage<'a> {
    pub(crate) frame: PageFrame<'a>,
}

/// Something to read, and where to go on.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) title: &'a str,
    pub(crate) lines: &'a [String],
    /// Where to, and what that says.
    pub(crate) link: Option<(&'a str, String)>,
    /// Whether a fresh code was given, so that critical acts are open.
    pub(crate) stepped_up: bool,
}

/// Renders a page; a template that fails has nothing to show.
pub(crate) fn html(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

//! Templates of an account's own pages.

use super::PageFrame;
use crate::web::step_up::StepUpRequirement;
use askama::Template;
use postern_shared::engine::AdministratorStatus;
use postern_shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use postern_shared::store::{AppPasswordRecord, BrowserRecord, MailAddresses, SessionRecord};
use postern_shared::token::session::SessionId;

pub(crate) struct AccountOverview {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) app_passwords: usize,
    pub(crate) sessions: usize,
    pub(crate) browsers: usize,
    pub(crate) administers: AdministratorStatus,
}

impl AccountOverview {
    pub(crate) fn is_on(&self) -> bool {
        self.status.state != SecondFactorState::Off
    }

    /// Whether the user can change the second factor.
    pub(crate) fn is_own(&self) -> bool {
        self.status.state != SecondFactorState::Declared
    }
}

/// Content of the page that confirms a critical act. Without a requirement it has a button only.
pub(crate) struct Confirmation {
    pub(crate) act: &'static str,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) button: String,
    pub(crate) hidden: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct OverviewPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) overview: &'a AccountOverview,
    /// Whether codes can be mailed.
    pub(crate) mails: bool,
    /// Whether Postern keeps the password.
    pub(crate) has_password: bool,
    pub(crate) administers: bool,
}

#[derive(Template)]
#[template(path = "confirmation.html")]
pub(crate) struct ConfirmationPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) confirmation: &'a Confirmation,
    pub(crate) step_up: StepUpRequirement,
}

#[derive(Template)]
#[template(path = "add_authenticator.html")]
pub(crate) struct AddAuthenticatorPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) step_up: StepUpRequirement,
}

#[derive(Template)]
#[template(path = "app_passwords.html")]
pub(crate) struct AppPasswordsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) all: &'a [AppPasswordRecord],
    /// Scopes that postern.toml defines.
    pub(crate) scopes: &'a [String],
    /// Lifetimes, in days.
    pub(crate) lifetimes: &'a [u64],
    pub(crate) step_up: StepUpRequirement,
}

#[derive(Template)]
#[template(path = "new_app_password.html")]
pub(crate) struct NewAppPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
}

#[derive(Template)]
#[template(path = "email.html")]
pub(crate) struct EmailPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) addresses: &'a MailAddresses,
    pub(crate) step_up: StepUpRequirement,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct NewPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) step_up: StepUpRequirement,
    pub(crate) least: usize,
}

#[derive(Template)]
#[template(path = "sessions.html")]
pub(crate) struct SessionsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) own: SessionId,
    pub(crate) sessions: &'a [SessionRecord],
    pub(crate) browsers: &'a [BrowserRecord],
}

/// Formats a timestamp for people, to the minute, in UTC.
pub(crate) fn moment(at: impl std::fmt::Display) -> String {
    let text = at.to_string();
    format!(
        "{} {} UTC",
        text.get(..10).unwrap_or_default(),
        text.get(11..16).unwrap_or_default()
    )
}

fn browser(agent: impl AsRef<str>) -> String {
    super::user_agent::name(agent.as_ref())
}

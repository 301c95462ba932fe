//! The pages of a person's own account.

use super::PageFrame;
use crate::web::step_up::StepUpRequirement;
use askama::Template;
use shared::engine::AdministratorStatus;
use shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use shared::store::{AppPasswordRecord, BrowserRecord, MailAddresses, SessionRecord};
use shared::token::session::SessionId;

/// How an account stands.
pub(crate) struct AccountOverview {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) app_passwords: usize,
    pub(crate) sessions: usize,
    pub(crate) browsers: usize,
    pub(crate) administers: AdministratorStatus,
}

impl AccountOverview {
    /// Whether there is a second factor.
    pub(crate) fn is_on(&self) -> bool {
        self.status.state != SecondFactorState::Off
    }

    /// Whether the person may change it.
    pub(crate) fn is_own(&self) -> bool {
        self.status.state != SecondFactorState::Declared
    }
}

/// What a critical act asks for on its page: nothing more than a click, if a proof was given a short time ago.
pub(crate) struct Confirmation<'a> {
    /// Where the form goes.
    pub(crate) act: &'a str,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) button: String,
    /// Fields that the person does not see.
    pub(crate) hidden: Vec<(&'static str, String)>,
}

/// The account at a glance.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct OverviewPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) standing: &'a AccountOverview,
    /// Whether codes can be mailed here.
    pub(crate) mails: bool,
    /// Whether the password is kept here.
    pub(crate) has_password: bool,
    /// Whether they administer others'.
    pub(crate) administers: bool,
}

/// A critical act, to be confirmed.
#[derive(Template)]
#[template(path = "ask.html")]
pub(crate) struct ConfirmationPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) asked: &'a Confirmation<'a>,
    pub(crate) proof: StepUpRequirement,
    pub(crate) message: Option<&'a str>,
}

/// An authenticator more.
#[derive(Template)]
#[template(path = "add_authenticator.html")]
pub(crate) struct AddAuthenticatorPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) proof: StepUpRequirement,
    pub(crate) message: Option<&'a str>,
}

/// The app passwords, and a new one.
#[derive(Template)]
#[template(path = "app_passwords.html")]
pub(crate) struct AppPasswordsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) all: &'a [AppPasswordRecord],
    /// Scopes that postern.toml names.
    pub(crate) named: &'a [String],
    /// Days that one may live.
    pub(crate) lives: &'a [u64],
    pub(crate) proof: StepUpRequirement,
    pub(crate) message: Option<&'a str>,
}

/// One that was made, shown once.
#[derive(Template)]
#[template(path = "new_app_password.html")]
pub(crate) struct NewAppPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
}

/// The address that codes are mailed to.
#[derive(Template)]
#[template(path = "email.html")]
pub(crate) struct EmailPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) addresses: &'a MailAddresses,
    pub(crate) proof: StepUpRequirement,
    pub(crate) message: Option<&'a str>,
}

/// A new password.
#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct NewPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) proof: StepUpRequirement,
    pub(crate) least: usize,
    pub(crate) message: Option<&'a str>,
}

/// Sessions and trusted browsers.
#[derive(Template)]
#[template(path = "sign_ins.html")]
pub(crate) struct SessionsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    /// The session of whoever reads this.
    pub(crate) own: SessionId,
    pub(crate) sessions: &'a [SessionRecord],
    pub(crate) browsers: &'a [BrowserRecord],
    pub(crate) message: Option<&'a str>,
}

/// A timestamp for people, to the minute; UTC, and it says so.
pub(super) fn moment(at: impl std::fmt::Display) -> String {
    let text = at.to_string();
    format!(
        "{} {} UTC",
        text.get(..10).unwrap_or_default(),
        text.get(11..16).unwrap_or_default()
    )
}

/// What a browser is called.
fn browser(agent: impl AsRef<str>) -> String {
    super::user_agent::name(agent.as_ref())
}

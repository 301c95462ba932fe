//! Templates of an account's own pages.

use super::PageFrame;
use crate::web::refusal::PageForm;
use crate::web::step_up::{PasskeyPrompt, StepUpRequirement};
use askama::Template;
use postern_shared::config::email::EmailConfig;
use postern_shared::credential::scope::{NamedScopes, ScopeTerm};
use postern_shared::engine::AdministratorStatus;
use postern_shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use postern_shared::store::{
    AppPasswordRecord, BrowserRecord, MailAddresses, PasskeyRecord, SessionRecord,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::SessionId;

pub(crate) struct AccountOverview {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) app_passwords: usize,
    /// Number of passkeys; `None` where the gate can have none.
    pub(crate) passkeys: Option<usize>,
    /// Whether one of them can make codes for PAM prompts.
    pub(crate) makes_passkey_codes: bool,
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
    /// Whether the act takes something away, which the page shows by a warning colour.
    pub(crate) is_destructive: bool,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct OverviewPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) overview: &'a AccountOverview,
    pub(crate) email: &'a EmailConfig,
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
#[template(path = "passkeys.html")]
pub(crate) struct PasskeysPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) all: &'a [PasskeyRecord],
    /// Name in the form that was refused.
    pub(crate) typed: &'a str,
    pub(crate) step_up: StepUpRequirement,
}

/// Asks the browser for a new passkey.
#[derive(Template)]
#[template(path = "new_passkey.html")]
pub(crate) struct NewPasskeyPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) name: &'a str,
    pub(crate) token: &'a str,
    /// JSON.
    pub(crate) options: &'a str,
}

/// Asks the browser for a passkey, which makes a code for a PAM prompt.
#[derive(Template)]
#[template(path = "passkey_code.html")]
pub(crate) struct PasskeyCodePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) prompt: &'a PasskeyPrompt,
}

/// Shows a code that a passkey has made, once.
#[derive(Template)]
#[template(path = "issued_passkey_code.html")]
pub(crate) struct IssuedPasskeyCodePage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) code: &'a str,
    pub(crate) expires: Timestamp,
}

/// A declared scope that a new app password can have.
pub(crate) struct ScopeChoice<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) is_ticked: bool,
}

#[derive(Template)]
#[template(path = "app_passwords.html")]
pub(crate) struct AppPasswordsPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) all: &'a [AppPasswordRecord],
    /// Scopes that postern.toml defines.
    pub(crate) named: &'a NamedScopes,
    pub(crate) scopes: &'a [ScopeChoice<'a>],
    /// Names that the field suggests.
    pub(crate) suggestions: &'a [&'a str],
    /// Fields of the form that was refused.
    pub(crate) typed: &'a PageForm,
    /// Whether it was the form of a new app password.
    pub(crate) is_typed: bool,
    /// Lifetimes that can be chosen, in days.
    pub(crate) lifetimes: &'a [u64],
    pub(crate) step_up: StepUpRequirement,
}

impl AppPasswordsPage<'_> {
    /// Whether a lifetime is the one in the form: before anything was typed, the longest.
    fn is_lifetime(&self, days: &str) -> bool {
        match self.is_typed {
            true => self.typed.field("days") == days,
            false => self.lifetimes.iter().max().map(u64::to_string).as_deref() == Some(days),
        }
    }
}

/// Returns how users know a term of a scope: by the title of a declared one, if it has a title.
pub(crate) fn scope_title(named: &NamedScopes, term: &ScopeTerm) -> String {
    let declared = match term {
        ScopeTerm::Named(name) => named.get(name),
        ScopeTerm::Pam(_) | ScopeTerm::Web(_) => None,
    };
    let title = declared.and_then(|scope| scope.title.as_ref());
    title.map_or_else(|| term.to_string(), ToString::to_string)
}

/// A new app password, and what a program needs to use it. It is shown once.
#[derive(Template)]
#[template(path = "new_app_password.html")]
pub(crate) struct NewAppPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
    pub(crate) name: &'a str,
    pub(crate) addresses: &'a [String],
    /// PAM services of its scope.
    pub(crate) services: &'a [String],
    pub(crate) password: &'a str,
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "email.html")]
pub(crate) struct EmailPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) addresses: &'a MailAddresses,
    pub(crate) email: &'a EmailConfig,
    pub(crate) step_up: StepUpRequirement,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct NewPasswordPage<'a> {
    pub(crate) frame: PageFrame<'a>,
    pub(crate) user: &'a str,
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

fn browser(agent: impl AsRef<str>) -> String {
    postern_shared::system::network::user_agent::name(agent.as_ref())
}

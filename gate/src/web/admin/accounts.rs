//! Administrators on pages: who is one, and what an administrator can do to another account. Each
//! act requires a step-up of the administrator, and is in the audit log under the administrator's
//! name.
//!
//! MUST NOT set a credential other than a one-time code, and MUST NOT show a secret.

use crate::check::rules;
use crate::web::account::run_act;
use crate::web::language::Language;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::{ActRefused, ActResult, HandlerError};
use crate::web::request::RequestContext;
use crate::web::step_up::StepUpProof;
use postern_shared::account::name::{Label, UserName};
use postern_shared::credential::recovery_code::OneTimeCode;
use postern_shared::engine::messages::AfterDisabled;
use postern_shared::engine::{AdministrationError, AdministratorStatus, AppPasswordsAfter, Engine};
use postern_shared::protocol::status::{AccountStatus, AuthenticatorState, SecondFactorState};
use postern_shared::store::{BrowserRecord, PasskeyRecord, SessionRecord};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::{SecondFactorMethod, Session};

/// An act of an administrator. Forms name it by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminAct {
    Disable,
    Unlock,
    ResetClock,
    EndSessions,
    RevokeBrowsers,
    IssueCode,
    CancelCode,
    /// Of the passkey that the form names.
    RemovePasskey,
}

impl AdminAct {
    const ALL: [AdminAct; 8] = [
        AdminAct::Disable,
        AdminAct::Unlock,
        AdminAct::ResetClock,
        AdminAct::EndSessions,
        AdminAct::RevokeBrowsers,
        AdminAct::IssueCode,
        AdminAct::CancelCode,
        AdminAct::RemovePasskey,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            AdminAct::Disable => "disable",
            AdminAct::Unlock => "unlock",
            AdminAct::ResetClock => "unlock-clock",
            AdminAct::EndSessions => "end-sessions",
            AdminAct::RevokeBrowsers => "forget-browsers",
            AdminAct::IssueCode => "issue-code",
            AdminAct::CancelCode => "cancel-code",
            AdminAct::RemovePasskey => "remove-passkey",
        }
    }

    pub(super) fn parse(word: &str) -> Option<AdminAct> {
        AdminAct::ALL.into_iter().find(|act| act.word() == word)
    }

    /// Returns the title of the act, and its effect.
    fn texts(self, language: &Language) -> (String, String) {
        match self {
            AdminAct::Disable => (
                language.text("turn-off"),
                language.text("admin-disable-line"),
            ),
            AdminAct::Unlock => (
                language.text("admin-unlock"),
                language.text("admin-unlock-line"),
            ),
            AdminAct::ResetClock => (
                language.text("admin-reset-clock"),
                language.text("admin-reset-clock-line"),
            ),
            AdminAct::EndSessions => (
                language.text("admin-end-sessions"),
                language.text("open-connections"),
            ),
            AdminAct::RevokeBrowsers => (
                language.text("revoke-trust-all"),
                language.text("admin-revoke-trust-line"),
            ),
            AdminAct::IssueCode => (
                language.text("admin-issue-code"),
                language.text("admin-issue-code-line"),
            ),
            AdminAct::CancelCode => (
                language.text("admin-cancel-code"),
                language.text("admin-cancel-code-line"),
            ),
            AdminAct::RemovePasskey => (
                language.text("remove-passkey"),
                language.text("admin-remove-passkey-line"),
            ),
        }
    }

    /// Whether the act takes something away from the user.
    pub(crate) fn is_destructive(self) -> bool {
        match self {
            AdminAct::Disable
            | AdminAct::EndSessions
            | AdminAct::RevokeBrowsers
            | AdminAct::RemovePasskey => true,
            AdminAct::Unlock
            | AdminAct::ResetClock
            | AdminAct::IssueCode
            | AdminAct::CancelCode => false,
        }
    }

    pub(crate) fn title(self, language: &Language) -> String {
        self.texts(language).0
    }

    /// Returns the content of the page that confirms the act.
    pub(super) fn confirmation(
        self,
        language: &Language,
        name: &UserName,
        passkey: &str,
    ) -> Confirmation {
        let (title, line) = self.texts(language);
        Confirmation {
            act: "administration/act",
            title: title.clone(),
            lines: vec![
                language.text_with("admin-account", "name", name.as_str()),
                line,
            ],
            button: title,
            hidden: vec![
                ("account", name.to_string()),
                ("action", self.word().to_owned()),
                ("which", passkey.to_owned()),
            ],
            is_destructive: self.is_destructive(),
        }
    }
}

/// State of another account.
pub(crate) struct AccountDetails {
    pub(crate) status: AccountStatus,
    pub(crate) authenticators: Vec<AuthenticatorState>,
    pub(crate) passkeys: Vec<PasskeyRecord>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) browsers: Vec<BrowserRecord>,
    pub(crate) one_time_code: Option<Timestamp>,
}

impl AccountDetails {
    pub(super) fn read(
        engine: &mut Engine,
        name: &UserName,
        most: usize,
        now: Timestamp,
    ) -> Result<AccountDetails, AdministrationError> {
        let mut sessions = empty_if_unknown(engine.sessions().list_sessions(name, now))?;
        let mut browsers = empty_if_unknown(engine.sessions().list_trusted_browsers(name, now))?;
        sessions.truncate(most);
        browsers.truncate(most);
        Ok(AccountDetails {
            status: engine.accounts().account_status(name)?,
            authenticators: engine.enrollment().list_authenticators(name)?,
            passkeys: empty_if_unknown(engine.passkeys().list_passkeys(name))?,
            sessions,
            browsers,
            one_time_code: engine.accounts().one_time_code_expiry(name, now)?,
        })
    }

    /// Returns the acts that the state of the account allows.
    pub(super) fn acts(&self) -> Vec<AdminAct> {
        let acts = [
            (AdminAct::Unlock, true),
            (AdminAct::ResetClock, true),
            (AdminAct::CancelCode, self.one_time_code.is_some()),
            (AdminAct::IssueCode, true),
            (AdminAct::EndSessions, !self.sessions.is_empty()),
            (AdminAct::RevokeBrowsers, !self.browsers.is_empty()),
            (
                AdminAct::Disable,
                self.status.state == SecondFactorState::On,
            ),
        ];
        acts.into_iter()
            .filter_map(|(act, is_allowed)| is_allowed.then_some(act))
            .collect()
    }
}

/// Returns an empty list for an account that is declared in a file and has never signed in.
fn empty_if_unknown<T>(
    list: Result<Vec<T>, AdministrationError>,
) -> Result<Vec<T>, AdministrationError> {
    match list {
        Err(AdministrationError::UnknownAccount(_)) => Ok(Vec::new()),
        list => list,
    }
}

pub(crate) enum AdminActResult {
    Done,
    /// The second factor is off. Says what happened to the app passwords, and whether the policy
    /// requires a new second factor.
    Disabled(AppPasswordsAfter, AfterDisabled),
    /// How many time windows were reset, or how many sessions or browsers were revoked.
    Count(usize),
    /// The code is shown once.
    Code(OneTimeCode, Timestamp),
}

/// Returns the session of an administrator. Every other client gets 404, so that it cannot learn
/// whether the page exists.
pub(crate) async fn require_administrator(
    request: &RequestContext<'_>,
) -> Result<Session, HandlerError> {
    let session = request
        .session()
        .filter(|_| request.has_administration_pages());
    let session = session.ok_or(HandlerError::NotFound)?;
    let by_passkey = session.passed.second == SecondFactorMethod::Passkey;
    let needs_passkey =
        !by_passkey && rules::requires_passkey(request.site, &session, Some(request.address));
    let status = run_act(request, session.clone(), |engine, owner| {
        engine.policy().administrator_status(owner.name())
    });
    match status.await? {
        AdministratorStatus::Yes if needs_passkey => {
            let text = request.text("admin-needs-passkey");
            Err(ActRefused::forbidden("needs_passkey", text).into())
        }
        AdministratorStatus::Yes => Ok(session),
        AdministratorStatus::No => Err(HandlerError::NotFound),
        AdministratorStatus::OnceEnrolled => {
            let text = request.text("admin-needs-factor");
            Err(ActRefused::forbidden("needs_factor", text).into())
        }
    }
}

/// Runs an act on another account. An administrator's own account is refused: its own pages check
/// more.
pub(crate) async fn run_admin_act(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    name: UserName,
    act: AdminAct,
    passkey: Option<Label>,
) -> ActResult<AdminActResult> {
    if name == step_up.session.name {
        let text = request.text("admin-own-account");
        return Err(ActRefused::conflict("own_account", text));
    }
    let account = name.clone();
    let result = run_act(request, step_up.session.clone(), move |engine, owner| {
        let (principal, now) = (owner.principal(), owner.now);
        Ok(match act {
            AdminAct::Disable => {
                let after = engine
                    .accounts()
                    .disable_second_factor(&name, principal, now)?;
                let policy = AfterDisabled::of(engine.policy().is_required(&name)?);
                AdminActResult::Disabled(after, policy)
            }
            AdminAct::Unlock => {
                engine.accounts().unlock_account(&name, principal, now)?;
                AdminActResult::Done
            }
            AdminAct::ResetClock => AdminActResult::Count(
                engine
                    .accounts()
                    .lower_floors_to_clock(&name, principal, now)?,
            ),
            AdminAct::EndSessions => AdminActResult::Count(
                engine
                    .sessions()
                    .revoke_sessions(&name, None, principal, now)?,
            ),
            AdminAct::RevokeBrowsers => AdminActResult::Count(
                engine
                    .sessions()
                    .revoke_browsers(&name, None, principal, now)?,
            ),
            AdminAct::IssueCode => {
                let (code, until) = engine
                    .accounts()
                    .issue_one_time_code(&name, principal, now)?;
                AdminActResult::Code(code, until)
            }
            AdminAct::RemovePasskey => {
                let label = passkey.ok_or(AdministrationError::Stale)?;
                engine
                    .passkeys()
                    .remove_passkey(&name, &label, principal, now)?;
                AdminActResult::Done
            }
            AdminAct::CancelCode => {
                engine
                    .accounts()
                    .cancel_one_time_code(&name, principal, now)?;
                AdminActResult::Done
            }
        })
    });
    let result = result.await?;
    crate::observe::log::event("administered")
        .with("operation", act.word())
        .with("address", request.address)
        .quoted("principal", &step_up.session.name)
        .quoted("user", &account)
        .write();
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_name_every_act_and_nothing_else() {
        for act in AdminAct::ALL {
            assert_eq!(AdminAct::parse(act.word()), Some(act));
        }
        assert_eq!(
            (AdminAct::parse(""), AdminAct::parse("password")),
            (None, None)
        );
    }
}

//! Administrators on pages: who is one, and what an administrator can do to another account. Each
//! act requires a step-up of the administrator, and is in the audit log under the administrator's
//! name.
//!
//! MUST NOT set a credential other than a one-time code, and MUST NOT show a secret.

use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up::StepUpProof;
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::credential::recovery_code::OneTimeCode;
use postern_shared::engine::messages::AfterDisabled;
use postern_shared::engine::{AdministratorStatus, AppPasswordsAfter};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;

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
}

impl AdminAct {
    const ALL: [AdminAct; 7] = [
        AdminAct::Disable,
        AdminAct::Unlock,
        AdminAct::ResetClock,
        AdminAct::EndSessions,
        AdminAct::RevokeBrowsers,
        AdminAct::IssueCode,
        AdminAct::CancelCode,
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
        }
    }

    pub(super) fn parse(word: &str) -> Option<AdminAct> {
        AdminAct::ALL.into_iter().find(|act| act.word() == word)
    }

    pub(crate) fn title(self, language: &Language) -> String {
        match self {
            AdminAct::Disable => language.text("turn-off"),
            AdminAct::Unlock => language.text("admin-unlock"),
            AdminAct::ResetClock => language.text("admin-reset-clock"),
            AdminAct::EndSessions => language.text("admin-end-sessions"),
            AdminAct::RevokeBrowsers => language.text("revoke-trust-all"),
            AdminAct::IssueCode => language.text("admin-issue-code"),
            AdminAct::CancelCode => language.text("admin-cancel-code"),
        }
    }

    /// Returns the effect of the act as a text.
    fn line(self, language: &Language) -> String {
        match self {
            AdminAct::Disable => language.text("admin-disable-line"),
            AdminAct::Unlock => language.text("admin-unlock-line"),
            AdminAct::ResetClock => language.text("admin-reset-clock-line"),
            AdminAct::EndSessions => language.text("open-connections"),
            AdminAct::RevokeBrowsers => language.text("admin-revoke-trust-line"),
            AdminAct::IssueCode => language.text("admin-issue-code-line"),
            AdminAct::CancelCode => language.text("admin-cancel-code-line"),
        }
    }

    /// Returns the content of the page that confirms the act.
    pub(super) fn confirmation(
        self,
        language: &Language,
        name: &UserName,
    ) -> Confirmation<'static> {
        Confirmation {
            act: "administration/act",
            title: self.title(language),
            lines: vec![
                language.text_with("admin-account", "name", name.as_str()),
                self.line(language),
            ],
            button: self.title(language),
            hidden: vec![
                ("account", name.to_string()),
                ("action", self.word().to_owned()),
            ],
        }
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
) -> Result<Session, HttpReply> {
    let not_found = || reply::bare(StatusCode::NOT_FOUND);
    if !request.has_administration_pages() {
        return Err(not_found());
    }
    let session = request.session().ok_or_else(not_found)?;
    let name = session.name.clone();
    let status = account::run_act(request, &session, move |engine, _, _| {
        engine.policy().administrator_status(&name)
    })
    .await;
    match status.map_err(|refused| notice::show_refusal(request, &refused))? {
        AdministratorStatus::Yes => Ok(session),
        AdministratorStatus::No => Err(not_found()),
        AdministratorStatus::OnceEnrolled => {
            let text = request.language.text("admin-needs-factor");
            Err(notice::show_refusal(
                request,
                &ActRefused::new(StatusCode::FORBIDDEN, "needs_factor", text),
            ))
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
) -> Result<AdminActResult, ActRefused> {
    if name == step_up.session.name {
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "own_account",
            request.language.text("admin-own-account"),
        ));
    }
    let account = name.clone();
    let result = account::run_act(request, &step_up.session, move |engine, principal, now| {
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

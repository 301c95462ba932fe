//! Administrators on pages: who is one, and what they may do to another account. Each act takes a fresh proof of their own,
//! ends with their session, and stands in the log under their name.
//!
//! MUST NOT set anything that lets somebody in, but for a one-time code, nor show a secret.

use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up::StepUpProof;
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::credential::recovery_code::OneTimeCode;
use shared::engine::{AdministratorStatus, AppPasswordsAfter};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// An act, as forms name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminAct {
    Disable,
    Unlock,
    MendClock,
    EndSessions,
    ForgetBrowsers,
    IssueCode,
    CancelCode,
}

impl AdminAct {
    const ALL: [AdminAct; 7] = [
        AdminAct::Disable,
        AdminAct::Unlock,
        AdminAct::MendClock,
        AdminAct::EndSessions,
        AdminAct::ForgetBrowsers,
        AdminAct::IssueCode,
        AdminAct::CancelCode,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            AdminAct::Disable => "disable",
            AdminAct::Unlock => "unlock",
            AdminAct::MendClock => "unlock-clock",
            AdminAct::EndSessions => "end-sessions",
            AdminAct::ForgetBrowsers => "forget-browsers",
            AdminAct::IssueCode => "issue-code",
            AdminAct::CancelCode => "cancel-code",
        }
    }

    pub(super) fn read(word: &str) -> Option<AdminAct> {
        AdminAct::ALL.into_iter().find(|act| act.word() == word)
    }

    /// What is done.
    pub(crate) fn title(self, t: &Language) -> String {
        match self {
            AdminAct::Disable => t.say("turn-off"),
            AdminAct::Unlock => t.say("admin-unlock"),
            AdminAct::MendClock => t.say("admin-reset-clock"),
            AdminAct::EndSessions => t.say("admin-end-sessions"),
            AdminAct::ForgetBrowsers => t.say("revoke-trust-all"),
            AdminAct::IssueCode => t.say("admin-issue-code"),
            AdminAct::CancelCode => t.say("admin-cancel-code"),
        }
    }

    /// What comes of it.
    fn line(self, t: &Language) -> String {
        match self {
            AdminAct::Disable => t.say("admin-disable-line"),
            AdminAct::Unlock => t.say("admin-unlock-line"),
            AdminAct::MendClock => t.say("admin-reset-clock-line"),
            AdminAct::EndSessions => t.say("open-connections"),
            AdminAct::ForgetBrowsers => t.say("admin-revoke-trust-line"),
            AdminAct::IssueCode => t.say("admin-issue-code-line"),
            AdminAct::CancelCode => t.say("admin-cancel-code-line"),
        }
    }

    /// What its page asks.
    pub(super) fn asked(self, t: &Language, name: &UserName) -> Confirmation<'static> {
        Confirmation {
            act: "administration/act",
            title: self.title(t),
            lines: vec![
                t.say_of("admin-account", "name", name.as_str()),
                self.line(t),
            ],
            button: self.title(t),
            hidden: vec![
                ("account", name.to_string()),
                ("action", self.word().to_owned()),
            ],
        }
    }
}

/// What came of an act.
pub(crate) enum AdminActResult {
    /// It is done.
    Done,
    /// The second factor is off; whether the account must have a new one, and what became of the app passwords.
    Off(AppPasswordsAfter, Needs),
    /// So many floors were lowered, so many sessions or browsers ended.
    Many(usize),
    /// To be shown once.
    Code(OneTimeCode, Timestamp),
}

/// Whether a second factor is needed.
pub(crate) enum Needs {
    Nothing,
    NewFactor,
}

/// The session of whoever administers; to everyone else nothing is there.
pub(crate) async fn require_administrator(
    request: &RequestContext<'_>,
) -> Result<Session, HttpReply> {
    let nothing = || reply::bare(StatusCode::NOT_FOUND);
    if !request.has_administration_pages() {
        return Err(nothing());
    }
    let session = request.session().ok_or_else(nothing)?;
    let name = session.name.clone();
    let known = account::run_act(request, &session, move |engine, _, _| {
        engine.administrator_status(&name)
    })
    .await;
    match known.map_err(|refused| notice::show_refusal(request, &refused))? {
        AdministratorStatus::Yes => Ok(session),
        AdministratorStatus::No => Err(nothing()),
        AdministratorStatus::OnceEnrolled => {
            let text = request.t.say("admin-needs-factor");
            Err(notice::show_refusal(
                request,
                &ActRefused::new(StatusCode::FORBIDDEN, "needs_factor", text),
            ))
        }
    }
}

/// An act of whoever stepped up. One's own account is not among those: it has pages that know what may be done.
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
            request.t.say("admin-own-account"),
        ));
    }
    let whose = name.clone();
    let came = account::run_act(request, &step_up.session, move |engine, actor, now| {
        Ok(match act {
            AdminAct::Disable => {
                let after = engine.disable_second_factor(&name, actor, now)?;
                let needs = if engine.is_required(&name)? {
                    Needs::NewFactor
                } else {
                    Needs::Nothing
                };
                AdminActResult::Off(after, needs)
            }
            AdminAct::Unlock => {
                engine.unlock_account(&name, actor, now)?;
                AdminActResult::Done
            }
            AdminAct::MendClock => {
                AdminActResult::Many(engine.lower_floors_to_clock(&name, actor, now)?)
            }
            AdminAct::EndSessions => {
                AdminActResult::Many(engine.revoke_sessions(&name, None, actor, now)?)
            }
            AdminAct::ForgetBrowsers => {
                AdminActResult::Many(engine.revoke_browsers(&name, None, actor, now)?)
            }
            AdminAct::IssueCode => {
                let (code, until) = engine.issue_one_time_code(&name, actor, now)?;
                AdminActResult::Code(code, until)
            }
            AdminAct::CancelCode => {
                engine.cancel_one_time_code(&name, actor, now)?;
                AdminActResult::Done
            }
        })
    });
    let came = came.await?;
    crate::observe::log::event("administered")
        .with("operation", act.word())
        .with("address", request.address)
        .quoted("principal", &step_up.session.name)
        .quoted("user", &whose)
        .write();
    Ok(came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_name_every_act_and_nothing_else() {
        for act in AdminAct::ALL {
            assert_eq!(AdminAct::read(act.word()), Some(act));
        }
        assert_eq!(
            (AdminAct::read(""), AdminAct::read("password")),
            (None, None)
        );
    }
}

//! Administrators on pages: who is one, and what they may do to another account. Each act takes a fresh proof of their own,
//! ends with their session, and stands in the log under their name.
//!
//! MUST NOT set anything that lets somebody in, but for a one-time code, nor show a secret.

use crate::http::reply::{self, HttpReply};
use crate::web::language::Language;
use crate::web::login::RequestContext;
use crate::web::pages::account::StepUpQuestion;
use crate::web::refusal::ActRefused;
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
    pub(super) fn asked(self, t: &Language, name: &UserName) -> StepUpQuestion<'static> {
        StepUpQuestion {
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
pub(super) enum AdminActResult {
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
pub(super) enum Needs {
    Nothing,
    NewFactor,
}

impl RequestContext<'_> {
    /// The session of whoever administers; to everyone else nothing is there.
    pub(super) async fn administrator(&self) -> Result<Session, HttpReply> {
        let nothing = || reply::bare(StatusCode::NOT_FOUND);
        if !self.has_administration() {
            return Err(nothing());
        }
        let session = self.session().ok_or_else(nothing)?;
        let name = session.name.clone();
        let known = self
            .act(&session, move |door, _, _| door.administrator_status(&name))
            .await;
        match known.map_err(|refused| self.refused(&refused))? {
            AdministratorStatus::Yes => Ok(session),
            AdministratorStatus::No => Err(nothing()),
            AdministratorStatus::OnceEnrolled => {
                let text = self.t.say("admin-needs-factor");
                Err(self.refused(&ActRefused::new(
                    StatusCode::FORBIDDEN,
                    "needs_factor",
                    text,
                )))
            }
        }
    }

    /// Whether there are pages for administrators where this request comes from.
    pub(crate) fn has_administration(&self) -> bool {
        self.site.gate().administration.pages && self.is_at_administration()
    }

    /// An act of whoever stepped up. One's own account is not among those: it has pages that know what may be done.
    pub(super) async fn administer(
        &self,
        proven: &StepUpProof,
        name: UserName,
        act: AdminAct,
    ) -> Result<AdminActResult, ActRefused> {
        if name == proven.session.name {
            return Err(ActRefused::new(
                StatusCode::CONFLICT,
                "own_account",
                self.t.say("admin-own-account"),
            ));
        }
        let whose = name.clone();
        let came = self.act(&proven.session, move |door, actor, now| {
            Ok(match act {
                AdminAct::Disable => {
                    let after = door.disable_second_factor(&name, actor, now)?;
                    let needs = if door.is_required(&name)? {
                        Needs::NewFactor
                    } else {
                        Needs::Nothing
                    };
                    AdminActResult::Off(after, needs)
                }
                AdminAct::Unlock => {
                    door.unlock_account(&name, actor, now)?;
                    AdminActResult::Done
                }
                AdminAct::MendClock => {
                    AdminActResult::Many(door.lower_floors_to_clock(&name, actor, now)?)
                }
                AdminAct::EndSessions => {
                    AdminActResult::Many(door.revoke_sessions(&name, None, actor, now)?)
                }
                AdminAct::ForgetBrowsers => {
                    AdminActResult::Many(door.revoke_browsers(&name, None, actor, now)?)
                }
                AdminAct::IssueCode => {
                    let (code, until) = door.issue_one_time_code(&name, actor, now)?;
                    AdminActResult::Code(code, until)
                }
                AdminAct::CancelCode => {
                    door.cancel_one_time_code(&name, actor, now)?;
                    AdminActResult::Done
                }
            })
        });
        let came = came.await?;
        crate::observe::log::event("administered")
            .with("operation", act.word())
            .with("address", self.address)
            .quoted("principal", &proven.session.name)
            .quoted("user", &whose)
            .write();
        Ok(came)
    }
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

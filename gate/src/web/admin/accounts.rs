//! Administrators on pages: who is one, and what they may do to another account. Each act takes a fresh proof of their own,
//! ends with their session, and stands in the log under their name.
//!
//! MUST NOT set anything that lets somebody in, but for a one-time code, nor show a secret.

use crate::http::reply::{self, Reply};
use crate::web::language::Language;
use crate::web::login::Guest;
use crate::web::pages::account::Asked;
use crate::web::refusal::Refused;
use crate::web::step_up::Proven;
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::credential::recovery_code::OneTimeCode;
use shared::engine::{Administers, AppPasswordsAfter};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// An act, as forms name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Disable,
    Unlock,
    MendClock,
    EndSessions,
    ForgetBrowsers,
    IssueCode,
    CancelCode,
}

impl Act {
    const ALL: [Act; 7] = [
        Act::Disable,
        Act::Unlock,
        Act::MendClock,
        Act::EndSessions,
        Act::ForgetBrowsers,
        Act::IssueCode,
        Act::CancelCode,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Act::Disable => "disable",
            Act::Unlock => "unlock",
            Act::MendClock => "unlock-clock",
            Act::EndSessions => "end-sessions",
            Act::ForgetBrowsers => "forget-browsers",
            Act::IssueCode => "issue-code",
            Act::CancelCode => "cancel-code",
        }
    }

    pub(super) fn read(word: &str) -> Option<Act> {
        Act::ALL.into_iter().find(|act| act.word() == word)
    }

    /// What is done.
    pub(crate) fn title(self, t: &Language) -> String {
        match self {
            Act::Disable => t.say("turn-off"),
            Act::Unlock => t.say("admin-unlock"),
            Act::MendClock => t.say("admin-reset-clock"),
            Act::EndSessions => t.say("admin-end-sessions"),
            Act::ForgetBrowsers => t.say("revoke-trust-all"),
            Act::IssueCode => t.say("admin-issue-code"),
            Act::CancelCode => t.say("admin-cancel-code"),
        }
    }

    /// What comes of it.
    fn line(self, t: &Language) -> String {
        match self {
            Act::Disable => t.say("admin-disable-line"),
            Act::Unlock => t.say("admin-unlock-line"),
            Act::MendClock => t.say("admin-reset-clock-line"),
            Act::EndSessions => t.say("open-connections"),
            Act::ForgetBrowsers => t.say("admin-revoke-trust-line"),
            Act::IssueCode => t.say("admin-issue-code-line"),
            Act::CancelCode => t.say("admin-cancel-code-line"),
        }
    }

    /// What its page asks.
    pub(super) fn asked(self, t: &Language, name: &UserName) -> Asked<'static> {
        Asked {
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
pub(super) enum Came {
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

impl Guest<'_> {
    /// The session of whoever administers; to everyone else nothing is there.
    pub(super) async fn administrator(&self) -> Result<Session, Reply> {
        let nothing = || reply::bare(StatusCode::NOT_FOUND);
        if !self.has_administration() {
            return Err(nothing());
        }
        let session = self.session().ok_or_else(nothing)?;
        let name = session.name.clone();
        let known = self
            .act(&session, move |door, _, _| door.administers(&name))
            .await;
        match known.map_err(|refused| self.refused(&refused))? {
            Administers::Yes => Ok(session),
            Administers::No => Err(nothing()),
            Administers::OnceEnrolled => {
                let text = self.t.say("admin-needs-factor");
                Err(self.refused(&Refused::new(StatusCode::FORBIDDEN, "needs_factor", text)))
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
        proven: &Proven,
        name: UserName,
        act: Act,
    ) -> Result<Came, Refused> {
        if name == proven.session.name {
            return Err(Refused::new(
                StatusCode::CONFLICT,
                "own_account",
                self.t.say("admin-own-account"),
            ));
        }
        let whose = name.clone();
        let came = self.act(&proven.session, move |door, actor, now| {
            Ok(match act {
                Act::Disable => {
                    let after = door.disable(&name, actor, now)?;
                    let needs = if door.is_required(&name)? {
                        Needs::NewFactor
                    } else {
                        Needs::Nothing
                    };
                    Came::Off(after, needs)
                }
                Act::Unlock => {
                    door.unlock(&name, actor, now)?;
                    Came::Done
                }
                Act::MendClock => Came::Many(door.mend_clock(&name, actor, now)?),
                Act::EndSessions => Came::Many(door.revoke_sessions(&name, None, actor, now)?),
                Act::ForgetBrowsers => Came::Many(door.revoke_browsers(&name, None, actor, now)?),
                Act::IssueCode => {
                    let (code, until) = door.issue_one_time_code(&name, actor, now)?;
                    Came::Code(code, until)
                }
                Act::CancelCode => {
                    door.cancel_one_time_code(&name, actor, now)?;
                    Came::Done
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
        for act in Act::ALL {
            assert_eq!(Act::read(act.word()), Some(act));
        }
        assert_eq!((Act::read(""), Act::read("password")), (None, None));
    }
}

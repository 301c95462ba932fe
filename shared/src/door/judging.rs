//! Judging for PAM hosts that are not root, at the gate. For one's own account nothing that the host says of itself
//! counts: whoever runs a process as this user has passed what lets in as this user, and stands on this host. Hosts that
//! `pam.socket_users` names are believed as root's are.
//!
//! MUST refuse others alike, whether or not there is such an account.

use super::errand::Caller;
use super::{Actor, AdministrationError, Door, DoorError, Means, PolicyError, Visitor};
use crate::answer::Answer as Typing;
use crate::app_password::AppPassword;
use crate::clock::Timestamp;
use crate::decision::{Refusal, Verdict};
use crate::earlier::Earlier;
use crate::enrolment::Footing;
use crate::errand::{Answer, Judged, Judging, Question, Reply, Typed};
use crate::guess::Stage;
use crate::name::UserName;
use crate::place::{Address, Origin};
use crate::policy::{Need, Subject};
use crate::store::AccountRecord;
use crate::ticket::{ErrandTicket, Purpose};
use crate::words;
use serde::{Deserialize, Serialize};

/// By what someone got in, as logs name it.
const APP_PASSWORD: &str = "app-password";

/// An answer that opened before the first factor had passed.
#[derive(Serialize, Deserialize)]
struct Opened {
    means: Means,
    at: Timestamp,
    from: Option<Address>,
}

impl Purpose for Opened {
    const KIND: &str = "postern opened ticket";
}

/// What came of what was typed.
pub enum Judgement {
    /// It opens.
    Accepted {
        /// By what, as logs name it.
        by: &'static str,
        /// What is booked when the first factor has passed too; an app password leaves nothing to book.
        means: Option<Means>,
        /// What the success brings, as people read it.
        told: Vec<String>,
    },
    /// It does not.
    Refused {
        /// Of a code.
        refusal: Option<Refusal>,
        /// Why, as logs name it.
        cause: String,
        /// Why, as people read it.
        words: String,
    },
}

impl Door {
    /// Judges what was typed at a PAM service: an app password by its mark, or any kind of code.
    pub fn judge(
        &mut self,
        visitor: &Visitor<'_>,
        typed: &[u8],
        now: Timestamp,
    ) -> Result<Judgement, DoorError> {
        let app_password = std::str::from_utf8(typed).ok().and_then(|text| AppPassword::read(text).ok());
        if let Some(app_password) = app_password {
            return Ok(match self.admit(visitor, &app_password, now)? {
                Ok(_) => Judgement::Accepted { by: APP_PASSWORD, means: None, told: Vec::new() },
                Err(refusal) => Judgement::Refused {
                    refusal: None,
                    cause: refusal.to_string(),
                    words: words::not_admitted(refusal),
                },
            });
        }
        let outcome = self.attempt(visitor, &Typing::read(typed), now)?;
        Ok(match outcome.verdict {
            Verdict::Accepted(accepted) => {
                let means = Means::from(accepted.spent());
                let told =
                    [outcome.missed.as_ref().map(words::missed), outcome.recovery.map(words::recovered)];
                let told = told.into_iter().flatten().collect();
                Judgement::Accepted { by: means.name(), means: Some(means), told }
            }
            Verdict::Refused(refusal) => Judgement::Refused {
                refusal: Some(refusal),
                cause: refusal.to_string(),
                words: words::refusal(refusal),
            },
        })
    }

    /// What the policy says of a visitor.
    pub fn need(&mut self, visitor: &Visitor<'_>, earlier: &Earlier) -> Result<Need, PolicyError> {
        let membership = self.membership(visitor.name)?;
        let groups = self.config.groups_of(visitor.name, &membership.groups).map_err(PolicyError::Groups)?;
        let subject = Subject {
            name: visitor.name,
            groups: &groups,
            service: visitor.service,
            address: visitor.origin.address(),
            earlier,
        };
        Ok(self.config.policy.need(&subject, membership.enrolled))
    }

    /// Answers a PAM host that is not root.
    pub(super) fn judge_for(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        judging: &Judging,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        let (origin, stage) = match caller {
            Caller::Owner { name, .. } if name == account => (Origin::Local(name.to_string()), Stage::After),
            Caller::Owner { name, .. } if !self.config.pam.socket_users.contains(name) => {
                return Err(AdministrationError::NotTrusted(name.clone()));
            }
            Caller::Owner { .. } | Caller::Root(_) => (origin(judging.address), judging.stage),
        };
        // of one's own account nobody else has seen it
        let earlier = match (caller, stage) {
            (Caller::Owner { name, .. }, _) if name == account => &Earlier::default(),
            (_, Stage::Before) => &Earlier::default(),
            (_, Stage::After) => &judging.earlier,
        };
        let service = judging.service.as_str();
        let visitor = Visitor { name: account, stage, origin: &origin, browser: None, service };
        let judged = match &judging.question {
            Question::Need => Judged::Need(self.need(&visitor, earlier)?),
            // Only who has passed the first factor signs in for the first time.
            Question::Waive if stage == Stage::Before => Judged::Waived(None),
            Question::Waive => Judged::Waived(self.waive(&visitor, now)?),
            Question::Grace(grace) => Judged::Grace(self.grace(&visitor, *grace, now)?),
            Question::PasswordChanged => {
                let actor = Actor::Service(caller.actor(), &origin, service);
                return Ok(match self.host_password_changed(account, actor, now)? {
                    None => Answer::Judged(Judged::NothingToEnd).into(),
                    Some(after) => {
                        let told = words::app_passwords(after).into_iter().collect();
                        Reply { told, answer: Answer::Judged(Judged::Ended) }
                    }
                });
            }
            Question::Answer(typed) => return self.judge_answer(caller, &visitor, typed, now),
            Question::Book(ticket) => return self.book(caller, &visitor, ticket, now),
        };
        Ok(Answer::Judged(judged).into())
    }

    fn judge_answer(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        typed: &Typed,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        let (by, means, told) = match self.judge(visitor, typed.as_bytes(), now)? {
            Judgement::Accepted { by, means, told } => (by.to_owned(), means, told),
            Judgement::Refused { refusal, cause, words } => {
                let cause = match refusal {
                    // a hint about a future code would be usable later, and this process's user may be who guesses
                    Some(Refusal::Ahead { .. }) => Refusal::Wrong.to_string(),
                    _ => cause,
                };
                return Ok(Answer::Judged(Judged::Refused { cause, words }).into());
            }
        };
        let ticket = match (visitor.stage, means) {
            (Stage::After, _) | (Stage::Before, None) => None,
            (Stage::Before, Some(means)) => {
                let opened = Opened { means, at: now, from: visitor.origin.address() };
                let footing = self.footing(visitor.name)?;
                let ticket = ErrandTicket::begun(visitor.name, caller.holder(), footing, opened, now);
                Some(ticket.seal(&self.token_keys())?)
            }
        };
        Ok(Reply { told, answer: Answer::Judged(Judged::Accepted { by, ticket }) })
    }

    /// What an answer brings that opened before the first factor; only once, however often the ticket comes.
    fn book(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        ticket: &Typed,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        // tickets are opened with the keys of now
        self.footing(visitor.name)?;
        let keys = self.token_keys();
        let ticket = ErrandTicket::<Opened>::open(ticket, &keys, visitor.name, caller.holder(), now)
            .ok_or(AdministrationError::Stale)?;
        let origin = origin(ticket.what.from);
        let visitor = Visitor {
            name: visitor.name,
            stage: Stage::Before,
            origin: &origin,
            browser: None,
            service: visitor.service,
        };
        let is_booked = |record: &AccountRecord| is_booked(record, &ticket.footing, &ticket.what);
        let entered = self.entered_unless(&visitor, ticket.what.means, now, is_booked)?;
        let told = entered.map_or([None, None], |entered| {
            [entered.missed.as_ref().map(words::missed), entered.recovery.map(words::recovered)]
        });
        Ok(Reply { told: told.into_iter().flatten().collect(), answer: Answer::Judged(Judged::Booked) })
    }
}

/// Otherwise a ticket could forgive wrong codes over and over. A recovery code ends what the account had open, whatever
/// sign-ins there were meanwhile.
fn is_booked(record: &AccountRecord, footing: &Footing, opened: &Opened) -> bool {
    match opened.means {
        Means::RecoveryCode => footing.account != Some((record.id, record.generation)),
        _ => record.last_sign_in.is_some_and(|last| last >= opened.at),
    }
}

fn origin(address: Option<Address>) -> Origin {
    address.map_or(Origin::Unknown, Origin::Remote)
}

//! What the conversations of PAM hosts ask. For the account of a host that runs as its owner nothing that the host says
//! of itself counts: whoever runs a process as this user has passed what lets in as this user, and stands on this host.
//! Hosts that `pam.socket_users` names are believed as root's are, but for which key was verified and which user of this
//! host someone is: each has a row of guesses of his own.
//!
//! MUST refuse others alike, whether or not there is such an account.

use super::auth_token::AcceptedBefore;
use super::pam_account::Passed;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::app_password::AppPassword;
use crate::credential::completed_methods::Earlier;
use crate::credential::input::{Answer as Typing, LENGTHS, Reading, ending};
use crate::engine::administration::command::Caller;
use crate::engine::mail::code::Posted;
use crate::engine::{
    Actor, AdministrationError, Asked, Door, DoorError, Membership, PolicyError, Visitor,
    account_data, messages,
};
use crate::policy::groups;
use crate::policy::requirement::{Need, Subject};
use crate::protocol::command_request::{Answer, Judged, Judging, Question, Reply, Typed};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::AccountAt;
use crate::verify::decision::{Refusal, Spared, Verdict};
use crate::verify::method::Means;
use crate::verify::origin::Origin;
use crate::verify::throttle::Stage;

/// By what someone got in, as logs name it.
const APP_PASSWORD: &str = "app-password";

/// What came of what was typed.
enum Judgement {
    /// It opens.
    Accepted {
        /// By what, as logs name it.
        by: &'static str,
        /// What is booked when the first factor has passed too; an app password leaves nothing to book.
        means: Option<Means>,
        /// The account as it was then.
        at: Option<AccountAt>,
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
    /// Answers a question of a PAM conversation; the caller is the host's, as the kernel says.
    pub fn judge_for(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        judging: &Judging,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        let (origin, stage) = self.stands(caller, account, (&judging.origin, judging.stage))?;
        let service = judging.service.as_str();
        let visitor = Visitor {
            name: account,
            stage,
            origin: &origin,
            browser: None,
            service,
        };
        // before it is looked at, so that no revocation comes between
        let mut at = match &judging.question {
            Question::Waive | Question::Grace(_) => self.account_at(account)?,
            _ => None,
        };
        let judged = match &judging.question {
            Question::Need => {
                let (nothing, own) = (Earlier::default(), caller.owns(account));
                // of one's own account nobody else has seen it
                let earlier = if own || stage == Stage::Before {
                    &nothing
                } else {
                    &judging.earlier
                };
                // a process that calls itself any service is exempt as none
                let service = if own { "" } else { service };
                let membership;
                (at, membership) = self.account_and_membership(account)?;
                let mail = membership.mail;
                Judged::Need {
                    need: self.need(&Visitor { service, ..visitor }, earlier, membership)?,
                    mail,
                }
            }
            // Only who has passed the first factor signs in for the first time.
            Question::Waive if stage == Stage::Before => Judged::Waived(None),
            Question::Waive => Judged::Waived(self.waive(&visitor, now)?),
            Question::Answer { typed, reading } => {
                return self.judge_answer(caller, &visitor, judging, (typed, *reading), now);
            }
            Question::Grace(grace) => Judged::Grace(self.grace(&visitor, *grace, now)?),
            Question::PasswordChanged => {
                // of the own account too: any process of the person's would end all that is open, and no password is shown
                if let Caller::Owner { name, .. } = caller {
                    if !self.config.pam.socket_users.contains(name) {
                        return Err(AdministrationError::NotBelieved(name.clone()));
                    }
                }
                let actor = Actor::Service(caller.name(), &origin, service);
                return Ok(match self.host_password_changed(account, actor, now)? {
                    None => Answer::Judged(Judged::NothingToEnd).into(),
                    Some(after) => {
                        let told = messages::app_passwords(after).into_iter().collect();
                        Reply {
                            told,
                            ..Answer::Judged(Judged::Done).into()
                        }
                    }
                });
            }
            Question::Account(mark) => return self.account_hook(caller, judging, mark, now),
            Question::Setup(step) => {
                return self.set_up_at_prompt(caller, &visitor, judging, step, now);
            }
        };
        let at = match judged {
            // with the first sign-in the account may have come into being
            Judged::Waived(Some(_)) if at.is_none() => Some(self.account_at(account)?),
            Judged::Waived(Some(_)) | Judged::Grace(Spared::Yes) => Some(at),
            Judged::Need { need, .. } if need != Need::Code => Some(at),
            _ => None,
        };
        let mark = match at {
            None => None,
            Some(at) => self.seal_mark(
                judging,
                Passed {
                    caller,
                    account,
                    at,
                    accepted: None,
                    told: Vec::new(),
                },
                now,
            )?,
        };
        Ok(Reply {
            mark,
            ..Answer::Judged(judged).into()
        })
    }

    /// Where someone stands, and what they have passed; the host says so itself, as far as that is believed.
    fn stands(
        &self,
        caller: Caller<'_>,
        account: &UserName,
        (claimed, stage): (&Origin, Stage),
    ) -> Result<(Origin, Stage), AdministrationError> {
        match caller {
            Caller::Owner { name, .. } if name == account => {
                Ok((Origin::Local(name.to_string()), Stage::After))
            }
            Caller::Owner { name, .. } if !self.config.pam.socket_users.contains(name) => {
                Err(AdministrationError::NotTrusted(name.clone()))
            }
            // no PAM host
            Caller::SteppedUp(session, _) => {
                Err(AdministrationError::NotTrusted(session.name.clone()))
            }
            Caller::Owner { name, .. }
                if matches!(claimed, Origin::Local(_) | Origin::Terminal(_)) =>
            {
                Ok((Origin::Local(name.to_string()), stage))
            }
            // a key has a bucket of its own, so which one it is must not be the service's to say
            Caller::Owner { .. } => Ok((claimed.clone().without_key(), stage)),
            Caller::Root(_) => Ok((claimed.clone(), stage)),
        }
    }

    /// What the policy says of a visitor.
    fn need(
        &mut self,
        visitor: &Visitor<'_>,
        earlier: &Earlier,
        membership: Membership,
    ) -> Result<Need, PolicyError> {
        if let Some(other) = membership.spelled_otherwise {
            match (visitor.stage, groups::name_of(visitor.name)) {
                // Unix takes them for two users
                (_, Ok(Some(own))) if own == *visitor.name => {}
                // strangers must not learn that there is such an account
                (Stage::Before, _) => return Ok(Need::Code),
                (Stage::After, Ok(_)) => return Err(PolicyError::OtherSpelling(other)),
                (Stage::After, Err(error)) => return Err(PolicyError::Groups(error)),
            }
        }
        let groups = self.policy_groups(visitor.name, &membership.groups)?;
        let subject = Subject {
            name: visitor.name,
            groups: &groups,
            service: visitor.service,
            address: visitor.origin.certain_address(),
            earlier,
        };
        Ok(self.config.policy.need(&subject, membership.enrolled))
    }

    fn judge_answer(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        judging: &Judging,
        (typed, reading): (&Typed, Reading),
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        let (code, taken) = match reading {
            Reading::Whole => (&**typed, typed.len()),
            Reading::Ending => self.ending(visitor.name, typed)?,
        };
        let (by, means, at, told) = match self.judge(visitor, code, now)? {
            Judgement::Accepted {
                by,
                means,
                at,
                told,
            } => (by.to_owned(), means, at, told),
            Judgement::Refused {
                refusal,
                cause,
                words,
            } => {
                let cause = match (refusal, caller) {
                    // a hint about a future code would be usable later, and this process's user may be who guesses
                    (Some(Refusal::Ahead { .. }), Caller::Owner { .. }) => {
                        Refusal::Wrong.to_string()
                    }
                    _ => cause,
                };
                return Ok(Answer::Judged(Judged::Refused {
                    cause,
                    words,
                    taken,
                })
                .into());
            }
        };
        let accepted = means
            .filter(|_| visitor.stage == Stage::Before)
            .map(|means| AcceptedBefore {
                means,
                at: now,
                from: visitor.origin.clone(),
            });
        // a host that does not know that the first factor has passed tells it then
        let told_later = match judging.stage {
            Stage::Before if accepted.is_none() => told.clone(),
            _ => Vec::new(),
        };
        let passed = Passed {
            caller,
            account: visitor.name,
            at,
            accepted,
            told: told_later,
        };
        let mark = self.seal_mark(judging, passed, now)?;
        Ok(Reply {
            told,
            mark,
            answer: Answer::Judged(Judged::Accepted { by, taken }),
        })
    }

    /// The answer behind a password in one field, and how many bytes that takes of what was typed. An app password
    /// stands for both. Whoever has no second factor, or one with longer codes, typed a password alone, and what it
    /// ends with is compared all the same: it takes as long and costs as much.
    fn ending<'t>(
        &mut self,
        name: &UserName,
        typed: &'t str,
    ) -> Result<(&'t str, usize), DoorError> {
        if AppPassword::read(typed).is_ok() {
            return Ok((typed, typed.len()));
        }
        let (enrolled, lengths) = self.code_lengths(name)?;
        let end = |taken: usize| &typed[typed.len() - taken..];
        match (enrolled, ending(typed, &lengths)) {
            (_, 0) => Ok((end(ending(typed, &LENGTHS)), 0)),
            (Enrolled::Yes, taken) => Ok((end(taken), taken)),
            (Enrolled::No, taken) => Ok((end(taken), 0)),
        }
    }

    /// How long the codes are that someone may type.
    fn code_lengths(&mut self, name: &UserName) -> Result<(Enrolled, Vec<u32>), DoorError> {
        let declared = account_data::declared(&self.config, name)?;
        let mail = self.membership(name)?.mail;
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let id = tx.account(name)?.map_or(AccountId(0), |record| record.id);
        let stored = tx.authenticators(id)?;
        let mut lengths: Vec<u32> = match declared {
            Some((_, parameters)) => vec![parameters.digits],
            None => stored
                .iter()
                .map(|authenticator| authenticator.parameters.digits)
                .collect(),
        };
        lengths.extend(crate::engine::mail::code::digits(mail));
        match lengths.is_empty() {
            true => Ok((Enrolled::No, vec![self.config.totp.parameters().digits])),
            false => Ok((Enrolled::Yes, lengths)),
        }
    }

    /// Judges an answer: an app password by its mark, or any kind of code.
    fn judge(
        &mut self,
        visitor: &Visitor<'_>,
        typed: &str,
        now: Timestamp,
    ) -> Result<Judgement, DoorError> {
        if let Ok(app_password) = AppPassword::read(typed) {
            // before it is looked at, so that no revocation comes between
            let at = self.account_at(visitor.name)?;
            return Ok(match self.admit(visitor, &app_password, now)? {
                Ok(_) => Judgement::Accepted {
                    by: APP_PASSWORD,
                    means: None,
                    at,
                    told: Vec::new(),
                },
                Err(refusal) => Judgement::Refused {
                    refusal: None,
                    cause: refusal.to_string(),
                    words: messages::not_admitted(refusal),
                },
            });
        }
        let outcome = self.attempt(visitor, &Typing::read(typed.as_bytes()), now)?;
        Ok(match outcome.verdict {
            Verdict::Accepted(accepted) => {
                let means = Means::from(accepted.spent());
                let told = [
                    outcome.missed.as_ref().map(messages::missed),
                    outcome.recovery.map(messages::recovered),
                ];
                let told = told.into_iter().flatten().collect();
                Judgement::Accepted {
                    by: means.name(),
                    means: Some(means),
                    at: outcome.at,
                    told,
                }
            }
            Verdict::Refused(refusal) => Judgement::Refused {
                refusal: Some(refusal),
                cause: refusal.to_string(),
                words: messages::refusal(refusal),
            },
        })
    }

    /// A code by mail is asked for; [`Door::look_after`] tells what becomes of the letter.
    pub fn post_code_for(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Asked<Posted>, AdministrationError> {
        let (origin, stage) = self.stands(caller, visitor.name, (visitor.origin, visitor.stage))?;
        Ok(self.mail_code(
            &Visitor {
                stage,
                origin: &origin,
                ..*visitor
            },
            None,
            now,
        )?)
    }
}

//! What the conversations of PAM hosts ask. For the account of a host that runs as its owner nothing that the host says
//! of itself counts: whoever runs a process as this user has passed what lets in as this user, and stands on this host.
//! Hosts that `pam.socket_users` names are believed as root's are, but for which key was verified and which user of this
//! host someone is: each has a row of guesses of his own.
//!
//! MUST refuse others alike, whether or not there is such an account.

use super::auth_token::EarlyAcceptance;
use super::pam_account::MarkContents;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::app_password::AppPassword;
use crate::credential::completed_methods::CompletedMethods;
use crate::credential::input::{Input as Typing, InputReading, LENGTHS, code_length_at_end};
use crate::engine::administration::command::Requester;
use crate::engine::mail::code::MailQueued;
use crate::engine::{
    AdministrationError, Engine, EngineError, MailRequest, PolicyError, PolicyFacts, Principal,
    VerificationRequest, account_data, messages,
};
use crate::policy::groups;
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::protocol::command_request::{
    EngineReply, ReplyBody, TypedText, VerifyOperation, VerifyReply, VerifyRequest,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::AccountVersion;
use crate::verify::decision::{Refusal, WithinGrace};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// By what someone got in, as logs name it.
const APP_PASSWORD: &str = "app-password";

/// What came of what was typed.
enum PamVerification {
    /// It opens.
    Accepted {
        /// By what, as logs name it.
        by: &'static str,
        /// What is booked when the first factor has passed too; an app password leaves nothing to book.
        means: Option<AuthenticationMethod>,
        /// The account as it was then.
        at: Option<AccountVersion>,
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

impl Engine {
    /// Answers a question of a PAM conversation; the caller is the host's, as the kernel says.
    pub fn judge_for(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        judging: &VerifyRequest,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let (origin, stage) = self.stands(caller, account, (&judging.origin, judging.stage))?;
        let service = judging.service.as_str();
        let visitor = VerificationRequest {
            name: account,
            phase: stage,
            origin: &origin,
            browser: None,
            service,
        };
        // before it is looked at, so that no revocation comes between
        let mut at = match &judging.question {
            VerifyOperation::Waive | VerifyOperation::Grace(_) => self.account_at(account)?,
            _ => None,
        };
        let judged = match &judging.question {
            VerifyOperation::Need => {
                let (nothing, own) = (CompletedMethods::default(), caller.owns(account));
                // of one's own account nobody else has seen it
                let earlier = if own || stage == Phase::Before {
                    &nothing
                } else {
                    &judging.earlier
                };
                // a process that calls itself any service is exempt as none
                let service = if own { "" } else { service };
                let membership;
                (at, membership) = self.load_account_with_policy_facts(account)?;
                let mail = membership.mail;
                VerifyReply::Need {
                    need: self.need(
                        &VerificationRequest { service, ..visitor },
                        earlier,
                        membership,
                    )?,
                    mail,
                }
            }
            // Only who has passed the first factor signs in for the first time.
            VerifyOperation::Waive if stage == Phase::Before => VerifyReply::Waived(None),
            VerifyOperation::Waive => {
                VerifyReply::Waived(self.grant_enrollment_grace(&visitor, now)?)
            }
            VerifyOperation::Answer { typed, reading } => {
                return self.judge_answer(caller, &visitor, judging, (typed, *reading), now);
            }
            VerifyOperation::Grace(grace) => {
                VerifyReply::Grace(self.check_grace_period(&visitor, *grace, now)?)
            }
            VerifyOperation::PasswordChanged => {
                // of the own account too: any process of the person's would end all that is open, and no password is shown
                if let Requester::Owner { name, .. } = caller {
                    if !self.config.pam.socket_users.contains(name) {
                        return Err(AdministrationError::MayNotReportPassword(name.clone()));
                    }
                }
                let actor = Principal::Service(caller.name(), &origin, service);
                return Ok(
                    match self.record_host_password_change(account, actor, now)? {
                        None => ReplyBody::Judged(VerifyReply::NothingToEnd).into(),
                        Some(after) => {
                            let told = messages::app_passwords_text(after).into_iter().collect();
                            EngineReply {
                                messages: told,
                                ..ReplyBody::Judged(VerifyReply::Done).into()
                            }
                        }
                    },
                );
            }
            VerifyOperation::Account(mark) => return self.account_hook(caller, judging, mark, now),
            VerifyOperation::Setup(step) => {
                return self.set_up_at_prompt(caller, &visitor, judging, step, now);
            }
        };
        let at = match judged {
            // with the first sign-in the account may have come into being
            VerifyReply::Waived(Some(_)) if at.is_none() => Some(self.account_at(account)?),
            VerifyReply::Waived(Some(_)) | VerifyReply::Grace(WithinGrace::Yes) => Some(at),
            VerifyReply::Need { need, .. } if need != Requirement::Code => Some(at),
            _ => None,
        };
        let mark = match at {
            None => None,
            Some(at) => self.seal_mark(
                judging,
                MarkContents {
                    caller,
                    account,
                    at,
                    accepted: None,
                    told: Vec::new(),
                },
                now,
            )?,
        };
        Ok(EngineReply {
            mark,
            ..ReplyBody::Judged(judged).into()
        })
    }

    /// Where someone stands, and what they have passed; the host says so itself, as far as that is believed.
    fn stands(
        &self,
        caller: Requester<'_>,
        account: &UserName,
        (claimed, stage): (&Origin, Phase),
    ) -> Result<(Origin, Phase), AdministrationError> {
        match caller {
            Requester::Owner { name, .. } if name == account => {
                Ok((Origin::Local(name.to_string()), Phase::After))
            }
            Requester::Owner { name, .. } if !self.config.pam.socket_users.contains(name) => {
                Err(AdministrationError::NotTrusted(name.clone()))
            }
            // no PAM host
            Requester::SteppedUp(session, _) => {
                Err(AdministrationError::NotTrusted(session.name.clone()))
            }
            Requester::Owner { name, .. }
                if matches!(claimed, Origin::Local(_) | Origin::Terminal(_)) =>
            {
                Ok((Origin::Local(name.to_string()), stage))
            }
            // a key has a bucket of its own, so which one it is must not be the service's to say
            Requester::Owner { .. } => Ok((claimed.clone().without_key(), stage)),
            Requester::Root(_) => Ok((claimed.clone(), stage)),
        }
    }

    /// What the policy says of a visitor.
    fn need(
        &mut self,
        visitor: &VerificationRequest<'_>,
        earlier: &CompletedMethods,
        membership: PolicyFacts,
    ) -> Result<Requirement, PolicyError> {
        if let Some(other) = membership.spelled_otherwise {
            match (visitor.phase, groups::find_canonical_name(visitor.name)) {
                // Unix takes them for two users
                (_, Ok(Some(own))) if own == *visitor.name => {}
                // strangers must not learn that there is such an account
                (Phase::Before, _) => return Ok(Requirement::Code),
                (Phase::After, Ok(_)) => return Err(PolicyError::OtherSpelling(other)),
                (Phase::After, Err(error)) => return Err(PolicyError::Groups(error)),
            }
        }
        let groups = self.load_policy_groups(visitor.name, &membership.groups)?;
        let subject = PolicySubject {
            name: visitor.name,
            groups: &groups,
            service: visitor.service,
            address: visitor.origin.certain_address(),
            completed_methods: earlier,
        };
        Ok(self
            .config
            .policy
            .evaluate_requirement(&subject, membership.enrolled))
    }

    fn judge_answer(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        judging: &VerifyRequest,
        (typed, reading): (&TypedText, InputReading),
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let (code, taken) = match reading {
            InputReading::Whole => (&**typed, typed.len()),
            InputReading::CodeAtEnd => self.ending(visitor.name, typed)?,
        };
        let (by, means, at, told) = match self.judge(visitor, code, now)? {
            PamVerification::Accepted {
                by,
                means,
                at,
                told,
            } => (by.to_owned(), means, at, told),
            PamVerification::Refused {
                refusal,
                cause,
                words,
            } => {
                let cause = match (refusal, caller) {
                    // a hint about a future code would be usable later, and this process's user may be who guesses
                    (Some(Refusal::Ahead { .. }), Requester::Owner { .. }) => {
                        Refusal::Wrong.to_string()
                    }
                    _ => cause,
                };
                return Ok(ReplyBody::Judged(VerifyReply::Refused {
                    cause,
                    words,
                    taken,
                })
                .into());
            }
        };
        let accepted = means
            .filter(|_| visitor.phase == Phase::Before)
            .map(|means| EarlyAcceptance {
                means,
                at: now,
                from: visitor.origin.clone(),
            });
        // a host that does not know that the first factor has passed tells it then
        let told_later = match judging.stage {
            Phase::Before if accepted.is_none() => told.clone(),
            _ => Vec::new(),
        };
        let passed = MarkContents {
            caller,
            account: visitor.name,
            at,
            accepted,
            told: told_later,
        };
        let mark = self.seal_mark(judging, passed, now)?;
        Ok(EngineReply {
            messages: told,
            mark,
            answer: ReplyBody::Judged(VerifyReply::Accepted { by, taken }),
        })
    }

    /// The answer behind a password in one field, and how many bytes that takes of what was typed. An app password
    /// stands for both. Whoever has no second factor, or one with longer codes, typed a password alone, and what it
    /// ends with is compared all the same: it takes as long and costs as much.
    fn ending<'t>(
        &mut self,
        name: &UserName,
        typed: &'t str,
    ) -> Result<(&'t str, usize), EngineError> {
        if AppPassword::parse(typed).is_ok() {
            return Ok((typed, typed.len()));
        }
        let (enrolled, lengths) = self.code_lengths(name)?;
        let end = |taken: usize| &typed[typed.len() - taken..];
        match (enrolled, code_length_at_end(typed, &lengths)) {
            (_, 0) => Ok((end(code_length_at_end(typed, &LENGTHS)), 0)),
            (Enrolled::Yes, taken) => Ok((end(taken), taken)),
            (Enrolled::No, taken) => Ok((end(taken), 0)),
        }
    }

    /// How long the codes are that someone may type.
    fn code_lengths(&mut self, name: &UserName) -> Result<(Enrolled, Vec<u32>), EngineError> {
        let declared = account_data::read_declared_secret(&self.config, name)?;
        let mail = self.load_policy_facts(name)?.mail;
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let id = tx
            .find_account(name)?
            .map_or(AccountId(0), |record| record.id);
        let stored = tx.authenticators(id)?;
        let mut lengths: Vec<u32> = match declared {
            Some((_, parameters)) => vec![parameters.digits],
            None => stored
                .iter()
                .map(|authenticator| authenticator.parameters.digits)
                .collect(),
        };
        lengths.extend(crate::engine::mail::code::mailed_code_digits(mail));
        match lengths.is_empty() {
            true => Ok((Enrolled::No, vec![self.config.totp.otp_parameters().digits])),
            false => Ok((Enrolled::Yes, lengths)),
        }
    }

    /// Judges an answer: an app password by its mark, or any kind of code.
    fn judge(
        &mut self,
        visitor: &VerificationRequest<'_>,
        typed: &str,
        now: Timestamp,
    ) -> Result<PamVerification, EngineError> {
        if let Ok(app_password) = AppPassword::parse(typed) {
            // before it is looked at, so that no revocation comes between
            let at = self.account_at(visitor.name)?;
            return Ok(
                match self.verify_app_password(visitor, &app_password, now)? {
                    Ok(_) => PamVerification::Accepted {
                        by: APP_PASSWORD,
                        means: None,
                        at,
                        told: Vec::new(),
                    },
                    Err(refusal) => PamVerification::Refused {
                        refusal: None,
                        cause: refusal.to_string(),
                        words: messages::app_password_refusal(refusal),
                    },
                },
            );
        }
        let outcome = self.verify_input(visitor, &Typing::parse(typed.as_bytes()), now)?;
        Ok(match outcome.result {
            Ok(accepted) => {
                let means = AuthenticationMethod::from(accepted.consumed());
                let told = [
                    outcome.missed.as_ref().map(messages::missed_inputs),
                    outcome.recovery.map(messages::recovery_text),
                ];
                let told = told.into_iter().flatten().collect();
                PamVerification::Accepted {
                    by: means.name(),
                    means: Some(means),
                    at: outcome.at,
                    told,
                }
            }
            Err(refusal) => PamVerification::Refused {
                refusal: Some(refusal),
                cause: refusal.to_string(),
                words: messages::refusal(refusal),
            },
        })
    }

    /// A code by mail is asked for; [`Door::look_after`] tells what becomes of the letter.
    pub fn post_code_for(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<MailRequest<MailQueued>, AdministrationError> {
        let (origin, stage) = self.stands(caller, visitor.name, (visitor.origin, visitor.phase))?;
        Ok(self.mail_code(
            &VerificationRequest {
                phase: stage,
                origin: &origin,
                ..*visitor
            },
            None,
            now,
        )?)
    }
}

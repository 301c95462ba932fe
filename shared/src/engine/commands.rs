//! Execution of requests of the command: root's in the command itself, a local user's through
//! posternd. A user who changes the own account proves it with a code, which is verified, throttled
//! and consumed as at a sign-in.
//!
//! MUST NOT execute a change by an owner before `verify_requester` has returned.

use super::enrollment::pending::{AccountSnapshot, PendingEnrollment};
use super::{
    AdministrationError, AfterEnrollmentCode, AppPasswordsAfter, COMMAND, Commands, Requester,
    VerificationRequest, messages,
};
use crate::account::name::UserName;
use crate::credential::input::Input;
use crate::engine::passkeys::demand::refuse_weak_session;
use crate::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EngineReply, EnrollmentOperation,
    FinishOperation, Operation, ReadOperation, ReplyBody, TypedText,
};
use crate::protocol::status::PasskeyState;
use crate::system::clock::Timestamp;
use crate::verify::one_time_code::AcceptedEnrollmentCode;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// Trusted browsers in a reply, the newest. The reply must fit one frame.
const MAX_BROWSERS: usize = 200;

/// Proof on which a change is executed.
struct CodeProof {
    messages: Vec<String>,
    /// Snapshot taken before the proof: what begins here must not outlive a later revocation.
    snapshot: AccountSnapshot,
    accepted_code: Option<AcceptedEnrollmentCode>,
}

impl Commands<'_> {
    pub fn execute_request(
        &mut self,
        requester: Requester<'_>,
        request: &CommandRequest,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let account = &request.account;
        requester.check_account(account)?;
        match &request.operation {
            Operation::Read(read) => Ok(self.execute_read(account, *read, now)?.into()),
            Operation::Finish(finish) => self.execute_finish(requester, account, finish, now),
            // The host verifies the password between two steps, `prepare_first_enrollment` and
            // `begin_first_enrollment`.
            Operation::FirstEnrollment { .. } => Err(AdministrationError::HostPasswordUnavailable(
                account.clone(),
            )),
            Operation::Change { code, change } => {
                // An impossible change is refused before it consumes a code.
                self.check_change(account, change)?;
                let proof =
                    self.verify_requester(requester, account, code.as_ref(), change, now)?;
                let (engine, actor) = (&mut *self.engine, requester.actor());
                let reply = match change {
                    ChangeOperation::RevokeBrowsers(one) => ReplyBody::Revoked(
                        engine
                            .sessions()
                            .revoke_browsers(account, *one, actor, now)?,
                    ),
                    ChangeOperation::RemoveAuthenticator(label) => {
                        let mut enrollment = engine.enrollment();
                        enrollment.remove_authenticator(account, label, actor, now)?;
                        ReplyBody::Done
                    }
                    ChangeOperation::RemovePasskey(label) => {
                        let mut passkeys = engine.passkeys();
                        passkeys.remove_passkey(account, label, actor, now)?;
                        ReplyBody::Done
                    }
                    ChangeOperation::RenamePasskey { name, new } => {
                        let mut passkeys = engine.passkeys();
                        passkeys.rename_passkey(account, name, new, actor, now)?;
                        ReplyBody::Done
                    }
                    ChangeOperation::BeginEnrollment(operation) => {
                        let (snapshot, accepted_code) = (proof.snapshot, proof.accepted_code);
                        let mut enrollment = engine.enrollment();
                        enrollment.begin_enrollment(
                            requester,
                            account,
                            operation,
                            snapshot,
                            accepted_code,
                            now,
                        )?
                    }
                    ChangeOperation::BeginRecoveryCodes => {
                        let to = requester.token_recipient(account, &proof.snapshot);
                        let mut enrollment = engine.enrollment();
                        let new = enrollment.issue_recovery_codes(to, proof.snapshot, now)?;
                        ReplyBody::RecoveryCodes {
                            codes: new.codes,
                            token: new.token,
                        }
                    }
                };
                Ok(EngineReply {
                    messages: proof.messages,
                    ..reply.into()
                })
            }
        }
    }

    fn execute_read(
        &mut self,
        account: &UserName,
        read: ReadOperation,
        now: Timestamp,
    ) -> Result<ReplyBody, AdministrationError> {
        Ok(match read {
            ReadOperation::Status => {
                ReplyBody::Status(Box::new(self.engine.accounts().account_status(account)?))
            }
            ReadOperation::Authenticators => {
                ReplyBody::Authenticators(self.engine.enrollment().list_authenticators(account)?)
            }
            ReadOperation::Passkeys => {
                let kept = self.engine.passkeys().list_passkeys_if_any(account)?;
                ReplyBody::Passkeys(kept.iter().map(PasskeyState::from).collect())
            }
            ReadOperation::Browsers => {
                let mut browsers = self.engine.sessions().list_trusted_browsers(account, now)?;
                browsers.truncate(MAX_BROWSERS);
                ReplyBody::Browsers(browsers)
            }
        })
    }

    fn check_change(
        &mut self,
        account: &UserName,
        change: &ChangeOperation,
    ) -> Result<(), AdministrationError> {
        match change {
            ChangeOperation::BeginEnrollment(enrollment) => {
                let config = self.engine.config();
                let pending = PendingEnrollment::from_operation(config, account, enrollment)?;
                self.engine.enrollment().check_enrollment(&pending)
            }
            ChangeOperation::BeginRecoveryCodes => {
                self.engine.enrollment().refuse_recovery_codes(account)
            }
            // a code is asked for and consumed only if there is such a passkey
            ChangeOperation::RemovePasskey(name) | ChangeOperation::RenamePasskey { name, .. } => {
                self.engine.passkeys().require_passkey(account, name)
            }
            ChangeOperation::RevokeBrowsers(_) | ChangeOperation::RemoveAuthenticator(_) => Ok(()),
        }
    }

    /// Verifies and consumes the code of a local user. Root needs none. The one-time code of a first
    /// enrollment is verified here and consumed by its activation.
    fn verify_requester(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        code: Option<&TypedText>,
        change: &ChangeOperation,
        now: Timestamp,
    ) -> Result<CodeProof, AdministrationError> {
        let mut proof = CodeProof {
            messages: Vec::new(),
            snapshot: self.engine.enrollment().snapshot_account(account)?,
            accepted_code: None,
        };
        let Requester::Owner { name, .. } = requester else {
            return Ok(proof);
        };
        let origin = Origin::Local(name.to_string());
        // The peer runs a process as this user, so it has passed the first factor.
        let request = VerificationRequest::new(account, Phase::After, &origin, COMMAND);
        let typed = code.map_or("", |code| &**code);
        let input = Input::parse(typed.as_bytes());
        if let ChangeOperation::BeginEnrollment(EnrollmentOperation {
            kind: AuthenticatorKind::First,
            ..
        }) = change
        {
            proof.accepted_code = Some(
                self.engine
                    .accounts()
                    .verify_owner_one_time_code(&request, &input, now)?,
            );
            return Ok(proof);
        }
        if !matches!(input, Input::RecoveryCode(_)) {
            self.refuse_weak_change(account, change)?;
        }
        let outcome = self
            .engine
            .verification()
            .verify_input(&request, &input, now)?;
        match outcome.result {
            Err(refusal) => Err(AdministrationError::Code(refusal)),
            Ok(_) => {
                proof.messages.extend(outcome.after_login.messages());
                if outcome.after_login.recovery.is_some() {
                    // A recovery code ends all sessions of the account, which changes its snapshot.
                    proof.snapshot = self.engine.enrollment().snapshot_account(account)?;
                }
                Ok(proof)
            }
        }
    }

    /// Refuses a user without a recovery code what would replace a passkey that is demanded, before a
    /// code is consumed.
    fn refuse_weak_change(
        &mut self,
        account: &UserName,
        change: &ChangeOperation,
    ) -> Result<(), AdministrationError> {
        match change {
            ChangeOperation::RemovePasskey(_) | ChangeOperation::BeginRecoveryCodes => {
                let kept = self.engine.passkeys().list_passkeys_if_any(account)?;
                Ok(refuse_weak_session(
                    &self.engine.config,
                    account,
                    &kept,
                    None,
                )?)
            }
            ChangeOperation::BeginEnrollment(_)
            | ChangeOperation::RemoveAuthenticator(_)
            | ChangeOperation::RenamePasskey { .. }
            | ChangeOperation::RevokeBrowsers(_) => Ok(()),
        }
    }

    fn execute_finish(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        finish: &FinishOperation,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let mut enrollment = self.engine.enrollment();
        match finish {
            FinishOperation::Confirm { token, code } => {
                let (holder, input) = (requester.holder(), Input::parse(code.as_bytes()));
                match enrollment.confirm_draft(token.clone(), account, holder, &input, now)? {
                    AfterEnrollmentCode::Confirmed { confirmed, .. } => {
                        Ok(ReplyBody::Confirmed { token: confirmed }.into())
                    }
                    AfterEnrollmentCode::Refused(refusal, _) => {
                        Ok(ReplyBody::NotConfirmed(refusal).into())
                    }
                    AfterEnrollmentCode::Over => Err(AdministrationError::Stale),
                }
            }
            FinishOperation::Activate { token } => {
                let (holder, actor) = (requester.holder(), requester.actor());
                enrollment
                    .activate_confirmed(token, account, holder, actor, now)
                    .map(|activated| activated_reply(activated.app_passwords))
            }
            FinishOperation::ActivateUnconfirmed { token } => enrollment
                .activate_unconfirmed(token, account, requester, now)
                .map(activated_reply),
            FinishOperation::ReplaceRecoveryCodes { token } => {
                let (holder, actor) = (requester.holder(), requester.actor());
                enrollment.activate_recovery_codes(token, account, holder, actor, now)?;
                Ok(ReplyBody::Done.into())
            }
        }
    }
}

fn activated_reply(after: AppPasswordsAfter) -> EngineReply {
    EngineReply {
        messages: messages::app_passwords_text(after).into_iter().collect(),
        ..ReplyBody::Done.into()
    }
}

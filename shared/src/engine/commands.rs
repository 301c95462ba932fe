//! Execution of requests: root's from the command, a local user's through posternd, and a web
//! user's through the gate after step-up. A user who changes the own account proves it with a code,
//! which is verified, throttled and consumed as at a sign-in.
//!
//! MUST NOT execute a change by an owner before `verify_requester` has returned.

use super::Commands;
use super::accounts::error::AdministrationError;
use super::enrollment::authenticators::read_account_snapshot;
use super::enrollment::pending::{AccountSnapshot, EnrollmentConfirmation, PendingEnrollment};
use super::enrollment::token::{
    ConfirmedEnrollment, DraftError, EnrollmentDraft, PendingRecoveryCodes,
};
use super::enrollment::web::show_enrollment;
use super::principal::Principal;
use super::{
    AppPasswordsAfter, COMMAND, EngineError, ShownEnrollment, VerificationRequest, messages,
};
use crate::account::name::UserName;
use crate::credential::input;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret};
use crate::credential::totp::{OtpKind, OtpParameters, Step};
use crate::crypto::vault::VaultError;
use crate::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EngineReply, EnrollmentOperation,
    FinishOperation, Operation, ReadOperation, ReplyBody, ShownAuthenticator, TypedText,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{Token, TokenHolder, TokenParent, TokenPayload, TokenRecipient};
use crate::verify::decision::AcceptedEnrollmentCode;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// Trusted browsers in a reply, the newest. The reply must fit one frame.
const MAX_BROWSERS: usize = 200;

/// Who sends a request, by the peer credentials or the web session.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// Root, with the name for the audit log. Root may change any account, without a code.
    Root(&'a str),
    /// A local user, who may change the account of the same name.
    Owner { name: &'a UserName, uid: u32 },
    /// A web user after step-up in this session, who may change the own account.
    SteppedUp(&'a Session, &'a Origin),
}

/// Proof on which a change is executed.
struct CodeProof {
    messages: Vec<String>,
    /// Snapshot taken before the proof: what begins here must not outlive a later revocation.
    snapshot: AccountSnapshot,
    invitation: Option<AcceptedEnrollmentCode>,
}

type CommandResult = Result<ReplyBody, AdministrationError>;

impl Requester<'_> {
    pub(in crate::engine) fn name(&self) -> &str {
        match self {
            Requester::Root(name) => name,
            Requester::Owner { name, .. } => name.as_str(),
            Requester::SteppedUp(session, _) => session.name.as_str(),
        }
    }

    pub(in crate::engine) fn actor(&self) -> Principal<'_> {
        match self {
            Requester::Root(actor) => Principal::Command(actor),
            Requester::Owner { name, .. } => Principal::Command(name.as_str()),
            Requester::SteppedUp(session, origin) => {
                Principal::Session(&session.name, origin, session.id)
            }
        }
    }

    /// Returns whether the requester is a local user and the account is the user's own.
    pub(in crate::engine) fn owns(&self, account: &UserName) -> bool {
        matches ! ( self , Requester :: Owner { name , .. } if * name == account )
    }

    /// Returns an error unless the requester is root or owns the account.
    pub(in crate::engine) fn check_account(
        &self,
        account: &UserName,
    ) -> Result<(), AdministrationError> {
        match self {
            Requester::Owner { name, .. } if *name != account => {
                Err(AdministrationError::NotOwn((*name).clone()))
            }
            Requester::SteppedUp(session, _) if session.name != *account => {
                Err(AdministrationError::NotOwn(session.name.clone()))
            }
            Requester::Owner { .. } | Requester::SteppedUp(..) | Requester::Root(_) => Ok(()),
        }
    }

    /// Returns the recipient of the token that the next step returns.
    pub(in crate::engine) fn token_recipient<'b>(
        &self,
        account: &'b UserName,
        snapshot: &AccountSnapshot,
    ) -> TokenRecipient<'b> {
        let parent = match self {
            Requester::Root(_) | Requester::Owner { .. } => TokenParent::Peer,
            Requester::SteppedUp(session, _) => TokenParent::session(session),
        };
        TokenRecipient {
            account,
            at: snapshot.at(),
            holder: self.holder(),
            parent,
        }
    }

    pub(in crate::engine) fn holder(&self) -> TokenHolder {
        match self {
            Requester::Root(_) => TokenHolder::Root,
            Requester::Owner { uid, .. } => TokenHolder::User(*uid),
            Requester::SteppedUp(session, _) => TokenHolder::Session(session.id),
        }
    }
}

impl Commands<'_> {
    /// Executes one request.
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
                let reply = match change {
                    ChangeOperation::RevokeBrowsers(one) => {
                        ReplyBody::Revoked(self.engine.sessions().revoke_browsers(
                            account,
                            *one,
                            requester.actor(),
                            now,
                        )?)
                    }
                    ChangeOperation::RemoveAuthenticator(label) => {
                        self.engine.enrollment().remove_authenticator(
                            account,
                            label,
                            requester.actor(),
                            now,
                        )?;
                        ReplyBody::Done
                    }
                    ChangeOperation::BeginEnrollment(enrollment) => self.begin_enrollment(
                        requester,
                        account,
                        enrollment,
                        proof.snapshot,
                        proof.invitation,
                        now,
                    )?,
                    ChangeOperation::BeginRecoveryCodes => {
                        self.begin_recovery_codes(requester, account, proof.snapshot, now)?
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
    ) -> CommandResult {
        Ok(match read {
            ReadOperation::Status => {
                ReplyBody::Status(Box::new(self.engine.accounts().account_status(account)?))
            }
            ReadOperation::Authenticators => {
                ReplyBody::Authenticators(self.engine.enrollment().list_authenticators(account)?)
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
                let pending = self.build_pending_enrollment(account, enrollment)?;
                self.engine.enrollment().check_enrollment(&pending)
            }
            ChangeOperation::BeginRecoveryCodes => {
                self.engine.enrollment().refuse_recovery_codes(account)
            }
            ChangeOperation::RevokeBrowsers(_) | ChangeOperation::RemoveAuthenticator(_) => Ok(()),
        }
    }

    /// Verifies and consumes the code of a local user. Root and a user after step-up need none. The
    /// one-time code of a first enrollment is verified here and consumed by its activation.
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
            snapshot: self.snapshot_for(requester, account, now)?,
            invitation: None,
        };
        let Requester::Owner { name, .. } = requester else {
            return Ok(proof);
        };
        let origin = Origin::Local(name.to_string());
        // The peer runs a process as this user, so it has passed the first factor.
        let request = VerificationRequest {
            name: account,
            phase: Phase::After,
            origin: &origin,
            browser: None,
            service: COMMAND,
        };
        let typed = code.map_or("", |code| &**code);
        let input = input::Input::parse(typed.as_bytes());
        if let ChangeOperation::BeginEnrollment(EnrollmentOperation {
            kind: AuthenticatorKind::First,
            ..
        }) = change
        {
            proof.invitation = Some(
                self.engine
                    .accounts()
                    .verify_owner_one_time_code(&request, &input, now)?,
            );
            return Ok(proof);
        }
        let outcome = self
            .engine
            .verification()
            .verify_input(&request, &input, now)?;
        match outcome.result {
            Err(refusal) => Err(AdministrationError::Code(refusal)),
            Ok(_) => {
                proof
                    .messages
                    .extend(outcome.missed.as_ref().map(messages::missed_inputs));
                if let Some(recovered) = outcome.recovery {
                    proof.messages.push(messages::recovery_text(recovered));
                    // A recovery code ends all sessions of the account, which changes its snapshot.
                    proof.snapshot = self.engine.enrollment().snapshot_account(account)?;
                }
                Ok(proof)
            }
        }
    }

    /// Returns the account's snapshot. Fails if the requester's session has ended.
    fn snapshot_for(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        now: Timestamp,
    ) -> Result<AccountSnapshot, AdministrationError> {
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        requester.actor().refuse_ended_session(&mut tx, now)?;
        Ok(read_account_snapshot(&mut tx, vault, account)?)
    }

    /// Makes the pending enrollment of a request. Its secret is random unless the request has a
    /// seed.
    pub(in crate::engine) fn build_pending_enrollment(
        &self,
        account: &UserName,
        enrollment: &EnrollmentOperation,
    ) -> Result<PendingEnrollment, AdministrationError> {
        let config = self.engine.config();
        let pending = match enrollment.kind {
            AuthenticatorKind::First => PendingEnrollment::new(config, account),
            AuthenticatorKind::Further => PendingEnrollment::further(config, account),
        };
        let defaults = config.totp.otp_parameters();
        let parameters = OtpParameters {
            algorithm: enrollment.algorithm.unwrap_or(defaults.algorithm),
            digits: enrollment.digits.unwrap_or(defaults.digits),
            moving: match (enrollment.counter, enrollment.period) {
                (Some(_), _) => OtpKind::Counter,
                (None, Some(period)) => OtpKind::Time { period },
                (None, None) => defaults.moving,
            },
        };
        let pending = pending
            .map_err(random_error)?
            .with_label(enrollment.name.clone())
            .with_parameters(
                parameters
                    .check()
                    .map_err(AdministrationError::Parameters)?,
                Step(enrollment.counter.unwrap_or_default()),
            );
        Ok(match &enrollment.seed {
            Some(seed) => {
                pending.with_secret(Secret::from_seed(seed).map_err(AdministrationError::Seed)?)
            }
            None => pending,
        })
    }

    pub(in crate::engine) fn begin_enrollment(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        enrollment: &EnrollmentOperation,
        snapshot: AccountSnapshot,
        invitation: Option<AcceptedEnrollmentCode>,
        now: Timestamp,
    ) -> CommandResult {
        let pending = self.build_pending_enrollment(account, enrollment)?;
        let (keys, to) = (
            self.engine.token_keys(),
            requester.token_recipient(account, &snapshot),
        );
        let draft = Token::issue(
            &keys,
            to,
            EnrollmentDraft::of(&pending, snapshot, invitation),
            now,
        )
        .map_err(random_error)?;
        Ok(ReplyBody::NewAuthenticator(ShownAuthenticator {
            secret: pending.secret().to_base32().into(),
            url: pending.url().into(),
            recovery_codes: grouped(pending.recovery_codes()),
            token: draft.seal(&keys)?.into(),
        }))
    }

    /// Returns a begun enrollment for its requester to see again.
    pub fn reopen_enrollment(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        token: &str,
        now: Timestamp,
    ) -> Result<ShownEnrollment, AdministrationError> {
        // The snapshot loads the current data keys, with which tokens are opened.
        self.engine.enrollment().snapshot_account(account)?;
        let opened = self.open_token::<EnrollmentDraft>(token, requester, account, now)?;
        let pending = self.restore_pending_enrollment(opened.payload(), &opened)?;
        Ok(show_enrollment(&pending, token.to_owned().into()))
    }

    fn begin_recovery_codes(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        snapshot: AccountSnapshot,
        now: Timestamp,
    ) -> CommandResult {
        let codes = self
            .engine
            .config()
            .recovery
            .generate_codes()
            .map_err(random_error)?;
        let (keys, to) = (
            self.engine.token_keys(),
            requester.token_recipient(account, &snapshot),
        );
        let new = Token::issue(&keys, to, PendingRecoveryCodes::of(&codes, snapshot), now)
            .map_err(random_error)?;
        Ok(ReplyBody::RecoveryCodes {
            codes: grouped(&codes),
            token: new.seal(&keys)?.into(),
        })
    }

    fn execute_finish(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        finish: &FinishOperation,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        // tickets are opened with the keys of now
        self.engine.enrollment().snapshot_account(account)?;
        match finish {
            FinishOperation::Confirm { token, code } => {
                let token = self.open_token::<EnrollmentDraft>(token, requester, account, now)?;
                let pending = self.restore_pending_enrollment(token.payload(), &token)?;
                match pending.confirm(
                    &input::Input::parse(code.as_bytes()),
                    self.engine.config(),
                    now,
                ) {
                    Err(refusal) => Ok(ReplyBody::NotConfirmed(refusal).into()),
                    Ok(confirmation) => {
                        let step = confirmation.step().ok_or(AdministrationError::Stale)?;
                        let next = token.into_next(|draft| ConfirmedEnrollment { draft, step });
                        Ok(ReplyBody::Confirmed {
                            token: next.seal(&self.engine.token_keys())?.into(),
                        }
                        .into())
                    }
                }
            }
            FinishOperation::Activate { token } => {
                let token =
                    self.open_token::<ConfirmedEnrollment>(token, requester, account, now)?;
                let pending = self.restore_pending_enrollment(&token.payload().draft, &token)?;
                let given = EnrollmentConfirmation::by_code(token.payload().step);
                Ok(activated(self.engine.enrollment().activate(
                    &pending,
                    &given,
                    requester.actor(),
                    now,
                )?))
            }
            FinishOperation::ActivateUnconfirmed { token } => {
                let Requester::Root(actor) = requester else {
                    return Err(AdministrationError::OnlyRoot);
                };
                let token = self.open_token::<EnrollmentDraft>(token, requester, account, now)?;
                let pending = self.restore_pending_enrollment(token.payload(), &token)?;
                Ok(activated(self.engine.enrollment().activate(
                    &pending,
                    &EnrollmentConfirmation::by_administrator(),
                    actor,
                    now,
                )?))
            }
            FinishOperation::ReplaceRecoveryCodes { token } => {
                let token =
                    self.open_token::<PendingRecoveryCodes>(token, requester, account, now)?;
                let (codes, snapshot) = (token.payload().codes(), &token.payload().snapshot);
                self.engine
                    .enrollment()
                    .replace_recovery_codes_if_unchanged(
                        snapshot,
                        account,
                        &codes,
                        requester.actor(),
                        now,
                    )?;
                Ok(ReplyBody::Done.into())
            }
        }
    }

    pub(in crate::engine) fn open_token<T: TokenPayload>(
        &self,
        token: &str,
        requester: Requester<'_>,
        account: &UserName,
        now: Timestamp,
    ) -> Result<Token<T>, AdministrationError> {
        let opened = Token::<T>::open(token, &self.engine.token_keys(), requester.holder(), now);
        opened
            .filter(|token| token.account() == account)
            .ok_or(AdministrationError::Stale)
    }

    pub(in crate::engine) fn restore_pending_enrollment<T>(
        &self,
        draft: &EnrollmentDraft,
        token: &Token<T>,
    ) -> Result<PendingEnrollment, AdministrationError> {
        draft
            .pending(self.engine.config(), token.account(), token.parent())
            .map_err(|error| match error {
                DraftError::Secret(error) => AdministrationError::Seed(error),
                DraftError::Random(error) => random_error(error),
            })
    }
}

fn activated(after: AppPasswordsAfter) -> EngineReply {
    EngineReply {
        messages: messages::app_passwords_text(after).into_iter().collect(),
        ..ReplyBody::Done.into()
    }
}

fn random_error(error: RandomError) -> AdministrationError {
    AdministrationError::from(EngineError::from(VaultError::Random(error)))
}

fn grouped(codes: &[RecoveryCode]) -> Vec<TypedText> {
    codes.iter().map(|code| code.grouped().into()).collect()
}

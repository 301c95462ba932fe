//! Running an errand: root's from the command, anyone else's from posternd, and from the gate for whoever stepped up. What
//! a person changes of their own account takes a code, which is judged, counted and spent as everywhere.
//!
//! MUST NOT run a change of an owner's before [`Door::prove`] has returned.

use super::acting::AdministrationError;
use crate::account::name::UserName;
use crate::credential::input;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret};
use crate::credential::totp::{OtpKind, OtpParameters, Step};
use crate::crypto::vault::VaultError;
use crate::engine::enrollment::authenticators::footing;
use crate::engine::enrollment::pending::{
    AccountSnapshot, EnrollmentConfirmation, PendingEnrollment,
};
use crate::engine::enrollment::token::{
    ConfirmedEnrollment, DraftError, EnrollmentDraft, PendingRecoveryCodes,
};
use crate::engine::enrollment::web::shown;
use crate::engine::principal::Principal;
use crate::engine::{
    AppPasswordsAfter, COMMAND, Engine, EngineError, ShownEnrollment, VerificationRequest, messages,
};
use crate::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EngineReply, EnrollmentOperation,
    FinishOperation, Operation, ReadOperation, ReplyBody, TypedText,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{Token, TokenHolder, TokenParent, TokenPayload, TokenRecipient};
use crate::verify::decision::Invitation;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// Browsers that are shown, the newest; the answer must fit its line.
const MOST_BROWSERS: usize = 200;

/// Whose errand it is, as the kernel says.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// Root, by a name for the log: any account, and no code is asked.
    Root(&'a str),
    /// A user of this host, for the account of the same name.
    Owner {
        /// The user's name.
        name: &'a UserName,
        /// The user's number.
        uid: u32,
    },
    /// Someone at the gate who proved themselves afresh in this session, for the own account.
    SteppedUp(&'a Session, &'a Origin),
}

/// What a change rests on.
struct CodeProof {
    told: Vec<String>,
    /// The account as it was proven: what is begun must not outlive a revocation that comes after the proof.
    footing: AccountSnapshot,
    invitation: Option<Invitation>,
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

    /// Whether it is a user of this host, and the account is the user's own.
    pub(in crate::engine) fn owns(&self, account: &UserName) -> bool {
        matches!(self, Requester::Owner { name, .. } if *name == account)
    }

    /// An owner goes by nothing but the own account.
    pub(in crate::engine) fn refuse_others(
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

    /// For whom a token is that the next step brings back, of an account as it is.
    pub(in crate::engine) fn issues_to<'b>(
        &self,
        account: &'b UserName,
        footing: &AccountSnapshot,
    ) -> TokenRecipient<'b> {
        let parent = match self {
            Requester::Root(_) | Requester::Owner { .. } => TokenParent::Peer,
            Requester::SteppedUp(session, _) => TokenParent::session(session),
        };
        TokenRecipient {
            account,
            at: footing.at(),
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

impl Engine {
    /// Runs one errand.
    pub fn run_errand(
        &mut self,
        caller: Requester<'_>,
        errand: &CommandRequest,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let account = &errand.account;
        caller.refuse_others(account)?;
        match &errand.operation {
            Operation::Read(look) => Ok(self.show(account, *look, now)?.into()),
            Operation::Finish(finish) => self.finish(caller, account, finish, now),
            // the host is to be asked between its steps: Door::ask_first_setup, Door::begin_first_setup
            Operation::FirstEnrollment { .. } => {
                Err(AdministrationError::PasswordUnasked(account.clone()))
            }
            Operation::Change { code, change } => {
                // A code should not be spent on what cannot be.
                self.refuse_change(account, change)?;
                let proof = self.prove(caller, account, code.as_ref(), change, now)?;
                let answer = match change {
                    ChangeOperation::RevokeBrowsers(one) => ReplyBody::Revoked(
                        self.revoke_browsers(account, *one, caller.actor(), now)?,
                    ),
                    ChangeOperation::RemoveAuthenticator(label) => {
                        self.remove_authenticator(account, label, caller.actor(), now)?;
                        ReplyBody::Done
                    }
                    ChangeOperation::BeginEnrollment(setup) => self.begin_setup(
                        caller,
                        account,
                        setup,
                        proof.footing,
                        proof.invitation,
                        now,
                    )?,
                    ChangeOperation::BeginRecoveryCodes => {
                        self.begin_recovery_codes(caller, account, proof.footing, now)?
                    }
                };
                Ok(EngineReply {
                    messages: proof.told,
                    ..answer.into()
                })
            }
        }
    }

    fn show(&mut self, account: &UserName, look: ReadOperation, now: Timestamp) -> CommandResult {
        Ok(match look {
            ReadOperation::Status => ReplyBody::Status(Box::new(self.status(account)?)),
            ReadOperation::Authenticators => {
                ReplyBody::Authenticators(self.authenticators(account)?)
            }
            ReadOperation::Browsers => {
                let mut browsers = self.browsers(account, now)?;
                browsers.truncate(MOST_BROWSERS);
                ReplyBody::Browsers(browsers)
            }
        })
    }

    fn refuse_change(
        &mut self,
        account: &UserName,
        change: &ChangeOperation,
    ) -> Result<(), AdministrationError> {
        match change {
            ChangeOperation::BeginEnrollment(setup) => {
                let pending = self.described(account, setup)?;
                self.refuse_setup(&pending)
            }
            ChangeOperation::BeginRecoveryCodes => self.refuse_recovery_codes(account),
            ChangeOperation::RevokeBrowsers(_) | ChangeOperation::RemoveAuthenticator(_) => Ok(()),
        }
    }

    /// An owner's code, judged and spent; root, and whoever stepped up, need none. The one-time code of a first setup is spent with it.
    fn prove(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        code: Option<&TypedText>,
        change: &ChangeOperation,
        now: Timestamp,
    ) -> Result<CodeProof, AdministrationError> {
        let mut proof = CodeProof {
            told: Vec::new(),
            footing: self.footing_for(caller, account, now)?,
            invitation: None,
        };
        let Requester::Owner { name, .. } = caller else {
            return Ok(proof);
        };
        let origin = Origin::Local(name.to_string());
        // Whoever runs a process as this user has passed what lets in as this user.
        let visitor = VerificationRequest {
            name: account,
            phase: Phase::After,
            origin: &origin,
            browser: None,
            service: COMMAND,
        };
        let typed = code.map_or("", |code| &**code);
        let answer = input::Input::parse(typed.as_bytes());
        if let ChangeOperation::BeginEnrollment(EnrollmentOperation {
            kind: AuthenticatorKind::First,
            ..
        }) = change
        {
            proof.invitation = Some(self.invite(&visitor, &answer, now)?);
            return Ok(proof);
        }
        let outcome = self.verify_input(&visitor, &answer, now)?;
        match outcome.result {
            Err(refusal) => Err(AdministrationError::Code(refusal)),
            Ok(_) => {
                proof
                    .told
                    .extend(outcome.missed.as_ref().map(messages::missed));
                if let Some(recovered) = outcome.recovery {
                    proof.told.push(messages::recovered(recovered));
                    // a recovery code ends what the account had open
                    proof.footing = self.footing(account)?;
                }
                Ok(proof)
            }
        }
    }

    /// How an account is now, for whoever acts on it; refused in a session that has ended.
    fn footing_for(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        now: Timestamp,
    ) -> Result<AccountSnapshot, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        caller.actor().refuse_ended_session(tx.as_mut(), now)?;
        Ok(footing(tx.as_mut(), &self.vault, account)?)
    }

    /// A new authenticator as it is to be; its secret differs each time, unless it is a token's.
    pub(in crate::engine) fn described(
        &self,
        account: &UserName,
        setup: &EnrollmentOperation,
    ) -> Result<PendingEnrollment, AdministrationError> {
        let config = self.config();
        let pending = match setup.kind {
            AuthenticatorKind::First => PendingEnrollment::new(config, account),
            AuthenticatorKind::Further => PendingEnrollment::further(config, account),
        };
        let defaults = config.totp.otp_parameters();
        let parameters = OtpParameters {
            algorithm: setup.algorithm.unwrap_or(defaults.algorithm),
            digits: setup.digits.unwrap_or(defaults.digits),
            moving: match (setup.counter, setup.period) {
                (Some(_), _) => OtpKind::Counter,
                (None, Some(period)) => OtpKind::Time { period },
                (None, None) => defaults.moving,
            },
        };
        let pending = pending
            .map_err(random)?
            .called(setup.name.clone())
            .with_parameters(
                parameters
                    .check()
                    .map_err(AdministrationError::Parameters)?,
                Step(setup.counter.unwrap_or_default()),
            );
        Ok(match &setup.seed {
            Some(seed) => {
                pending.with_secret(Secret::from_seed(seed).map_err(AdministrationError::Seed)?)
            }
            None => pending,
        })
    }

    pub(in crate::engine) fn begin_setup(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        setup: &EnrollmentOperation,
        footing: AccountSnapshot,
        invitation: Option<Invitation>,
        now: Timestamp,
    ) -> CommandResult {
        let pending = self.described(account, setup)?;
        let (keys, to) = (self.token_keys(), caller.issues_to(account, &footing));
        let draft = Token::issue(
            &keys,
            to,
            EnrollmentDraft::of(&pending, footing, invitation),
            now,
        )
        .map_err(random)?;
        Ok(ReplyBody::NewAuthenticator {
            secret: pending.secret().to_base32().into(),
            url: pending.url().into(),
            recovery_codes: grouped(pending.recovery_codes()),
            ticket: draft.seal(&keys)?.into(),
        })
    }

    /// A new authenticator that was begun, shown again to whoever began it.
    pub fn shown_again(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        ticket: &str,
        now: Timestamp,
    ) -> Result<ShownEnrollment, AdministrationError> {
        // tickets are opened with the keys of now
        self.footing(account)?;
        let opened = self.opened::<EnrollmentDraft>(ticket, caller, account, now)?;
        let pending = self.pending(opened.payload(), &opened)?;
        Ok(shown(&pending, ticket.to_owned().into()))
    }

    fn begin_recovery_codes(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        footing: AccountSnapshot,
        now: Timestamp,
    ) -> CommandResult {
        let codes = self.config().recovery.generate_codes().map_err(random)?;
        let (keys, to) = (self.token_keys(), caller.issues_to(account, &footing));
        let new = Token::issue(&keys, to, PendingRecoveryCodes::of(&codes, footing), now)
            .map_err(random)?;
        Ok(ReplyBody::RecoveryCodes {
            codes: grouped(&codes),
            ticket: new.seal(&keys)?.into(),
        })
    }

    fn finish(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        finish: &FinishOperation,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        // tickets are opened with the keys of now
        self.footing(account)?;
        match finish {
            FinishOperation::Confirm { ticket, code } => {
                let ticket = self.opened::<EnrollmentDraft>(ticket, caller, account, now)?;
                let pending = self.pending(ticket.payload(), &ticket)?;
                match pending.confirm(&input::Input::parse(code.as_bytes()), self.config(), now) {
                    Err(refusal) => Ok(ReplyBody::NotConfirmed(refusal).into()),
                    Ok(confirmation) => {
                        let step = confirmation.step().ok_or(AdministrationError::Stale)?;
                        let next = ticket.into_next(|draft| ConfirmedEnrollment { draft, step });
                        Ok(ReplyBody::Confirmed {
                            ticket: next.seal(&self.token_keys())?.into(),
                        }
                        .into())
                    }
                }
            }
            FinishOperation::Activate { ticket } => {
                let ticket = self.opened::<ConfirmedEnrollment>(ticket, caller, account, now)?;
                let pending = self.pending(&ticket.payload().draft, &ticket)?;
                let given = EnrollmentConfirmation::given(ticket.payload().step);
                Ok(activated(self.activate(
                    &pending,
                    &given,
                    caller.actor(),
                    now,
                )?))
            }
            FinishOperation::ActivateUnconfirmed { ticket } => {
                let Requester::Root(actor) = caller else {
                    return Err(AdministrationError::OnlyRoot);
                };
                let ticket = self.opened::<EnrollmentDraft>(ticket, caller, account, now)?;
                let pending = self.pending(ticket.payload(), &ticket)?;
                Ok(activated(self.activate(
                    &pending,
                    &EnrollmentConfirmation::vouched(),
                    actor,
                    now,
                )?))
            }
            FinishOperation::ReplaceRecoveryCodes { ticket } => {
                let ticket = self.opened::<PendingRecoveryCodes>(ticket, caller, account, now)?;
                let (codes, footing) = (ticket.payload().codes(), &ticket.payload().footing);
                self.replace_recovery_codes_on(footing, account, &codes, caller.actor(), now)?;
                Ok(ReplyBody::Done.into())
            }
        }
    }

    pub(in crate::engine) fn opened<T: TokenPayload>(
        &self,
        ticket: &str,
        caller: Requester<'_>,
        account: &UserName,
        now: Timestamp,
    ) -> Result<Token<T>, AdministrationError> {
        let opened = Token::<T>::open(ticket, &self.token_keys(), caller.holder(), now);
        opened
            .filter(|token| token.account() == account)
            .ok_or(AdministrationError::Stale)
    }

    pub(in crate::engine) fn pending<T>(
        &self,
        draft: &EnrollmentDraft,
        ticket: &Token<T>,
    ) -> Result<PendingEnrollment, AdministrationError> {
        draft
            .pending(self.config(), ticket.account(), ticket.parent())
            .map_err(|error| match error {
                DraftError::Secret(error) => AdministrationError::Seed(error),
                DraftError::Random(error) => random(error),
            })
    }
}

fn activated(after: AppPasswordsAfter) -> EngineReply {
    EngineReply {
        messages: messages::app_passwords(after).into_iter().collect(),
        ..ReplyBody::Done.into()
    }
}

fn random(error: RandomError) -> AdministrationError {
    AdministrationError::from(EngineError::from(VaultError::Random(error)))
}

fn grouped(codes: &[RecoveryCode]) -> Vec<TypedText> {
    codes.iter().map(|code| code.grouped().into()).collect()
}

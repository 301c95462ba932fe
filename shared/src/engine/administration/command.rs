//! Running an errand: root's from the command, anyone else's from posternd, and from the gate for whoever stepped up. What
//! a person changes of their own account takes a code, which is judged, counted and spent as everywhere.
//!
//! MUST NOT run a change of an owner's before [`Door::prove`] has returned.

use super::acting::AdministrationError;
use crate::account::name::UserName;
use crate::credential::input;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret};
use crate::credential::totp::{Moving, Parameters, Step};
use crate::crypto::vault::VaultError;
use crate::engine::enrollment::authenticators::footing;
use crate::engine::enrollment::pending::{Confirmation, Footing, Pending};
use crate::engine::enrollment::token::{Confirmed, Draft, DraftError, NewCodes};
use crate::engine::enrollment::web::shown;
use crate::engine::principal::Actor;
use crate::engine::{AppPasswordsAfter, COMMAND, Door, DoorError, Shown, Visitor, messages};
use crate::protocol::command_request::{
    Answer, Change, Errand, Finish, Kind, Look, Reply, Setup, Task, Typed,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{Holder, Parent, Payload, To, Token};
use crate::verify::decision::{Invitation, Verdict};
use crate::verify::origin::Origin;
use crate::verify::throttle::Stage;

/// Browsers that are shown, the newest; the answer must fit its line.
const MOST_BROWSERS: usize = 200;

/// Whose errand it is, as the kernel says.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
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
struct Proof {
    told: Vec<String>,
    /// The account as it was proven: what is begun must not outlive a revocation that comes after the proof.
    footing: Footing,
    invitation: Option<Invitation>,
}

type Answered = Result<Answer, AdministrationError>;

impl Caller<'_> {
    pub(in crate::engine) fn name(&self) -> &str {
        match self {
            Caller::Root(name) => name,
            Caller::Owner { name, .. } => name.as_str(),
            Caller::SteppedUp(session, _) => session.name.as_str(),
        }
    }

    pub(in crate::engine) fn actor(&self) -> Actor<'_> {
        match self {
            Caller::Root(actor) => Actor::Command(actor),
            Caller::Owner { name, .. } => Actor::Command(name.as_str()),
            Caller::SteppedUp(session, origin) => Actor::Session(&session.name, origin, session.id),
        }
    }

    /// Whether it is a user of this host, and the account is the user's own.
    pub(in crate::engine) fn owns(&self, account: &UserName) -> bool {
        matches!(self, Caller::Owner { name, .. } if *name == account)
    }

    /// An owner goes by nothing but the own account.
    pub(in crate::engine) fn refuse_others(
        &self,
        account: &UserName,
    ) -> Result<(), AdministrationError> {
        match self {
            Caller::Owner { name, .. } if *name != account => {
                Err(AdministrationError::NotOwn((*name).clone()))
            }
            Caller::SteppedUp(session, _) if session.name != *account => {
                Err(AdministrationError::NotOwn(session.name.clone()))
            }
            Caller::Owner { .. } | Caller::SteppedUp(..) | Caller::Root(_) => Ok(()),
        }
    }

    /// For whom a token is that the next step brings back, of an account as it is.
    pub(in crate::engine) fn issues_to<'b>(
        &self,
        account: &'b UserName,
        footing: &Footing,
    ) -> To<'b> {
        let parent = match self {
            Caller::Root(_) | Caller::Owner { .. } => Parent::Peer,
            Caller::SteppedUp(session, _) => Parent::session(session),
        };
        To {
            account,
            at: footing.at(),
            holder: self.holder(),
            parent,
        }
    }

    pub(in crate::engine) fn holder(&self) -> Holder {
        match self {
            Caller::Root(_) => Holder::Root,
            Caller::Owner { uid, .. } => Holder::User(*uid),
            Caller::SteppedUp(session, _) => Holder::Session(session.id),
        }
    }
}

impl Door {
    /// Runs one errand.
    pub fn run_errand(
        &mut self,
        caller: Caller<'_>,
        errand: &Errand,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        let account = &errand.account;
        caller.refuse_others(account)?;
        match &errand.task {
            Task::Look(look) => Ok(self.show(account, *look, now)?.into()),
            Task::Finish(finish) => self.finish(caller, account, finish, now),
            // the host is to be asked between its steps: Door::ask_first_setup, Door::begin_first_setup
            Task::FirstSetup { .. } => Err(AdministrationError::PasswordUnasked(account.clone())),
            Task::Change { code, change } => {
                // A code should not be spent on what cannot be.
                self.refuse_change(account, change)?;
                let proof = self.prove(caller, account, code.as_ref(), change, now)?;
                let answer = match change {
                    Change::RevokeBrowsers(one) => {
                        Answer::Revoked(self.revoke_browsers(account, *one, caller.actor(), now)?)
                    }
                    Change::RemoveAuthenticator(label) => {
                        self.remove_authenticator(account, label, caller.actor(), now)?;
                        Answer::Done
                    }
                    Change::BeginSetup(setup) => self.begin_setup(
                        caller,
                        account,
                        setup,
                        proof.footing,
                        proof.invitation,
                        now,
                    )?,
                    Change::BeginRecoveryCodes => {
                        self.begin_recovery_codes(caller, account, proof.footing, now)?
                    }
                };
                Ok(Reply {
                    told: proof.told,
                    ..answer.into()
                })
            }
        }
    }

    fn show(&mut self, account: &UserName, look: Look, now: Timestamp) -> Answered {
        Ok(match look {
            Look::Status => Answer::Status(Box::new(self.status(account)?)),
            Look::Authenticators => Answer::Authenticators(self.authenticators(account)?),
            Look::Browsers => {
                let mut browsers = self.browsers(account, now)?;
                browsers.truncate(MOST_BROWSERS);
                Answer::Browsers(browsers)
            }
        })
    }

    fn refuse_change(
        &mut self,
        account: &UserName,
        change: &Change,
    ) -> Result<(), AdministrationError> {
        match change {
            Change::BeginSetup(setup) => {
                let pending = self.described(account, setup)?;
                self.refuse_setup(&pending)
            }
            Change::BeginRecoveryCodes => self.refuse_recovery_codes(account),
            Change::RevokeBrowsers(_) | Change::RemoveAuthenticator(_) => Ok(()),
        }
    }

    /// An owner's code, judged and spent; root, and whoever stepped up, need none. The one-time code of a first setup is spent with it.
    fn prove(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        code: Option<&Typed>,
        change: &Change,
        now: Timestamp,
    ) -> Result<Proof, AdministrationError> {
        let mut proof = Proof {
            told: Vec::new(),
            footing: self.footing_for(caller, account, now)?,
            invitation: None,
        };
        let Caller::Owner { name, .. } = caller else {
            return Ok(proof);
        };
        let origin = Origin::Local(name.to_string());
        // Whoever runs a process as this user has passed what lets in as this user.
        let visitor = Visitor {
            name: account,
            stage: Stage::After,
            origin: &origin,
            browser: None,
            service: COMMAND,
        };
        let typed = code.map_or("", |code| &**code);
        let answer = input::Answer::read(typed.as_bytes());
        if let Change::BeginSetup(Setup {
            kind: Kind::First, ..
        }) = change
        {
            proof.invitation = Some(self.invite(&visitor, &answer, now)?);
            return Ok(proof);
        }
        let outcome = self.attempt(&visitor, &answer, now)?;
        match outcome.verdict {
            Verdict::Refused(refusal) => Err(AdministrationError::Code(refusal)),
            Verdict::Accepted(_) => {
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
        caller: Caller<'_>,
        account: &UserName,
        now: Timestamp,
    ) -> Result<Footing, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        caller.actor().refuse_ended(tx.as_mut(), now)?;
        Ok(footing(tx.as_mut(), &self.vault, account)?)
    }

    /// A new authenticator as it is to be; its secret differs each time, unless it is a token's.
    pub(in crate::engine) fn described(
        &self,
        account: &UserName,
        setup: &Setup,
    ) -> Result<Pending, AdministrationError> {
        let config = self.config();
        let pending = match setup.kind {
            Kind::First => Pending::new(config, account),
            Kind::Further => Pending::further(config, account),
        };
        let defaults = config.totp.parameters();
        let parameters = Parameters {
            algorithm: setup.algorithm.unwrap_or(defaults.algorithm),
            digits: setup.digits.unwrap_or(defaults.digits),
            moving: match (setup.counter, setup.period) {
                (Some(_), _) => Moving::Counter,
                (None, Some(period)) => Moving::Time { period },
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
        caller: Caller<'_>,
        account: &UserName,
        setup: &Setup,
        footing: Footing,
        invitation: Option<Invitation>,
        now: Timestamp,
    ) -> Answered {
        let pending = self.described(account, setup)?;
        let (keys, to) = (self.token_keys(), caller.issues_to(account, &footing));
        let draft = Token::issue(&keys, to, Draft::of(&pending, footing, invitation), now)
            .map_err(random)?;
        Ok(Answer::Setup {
            secret: pending.secret().to_base32().into(),
            url: pending.url().into(),
            recovery_codes: grouped(pending.recovery_codes()),
            ticket: draft.seal(&keys)?.into(),
        })
    }

    /// A new authenticator that was begun, shown again to whoever began it.
    pub fn shown_again(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        ticket: &str,
        now: Timestamp,
    ) -> Result<Shown, AdministrationError> {
        // tickets are opened with the keys of now
        self.footing(account)?;
        let opened = self.opened::<Draft>(ticket, caller, account, now)?;
        let pending = self.pending(opened.payload(), &opened)?;
        Ok(shown(&pending, ticket.to_owned().into()))
    }

    fn begin_recovery_codes(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        footing: Footing,
        now: Timestamp,
    ) -> Answered {
        let codes = self.config().recovery.new_codes().map_err(random)?;
        let (keys, to) = (self.token_keys(), caller.issues_to(account, &footing));
        let new = Token::issue(&keys, to, NewCodes::of(&codes, footing), now).map_err(random)?;
        Ok(Answer::RecoveryCodes {
            codes: grouped(&codes),
            ticket: new.seal(&keys)?.into(),
        })
    }

    fn finish(
        &mut self,
        caller: Caller<'_>,
        account: &UserName,
        finish: &Finish,
        now: Timestamp,
    ) -> Result<Reply, AdministrationError> {
        // tickets are opened with the keys of now
        self.footing(account)?;
        match finish {
            Finish::Confirm { ticket, code } => {
                let ticket = self.opened::<Draft>(ticket, caller, account, now)?;
                let pending = self.pending(ticket.payload(), &ticket)?;
                match pending.confirm(&input::Answer::read(code.as_bytes()), self.config(), now) {
                    Err(refusal) => Ok(Answer::NotConfirmed(refusal).into()),
                    Ok(confirmation) => {
                        let step = confirmation.step().ok_or(AdministrationError::Stale)?;
                        let next = ticket.next(|draft| Confirmed { draft, step });
                        Ok(Answer::Confirmed {
                            ticket: next.seal(&self.token_keys())?.into(),
                        }
                        .into())
                    }
                }
            }
            Finish::Activate { ticket } => {
                let ticket = self.opened::<Confirmed>(ticket, caller, account, now)?;
                let pending = self.pending(&ticket.payload().draft, &ticket)?;
                let given = Confirmation::given(ticket.payload().step);
                Ok(activated(self.activate(
                    &pending,
                    &given,
                    caller.actor(),
                    now,
                )?))
            }
            Finish::Vouch { ticket } => {
                let Caller::Root(actor) = caller else {
                    return Err(AdministrationError::OnlyRoot);
                };
                let ticket = self.opened::<Draft>(ticket, caller, account, now)?;
                let pending = self.pending(ticket.payload(), &ticket)?;
                Ok(activated(self.activate(
                    &pending,
                    &Confirmation::vouched(),
                    actor,
                    now,
                )?))
            }
            Finish::KeepRecoveryCodes { ticket } => {
                let ticket = self.opened::<NewCodes>(ticket, caller, account, now)?;
                let (codes, footing) = (ticket.payload().codes(), &ticket.payload().footing);
                self.replace_recovery_codes_on(footing, account, &codes, caller.actor(), now)?;
                Ok(Answer::Done.into())
            }
        }
    }

    pub(in crate::engine) fn opened<T: Payload>(
        &self,
        ticket: &str,
        caller: Caller<'_>,
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
        draft: &Draft,
        ticket: &Token<T>,
    ) -> Result<Pending, AdministrationError> {
        draft
            .pending(self.config(), ticket.account(), ticket.parent())
            .map_err(|error| match error {
                DraftError::Secret(error) => AdministrationError::Seed(error),
                DraftError::Random(error) => random(error),
            })
    }
}

fn activated(after: AppPasswordsAfter) -> Reply {
    Reply {
        told: messages::app_passwords(after).into_iter().collect(),
        ..Answer::Done.into()
    }
}

fn random(error: RandomError) -> AdministrationError {
    AdministrationError::from(DoorError::from(VaultError::Random(error)))
}

fn grouped(codes: &[RecoveryCode]) -> Vec<Typed> {
    codes.iter().map(|code| code.grouped().into()).collect()
}

//! One attempt, in one transaction: load, decide, mark, commit. Nothing is answered before the commit.

use super::evaluation::Evaluation;
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::credential::input::Input;
use crate::engine::login::token_validity::account_at;
use crate::engine::{AppPasswordsAfter, Engine, EngineError, account_data};
use crate::store::{Intent, MissedInputs};
use crate::system::clock::Timestamp;
use crate::token::AccountVersion;
use crate::verify::decision::VerificationResult;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// Who stands at which door.
pub struct VerificationRequest<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// Whether the first factor is known to have passed.
    pub phase: Phase,
    /// Where from.
    pub origin: &'a Origin,
    /// The trusted browser of this account that it is, by number.
    pub browser: Option<i64>,
    /// The PAM service, or the name of another door.
    pub service: &'a str,
}

/// What the use of a recovery code leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRecovery {
    /// So many codes.
    CodesLeft(usize),
    /// No second factor: it is turned off.
    TurnedOff(AppPasswordsAfter),
}

/// What a success brings, to be told to whoever got in.
#[derive(Debug)]
pub struct AfterLogin {
    /// Wrong codes since the last sign-in.
    pub missed: Option<MissedInputs>,
    /// Where a recovery code was used.
    pub recovery: Option<AfterRecovery>,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct VerifiedAttempt {
    /// The verdict. If it accepts, what it spends is durably marked.
    pub result: VerificationResult,
    /// Wrong codes since the last sign-in; told to whoever got in.
    pub missed: Option<MissedInputs>,
    /// What the use of a recovery code left.
    pub recovery: Option<AfterRecovery>,
    /// The account as what was accepted left it: whatever ends its sessions later raises its generation.
    pub(in crate::engine) at: Option<AccountVersion>,
    /// Whether it opened nothing and wrote nothing, so that there is nothing to keep.
    pub(in crate::engine) is_free: bool,
}

impl Engine {
    /// Judges one answer.
    pub fn verify_input(
        &mut self,
        visitor: &VerificationRequest<'_>,
        answer: &Input,
        now: Timestamp,
    ) -> Result<VerifiedAttempt, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::read_declared_secret(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Evaluation::load(config, vault, tx, visitor, declared, now)?;
        let mut outcome = visit.verify_input(tx, answer)?;
        if outcome.result.is_ok() {
            outcome.at = account_at(tx, visitor.name)?;
        }
        let worth_keeping = !outcome.is_free || visit.clock_corrected;
        drop(visit);
        match worth_keeping {
            true => transaction.commit()?,
            false => drop(transaction),
        }
        self.settle_recovery(outcome.recovery)?;
        Ok(outcome)
    }

    /// Someone whose code was accepted before the first factor has passed that too: what a success brings.
    pub fn complete_login(
        &mut self,
        visitor: &VerificationRequest<'_>,
        means: AuthenticationMethod,
        now: Timestamp,
    ) -> Result<Option<AfterLogin>, EngineError> {
        self.complete_login_unless(visitor, means, now, |_| false)
    }

    /// The same, unless that was booked before.
    pub(in crate::engine) fn complete_login_unless(
        &mut self,
        visitor: &VerificationRequest<'_>,
        means: AuthenticationMethod,
        now: Timestamp,
        is_booked: impl FnOnce(&AccountRecord) -> bool,
    ) -> Result<Option<AfterLogin>, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::read_declared_secret(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Evaluation::load(config, vault, tx, visitor, declared, now)?;
        let Some(record) = visit.record.as_ref().filter(|record| !is_booked(record)) else {
            drop(visit);
            // whoever booked it may share this commit
            transaction.commit()?;
            return Ok(None);
        };
        let entered = visit.record_login(tx, record, means)?;
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(entered.recovery)?;
        Ok(Some(entered))
    }

    /// What the use of a recovery code ended has ended at every gate when this returns, and a secret that it turned off
    /// has left the store's bytes.
    pub(in crate::engine) fn settle_recovery(
        &mut self,
        recovery: Option<AfterRecovery>,
    ) -> Result<(), EngineError> {
        let Some(recovered) = recovery else {
            return Ok(());
        };
        // or a later revision, which covers it too
        let revision = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .revision()?;
        self.await_gate_confirmations(revision)?;
        match recovered {
            AfterRecovery::TurnedOff(_) => Ok(self.store.scrub()?),
            AfterRecovery::CodesLeft(_) => Ok(()),
        }
    }
}

//! One attempt, in one transaction: load, decide, mark, commit. Nothing is answered before the commit.

use super::alive::account_at;
use super::visit::Visit;
use super::{AppPasswordsAfter, Door, DoorError, load};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::decision::{Spent, Verdict};
use crate::guess::Stage;
use crate::name::UserName;
use crate::place::Origin;
use crate::store::{AccountRecord, Intent, Missed};
use crate::token::AccountAt;
use serde::{Deserialize, Serialize};

/// Who stands at which door.
pub struct Visitor<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// Whether the first factor is known to have passed.
    pub stage: Stage,
    /// Where from.
    pub origin: &'a Origin,
    /// The trusted browser of this account that it is, by number.
    pub browser: Option<i64>,
    /// The PAM service, or the name of another door.
    pub service: &'a str,
}

/// By what someone got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// A code of an authenticator.
    Code,
    /// A mailed code.
    MailedCode,
    /// A recovery code.
    RecoveryCode,
    /// An administrator's one-time code.
    OneTimeCode,
    /// The first factor, in a browser that the account trusts.
    TrustedBrowser,
    /// The first factor alone, where no code is needed: a password,
    Password,
    /// or the identity that a trusted proxy has established.
    Identity,
}

impl From<Spent> for Means {
    fn from(spent: Spent) -> Means {
        match spent {
            Spent::Step(..) => Means::Code,
            Spent::RecoveryCode(_) => Means::RecoveryCode,
            Spent::OneTimeCode => Means::OneTimeCode,
            Spent::MailedCode => Means::MailedCode,
        }
    }
}

impl Means {
    /// The word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Means::Code => "code",
            Means::MailedCode => "mailed-code",
            Means::RecoveryCode => "recovery-code",
            Means::OneTimeCode => "one-time-code",
            Means::TrustedBrowser => "trusted-browser",
            Means::Password => "password",
            Means::Identity => "identity",
        }
    }
}

/// What the use of a recovery code leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// So many codes.
    CodesLeft(usize),
    /// No second factor: it is turned off.
    TurnedOff(AppPasswordsAfter),
}

/// What a success brings, to be told to whoever got in.
#[derive(Debug)]
pub struct Entered {
    /// Wrong codes since the last sign-in.
    pub missed: Option<Missed>,
    /// Where a recovery code was used.
    pub recovery: Option<Recovered>,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict. If it accepts, what it spends is durably marked.
    pub verdict: Verdict,
    /// Wrong codes since the last sign-in; told to whoever got in.
    pub missed: Option<Missed>,
    /// What the use of a recovery code left.
    pub recovery: Option<Recovered>,
    /// The account as what was accepted left it: whatever ends its sessions later raises its generation.
    pub(super) at: Option<AccountAt>,
    /// Whether it opened nothing and wrote nothing, so that there is nothing to keep.
    pub(super) is_free: bool,
}

impl Door {
    /// Judges one answer.
    pub fn attempt(
        &mut self,
        visitor: &Visitor<'_>,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Outcome, DoorError> {
        let Door {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = load::declared(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Visit::load(config, vault, tx, visitor, declared, now)?;
        let mut outcome = visit.judge(tx, answer)?;
        if let Verdict::Accepted(_) = outcome.verdict {
            outcome.at = account_at(tx, visitor.name)?;
        }
        let worth_keeping = !outcome.is_free || visit.mended;
        drop(visit);
        match worth_keeping {
            true => transaction.commit()?,
            false => drop(transaction),
        }
        self.settle_recovery(outcome.recovery)?;
        Ok(outcome)
    }

    /// Someone whose code was accepted before the first factor has passed that too: what a success brings.
    pub fn entered(
        &mut self,
        visitor: &Visitor<'_>,
        means: Means,
        now: Timestamp,
    ) -> Result<Option<Entered>, DoorError> {
        self.entered_unless(visitor, means, now, |_| false)
    }

    /// The same, unless that was booked before.
    pub(super) fn entered_unless(
        &mut self,
        visitor: &Visitor<'_>,
        means: Means,
        now: Timestamp,
        is_booked: impl FnOnce(&AccountRecord) -> bool,
    ) -> Result<Option<Entered>, DoorError> {
        let Door {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = load::declared(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Visit::load(config, vault, tx, visitor, declared, now)?;
        let Some(record) = visit.record.as_ref().filter(|record| !is_booked(record)) else {
            drop(visit);
            // whoever booked it may share this commit
            transaction.commit()?;
            return Ok(None);
        };
        let entered = visit.enter(tx, record, means)?;
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(entered.recovery)?;
        Ok(Some(entered))
    }

    /// What the use of a recovery code ended has ended at every gate when this returns, and a secret that it turned off
    /// has left the store's bytes.
    pub(super) fn settle_recovery(&mut self, recovery: Option<Recovered>) -> Result<(), DoorError> {
        let Some(recovered) = recovery else {
            return Ok(());
        };
        // or a later revision, which covers it too
        let revision = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .revision()?;
        self.await_gates(revision)?;
        match recovered {
            Recovered::TurnedOff(_) => Ok(self.store.scrub()?),
            Recovered::CodesLeft(_) => Ok(()),
        }
    }
}

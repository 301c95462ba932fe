//! Import of authenticators from another system's file, a few accounts in each transaction. An
//! import replaces no second factor, and a code that was consumed there is not accepted here.

use super::account_data;
use super::change::AccountChange;
use crate::account::event::EventKind;
use crate::account::name::{Distinct, LONGEST_LABEL, Label, NameKey, UserName, is_invisible};
use crate::credential::import::FoundAuthenticator;
use crate::credential::otp::otpauth_uri::MovingFactor;
use crate::credential::otp::totp::{OtpParameters, Step};
use crate::crypto::vault::SecretBinding;
use crate::engine::{Accounts, AdministrationError};
use crate::store::AuthenticatorRecord;
use crate::system::clock::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Authenticators in one transaction, unless one account has more: about 25 ms of the write lock.
const BATCH_SIZE: usize = 50;
/// Pause between two transactions, in which logins get the write lock.
const BATCH_PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// The transactions are rolled back.
    DryRun,
    Commit,
}

/// Result for one authenticator of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportReport {
    /// It was imported under this label.
    Imported(Label),
    /// The account has a second factor already, which is left unchanged.
    AlreadyEnrolled,
    /// The account is declared in the configuration.
    Declared,
    /// The account would exceed the maximum number of authenticators.
    TooMany,
    /// The account's name is another spelling of this existing one.
    OtherSpelling(UserName),
}

impl Accounts<'_> {
    /// Imports authenticators and returns the result of each, in the same order. Each transaction
    /// imports a few whole accounts, so that no login waits for a file of thousands, and an
    /// interrupted import continues when it is run again.
    pub fn import_authenticators(
        &mut self,
        found: &[FoundAuthenticator],
        mode: ImportMode,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<ImportReport>, AdministrationError> {
        let mut all = vec![ImportReport::AlreadyEnrolled; found.len()];
        let mut revision = None;
        for (number, batch) in batches(found).into_iter().enumerate() {
            if number > 0 {
                std::thread::sleep(BATCH_PAUSE);
            }
            let mut change = self.engine.begin_change(actor, now)?;
            let mut new: BTreeSet<&UserName> = BTreeSet::new();
            for at in batch {
                all[at] = change.import_one(&found[at], distinct, &mut new)?;
            }
            if mode == ImportMode::Commit && !new.is_empty() {
                revision = Some(change.commit_revision()?);
            }
        }
        if let Some(revision) = revision {
            self.engine.sessions().await_gate_confirmations(revision)?;
        }
        Ok(all)
    }
}

/// Divides the positions of `found` into batches. Authenticators of one account, or of other
/// spellings of its name, are never divided.
fn batches(found: &[FoundAuthenticator]) -> Vec<Vec<usize>> {
    let mut by_account: HashMap<NameKey, Vec<usize>> = HashMap::new();
    for (at, one) in found.iter().enumerate() {
        by_account.entry(one.account.key()).or_default().push(at);
    }
    let mut by_account: Vec<_> = by_account.into_values().collect();
    by_account.sort_unstable();
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for of_account in by_account {
        match batches
            .last_mut()
            .filter(|batch| batch.len() + of_account.len() <= BATCH_SIZE)
        {
            Some(batch) => batch.extend(of_account),
            None => batches.push(of_account),
        }
    }
    batches
}

impl AccountChange<'_> {
    /// Imports one authenticator. `new` has the accounts that received a second factor in this
    /// transaction.
    fn import_one<'f>(
        &mut self,
        one: &'f FoundAuthenticator,
        distinct: Distinct,
        new: &mut BTreeSet<&'f UserName>,
    ) -> Result<ImportReport, AdministrationError> {
        let (name, vault, now) = (&one.account, self.tx.vault, self.tx.now);
        if self.tx.config.find_declared_account(name).is_some() {
            return Ok(ImportReport::Declared);
        }
        let record = match self.find_or_add_distinct_account(name, distinct) {
            Ok(record) => record,
            Err(AdministrationError::OtherSpelling(other)) => {
                return Ok(ImportReport::OtherSpelling(other.existing));
            }
            Err(error) => return Err(error),
        };
        let live = self.tx.authenticators(record.id)?;
        if !live.is_empty() && !new.contains(name) {
            return Ok(ImportReport::AlreadyEnrolled);
        }
        if live.len() >= crate::engine::enrollment::steps::MAX_AUTHENTICATORS {
            return Ok(ImportReport::TooMany);
        }
        let parameters = one.parameters();
        let fingerprint = vault.fingerprint(&one.secret, parameters);
        if let Some(floor) = one.used_up_to().max(account_data::load_floor(
            vault,
            &mut self.tx,
            &one.secret,
            parameters,
        )?) {
            self.tx.raise_floor(&fingerprint, floor)?;
        }
        let label = choose_label(one.label.as_deref(), &live);
        let sealed = vault.seal(
            &one.secret,
            &SecretBinding {
                account: record.id.0,
                name,
                parameters,
            },
        )?;
        let added = AuthenticatorRecord {
            number: 0,
            name: label.clone(),
            parameters,
            sealed,
            created: now,
        };
        self.tx.add_authenticator(record.id, &added)?;
        if new.insert(name) {
            self.tx.end_sessions_and_browsers(record.id)?;
            self.log_event(name, EventKind::Imported)?;
            self.apply_on_change(name, record.id)?;
        }
        Ok(ImportReport::Imported(label))
    }
}

impl FoundAuthenticator {
    /// Returns its TOTP or HOTP parameters.
    pub fn parameters(&self) -> OtpParameters {
        OtpParameters {
            algorithm: self.algorithm,
            digits: self.digits,
            moving: self.moving.kind(),
        }
    }

    /// Returns the highest time step or counter that is consumed.
    pub fn used_up_to(&self) -> Option<Step> {
        match self.moving {
            MovingFactor::Time { .. } => self.floor,
            MovingFactor::Counter { next } => next.checked_sub(1).map(Step),
        }
    }
}

/// Returns a label that no other authenticator of the account has.
fn choose_label(wanted: Option<&str>, live: &[AuthenticatorRecord]) -> Label {
    let wanted = wanted
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or("app");
    // leaves four characters for a number
    let short: String = wanted
        .chars()
        .filter(|c| !is_invisible(*c))
        .take(LONGEST_LABEL - 4)
        .collect();
    let candidates = std::iter::once(short.trim().to_owned())
        .chain((2..).map(|number| format!("{} {number}", short.trim())));
    let free = |label: &Label| live.iter().all(|stored| stored.name != *label);
    let mut labels = candidates.filter_map(|text| Label::try_from(text).ok());
    labels
        .find(free)
        .expect("an account has few authenticators")
}

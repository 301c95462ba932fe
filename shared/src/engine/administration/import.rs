//! Taking over what another system's file held, a few accounts in each transaction. Nobody's second factor is replaced, and
//! no code that was used there opens here.

use super::acting::{AdministrationError, known_or_distinct, log};
use super::app_passwords;
use crate::account::event::EventKind;
use crate::account::name::{Distinct, LONGEST_LABEL, Label, NameKey, UserName, is_invisible};
use crate::config::Config;
use crate::credential::import::FoundAuthenticator;
use crate::credential::otpauth_uri::MovingFactor;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::{Engine, account_data};
use crate::store::{AuthenticatorRecord, Intent, Transaction};
use crate::system::clock::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Authenticators that one transaction takes over, unless one account has more: some 25 ms of the write lock.
const AT_ONCE: usize = 50;
/// What lets logins have their turn between two transactions.
const BETWEEN: Duration = Duration::from_millis(20);

/// Whether an import is carried out or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Nothing is kept.
    Yes,
    /// It counts.
    No,
}

/// What becomes of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportReport {
    /// It is an authenticator of its account, under this name.
    As(Label),
    /// Its account has a second factor already, which is left alone.
    AlreadyEnrolled,
    /// Its account is declared in the configuration.
    Declared,
    /// Its account would have more authenticators than it may.
    TooMany,
    /// Its account's name is another spelling of one that there is.
    OtherSpelling(UserName),
}

impl Engine {
    /// Takes over what was found; what becomes of each, in the same order. Accounts are taken over a few at a time, each as
    /// a whole: no login waits for a file of thousands, and what is cut off goes on where it was when it is run again.
    pub fn import(
        &mut self,
        found: &[FoundAuthenticator],
        trial: ImportMode,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<ImportReport>, AdministrationError> {
        let mut all = vec![ImportReport::AlreadyEnrolled; found.len()];
        let mut revision = None;
        for (number, batch) in batches(found).into_iter().enumerate() {
            if number > 0 {
                std::thread::sleep(BETWEEN);
            }
            let Engine {
                config,
                vault,
                store,
                ..
            } = self;
            let mut transaction = store.begin(vault, Intent::Write)?;
            let tx = transaction.as_mut();
            let mut new: BTreeSet<&UserName> = BTreeSet::new();
            for at in batch {
                let importing = Importing {
                    config,
                    vault,
                    distinct,
                    actor,
                    now,
                };
                all[at] = importing.take(tx, &found[at], &mut new)?;
            }
            if trial == ImportMode::No && !new.is_empty() {
                revision = Some(tx.raise_revision()?);
                transaction.commit()?;
            }
        }
        if let Some(revision) = revision {
            self.await_gate_confirmations(revision)?;
        }
        Ok(all)
    }
}

/// The positions of what was found, a few together: what belongs to one account, or to other spellings of its name, is
/// never divided.
fn batches(found: &[FoundAuthenticator]) -> Vec<Vec<usize>> {
    let mut of_names: HashMap<NameKey, Vec<usize>> = HashMap::new();
    for (at, one) in found.iter().enumerate() {
        of_names.entry(one.account.key()).or_default().push(at);
    }
    let mut of_names: Vec<_> = of_names.into_values().collect();
    of_names.sort_unstable();
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for of_name in of_names {
        match batches
            .last_mut()
            .filter(|batch| batch.len() + of_name.len() <= AT_ONCE)
        {
            Some(batch) => batch.extend(of_name),
            None => batches.push(of_name),
        }
    }
    batches
}

/// What is the same for all that one import takes over.
struct Importing<'a> {
    config: &'a Config,
    vault: &'a Vault,
    distinct: Distinct,
    actor: &'a str,
    now: Timestamp,
}

impl Importing<'_> {
    /// Takes one over. `new` are the accounts that this transaction gave a second factor.
    fn take<'f>(
        &self,
        tx: &mut dyn Transaction,
        one: &'f FoundAuthenticator,
        new: &mut BTreeSet<&'f UserName>,
    ) -> Result<ImportReport, AdministrationError> {
        let Importing {
            config,
            vault,
            distinct,
            actor,
            now,
        } = *self;
        let name = &one.account;
        if config.find_declared_account(name).is_some() {
            return Ok(ImportReport::Declared);
        }
        let record = match known_or_distinct(config, tx, name, distinct, actor, now) {
            Ok(record) => record,
            Err(AdministrationError::OtherSpelling(other)) => {
                return Ok(ImportReport::OtherSpelling(other.existing));
            }
            Err(error) => return Err(error),
        };
        let live = tx.authenticators(record.id)?;
        if !live.is_empty() && !new.contains(name) {
            return Ok(ImportReport::AlreadyEnrolled);
        }
        if live.len() >= crate::engine::enrollment::authenticators::MOST {
            return Ok(ImportReport::TooMany);
        }
        let parameters = one.parameters();
        let fingerprint = vault.fingerprint(&one.secret, parameters);
        if let Some(floor) = one.used_up_to().max(account_data::load_floor(
            vault,
            tx,
            &one.secret,
            parameters,
        )?) {
            tx.raise_floor(&fingerprint, floor)?;
        }
        let label = label(one.label.as_deref(), &live);
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
        tx.add_authenticator(record.id, &added)?;
        if new.insert(name) {
            tx.end_sessions_and_browsers(record.id)?;
            log(config, tx, name, EventKind::Imported, actor, now)?;
            app_passwords::after_administration(config, tx, (name, record.id), actor, now)?;
        }
        Ok(ImportReport::As(label))
    }
}

impl FoundAuthenticator {
    /// How it makes codes.
    pub fn parameters(&self) -> OtpParameters {
        OtpParameters {
            algorithm: self.algorithm,
            digits: self.digits,
            moving: self.moving.kind(),
        }
    }

    /// The highest step or counter that is used up.
    pub fn used_up_to(&self) -> Option<Step> {
        match self.moving {
            MovingFactor::Time { .. } => self.floor,
            MovingFactor::Counter { next } => next.checked_sub(1).map(Step),
        }
    }
}

/// A name for it that no other of the account's has.
fn label(said: Option<&str>, live: &[AuthenticatorRecord]) -> Label {
    let said = said
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or("app");
    // room for a number
    let short: String = said
        .chars()
        .filter(|c| !is_invisible(*c))
        .take(LONGEST_LABEL - 4)
        .collect();
    let candidates = std::iter::once(short.trim().to_owned())
        .chain((2..).map(|number| format!("{} {number}", short.trim())));
    let free = |label: &Label| live.iter().all(|kept| kept.name != *label);
    let mut labels = candidates.filter_map(|text| Label::try_from(text).ok());
    labels
        .find(free)
        .expect("an account has few authenticators")
}

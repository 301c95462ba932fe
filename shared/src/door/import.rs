//! Taking over what another system's file held: all of it in one transaction, or none. Nobody's second factor is
//! replaced, and no code that was used there opens here.

use super::administration::{AdministrationError, known_or_distinct, log};
use super::app_passwords;
use super::{Door, load};
use crate::clock::Timestamp;
use crate::event::What;
use crate::import::Found;
use crate::name::{Distinct, LONGEST_LABEL, Label, UserName, is_invisible};
use crate::otpauth::MovingFactor;
use crate::store::{AuthenticatorRecord, Intent};
use crate::totp::{Parameters, Step};
use crate::vault::Binding;
use std::collections::BTreeSet;

/// Whether an import is carried out or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Nothing is kept.
    Yes,
    /// It counts.
    No,
}

/// What becomes of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
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

impl Door {
    /// Takes over what was found; what becomes of each, in the same order.
    pub fn import(
        &mut self,
        found: &[Found],
        trial: Trial,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<Taken>, AdministrationError> {
        let Door { config, vault, store, .. } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let mut new: BTreeSet<&UserName> = BTreeSet::new();
        let mut all = Vec::with_capacity(found.len());
        for one in found {
            let name = &one.account;
            if config.declared(name).is_some() {
                all.push(Taken::Declared);
                continue;
            }
            let record = match known_or_distinct(config, tx, name, distinct, actor, now) {
                Ok(record) => record,
                Err(AdministrationError::OtherSpelling(other)) => {
                    all.push(Taken::OtherSpelling(other.of));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let live = tx.authenticators(record.id)?;
            if !live.is_empty() && !new.contains(name) {
                all.push(Taken::AlreadyEnrolled);
                continue;
            }
            if live.len() >= super::authenticators::MOST {
                all.push(Taken::TooMany);
                continue;
            }
            let parameters = one.parameters();
            let fingerprint = vault.fingerprint(&one.secret, parameters);
            if let Some(floor) = one.used_up_to().max(load::floor(vault, tx, &one.secret, parameters)?) {
                tx.set_floor(&fingerprint, floor)?;
            }
            let label = label(one.label.as_deref(), &live);
            let sealed = vault.seal(&one.secret, &Binding { account: record.id.0, name, parameters })?;
            let name_of_it = label.clone();
            tx.add_authenticator(
                record.id,
                &AuthenticatorRecord { number: 0, name: name_of_it, parameters, sealed, created: now },
            )?;
            if new.insert(name) {
                tx.end_all(record.id)?;
                log(config, tx, name, What::Imported, actor, now)?;
                app_passwords::after_administration(config, tx, (name, record.id), actor, now)?;
            }
            all.push(Taken::As(label));
        }
        if trial == Trial::Yes || new.is_empty() {
            return Ok(all);
        }
        let revision = tx.revise()?;
        transaction.commit()?;
        self.await_gates(revision)?;
        Ok(all)
    }
}

impl Found {
    /// How it makes codes.
    pub fn parameters(&self) -> Parameters {
        Parameters { algorithm: self.algorithm, digits: self.digits, moving: self.moving.moving() }
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
    let said = said.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("app");
    // room for a number
    let short: String = said.chars().filter(|c| !is_invisible(*c)).take(LONGEST_LABEL - 4).collect();
    let candidates = std::iter::once(short.trim().to_owned())
        .chain((2..).map(|number| format!("{} {number}", short.trim())));
    let free = |label: &Label| live.iter().all(|kept| kept.name != *label);
    let mut labels = candidates.filter_map(|text| Label::try_from(text).ok());
    labels.find(free).expect("an account has few authenticators")
}

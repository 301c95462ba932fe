//! Addresses of accounts: set, confirmed by a code that was mailed there, removed. A confirmed address is a second
//! factor: codes are mailed to it. One in use stays so until mail to the new one has arrived.

use super::acting::{AdministrationError, known, known_or_new, log};
use super::app_passwords::{self, AppPasswordsAfter};
use crate::account::email::EmailAddress;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::crypto::vault::MailedFor;
use crate::engine::mail::code::{self, MailQueued, MailRefusal};
use crate::engine::principal::Principal;
use crate::engine::{Engine, is_enrolled};
use crate::store::{Intent, MailAddresses};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;

/// Wrong confirmations after which the code is worth nothing.
const MOST_WRONG: u32 = 5;

impl Engine {
    /// Notes a new address, and leaves a letter with a code for it in the outbox: see [`Door::await_letter`].
    pub fn set_email<'a>(
        &mut self,
        name: &UserName,
        to: &EmailAddress,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<MailQueued, AdministrationError> {
        let actor = actor.into();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known_or_new(&self.config, tx.as_mut(), name, actor, now)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        match code::refusal(&self.config.email, tx.as_mut(), record.id, now)? {
            Some(MailRefusal::Cooldown { wait }) => {
                return Err(AdministrationError::MailCooldown(wait));
            }
            Some(_) => return Err(AdministrationError::NoMail),
            None => {}
        }
        if code::has_its_share(tx.as_mut(), to, now)? {
            return Err(AdministrationError::MailCooldown(
                self.config.email.cooldown.seconds(),
            ));
        }
        let addresses = tx.mail_addresses(record.id)?;
        tx.set_mail_addresses(
            record.id,
            &MailAddresses {
                pending: Some(to.clone()),
                ..addresses
            },
        )?;
        let (email, purpose) = (&self.config.email, MailedFor::Confirmation);
        let posted = code::post(
            email,
            &self.vault,
            tx.as_mut(),
            record.id,
            to.clone(),
            purpose,
            now,
        )?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::EmailSet,
            actor,
            now,
        )?;
        tx.commit()?;
        Ok(posted)
    }

    /// The address that a code was mailed to and that is not confirmed yet.
    pub fn unconfirmed_email(
        &mut self,
        name: &UserName,
    ) -> Result<EmailAddress, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let record = known(tx.as_mut(), name)?;
        let pending = tx.mail_addresses(record.id)?.pending;
        pending.ok_or_else(|| AdministrationError::NothingToConfirm(name.clone()))
    }

    /// The code that was mailed to a new address: from now on codes for the account are mailed there. Every session and
    /// trusted browser of the account ends.
    pub fn confirm_email<'a>(
        &mut self,
        name: &UserName,
        answer: &Input,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(EmailAddress, AppPasswordsAfter), AdministrationError> {
        let actor = actor.into();
        self.refuse_declared(name)?;
        let refuse = |refusal| Err(AdministrationError::NotConfirmed(refusal));
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let Some(address) = tx.mail_addresses(record.id)?.pending else {
            return Err(AdministrationError::NothingToConfirm(name.clone()));
        };
        let Input::Digits(digits) = answer else {
            return refuse(Refusal::Malformed);
        };
        let hash = self
            .vault
            .mailed_hash(record.id.0, MailedFor::Confirmation, digits);
        let kept = match tx.mailed_code(record.id)? {
            Some((MailedFor::Confirmation, kept))
                if !kept.used && kept.wrong_confirmations < MOST_WRONG =>
            {
                kept
            }
            _ => return Err(AdministrationError::NoCodeToConfirm(name.clone())),
        };
        if kept.hash != hash {
            tx.count_wrong_confirmation(record.id)?;
            tx.commit()?;
            return refuse(Refusal::Wrong);
        }
        if kept.is_expired(now) {
            return refuse(Refusal::CodeExpired);
        }
        let was_on = is_enrolled(tx.as_mut(), record.id)?;
        tx.consume_mailed_code(record.id)?;
        let addresses = MailAddresses {
            confirmed: Some(address.clone()),
            pending: None,
        };
        // the address of before is told, if there was one
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::EmailConfirmed,
            actor,
            now,
        )?;
        tx.set_mail_addresses(record.id, &addresses)?;
        tx.end_sessions_and_browsers(record.id)?;
        let revision = tx.raise_revision()?;
        let after = match was_on {
            true => AppPasswordsAfter::None,
            false => {
                let account = (name, record.id);
                app_passwords::after_administration(&self.config, tx.as_mut(), account, actor, now)?
            }
        };
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok((address, after))
    }

    /// Removes the addresses of an account; whether it still has a second factor. Where the address was the last one,
    /// recovery codes go too. Every session and trusted browser of the account ends.
    pub fn remove_email<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(Enrolled, AppPasswordsAfter), AdministrationError> {
        let actor = actor.into();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let addresses = tx.mail_addresses(record.id)?;
        if addresses == MailAddresses::default() {
            return Err(AdministrationError::NoAddress(name.clone()));
        }
        let enrolled = match tx.authenticators(record.id)?.is_empty() {
            true => Enrolled::No,
            false => Enrolled::Yes,
        };
        // the address that goes is told
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::EmailRemoved,
            actor,
            now,
        )?;
        tx.set_mailed_code(record.id, None)?;
        let mut after = AppPasswordsAfter::None;
        if addresses.confirmed.is_some() && enrolled == Enrolled::No {
            tx.remove_second_factor(record.id)?;
            tx.unlock_account(record.id)?;
            let account = (name, record.id);
            after = app_passwords::after_administration(
                &self.config,
                tx.as_mut(),
                account,
                actor,
                now,
            )?;
        }
        tx.set_mail_addresses(record.id, &MailAddresses::default())?;
        tx.end_sessions_and_browsers(record.id)?;
        let revision = tx.raise_revision()?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        self.store
            .scrub()
            .map_err(AdministrationError::NotScrubbed)?;
        Ok((enrolled, after))
    }
}

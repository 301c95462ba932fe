//! E-mail addresses of accounts: set, confirmed by a mailed code, removed. A confirmed address is a
//! second factor, since codes are mailed to it. It stays confirmed until a code mailed to the new
//! address is entered.

use crate::account::email::EmailAddress;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::crypto::vault::MailedFor;
use crate::engine::mail::code;
use crate::engine::{
    Accounts, AdministrationError, AppPasswordsAfter, MailQueued, MailRefusal, Principal, SERVICE,
    VerificationRequest, is_enrolled,
};
use crate::store::MailAddresses;
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

/// Wrong inputs after which a mailed confirmation code is no longer valid.
const MAX_WRONG: u32 = 5;

impl Accounts<'_> {
    /// Refuses a person without a second factor whose first enrollment requires a one-time code: a
    /// confirmed address is a second factor, and one that is set up by the password alone would
    /// permit every other.
    fn check_person_may_begin(
        &mut self,
        name: &UserName,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let origin = match actor {
            Principal::Browser(own, origin) | Principal::Session(own, origin, _) if own == name => {
                origin
            }
            Principal::SignedIn(session, origin) if session.name == *name => origin,
            _ => return Ok(()),
        };
        if self.engine.load_policy_facts(name)?.enrolled == Enrolled::Yes {
            return Ok(());
        }
        let request = VerificationRequest::new(name, Phase::After, origin, SERVICE);
        self.engine
            .policy()
            .refuse_without_one_time_code(&request, now)
    }

    /// Stores a new address and queues a code to it: see [`Engine::await_mail_delivery`].
    pub fn set_email<'a>(
        &mut self,
        name: &UserName,
        to: &EmailAddress,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<MailQueued, AdministrationError> {
        self.engine.check_not_declared(name)?;
        let actor = actor.into();
        self.check_person_may_begin(name, actor, now)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_or_add_account(name)?;
        match code::mail_refusal(&mut change.tx, record.id)? {
            Some(MailRefusal::Cooldown { wait }) => {
                return Err(AdministrationError::MailCooldown(wait));
            }
            Some(_) => return Err(AdministrationError::NoMail),
            None => {}
        }
        if code::has_too_many_confirmations(&mut change.tx, to, now)? {
            let cooldown = change.tx.config.email.cooldown.seconds();
            return Err(AdministrationError::MailCooldown(cooldown));
        }
        let mut addresses = change.tx.mail_addresses(record.id)?;
        addresses.pending = Some(to.clone());
        change.tx.set_mail_addresses(record.id, &addresses)?;
        let purpose = MailedFor::Confirmation;
        let mail = code::queue_code(&mut change.tx, record.id, to.clone(), purpose)?;
        change.log_event(name, EventKind::EmailSet)?;
        change.commit()?;
        Ok(mail)
    }

    /// Returns the address that waits for its confirmation.
    pub fn unconfirmed_email(
        &mut self,
        name: &UserName,
    ) -> Result<EmailAddress, AdministrationError> {
        let (mut tx, record) = self.engine.read_account(name)?;
        let pending = tx.mail_addresses(record.id)?.pending;
        pending.ok_or_else(|| AdministrationError::NothingToConfirm(name.clone()))
    }

    /// Confirms the new address by the code mailed to it. Codes are mailed there from now on. Every
    /// session and trusted browser of the account ends.
    pub fn confirm_email<'a>(
        &mut self,
        name: &UserName,
        input: &Input,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(EmailAddress, AppPasswordsAfter), AdministrationError> {
        self.engine.check_not_declared(name)?;
        let actor = actor.into();
        self.check_person_may_begin(name, actor, now)?;
        let refuse = |refusal| Err(AdministrationError::NotConfirmed(refusal));
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let Some(address) = change.tx.mail_addresses(record.id)?.pending else {
            return Err(AdministrationError::NothingToConfirm(name.clone()));
        };
        let Input::Digits(digits) = input else {
            return refuse(Refusal::Malformed);
        };
        let vault = change.tx.vault;
        let hash = vault.mailed_hash(record.id.0, MailedFor::Confirmation, digits);
        let stored = match change.tx.mailed_code(record.id)? {
            Some((MailedFor::Confirmation, stored))
                if !stored.used && stored.wrong_confirmations < MAX_WRONG =>
            {
                stored
            }
            _ => return Err(AdministrationError::NoCodeToConfirm(name.clone())),
        };
        if stored.hash != hash {
            change.tx.count_wrong_confirmation(record.id)?;
            change.commit()?;
            return refuse(Refusal::Wrong);
        }
        if stored.is_expired(now) {
            return refuse(Refusal::CodeExpired);
        }
        let was_on = is_enrolled(&mut change.tx, record.id)?;
        change.tx.consume_mailed_code(record.id)?;
        let addresses = MailAddresses {
            confirmed: Some(address.clone()),
            pending: None,
        };
        // before the change, so that the earlier address is notified
        change.log_event(name, EventKind::EmailConfirmed)?;
        change.tx.set_mail_addresses(record.id, &addresses)?;
        change.tx.end_sessions_and_browsers(record.id)?;
        let after = match was_on {
            true => AppPasswordsAfter::None,
            false => change.apply_on_change(name, record.id)?,
        };
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok((address, after))
    }

    /// Removes the addresses of an account. Returns whether it still has a second factor; if not,
    /// its recovery codes are removed too. Every session and trusted browser of the account ends.
    pub fn remove_email<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(Enrolled, AppPasswordsAfter), AdministrationError> {
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let addresses = change.tx.mail_addresses(record.id)?;
        if addresses == MailAddresses::default() {
            return Err(AdministrationError::NoAddress(name.clone()));
        }
        let enrolled = match change.tx.authenticators(record.id)?.is_empty() {
            true => Enrolled::No,
            false => Enrolled::Yes,
        };
        // before the removal, so that the removed address is notified
        change.log_event(name, EventKind::EmailRemoved)?;
        change.tx.set_mailed_code(record.id, None)?;
        let mut after = AppPasswordsAfter::None;
        if addresses.confirmed.is_some() && enrolled == Enrolled::No {
            change.tx.remove_second_factor(record.id)?;
            change.tx.unlock_account(record.id)?;
            after = change.apply_on_change(name, record.id)?;
        }
        change
            .tx
            .set_mail_addresses(record.id, &MailAddresses::default())?;
        change.tx.end_sessions_and_browsers(record.id)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine.truncate_wal()?;
        Ok((enrolled, after))
    }
}

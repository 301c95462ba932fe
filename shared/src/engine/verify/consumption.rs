//! What a decision writes: what an accepted input consumes, what a refused one costs, and the login
//! that follows from an accepted one.

use super::attempt::{AfterLogin, AfterRecovery, VerifiedAttempt};
use super::evaluation::Evaluation;
use crate::account::event::EventKind;
use crate::account::record::AccountRecord;
use crate::config::RecoveryCodeUse;
use crate::credential::input::Input;
use crate::engine::Engine;
use crate::engine::app_passwords::changes;
use crate::engine::mail::sign_in::is_new_address;
use crate::store::StoreError;
use crate::system::clock::Timestamp;
use crate::verify::decision::{Consumed, Decision, Refusal};
use crate::verify::method::AuthenticationMethod;
use crate::verify::throttle::{Phase, WrongFactor};

impl Evaluation<'_> {
    /// Verifies an input and writes what the decision asks for.
    pub(in crate::engine) fn verify_input(
        &mut self,
        input: &Input,
    ) -> Result<VerifiedAttempt, StoreError> {
        let decision = self.decide_input(input);
        self.apply_decision(decision)
    }

    /// Writes what a decision asks for.
    pub(in crate::engine) fn apply_decision(
        &mut self,
        decision: Decision,
    ) -> Result<VerifiedAttempt, StoreError> {
        let (now, is_free) = (self.tx.now, decision.is_free());
        let mut verified = VerifiedAttempt {
            result: decision.result,
            after_login: AfterLogin::default(),
            at: None,
            is_free,
        };
        match &verified.result {
            Ok(accepted) => {
                let account = self.record.as_ref();
                let account = account
                    .expect("only an account with a second factor is accepted")
                    .id;
                // Otherwise a full disk or a write limit could let wrong inputs fail uncounted
                // while right ones are accepted.
                self.write_as_if_charged()?;
                match accepted.consumed() {
                    Consumed::Step(fingerprint, step) => {
                        self.tx.consume_step(&fingerprint, step)?
                    }
                    Consumed::RecoveryCode(hash) => {
                        self.tx.consume_recovery_code(account, &hash, now)?
                    }
                    Consumed::OneTimeCode => self.tx.consume_one_time_code(account)?,
                    Consumed::PasskeyCode => self.tx.consume_passkey_code(account)?,
                    Consumed::MailedCode => self.tx.consume_mailed_code(account)?,
                }
                let method = AuthenticationMethod::from(accepted.consumed());
                self.log_event(EventKind::Accepted, method.name())?;
                if self.request.phase == Phase::After {
                    verified.after_login = self.record_login(method)?;
                }
            }
            Err(Refusal::Delayed { .. }) if self.request.phase == Phase::Before => {
                self.write_as_if_charged()?;
                verified.is_free = false;
            }
            Err(_) if is_free => {}
            Err(refusal) => {
                if let Some(cost) = decision.bucket_cost {
                    self.charge_bucket(cost, WrongFactor::Code)?;
                    self.charge_host()?;
                }
                if decision.charges_address {
                    self.charge_address()?;
                }
                // Names without an account leave no event. Before the first factor, accounts must
                // not differ from them.
                if self.request.phase == Phase::After {
                    self.log_event(EventKind::Refused, &refusal.to_string())?;
                }
            }
        }
        Ok(verified)
    }

    /// Records a login: removes the failures from its own address, makes the address familiar, and
    /// starts a grace period if a code was given. There is nothing to record without an account.
    pub(in crate::engine) fn record_login(
        &mut self,
        method: AuthenticationMethod,
    ) -> Result<AfterLogin, StoreError> {
        let Some(record) = self.record.clone() else {
            return Ok(AfterLogin::default());
        };
        let (now, last) = (self.tx.now, record.last_sign_in.unwrap_or(Timestamp(0)));
        let missed = self.tx.missed_inputs(record.id, last)?;
        let (by_code, by_recovery) = match method {
            AuthenticationMethod::Code
            | AuthenticationMethod::MailedCode
            | AuthenticationMethod::Passkey
            | AuthenticationMethod::PasskeyAlone
            | AuthenticationMethod::PasskeyCode
            | AuthenticationMethod::Approval => (true, false),
            AuthenticationMethod::TrustedBrowser
            | AuthenticationMethod::Password
            | AuthenticationMethod::Identity => (false, false),
            // These methods remove a lock.
            AuthenticationMethod::RecoveryCode | AuthenticationMethod::OneTimeCode => (false, true),
        };
        match by_recovery {
            true => self.tx.unlock_bucket(&self.key)?,
            false => self.forget_own_failures()?,
        }
        let from_new_address = is_new_address(&mut self.tx, &record, self.request.origin)?;
        if let Some(address) = &self.address_key {
            let (service, since) = (self.request.service, Engine::lock_window_start(now));
            self.tx
                .record_familiar_address(record.id, address, service, now, since)?;
            // A code that was given before the first factor is recorded in a later transaction, and
            // all sessions may have been ended between the two.
            if self.request.phase == Phase::After && by_code {
                self.tx.record_code_time(record.id, address, service, now)?;
            }
        }
        self.tx.record_sign_in(record.id, now)?;
        let recovery = match method == AuthenticationMethod::RecoveryCode {
            true => Some(self.after_recovery(&record)?),
            false => None,
        };
        Ok(AfterLogin {
            missed,
            recovery,
            from_new_address,
        })
    }

    /// Ends every session and trusted browser after the use of a recovery code, because the device
    /// may be in other hands. Turns the second factor off if the configuration says so.
    fn after_recovery(&mut self, record: &AccountRecord) -> Result<AfterRecovery, StoreError> {
        let (config, now) = (self.tx.config, self.tx.now);
        let declared = config.find_declared_account(&record.name).is_some();
        self.tx.end_sessions_and_browsers(record.id)?;
        self.tx.raise_revision()?;
        if config.recovery.on_use == RecoveryCodeUse::Disable && !declared {
            self.tx.remove_second_factor(record.id)?;
            self.log_event(EventKind::Disabled, "recovery.on_use = \"disable\"")?;
            let after = changes::apply_on_change(config, &mut self.tx, record.id, now)?;
            if let Some((kind, cause)) = after.event() {
                self.log_event(kind, cause)?;
            }
            return Ok(AfterRecovery::TurnedOff(after));
        }
        let codes = self.tx.recovery_codes(record.id)?;
        let left = codes.iter().filter(|code| !code.used).count();
        Ok(AfterRecovery::CodesLeft(left))
    }
}

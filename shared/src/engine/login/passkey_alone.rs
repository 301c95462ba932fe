//! Sign-in by a passkey alone: without a name and a password, where the configuration permits it and
//! the authenticator has verified its user.
//!
//! Nothing is written for a response that is not valid but the failure of its address. A valid one
//! uses the request up in the transaction that opens the session.

use super::new_session::NewSession;
use super::passkey::EnteredPasskey;
use super::proof::FirstFactorPassed;
use super::{AfterPasskeyAlone, BrowserContext, LoginError, LoginGroups, TrustRequest};
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::config::gate::UserVerification;
use crate::credential::passkey::response::AssertionResponse;
use crate::engine::Login;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::passkeys::assertion::{check_passkey, use_passkey};
use crate::engine::verify::bucket::{address_failures, address_wait};
use crate::engine::verify::evaluation::Evaluation;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::PasskeySignIn;
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::passkey::PasskeyRefusal;
use crate::verify::throttle::Phase;

impl Login<'_> {
    /// Signs in by a passkey alone. The user handle, which such a passkey returns, MUST be that of
    /// the account that has the passkey.
    pub fn enter_passkey_alone(
        &mut self,
        browser: &BrowserContext<'_>,
        request: &PasskeySignIn,
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<AfterPasskeyAlone, LoginError> {
        if !self.engine.config.gate.passkeys.sign_in {
            return Ok(AfterPasskeyAlone::Refused(Refusal::Malformed));
        }
        if request.is_expired(now) {
            return Ok(AfterPasskeyAlone::Refused(Refusal::Expired));
        }
        let name = match self.find_user(request, response, now)? {
            Ok(name) => name,
            Err((name, refusal)) => {
                return repeat_after_conflict(|| match &name {
                    Some(name) => self.refuse_user(browser, name, refusal, now),
                    None => self.refuse_address(browser, refusal, now),
                });
            }
        };
        self.end_stolen_browser(browser, &name, now)?;
        let host = self.load_host_groups(&name)?;
        let entered = repeat_after_conflict(|| {
            self.verify_passkey_alone(browser, request, (&name, &host), response, now)
        })?;
        if let AfterPasskeyAlone::Opened(opened) = &entered {
            self.settle_login(opened)?;
        }
        Ok(entered)
    }

    /// Returns the account whose passkey answers the request, or why none does. Nothing is locked or
    /// looked up on the host for a response that is not valid.
    fn find_user(
        &mut self,
        request: &PasskeySignIn,
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<Result<UserName, (Option<UserName>, PasskeyRefusal)>, LoginError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let unknown = PasskeyRefusal::Unknown;
        let Some(name) = tx.find_passkey_account(&response.id)? else {
            return Ok(Err((None, unknown)));
        };
        let record = tx.find_account(&name)?;
        let (Some(record), Some(_)) = (record, &response.user_handle) else {
            return Ok(Err((None, unknown)));
        };
        let (challenge, by_policy) = (request.passkey_challenge(), UserVerification::Preferred);
        let checked = check_passkey(&mut tx, record.id, &challenge, by_policy, response)?;
        Ok(match checked {
            Ok(_) => Ok(name),
            // no one writes to an account's log by naming one of its passkeys
            Err(refusal) => Err((refusal.has_right_signature().then_some(name), refusal)),
        })
    }

    fn verify_passkey_alone(
        &mut self,
        browser: &BrowserContext<'_>,
        request: &PasskeySignIn,
        (name, host): (&UserName, &LoginGroups),
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<AfterPasskeyAlone, LoginError> {
        let (mut evaluation, recognized) =
            self.evaluate_login(browser, name, Phase::After, None, now)?;
        let tx = &mut evaluation.tx;
        let is_valid = !request.is_expired(tx.now)
            && request.is_sealed_with(&tx.vault.token_keys())
            && !tx.login_token_state(request.id())?.used;
        let record = match evaluation.record.clone() {
            Some(record) if is_valid => record,
            _ => return Ok(AfterPasskeyAlone::Refused(Refusal::Expired)),
        };
        if evaluation.credentials.enrolled == Enrolled::No {
            return refuse(evaluation, PasskeyRefusal::Unknown);
        }
        let (challenge, by_policy) = (request.passkey_challenge(), UserVerification::Preferred);
        let tx = &mut evaluation.tx;
        let accepted = match use_passkey(tx, record.id, &challenge, by_policy, response)? {
            Ok(accepted) => accepted,
            Err(refusal) => return refuse(evaluation, refusal),
        };
        evaluation.write_as_if_charged()?;
        let tx = &mut evaluation.tx;
        tx.use_passkey_sign_in(record.id, request, now)?;
        let configured = tx.config.gate.first_factor;
        let Some(first) = FirstFactorPassed::by_passkey(&accepted, configured, tx.now) else {
            return refuse(evaluation, PasskeyRefusal::UserVerification);
        };
        let session = NewSession {
            browser,
            record: &record,
            host,
        };
        let entered = EnteredPasskey {
            first,
            accepted,
            method: AuthenticationMethod::PasskeyAlone,
        };
        let opened = entered.open(evaluation, &session, &recognized, TrustRequest::NotAsked)?;
        Ok(AfterPasskeyAlone::Opened(opened))
    }

    /// Refuses a response that a passkey of the account has signed.
    fn refuse_user(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        refusal: PasskeyRefusal,
        now: Timestamp,
    ) -> Result<AfterPasskeyAlone, LoginError> {
        let (evaluation, _) = self.evaluate_login(browser, name, Phase::After, None, now)?;
        match evaluation.credentials.address_wait {
            Some(wait) => {
                let delayed = Refusal::AddressDelayed { wait };
                Ok(AfterPasskeyAlone::Refused(delayed))
            }
            None => refuse(evaluation, refusal),
        }
    }

    /// Refuses a response that no passkey has signed: it counts for its address alone.
    fn refuse_address(
        &mut self,
        browser: &BrowserContext<'_>,
        refusal: PasskeyRefusal,
        now: Timestamp,
    ) -> Result<AfterPasskeyAlone, LoginError> {
        let wrong = AfterPasskeyAlone::Wrong(refusal);
        let Some(address) = browser.origin.throttle_key() else {
            return Ok(wrong);
        };
        let mut tx = self.engine.begin_act(Intent::Attempt, now)?;
        let (config, now) = (tx.config, tx.now);
        let failures = address_failures(&mut tx, Some(&address))?;
        // Failures in the future are corrected where one is added.
        let are_past = failures.iter().all(|at| *at <= now);
        if let Some(wait) = address_wait(config, &failures, now).filter(|_| are_past) {
            let delayed = Refusal::AddressDelayed { wait };
            return Ok(AfterPasskeyAlone::Refused(delayed));
        }
        let since = now.minus(config.throttle.address_window.seconds());
        let limit = config.throttle.address_limit.value();
        tx.add_address_failure(&address, now, since, limit)?;
        tx.commit()?;
        Ok(wrong)
    }
}

/// Counts and logs a refusal, and commits.
fn refuse(
    mut evaluation: Evaluation<'_>,
    refusal: PasskeyRefusal,
) -> Result<AfterPasskeyAlone, LoginError> {
    evaluation.charge_address()?;
    evaluation.log_event(EventKind::Refused, &format!("passkey: {refusal}"))?;
    evaluation.commit()?;
    Ok(match refusal {
        PasskeyRefusal::UserVerification => AfterPasskeyAlone::NotVerified,
        refusal => AfterPasskeyAlone::Wrong(refusal),
    })
}

//! One verification in one transaction: load, decide, write, commit.
//! The result is returned only after the commit.

use super::evaluation::Evaluation;
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::credential::input::Input;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::context::warning::suspected_clock;
use crate::engine::login::token_validity::account_at;
use crate::engine::mail::sign_in::report_login;
use crate::engine::{AppPasswordsAfter, Engine, EngineError, Verification, messages};
use crate::store::{Intent, MissedInputs, StoreError};
use crate::system::clock::Timestamp;
use crate::token::AccountVersion;
use crate::verify::decision::{Refusal, VerificationResult};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// One request to verify: who asks, from where, at which service.
#[derive(Clone, Copy)]
pub struct VerificationRequest<'a> {
    pub name: &'a UserName,
    pub phase: Phase,
    pub origin: &'a Origin,
    /// Number of the account's trusted browser that asks.
    pub browser: Option<i64>,
    /// The PAM service, `web`, or `postern` for the command.
    pub service: &'a str,
}

impl<'a> VerificationRequest<'a> {
    /// Makes a request that comes from no trusted browser.
    pub fn new(
        name: &'a UserName,
        phase: Phase,
        origin: &'a Origin,
        service: &'a str,
    ) -> VerificationRequest<'a> {
        VerificationRequest {
            name,
            phase,
            origin,
            browser: None,
            service,
        }
    }
}

/// What is left after a recovery code was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRecovery {
    /// Number of unused recovery codes.
    CodesLeft(usize),
    /// The second factor is turned off.
    TurnedOff(AppPasswordsAfter),
}

/// What a person is told after a login.
#[derive(Debug, Default)]
pub struct AfterLogin {
    /// Wrong codes since the last login.
    pub missed: Option<MissedInputs>,
    /// Present only where a recovery code was used.
    pub recovery: Option<AfterRecovery>,
    /// Whether the owner is to be notified, since the account has not used the address.
    pub(in crate::engine) from_new_address: bool,
}

impl AfterLogin {
    /// Returns the messages for the person, in English.
    pub fn messages(&self) -> Vec<String> {
        let missed = self.missed.as_ref().map(messages::missed_inputs);
        let recovery = self.recovery.map(messages::recovery_text);
        missed.into_iter().chain(recovery).collect()
    }
}

/// Result of one verification, with what the login is told.
#[derive(Debug)]
pub struct VerifiedAttempt {
    /// The result. What an accepted input consumes is committed.
    pub result: VerificationResult,
    pub after_login: AfterLogin,
    /// The account's version after the accepted input was written. Whatever ends its sessions later
    /// raises the generation.
    pub(in crate::engine) at: Option<AccountVersion>,
    /// Whether nothing was accepted and nothing was written, so that no commit is needed.
    pub(in crate::engine) is_free: bool,
}

impl Engine {
    /// Leaves a warning if a code that was off suggests, with others, that this host's clock is
    /// wrong. It is called after the commit, so an error here changes nothing.
    pub(in crate::engine) fn note_drift(&mut self, refusal: Option<&Refusal>, now: Timestamp) {
        if !matches!(
            refusal,
            Some(Refusal::Behind { .. } | Refusal::Ahead { .. })
        ) {
            return;
        }
        if let Ok(Some(suspicion)) = self.audit_log().suspect_clock(now) {
            let period = self.config.totp.period.seconds();
            let text = suspected_clock(&suspicion, period);
            self.add_warning("host-clock", text);
        }
    }
}

impl Verification<'_> {
    /// Verifies one input and commits what it consumes.
    pub fn verify_input(
        &mut self,
        request: &VerificationRequest<'_>,
        input: &Input,
        now: Timestamp,
    ) -> Result<VerifiedAttempt, EngineError> {
        self.verify_with(request, input, now, |_| Ok(()))
    }

    /// Does the same in a PAM conversation, which accepts the code that a passkey has made too.
    pub(super) fn verify_at_prompt(
        &mut self,
        request: &VerificationRequest<'_>,
        input: &Input,
        now: Timestamp,
    ) -> Result<VerifiedAttempt, EngineError> {
        self.verify_with(request, input, now, |evaluation| {
            evaluation.accept_passkey_code()
        })
    }

    fn verify_with(
        &mut self,
        request: &VerificationRequest<'_>,
        input: &Input,
        now: Timestamp,
        prepare: impl Fn(&mut Evaluation<'_>) -> Result<(), StoreError>,
    ) -> Result<VerifiedAttempt, EngineError> {
        let verified = repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(request, Intent::Attempt, now)?;
            prepare(&mut evaluation)?;
            let mut verified = evaluation.verify_input(input)?;
            if let Ok(accepted) = &verified.result {
                let method = AuthenticationMethod::from(accepted.consumed());
                report_login(&mut evaluation, &verified.after_login, method)?;
                verified.at = account_at(&mut evaluation.tx, request.name)?;
            }
            evaluation.commit_if(!verified.is_free)?;
            Ok::<_, EngineError>(verified)
        })?;
        self.settle_recovery(&verified.after_login)?;
        // Before the first factor, the work of this would show by its time whose code it is.
        if request.phase == Phase::After {
            self.engine.note_drift(verified.result.as_ref().err(), now);
        }
        Ok(verified)
    }

    /// Records a login whose code was accepted before the first factor, once the first factor has
    /// passed too.
    pub fn complete_login(
        &mut self,
        request: &VerificationRequest<'_>,
        method: AuthenticationMethod,
        now: Timestamp,
    ) -> Result<Option<AfterLogin>, EngineError> {
        self.complete_login_unless(request, method, now, |_| false)
    }

    /// Does the same, unless `is_recorded` says that this login was recorded before.
    pub(in crate::engine) fn complete_login_unless(
        &mut self,
        request: &VerificationRequest<'_>,
        method: AuthenticationMethod,
        now: Timestamp,
        is_recorded: impl FnOnce(&AccountRecord) -> bool,
    ) -> Result<Option<AfterLogin>, EngineError> {
        let mut evaluation = self.engine.evaluate(request, Intent::Attempt, now)?;
        let after_login = match evaluation.record.as_ref().map(is_recorded) {
            Some(false) => Some(evaluation.record_login(method)?),
            Some(true) | None => None,
        };
        if let Some(after_login) = &after_login {
            report_login(&mut evaluation, after_login, method)?;
        }
        // Where nothing is recorded, the transaction that recorded it may share this commit.
        evaluation.commit()?;
        if let Some(after_login) = &after_login {
            self.settle_recovery(after_login)?;
        }
        Ok(after_login)
    }

    /// Waits until every gate refuses what the use of a recovery code ended, and removes the bytes
    /// of a secret that it turned off.
    pub(in crate::engine) fn settle_recovery(
        &mut self,
        after_login: &AfterLogin,
    ) -> Result<(), EngineError> {
        let Some(recovered) = after_login.recovery else {
            return Ok(());
        };
        // A later revision covers this one too.
        let revision = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?
            .revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        match recovered {
            AfterRecovery::TurnedOff(_) => Ok(self.engine.store.truncate_wal()?),
            AfterRecovery::CodesLeft(_) => Ok(()),
        }
    }
}

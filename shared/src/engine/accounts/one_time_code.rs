//! One-time codes, which an administrator issues to a user who has lost the authenticator. A code
//! is accepted once, within 48 hours, and the second factor stays on.

use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::credential::input::Input;
use crate::credential::recovery_code::OneTimeCode;
use crate::engine::login::token_validity::check_token;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{
    Accounts, AdministrationError, EngineError, EnrollmentToken, Principal, VerificationRequest,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::account::StoredOneTimeCode;
use crate::verify::decision::Refusal;
use crate::verify::one_time_code::AcceptedEnrollmentCode;

/// Lifetime of a code, in seconds.
const LIFETIME: u64 = 48 * 3600;

impl Accounts<'_> {
    /// Issues a one-time code that replaces an earlier one. Returns it with its expiry time.
    pub fn issue_one_time_code<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(OneTimeCode, Timestamp), AdministrationError> {
        let code = OneTimeCode::random()?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_or_add_declared_account(name)?;
        let hash = change.tx.vault.one_time_hash(record.id.0, code.plain());
        let expires = now.plus(LIFETIME);
        change.tx.set_one_time_code(
            record.id,
            Some(&StoredOneTimeCode {
                hash,
                issued: now,
                expires,
                used: false,
            }),
        )?;
        change.log_event(name, EventKind::OneTimeCodeIssued)?;
        change.commit()?;
        Ok((code, expires))
    }

    /// Verifies the one-time code that permits a first enrollment by a user other than root. The
    /// activation consumes it.
    pub(in crate::engine) fn verify_owner_one_time_code(
        &mut self,
        request: &VerificationRequest<'_>,
        input: &Input,
        now: Timestamp,
    ) -> Result<AcceptedEnrollmentCode, AdministrationError> {
        if !matches!(input, Input::OneTimeCode(_)) {
            return Err(AdministrationError::ProofNeeded(request.name.clone()));
        }
        self.verify_enrollment_one_time_code(request, input, None, now)?
            .map_err(AdministrationError::Code)
    }

    /// Verifies the one-time code that permits a first enrollment. At the web, the `token` must
    /// still be valid.
    pub(in crate::engine) fn verify_enrollment_one_time_code(
        &mut self,
        request: &VerificationRequest<'_>,
        input: &Input,
        token: Option<&EnrollmentToken>,
        now: Timestamp,
    ) -> Result<Result<AcceptedEnrollmentCode, Refusal>, EngineError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        if let Some(token) = token {
            if check_token(token, &mut tx)?.is_none() {
                return Ok(Err(Refusal::Expired));
            }
        }
        let mut evaluation = Evaluation::load(tx, *request, None)?;
        let verified = evaluation.check_enrollment_code(input)?;
        evaluation.commit()?;
        Ok(verified)
    }

    /// Returns the expiry time of the account's one-time code, if it is valid.
    pub fn one_time_code_expiry(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        let Some(record) = tx.find_account(name)? else {
            return Ok(None);
        };
        let stored = tx
            .one_time_code(record.id)?
            .filter(|stored| !stored.used && !stored.is_expired(now));
        Ok(stored.map(|stored| stored.expires))
    }

    /// Cancels the account's one-time code.
    pub fn cancel_one_time_code<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        match change.tx.one_time_code(record.id)? {
            Some(stored) if !stored.used && !stored.is_expired(now) => {}
            _ => {
                return Err(AdministrationError::NothingToRevoke(
                    "one-time code",
                    name.clone(),
                ));
            }
        }
        change.tx.set_one_time_code(record.id, None)?;
        change.log_event(name, EventKind::OneTimeCodeCancelled)?;
        Ok(change.commit()?)
    }
}

//! Changes of an account's own page, after step-up: a further authenticator, and new recovery
//! codes. Nothing of them is stored before the second step, which their session alone can take.

use super::authenticators::ShownRecoveryCodes;
use super::pending::{AccountSnapshot, PendingEnrollment};
use super::steps::{AfterEnrollmentCode, ShownEnrollment, read_account_snapshot, show_enrollment};
use crate::credential::input::Input;
use crate::engine::passkeys::demand::refuse_weak_session;
use crate::engine::{AdministrationError, Enrollment, Principal};
use crate::protocol::command_request::{EnrollmentOperation, TypedText};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{StepUpToken, TokenHolder, TokenParent, TokenRecipient};
use crate::verify::decision::Refusal;
use crate::verify::origin::Origin;

impl Enrollment<'_> {
    /// Makes a further authenticator, which the store does not keep yet.
    pub fn begin_further_enrollment(
        &mut self,
        session: &Session,
        origin: &Origin,
        _: &StepUpToken,
        operation: &EnrollmentOperation,
        now: Timestamp,
    ) -> Result<ShownEnrollment, AdministrationError> {
        let config = &self.engine.config;
        let pending = PendingEnrollment::from_operation(config, &session.name, operation)?;
        self.check_enrollment(&pending)?;
        let snapshot = self.snapshot_in_session(session, origin, now)?;
        let to = token_recipient(session, &snapshot);
        let (draft, sealed) = self.issue_draft(pending, snapshot, None, to, now)?;
        Ok(show_enrollment(&self.engine.config, &draft, sealed))
    }

    /// Returns a begun authenticator, to be shown again.
    pub fn reopen_further_enrollment(
        &mut self,
        session: &Session,
        sealed: TypedText,
        now: Timestamp,
    ) -> Result<ShownEnrollment, AdministrationError> {
        self.reopen_draft(sealed, &session.name, TokenHolder::Session(session.id), now)?
            .ok_or(AdministrationError::Stale)
    }

    /// Activates a begun authenticator by its first code. Every session of the account ends.
    pub fn confirm_further_enrollment(
        &mut self,
        session: &Session,
        origin: &Origin,
        sealed: TypedText,
        input: &Input,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, AdministrationError> {
        let (account, holder) = (&session.name, TokenHolder::Session(session.id));
        let confirmed = match self.confirm_draft(sealed, account, holder, input, now)? {
            AfterEnrollmentCode::Confirmed { confirmed, .. } => confirmed,
            AfterEnrollmentCode::Refused(refusal, _) => return Ok(Err(refusal)),
            AfterEnrollmentCode::Over => return Err(AdministrationError::Stale),
        };
        let actor = Principal::Session(account, origin, session.id);
        self.activate_confirmed(&confirmed, account, holder, actor, now)?;
        Ok(Ok(()))
    }

    /// Makes new recovery codes, which the store does not keep yet.
    pub fn begin_recovery_code_renewal(
        &mut self,
        session: &Session,
        origin: &Origin,
        _: &StepUpToken,
        now: Timestamp,
    ) -> Result<ShownRecoveryCodes, AdministrationError> {
        self.refuse_recovery_codes(&session.name)?;
        self.refuse_new_recovery_codes(session)?;
        let snapshot = self.snapshot_in_session(session, origin, now)?;
        let to = token_recipient(session, &snapshot);
        self.issue_recovery_codes(to, snapshot, now)
    }

    /// Refuses a session that may not change the account's passkeys: recovery codes permit to sign in
    /// and change them.
    pub(super) fn refuse_new_recovery_codes(
        &mut self,
        session: &Session,
    ) -> Result<(), AdministrationError> {
        let kept = self.engine.passkeys().list_passkeys_if_any(&session.name)?;
        let config = &self.engine.config;
        Ok(refuse_weak_session(
            config,
            &session.name,
            &kept,
            Some(session),
        )?)
    }

    /// Stores the new recovery codes in place of the earlier ones.
    pub fn finish_recovery_code_renewal(
        &mut self,
        session: &Session,
        origin: &Origin,
        sealed: &str,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let (account, holder) = (&session.name, TokenHolder::Session(session.id));
        let actor = Principal::Session(account, origin, session.id);
        self.activate_recovery_codes(sealed, account, holder, actor, now)
    }

    /// Returns the snapshot of the session's account. Fails if the session has ended.
    fn snapshot_in_session(
        &mut self,
        session: &Session,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<AccountSnapshot, AdministrationError> {
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        let principal = Principal::Session(&session.name, origin, session.id);
        principal.refuse_ended_session(&mut tx, now)?;
        Ok(read_account_snapshot(&mut tx, vault, &session.name)?)
    }
}

/// Returns the recipient of a token that the session alone can present.
fn token_recipient<'a>(session: &'a Session, snapshot: &AccountSnapshot) -> TokenRecipient<'a> {
    TokenRecipient {
        account: &session.name,
        at: snapshot.at(),
        holder: TokenHolder::Session(session.id),
        parent: TokenParent::session(session),
    }
}

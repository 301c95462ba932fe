//! An enrollment by a command. `commands` verifies the code of the requester.
//! Here is the first enrollment by a user who proves the password of this host instead.
//!
//! It takes two steps. The caller has the host's PAM verify the password between them, without
//! holding the engine: a verification that hangs blocks no other request.

use super::pending::{AccountSnapshot, PendingEnrollment};
use super::steps::show_authenticator;
use crate::account::name::UserName;
use crate::engine::{
    AdministrationError, COMMAND, ChargedAttempt, Enrollment, Requester, VerificationRequest,
};
use crate::protocol::command_request::{
    AuthenticatorKind, EngineReply, EnrollmentOperation, ReplyBody,
};
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::verify::one_time_code::AcceptedEnrollmentCode;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// A first enrollment that waits for the host's verification of the password.
#[derive(Debug)]
pub struct EnrollmentRequest {
    account: UserName,
    operation: EnrollmentOperation,
    attempt: ChargedAttempt,
    /// A change of the account while the host verifies makes the enrollment stale.
    snapshot: AccountSnapshot,
}

impl Enrollment<'_> {
    /// Begins an enrollment whose permission the caller has verified after the snapshot.
    pub(in crate::engine) fn begin_enrollment(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        operation: &EnrollmentOperation,
        snapshot: AccountSnapshot,
        accepted_code: Option<AcceptedEnrollmentCode>,
        now: Timestamp,
    ) -> Result<ReplyBody, AdministrationError> {
        let pending = PendingEnrollment::from_operation(&self.engine.config, account, operation)?;
        let to = requester.token_recipient(account, &snapshot);
        let (draft, sealed) = self.issue_draft(pending, snapshot, accepted_code, to, now)?;
        let shown = show_authenticator(&self.engine.config, &draft, sealed);
        Ok(ReplyBody::NewAuthenticator(shown))
    }

    /// Checks a first enrollment and charges the password attempt to the throttle, before the host
    /// verifies the password.
    pub fn prepare_first_enrollment(
        &mut self,
        requester: Requester<'_>,
        account: &UserName,
        operation: EnrollmentOperation,
        now: Timestamp,
    ) -> Result<EnrollmentRequest, AdministrationError> {
        requester.check_account(account)?;
        // An additional authenticator requires a code of an existing one, never a password.
        let operation = EnrollmentOperation {
            kind: AuthenticatorKind::First,
            ..operation
        };
        let origin = Origin::Local(account.to_string());
        self.check_password_suffices(&verification_request(account, &origin), &operation, now)?;
        let snapshot = self.snapshot_account(account)?;
        match self
            .engine
            .verification()
            .charge_host_password(&verification_request(account, &origin), now)?
        {
            Ok(attempt) => Ok(EnrollmentRequest {
                account: account.clone(),
                operation,
                attempt,
                snapshot,
            }),
            Err(refusal) => Err(AdministrationError::HostPassword(refusal)),
        }
    }

    /// Begins the enrollment if the host has accepted the password.
    pub fn begin_first_enrollment(
        &mut self,
        requester: Requester<'_>,
        prepared: EnrollmentRequest,
        reply: HostPasswordReply,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let EnrollmentRequest {
            account,
            operation,
            attempt,
            snapshot,
        } = prepared;
        requester.check_account(&account)?;
        let origin = Origin::Local(account.to_string());
        self.engine.verification().settle_host_password(
            &verification_request(&account, &origin),
            &attempt,
            reply,
            now,
        )?;
        Ok(self
            .begin_enrollment(requester, &account, &operation, snapshot, None, now)?
            .into())
    }

    /// Returns an error if a password does not suffice for this enrollment.
    fn check_password_suffices(
        &mut self,
        request: &VerificationRequest<'_>,
        operation: &EnrollmentOperation,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let pending =
            PendingEnrollment::from_operation(&self.engine.config, request.name, operation)?;
        self.check_enrollment(&pending)?;
        // The peer runs a process as this user, so it has signed in on this host.
        self.engine
            .policy()
            .refuse_without_one_time_code(request, now)
    }
}

/// The peer has passed some sign-in as this user, but not by this password. The password is
/// therefore a first factor, and a wrong one does not lock the account.
fn verification_request<'a>(name: &'a UserName, origin: &'a Origin) -> VerificationRequest<'a> {
    VerificationRequest::new(name, Phase::Before, origin, COMMAND)
}

//! The first enrollment by a user other than root, who proves the password of this host.
//! [`crate::engine::commands`] has the one by a one-time code.
//!
//! It takes two steps. The caller has the host's PAM verify the password between them, without
//! holding the engine: a verification that hangs blocks no other request.

use super::pending::AccountSnapshot;
use crate::account::name::UserName;
use crate::engine::Enrollment;
use crate::engine::accounts::error::AdministrationError;
use crate::engine::verify::host_password::{HostPasswordAttempt, HostPasswordResult};
use crate::engine::{COMMAND, Requester, VerificationRequest};
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::command_request::{AuthenticatorKind, EngineReply, EnrollmentOperation};
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// A first enrollment that waits for the host's verification of the password.
#[derive(Debug)]
pub struct EnrollmentRequest {
    account: UserName,
    operation: EnrollmentOperation,
    attempt: HostPasswordAttempt,
    /// A change of the account while the host verifies makes the enrollment stale.
    snapshot: AccountSnapshot,
}

impl Enrollment<'_> {
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
        match self.engine.verification().settle_host_password(
            &verification_request(&account, &origin),
            attempt,
            reply,
            now,
        )? {
            HostPasswordResult::Verified(_) => Ok(self
                .engine
                .commands()
                .begin_enrollment(requester, &account, &operation, snapshot, None, now)?
                .into()),
            HostPasswordResult::Refused(refusal) => Err(AdministrationError::HostPassword(refusal)),
            HostPasswordResult::Unasked => {
                Err(AdministrationError::HostPasswordUnavailable(account))
            }
        }
    }

    /// Returns an error if a password does not suffice for this enrollment.
    fn check_password_suffices(
        &mut self,
        request: &VerificationRequest<'_>,
        operation: &EnrollmentOperation,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let pending = self
            .engine
            .commands()
            .build_pending_enrollment(request.name, operation)?;
        self.check_enrollment(&pending)?;
        // The peer runs a process as this user, so it has signed in on this host.
        match self.engine.policy().enrollment_requirement(request, now)? {
            EnrollmentRequirement::None => Ok(()),
            EnrollmentRequirement::OneTimeCode => {
                Err(AdministrationError::OneTimeCodeNeeded(request.name.clone()))
            }
        }
    }
}

/// The peer has passed some sign-in as this user, but not by this password. The password is
/// therefore a first factor, and a wrong one does not lock the account.
fn verification_request<'a>(name: &'a UserName, origin: &'a Origin) -> VerificationRequest<'a> {
    VerificationRequest {
        name,
        phase: Phase::Before,
        origin,
        browser: None,
        service: COMMAND,
    }
}

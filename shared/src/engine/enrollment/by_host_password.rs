//! The first setup of someone away from root who proves themselves with their password on this host. Who has a
//! one-time code instead is in [`crate::engine::administration::command`].
//!
//! It takes two steps, and whoever runs the errand asks the host between them: a host that hangs holds no door.

use super::pending::AccountSnapshot;
use crate::account::name::UserName;
use crate::engine::administration::acting::AdministrationError;
use crate::engine::verify::host_password::{HostPasswordAttempt, HostPasswordResult};
use crate::engine::{COMMAND, Engine, Requester, VerificationRequest};
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::command_request::{AuthenticatorKind, EngineReply, EnrollmentOperation};
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// A first setup whose password the host is to be asked about.
#[derive(Debug)]
pub struct EnrollmentRequest {
    account: UserName,
    setup: EnrollmentOperation,
    tried: HostPasswordAttempt,
    /// The account as it was before: what changes while the host is asked makes the setup stale.
    footing: AccountSnapshot,
}

impl Engine {
    /// Whether the host is to be asked about a password for this first setup; the try is charged.
    pub fn ask_first_setup(
        &mut self,
        caller: Requester<'_>,
        account: &UserName,
        setup: EnrollmentOperation,
        now: Timestamp,
    ) -> Result<EnrollmentRequest, AdministrationError> {
        caller.refuse_others(account)?;
        // A further authenticator takes a code of those that there are, never a password.
        let setup = EnrollmentOperation {
            kind: AuthenticatorKind::First,
            ..setup
        };
        let origin = Origin::Local(account.to_string());
        self.refuse_password_setup(&visitor(account, &origin), &setup, now)?;
        let footing = self.footing(account)?;
        match self.charge_host_password(&visitor(account, &origin), now)? {
            Ok(tried) => Ok(EnrollmentRequest {
                account: account.clone(),
                setup,
                tried,
                footing,
            }),
            Err(refusal) => Err(AdministrationError::HostPassword(refusal)),
        }
    }

    /// Begins it, if the host found the password right.
    pub fn begin_first_setup(
        &mut self,
        caller: Requester<'_>,
        asking: EnrollmentRequest,
        said: HostPasswordReply,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let EnrollmentRequest {
            account,
            setup,
            tried,
            footing,
        } = asking;
        caller.refuse_others(&account)?;
        let origin = Origin::Local(account.to_string());
        match self.settle_host_password(&visitor(&account, &origin), tried, said, now)? {
            HostPasswordResult::Verified(_) => Ok(self
                .begin_setup(caller, &account, &setup, footing, None, now)?
                .into()),
            HostPasswordResult::Refused(refusal) => Err(AdministrationError::HostPassword(refusal)),
            HostPasswordResult::Unasked => Err(AdministrationError::PasswordUnasked(account)),
        }
    }

    /// What no password begins.
    fn refuse_password_setup(
        &mut self,
        visitor: &VerificationRequest<'_>,
        setup: &EnrollmentOperation,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let pending = self.described(visitor.name, setup)?;
        self.refuse_setup(&pending)?;
        // Whoever runs a process as this user has signed in on this host.
        match self.enrollment_requirement(visitor, now)? {
            EnrollmentRequirement::None => Ok(()),
            EnrollmentRequirement::OneTimeCode => {
                Err(AdministrationError::PasswordNotEnough(visitor.name.clone()))
            }
        }
    }
}

/// Whoever runs a process as this user has passed what lets in as this user, but not by this password: it is a first
/// factor, and no wrong one locks.
fn visitor<'a>(name: &'a UserName, origin: &'a Origin) -> VerificationRequest<'a> {
    VerificationRequest {
        name,
        phase: Phase::Before,
        origin,
        browser: None,
        service: COMMAND,
    }
}

//! Access without a required second factor: for the enrollment grace period after the first login,
//! and for the last administrator.
//! An administrator is exempt while no administrator has a second factor, so that requiring one
//! locks out no one who could correct the configuration.

use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::{Distinct, OtherSpelling, UserName};
use crate::account::second_factor::Enrolled;
use crate::credential::completed_methods::CompletedMethods;
use crate::engine::accounts::change::check_new_name;
use crate::engine::principal::audit_event;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{
    AccountPolicy, AdministrationError, COMMAND, EngineError, LoginError, Principal,
    VerificationRequest,
};
use crate::policy::groups::GroupsError;
use crate::policy::requirement::{
    EnrollmentGrace, EnrollmentRequirement, PolicySubject, Requirement,
};
use crate::store::{Intent, StoreError};
use crate::system::clock::Timestamp;
use std::error::Error;
use std::fmt;

/// Maximum number of accounts with a second factor that are searched for an administrator. Where
/// there are more, one of them is assumed to be an administrator.
const MAX_SEARCHED: usize = 10_000;

impl AccountPolicy<'_> {
    /// Returns why a person without the required second factor is granted access, if access is
    /// granted, and logs it.
    ///
    /// MUST be called only after the first factor has passed: the enrollment grace period begins
    /// with this first login.
    pub fn grant_enrollment_grace(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<EnrollmentGrace>, PolicyError> {
        let grace = self.enrollment_grace(request, now)?;
        if let Some(grace) = grace {
            let mut tx = self.engine.begin_act(Intent::Write, now)?;
            log_request(&mut tx, request, EventKind::Accepted, grace.name())?;
            tx.commit()?;
        }
        Ok(grace)
    }

    /// Returns why access is granted, if it is.
    fn enrollment_grace(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<EnrollmentGrace>, PolicyError> {
        if self.engine.config.policy.enroll_within.seconds() > 0 {
            let mut tx = self.engine.begin_act(Intent::Write, now)?;
            let config = tx.config;
            let account = match tx.find_account(request.name)? {
                Some(record) => record.id,
                None => {
                    let new = check_new_name(config, &mut tx, request.name, Distinct::No)?;
                    let new = new.map_err(PolicyError::OtherSpelling)?;
                    log_request(&mut tx, request, EventKind::AccountAdded, "first-sign-in")?;
                    tx.add_account(&new, now)?.id
                }
            };
            let first = tx.record_first_sign_in(account, now)?;
            tx.commit()?;
            if let Some(until) = config.policy.enrollment_deadline(first, now) {
                return Ok(Some(EnrollmentGrace::Until(until)));
            }
        }
        let is_last = self.is_last_administrator(request.name)?;
        Ok(is_last.then_some(EnrollmentGrace::LastAdministrator))
    }

    /// Returns what a first enrollment requires besides the first factor: a one-time code, where a
    /// second factor is required and no exemption or grace period applies any more.
    pub(in crate::engine) fn enrollment_requirement(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<EnrollmentRequirement, PolicyError> {
        if self.is_required(request.name)? && self.enrollment_grace(request, now)?.is_none() {
            return Ok(EnrollmentRequirement::OneTimeCode);
        }
        let policy = &self.engine.config.policy;
        Ok(policy.enrollment_requirement(request.origin.certain_address()))
    }

    /// Refuses what the first factor alone permits, where an enrollment requires a one-time code.
    pub(in crate::engine) fn refuse_without_one_time_code(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        match self.enrollment_requirement(request, now)? {
            EnrollmentRequirement::None => Ok(()),
            EnrollmentRequirement::OneTimeCode => {
                Err(AdministrationError::OneTimeCodeNeeded(request.name.clone()))
            }
        }
    }

    /// Returns whether the policy requires a second factor of an account that has none, where no
    /// exemption applies: here, or at a host of a fleet. Otherwise a stolen password could enroll
    /// here for the hosts that require it.
    pub fn is_required(&mut self, name: &UserName) -> Result<bool, PolicyError> {
        let kept = self.engine.load_policy_facts(name)?.groups;
        let groups = self.load_policy_groups(name, &kept)?;
        let subject = PolicySubject {
            name,
            groups: &groups,
            service: COMMAND,
            address: None,
            completed_methods: &CompletedMethods::default(),
            host: None,
        };
        let policy = &self.engine.config.policy;
        Ok(match policy.evaluate_requirement(&subject, Enrolled::No) {
            Requirement::Code | Requirement::Enrollment => true,
            Requirement::Nothing => policy.requires_at_some_host(),
            Requirement::Exempt(_) => false,
        })
    }

    /// Returns whether this account is an administrator and no administrator has a second factor.
    fn is_last_administrator(&mut self, name: &UserName) -> Result<bool, PolicyError> {
        let kept = self.engine.load_policy_facts(name)?.groups;
        if !self.is_administrator(name, &kept)? {
            return Ok(false);
        }
        let mut tx = self.engine.begin(Intent::Read)?;
        let enrolled = tx.enrolled_accounts(MAX_SEARCHED + 1)?;
        drop(tx);
        if enrolled.len() > MAX_SEARCHED {
            return Ok(false);
        }
        Ok(!self.has_enrolled_administrator(&enrolled)?)
    }
}

pub(in crate::engine) fn log_request(
    tx: &mut EngineTransaction<'_>,
    request: &VerificationRequest<'_>,
    kind: EventKind,
    cause: &str,
) -> Result<(), StoreError> {
    let VerificationRequest {
        name,
        origin,
        service,
        ..
    } = *request;
    let actor = Principal::Service(name.as_str(), origin, service);
    let event = AuditEvent {
        cause: cause.to_owned(),
        ..audit_event(name, kind, actor, tx.now)
    };
    tx.add_event(&event)?;
    Ok(())
}

/// Why the policy could not decide.
#[derive(Debug)]
pub enum PolicyError {
    Engine(EngineError),
    Groups(GroupsError),
    OtherSpelling(OtherSpelling),
}

impl<E: Into<EngineError>> From<E> for PolicyError {
    fn from(error: E) -> PolicyError {
        PolicyError::Engine(error.into())
    }
}

impl From<PolicyError> for LoginError {
    fn from(error: PolicyError) -> LoginError {
        match error {
            PolicyError::Engine(error) => LoginError::Engine(error),
            PolicyError::Groups(error) => LoginError::Groups(error),
            PolicyError::OtherSpelling(error) => LoginError::OtherSpelling(error),
        }
    }
}

impl From<PolicyError> for AdministrationError {
    fn from(error: PolicyError) -> AdministrationError {
        match error {
            PolicyError::Engine(error) => AdministrationError::Engine(error),
            PolicyError::Groups(error) => AdministrationError::Groups(error),
            PolicyError::OtherSpelling(error) => AdministrationError::OtherSpelling(error),
        }
    }
}

impl PolicyError {
    fn cause(&self) -> &(dyn Error + 'static) {
        match self {
            PolicyError::Engine(error) => error,
            PolicyError::Groups(error) => error,
            PolicyError::OtherSpelling(error) => error,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), f)
    }
}

impl Error for PolicyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause())
    }
}

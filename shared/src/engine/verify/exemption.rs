//! Coming in without the second factor that the policy requires: for a while after the first sign-in, and as an
//! administrator while no administrator has one, so that requiring it shuts nobody out who could mend it.

use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::{Distinct, OtherSpelling, UserName};
use crate::account::second_factor::Enrolled;
use crate::credential::completed_methods::CompletedMethods;
use crate::engine::administration::account_name::new_name;
use crate::engine::{
    AdministrationError, COMMAND, Engine, EngineError, LoginError, VerificationRequest,
};
use crate::policy::groups::GroupsError;
use crate::policy::requirement::{
    EnrollmentGrace, EnrollmentRequirement, PolicySubject, Requirement,
};
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use std::fmt;

/// Accounts with a second factor that are looked at in search of an administrator; where there are more, one of them
/// is taken to be.
const MOST: usize = 10_000;

impl Engine {
    /// Someone who must have a second factor, and has none, comes in without, if that may be. MUST be asked only of
    /// whoever has passed the first factor: it is their first sign-in, from which the time counts.
    pub fn grant_enrollment_grace(
        &mut self,
        visitor: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<EnrollmentGrace>, PolicyError> {
        let waiver = self.enrollment_grace(visitor, now)?;
        if let Some(waiver) = waiver {
            let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
            log_request(
                tx.as_mut(),
                visitor,
                EventKind::Accepted,
                waiver.name(),
                now,
            )?;
            tx.commit()?;
        }
        Ok(waiver)
    }

    /// Whether they may.
    fn enrollment_grace(
        &mut self,
        visitor: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<EnrollmentGrace>, PolicyError> {
        let mut waiver = None;
        if self.config.policy.enroll_within.seconds() > 0 {
            let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
            let record = match tx.find_account(visitor.name)? {
                Some(record) => record,
                None => {
                    let new = new_name(&self.config, tx.as_mut(), visitor.name, Distinct::No)?;
                    let new = new.map_err(PolicyError::OtherSpelling)?;
                    log_request(
                        tx.as_mut(),
                        visitor,
                        EventKind::AccountAdded,
                        "first-sign-in",
                        now,
                    )?;
                    tx.add_account(&new, now)?
                }
            };
            let first = tx.record_first_sign_in(record.id, now)?;
            waiver = self
                .config
                .policy
                .enrollment_deadline(first, now)
                .map(EnrollmentGrace::Until);
            tx.commit()?;
        }
        Ok(match waiver {
            None if self.is_last_administrator(visitor.name)? => {
                Some(EnrollmentGrace::LastAdministrator)
            }
            waiver => waiver,
        })
    }

    /// What a first setup needs besides the first factor, which has passed: an administrator's one-time code, where a
    /// second factor is required and nothing waives it any more.
    pub(in crate::engine) fn enrollment_requirement(
        &mut self,
        visitor: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<EnrollmentRequirement, PolicyError> {
        if self.is_required(visitor.name)? && self.enrollment_grace(visitor, now)?.is_none() {
            return Ok(EnrollmentRequirement::OneTimeCode);
        }
        Ok(self
            .config
            .policy
            .enrollment_requirement(visitor.origin.certain_address()))
    }

    /// Whether the policy requires a second factor of an account that has none, where no exemption holds.
    pub fn is_required(&mut self, name: &UserName) -> Result<bool, PolicyError> {
        let kept = self.load_policy_facts(name)?.groups;
        let groups = self.load_policy_groups(name, &kept)?;
        let subject = PolicySubject {
            name,
            groups: &groups,
            service: COMMAND,
            address: None,
            completed_methods: &CompletedMethods::default(),
        };
        Ok(self
            .config
            .policy
            .evaluate_requirement(&subject, Enrolled::No)
            == Requirement::Enrollment)
    }

    /// Whether this is an administrator, and no administrator has a second factor.
    fn is_last_administrator(&mut self, name: &UserName) -> Result<bool, PolicyError> {
        let kept = self.load_policy_facts(name)?.groups;
        if !self.is_administrator(name, &kept)? {
            return Ok(false);
        }
        let enrolled = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .enrolled_accounts(MOST + 1)?;
        if enrolled.len() > MOST {
            return Ok(false);
        }
        Ok(!self.has_enrolled_administrator(&enrolled)?)
    }
}

pub(in crate::engine) fn log_request(
    tx: &mut dyn Transaction,
    visitor: &VerificationRequest<'_>,
    what: EventKind,
    cause: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.add_event(&AuditEvent {
        at: now,
        account: visitor.name.clone(),
        kind: what,
        service: visitor.service.to_owned(),
        origin: visitor.origin.to_string(),
        principal: visitor.name.to_string(),
        cause: cause.to_owned(),
    })?;
    Ok(())
}

/// Why it is not known what the policy says.
#[derive(Debug)]
pub enum PolicyError {
    /// Key, store, or what lies in it.
    Engine(EngineError),
    /// The host's name service.
    Groups(GroupsError),
    /// The name is another spelling of an account's.
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
            PolicyError::Engine(error) => AdministrationError::Door(error),
            PolicyError::Groups(error) => AdministrationError::Groups(error),
            PolicyError::OtherSpelling(error) => AdministrationError::OtherSpelling(error),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyError::Engine(error) => error.fmt(f),
            PolicyError::Groups(error) => error.fmt(f),
            PolicyError::OtherSpelling(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PolicyError::Engine(error) => Some(error),
            PolicyError::Groups(error) => Some(error),
            PolicyError::OtherSpelling(error) => Some(error),
        }
    }
}

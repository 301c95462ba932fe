//! One verification within one transaction: the account's credentials and its throttle bucket,
//! loaded, and the decision about an input.
//! The decision itself is in `crate::verify::decision`; what it costs and consumes is written in
//! `charge` and `consumption`. Nothing here commits but [`Evaluation::commit`], which the act calls.

use super::attempt::VerificationRequest;
use super::bucket::{address_failures, address_wait, host_bucket, host_wait, throttle_scope};
use crate::account::event::EventKind;
use crate::account::name::NewName;
use crate::account::record::{AccountId, AccountRecord};
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::email::MailedCodes;
use crate::credential::input::Input;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::OtpParameters;
use crate::crypto::vault::MailedFor;
use crate::engine::accounts::account_data;
use crate::engine::principal::Principal;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{COMMAND, Engine, EngineError};
use crate::store::{BucketKey, BucketOwner, Intent, StoreError};
use crate::system::clock::Timestamp;
use crate::verify::account::AccountCredentials;
use crate::verify::decision::{Attempt, Decision, Refusal, decide};
use crate::verify::one_time_code::{AcceptedEnrollmentCode, decide_enrollment_code};
use crate::verify::origin::Origin;
use crate::verify::throttle::{Phase, ThrottleBucket};
use crate::verify::throttle_scope::ThrottleScope;

/// One loaded verification, with its transaction.
pub(in crate::engine) struct Evaluation<'a> {
    pub(in crate::engine) tx: EngineTransaction<'a>,
    pub(in crate::engine) request: VerificationRequest<'a>,
    /// `None` for a name without an account.
    pub(in crate::engine) record: Option<AccountRecord>,
    pub(in crate::engine) credentials: AccountCredentials,
    pub(super) key: BucketKey,
    pub(super) address_key: Option<String>,
    /// Key under which wrong inputs from this address are counted, over all accounts.
    pub(super) count_key: Option<String>,
    /// Bucket in which the wrong inputs of the host of a fleet are counted, over all accounts.
    pub(super) host_bucket: Option<BucketKey>,
    /// Whether failure times in the future were corrected, which needs a commit even if nothing
    /// else was written.
    clock_corrected: bool,
}

impl Engine {
    /// Begins a transaction and loads a verification.
    pub(in crate::engine) fn evaluate<'a>(
        &'a mut self,
        request: &VerificationRequest<'a>,
        intent: Intent,
        now: Timestamp,
    ) -> Result<Evaluation<'a>, EngineError> {
        let declared = account_data::read_declared_secret(&self.config, request.name)?;
        Evaluation::load(self.begin_act(intent, now)?, *request, declared)
    }
}

/// Refuses what a host of a fleet states once it was revoked. It is read in the transaction that
/// decides: nothing is accepted through the host once its revocation was reported.
pub(in crate::engine) fn refuse_revoked_host(
    tx: &mut EngineTransaction<'_>,
    origin: &Origin,
) -> Result<(), EngineError> {
    match origin.host() {
        Some(host) if !tx.is_host_joined(host.number)? => {
            Err(EngineError::HostRevoked(host.name.clone()))
        }
        Some(_) | None => Ok(()),
    }
}

impl<'a> Evaluation<'a> {
    /// Loads the account, its bucket, and the failures of the request's address.
    pub(in crate::engine) fn load(
        mut tx: EngineTransaction<'a>,
        request: VerificationRequest<'a>,
        declared: Option<(Secret, OtpParameters)>,
    ) -> Result<Evaluation<'a>, EngineError> {
        let (config, vault, now) = (tx.config, tx.vault, tx.now);
        refuse_revoked_host(&mut tx, request.origin)?;
        let record = match tx.find_account(request.name)? {
            None if declared.is_some() => {
                Some(tx.add_account(&NewName::accept_distinct(request.name), now)?)
            }
            found => found,
        };
        let authenticators = account_data::load_authenticators(
            vault,
            &mut tx,
            request.name,
            record.as_ref(),
            declared,
        )?;
        let decoy = match authenticators.is_empty() {
            true => Some(account_data::load_decoy(
                vault,
                &mut tx,
                request.name,
                config.totp.otp_parameters(),
            )?),
            false => None,
        };
        let id = record.as_ref().map_or(AccountId(0), |record| record.id);
        let mail = match account_data::load_mail_address(config, &mut tx, request.name, id)? {
            Some(_) => MailStatus::On,
            None => MailStatus::Off,
        };
        let enrolled = match (&decoy, mail) {
            (Some(_), MailStatus::Off) => Enrolled::No,
            _ => Enrolled::Yes,
        };
        let mailed_code = tx
            .mailed_code(id)?
            .filter(|(purpose, _)| *purpose == MailedFor::Login)
            // one that was mailed before the key was set
            .filter(|_| config.email.codes == MailedCodes::SecondFactor);
        let owner = match &record {
            Some(record) => BucketOwner::Account(record.id),
            None => BucketOwner::UnknownName(vault.shared_bucket(request.name)),
        };
        let key = BucketKey {
            owner,
            phase: request.phase,
            scope: throttle_scope(&mut tx, id, owner, &request)?,
        };
        let address_key = request.origin.familiar_key();
        let count_key = request.origin.throttle_key();

        let mut clock_corrected = false;
        let mut failures = tx.bucket_failures(&key, Engine::lock_window_start(now))?;
        let mut address_failures = address_failures(&mut tx, count_key.as_deref())?;
        let ahead = |at: Timestamp| at > now;
        if failures.iter().any(|f| ahead(f.at)) || address_failures.iter().any(|at| ahead(*at)) {
            // The clock ran ahead and was set back. No delay may end later than max_delay from now.
            tx.clamp_future_failures(&key, count_key.as_deref(), now)?;
            failures.iter_mut().for_each(|f| f.at = f.at.min(now));
            address_failures
                .iter_mut()
                .for_each(|at| *at = (*at).min(now));
            clock_corrected = true;
        }
        let host_bucket = host_bucket(&request);
        let host_wait = match &host_bucket {
            Some(bucket) => host_wait(&mut tx, bucket)?,
            None => None,
        };
        // before the first factor, guesses of others must not keep out the owner at a familiar address
        let is_exempt = key.scope.is_exempt_from_address_count();
        let host_wait = host_wait.filter(|_| request.phase == Phase::After || !is_exempt);
        let credentials = AccountCredentials {
            enrolled,
            authenticators,
            decoy,
            mail,
            mailed_code: mailed_code.map(|(_, kept)| kept),
            recovery_codes: tx.recovery_codes(id)?,
            one_time_code: tx.one_time_code(id)?,
            passkey_code: None,
            bucket: ThrottleBucket {
                failures,
                locked: tx.is_bucket_locked(&key)?,
            },
            address_wait: match is_exempt {
                true => None,
                false => address_wait(config, &address_failures, now),
            },
            host_wait,
        };
        Ok(Evaluation {
            tx,
            request,
            record,
            credentials,
            key,
            address_key,
            count_key,
            host_bucket,
            clock_corrected,
        })
    }

    /// Loads another request about the same account in the same transaction.
    pub(in crate::engine) fn load_again(
        self,
        request: VerificationRequest<'a>,
    ) -> Result<Evaluation<'a>, EngineError> {
        let declared = account_data::read_declared_secret(self.tx.config, request.name)?;
        let mut again = Evaluation::load(self.tx, request, declared)?;
        again.clock_corrected |= self.clock_corrected;
        Ok(again)
    }

    /// Loads the code that a passkey of the account has made.
    ///
    /// MUST be called for PAM conversations alone: no session, step-up, enrollment or command is to
    /// be had by such a code.
    pub(super) fn accept_passkey_code(&mut self) -> Result<(), StoreError> {
        let passkeys = &self.tx.config.gate.passkeys;
        if let (true, Some(record)) = (passkeys.pam_code, &self.record) {
            self.credentials.passkey_code = self.tx.passkey_code(record.id)?;
        }
        Ok(())
    }

    /// Returns the throttle scope of this verification.
    pub(in crate::engine) fn scope(&self) -> &ThrottleScope {
        &self.key.scope
    }

    /// Counts this verification in the bucket for valid recovery and one-time codes. Neither delays
    /// caused by others nor the address limit apply there.
    pub(in crate::engine) fn use_recovery_bucket(&mut self) -> Result<(), StoreError> {
        let now = self.tx.now;
        self.key.scope = ThrottleScope::RecoveryCode;
        let since = Engine::lock_window_start(now);
        let mut failures = self.tx.bucket_failures(&self.key, since)?;
        failures
            .iter_mut()
            .for_each(|failure| failure.at = failure.at.min(now));
        self.credentials.bucket = ThrottleBucket {
            failures,
            locked: self.tx.is_bucket_locked(&self.key)?,
        };
        self.credentials.address_wait = None;
        Ok(())
    }

    /// Decides about an input and writes nothing. The caller MUST apply the decision before the
    /// result is told: a guess that is answered and not counted can be repeated without limit.
    pub(in crate::engine) fn decide_input(&self, input: &Input) -> Decision {
        self.decide_at(input, self.request.phase)
    }

    fn decide_at(&self, input: &Input, phase: Phase) -> Decision {
        let (config, attempt) = (self.tx.config, self.attempt(input, phase));
        decide(
            &self.credentials,
            &attempt,
            &config.totp,
            &config.throttle,
            self.tx.now,
        )
    }

    /// Returns whether an input is a valid recovery or one-time code; consumes nothing. Digits are
    /// refused without comparison: this counts no failure, and digits can be guessed.
    pub(in crate::engine) fn has_recovery_code(&self, input: &Input) -> bool {
        input.is_recovery() && self.decide_at(input, Phase::After).result.is_ok()
    }

    /// Decides whether a one-time code permits a first enrollment. A wrong one is counted and
    /// logged.
    pub(in crate::engine) fn check_enrollment_code(
        &mut self,
        input: &Input,
    ) -> Result<Result<AcceptedEnrollmentCode, Refusal>, StoreError> {
        let attempt = self.attempt(input, self.request.phase);
        let decided = decide_enrollment_code(&self.credentials, &attempt, self.tx.now);
        if let Err(Refusal::Wrong) = decided {
            self.charge_address()?;
            self.log_event(EventKind::Refused, &Refusal::Wrong.to_string())?;
        }
        Ok(decided)
    }

    fn attempt<'b>(&self, input: &'b Input, phase: Phase) -> Attempt<'b> {
        let (vault, number) = (
            self.tx.vault,
            self.record.as_ref().map_or(0, |record| record.id.0),
        );
        let mut attempt = Attempt {
            input,
            recovery_hash: None,
            one_time_hash: None,
            mailed_hash: None,
            configured_length: self.tx.config.recovery.length.value(),
            phase,
        };
        match input {
            Input::RecoveryCode(plain) => {
                attempt.recovery_hash = Some(vault.recovery_hash(number, plain));
            }
            Input::OneTimeCode(plain) => {
                attempt.one_time_hash = Some(vault.one_time_hash(number, plain));
            }
            Input::Digits(plain) => {
                attempt.mailed_hash = Some(vault.mailed_hash(number, MailedFor::Login, plain));
            }
            Input::Malformed => {}
        }
        attempt
    }

    pub(in crate::engine) fn log_event(
        &mut self,
        kind: EventKind,
        cause: &str,
    ) -> Result<(), StoreError> {
        // Names without an account leave no rows, whose number would have no limit.
        let Some(record) = &self.record else {
            return Ok(());
        };
        let VerificationRequest {
            origin, service, ..
        } = self.request;
        let actor = match origin {
            Origin::Local(name) if service == COMMAND => name.as_str(),
            _ => record.name.as_str(),
        };
        let actor = Principal::Service(actor, origin, service);
        self.tx.log_event(&record.name, kind, cause, actor)
    }

    /// Commits durably. Access is granted only after this returns.
    pub(in crate::engine) fn commit(self) -> Result<(), StoreError> {
        self.tx.commit()
    }

    /// Commits if something was written, be it only corrected failure times.
    pub(in crate::engine) fn commit_if(self, written: bool) -> Result<(), StoreError> {
        match written || self.clock_corrected {
            true => self.commit(),
            false => Ok(()),
        }
    }
}

//! Operations of a PAM conversation.
//!
//! A host that runs as the account's owner states nothing about itself that counts: a person who
//! runs a process as this user has already passed what grants access as this user, and is on this
//! host. Hosts that run as a user in `pam.socket_users` are trusted like those of root, except
//! about which key was verified and which local user asks: each of these has a bucket of its own.
//!
//! MUST refuse other callers in the same way, whether or not the account exists.

use super::auth_token::EarlyAcceptance;
use super::evaluation::refuse_revoked_host;
use super::pam_context::{PamContext, PamGrant, PamRefusal, PamRequirement, PamVerification};
use crate::account::host::JoinedHost;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::GracePeriod;
use crate::credential::app_password::AppPassword;
use crate::credential::completed_methods::CompletedMethods;
use crate::credential::input::{Input, InputReading, LENGTHS, code_length_at_end};
use crate::engine::Verification;
use crate::engine::accounts::account_data;
use crate::engine::mail::code::MailQueued;
use crate::engine::principal::Requester;
use crate::engine::{
    AdministrationError, EngineError, MailRequest, PolicyError, PolicyFacts, Principal,
    VerificationRequest, messages,
};
use crate::policy::groups;
use crate::policy::requirement::{EnrollmentGrace, PolicySubject, Requirement};
use crate::protocol::command_request::TypedText;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{Refusal, WithinGrace};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// Name of the method in logs.
const APP_PASSWORD: &str = "app-password";
/// Name of the method in logs.
const GRACE_PERIOD: &str = "grace-period";

impl Verification<'_> {
    /// Returns what the policy requires of the user, and whether codes are mailed to the account.
    pub fn find_pam_requirement(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<PamRequirement, AdministrationError> {
        let (origin, phase) = self.trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        let (nothing, own) = (
            CompletedMethods::default(),
            context.requester.owns(context.account),
        );
        // A process of the account's own user could claim any completed method.
        let completed_methods = match own || phase == Phase::Before {
            true => &nothing,
            false => context.completed_methods,
        };
        // A process of the account's own user could claim any service, so no service is exempt.
        let service = if own { "" } else { request.service };
        let request = VerificationRequest { service, ..request };
        self.refuse_revoked_host(&origin, now)?;
        let (at, membership) = self
            .engine
            .load_account_with_policy_facts(context.account)?;
        let mail = match self.may_mail(&origin) {
            true => membership.mail,
            false => MailStatus::Off,
        };
        let requirement = self.policy_requirement(&request, completed_methods, membership)?;
        let mark = match requirement {
            Requirement::Code => None,
            Requirement::Exempt(_) | Requirement::Enrollment | Requirement::Nothing => {
                self.engine.confirm_read()?;
                self.seal_mark(context, at, now)?
            }
        };
        Ok(PamRequirement {
            requirement,
            mail,
            mark,
        })
    }

    /// Verifies an input: an app password, or a code of any kind. What an accepted input consumes
    /// is committed when this returns.
    pub fn verify_pam_input(
        &mut self,
        context: PamContext<'_>,
        input: &str,
        reading: InputReading,
        now: Timestamp,
    ) -> Result<PamVerification, AdministrationError> {
        let (origin, phase) = self.trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        let (code, code_length) = match reading {
            InputReading::Whole => (input, input.len()),
            InputReading::CodeAtEnd => self.split_code(context.account, input)?,
        };
        if let Ok(app_password) = AppPassword::parse(code) {
            // Read before the password is verified, so that the mark does not outlive a revocation
            // between the two.
            let at = self.find_account_version(context.account)?;
            let mut app_passwords = self.engine.app_passwords();
            let verified = app_passwords.verify_app_password(&request, &app_password, now)?;
            let result = match verified {
                Ok(_) => Ok(PamGrant::new(
                    APP_PASSWORD,
                    self.seal_mark(context, at, now)?,
                )),
                Err(refusal) => Err(refusal.into()),
            };
            return Ok(PamVerification {
                result,
                code_length,
            });
        }
        let attempt = self.verify_at_prompt(&request, &Input::parse(code.as_bytes()), now)?;
        let result = match attempt.result {
            Ok(accepted) => {
                let means = AuthenticationMethod::from(accepted.consumed());
                let accepted = (phase == Phase::Before).then(|| EarlyAcceptance {
                    means,
                    at: now,
                    from: origin.clone(),
                });
                let messages = attempt.after_login.messages();
                // A host that does not know that the first factor has passed shows the messages in
                // its account hook.
                let later = match context.phase {
                    Phase::Before if accepted.is_none() => messages.clone(),
                    _ => Vec::new(),
                };
                let mark = self.seal_early_mark(context, attempt.at, accepted, later, now)?;
                Ok(PamGrant::new(means.name(), mark).with_messages(messages))
            }
            Err(refusal) => {
                let mut refused = PamRefusal::from(refusal);
                // A hint about a future code could be used later, and the user of this process may
                // be the one who guesses.
                if let (
                    Refusal::Ahead { .. },
                    Requester::Owner { .. } | Requester::HostUser { .. },
                ) = (refusal, context.requester)
                {
                    refused.cause = Refusal::Wrong.to_string();
                }
                Err(refused)
            }
        };
        Ok(PamVerification {
            result,
            code_length,
        })
    }

    /// Returns why a user without the required second factor is granted access, with the mark for
    /// the `account` hook: within the enrollment grace period, or as the last administrator.
    pub fn exempt_pam_user(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<Option<(EnrollmentGrace, Option<TypedText>)>, AdministrationError> {
        let (origin, phase) = self.trusted_claims(context)?;
        // any host could state a first login of every account, and its grace period would run out
        if origin.host().is_some() {
            return Ok(None);
        }
        // The grace period counts from the first login, which is one after the first factor.
        if phase == Phase::Before {
            return Ok(None);
        }
        let request = context.verification_request(&origin, phase);
        let before = self.find_account_version(context.account)?;
        let Some(grace) = self.engine.policy().grant_enrollment_grace(&request, now)? else {
            return Ok(None);
        };
        let at = match before {
            // The first login may have added the account.
            None => self.find_account_version(context.account)?,
            before => before,
        };
        Ok(Some((grace, self.seal_mark(context, at, now)?)))
    }

    /// Grants access where an earlier code from the same address was accepted within the grace
    /// period.
    pub fn grant_grace_period(
        &mut self,
        context: PamContext<'_>,
        period: GracePeriod,
        now: Timestamp,
    ) -> Result<Option<PamGrant>, AdministrationError> {
        let (origin, phase) = self.trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        // Read before the decision, so that the mark does not outlive a revocation between the two.
        let at = self.find_account_version(context.account)?;
        if self.check_grace_period(&request, period, now)? == WithinGrace::No {
            return Ok(None);
        }
        let mark = self.seal_mark(context, at, now)?;
        Ok(Some(PamGrant::new(GRACE_PERIOD, mark)))
    }

    /// Ends what a changed password of the user on this host ends. Returns messages for the user,
    /// or `None` where there is no account.
    pub fn end_for_changed_password(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<String>>, AdministrationError> {
        let (origin, _) = self.trusted_claims(context)?;
        // Any process of the user's could end all that is open, also of the own account: no
        // password is shown.
        if let Some(host) = origin.host() {
            return Err(AdministrationError::NotOnHost(host.name.clone()));
        }
        if let Requester::Owner { name, .. } = context.requester {
            if !self.engine.config.pam.socket_users.contains(name) {
                return Err(AdministrationError::MayNotReportPassword(name.clone()));
            }
        }
        let service = context.service.as_str();
        let actor = Principal::Service(context.requester.name(), &origin, service);
        let ended =
            self.engine
                .accounts()
                .record_host_password_change(context.account, actor, now)?;
        Ok(ended.map(|after| messages::app_passwords_text(after).into_iter().collect()))
    }

    /// Queues a mail with a code; [`Engine::check_mail_delivery`] returns the result of sending it.
    pub fn mail_pam_code(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<MailRequest<MailQueued>, AdministrationError> {
        let (origin, phase) = self.trusted_claims(context)?;
        if let (Some(host), false) = (origin.host(), self.may_mail(&origin)) {
            return Err(AdministrationError::NotOnHost(host.name.clone()));
        }
        self.refuse_revoked_host(&origin, now)?;
        let request = context.verification_request(&origin, phase);
        Ok(self.engine.mail().mail_code(&request, None, now)?)
    }

    /// Whether a code may be requested from here. A hostile host could have mail sent to every account,
    /// and each mail replaces the code of the one before, at other hosts and at the web, too.
    fn may_mail(&self, origin: &Origin) -> bool {
        let policy = &self.engine.config.policy;
        let may = |host: &JoinedHost| policy.mail_hosts.contains(&host.name);
        origin.host().is_none_or(may)
    }

    /// Returns origin and phase as far as the host is trusted to state them.
    pub(in crate::engine) fn trusted_claims(
        &self,
        context: PamContext<'_>,
    ) -> Result<(Origin, Phase), AdministrationError> {
        let PamContext {
            requester,
            account,
            origin: claimed,
            phase,
            ..
        } = context;
        match requester {
            Requester::Owner { name, .. } if name == account => {
                Ok((Origin::Local(name.to_string()), Phase::After))
            }
            Requester::Owner { name, .. }
                if !self.engine.config.pam.socket_users.contains(name) =>
            {
                Err(AdministrationError::NotTrusted(name.clone()))
            }
            Requester::Owner { name, .. }
                if matches!(claimed, Origin::Local(_) | Origin::Terminal(_)) =>
            {
                Ok((Origin::Local(name.to_string()), phase))
            }
            // A key has a bucket of its own, so the service must not choose the key.
            Requester::Owner { .. } => Ok((claimed.clone().without_key(), phase)),
            Requester::Root(_) => Ok((claimed.clone(), phase)),
            Requester::Host(host) => Ok((claimed.clone().on_host(host), phase)),
            Requester::HostUser { host, name, .. } if name == account => {
                let origin = Origin::Local(name.to_string()).on_host(host);
                Ok((origin, Phase::After))
            }
            Requester::HostUser { name, .. } => Err(AdministrationError::NotTrusted(name.clone())),
        }
    }

    /// Refuses a host of a fleet that was revoked.
    fn refuse_revoked_host(&mut self, origin: &Origin, now: Timestamp) -> Result<(), EngineError> {
        match origin.host() {
            Some(_) => refuse_revoked_host(&mut self.engine.begin_act(Intent::Read, now)?, origin),
            None => Ok(()),
        }
    }

    /// Evaluates the policy with the groups of the user.
    fn policy_requirement(
        &mut self,
        request: &VerificationRequest<'_>,
        earlier: &CompletedMethods,
        membership: PolicyFacts,
    ) -> Result<Requirement, PolicyError> {
        if let Some(other) = membership.spelled_otherwise {
            // the names of a host of a fleet are not looked up here
            let canonical = match request.origin.host() {
                Some(_) => Ok(None),
                None => groups::find_canonical_name(request.name),
            };
            match (request.phase, canonical) {
                // the host has two users of these spellings
                (_, Ok(Some(own))) if own == *request.name => {}
                // an unauthenticated client must not learn that the account exists
                (Phase::Before, _) => return Ok(Requirement::Code),
                (Phase::After, Ok(_)) => return Err(PolicyError::OtherSpelling(other)),
                (Phase::After, Err(error)) => return Err(PolicyError::Groups(error)),
            }
        }
        let groups = self
            .engine
            .policy()
            .load_policy_groups(request.name, &membership.groups)?;
        let subject = PolicySubject {
            name: request.name,
            groups: &groups,
            service: request.service,
            address: request.origin.certain_address(),
            completed_methods: earlier,
            host: request.origin.host().map(|host| &host.name),
        };
        let policy = &self.engine.config.policy;
        Ok(policy.evaluate_requirement(&subject, membership.enrolled))
    }

    /// Splits the code off the end of an input, and returns its length in bytes. An app password is
    /// the whole input. A user without a second factor, or with longer codes, has typed a password
    /// alone: its end is compared all the same, so that it takes the same time and counts the same.
    fn split_code<'t>(
        &mut self,
        name: &UserName,
        typed: &'t str,
    ) -> Result<(&'t str, usize), EngineError> {
        if AppPassword::parse(typed).is_ok() {
            return Ok((typed, typed.len()));
        }
        let (enrolled, lengths) = self.code_lengths(name)?;
        let end = |taken: usize| &typed[typed.len() - taken..];
        match (enrolled, code_length_at_end(typed, &lengths)) {
            (_, 0) => Ok((end(code_length_at_end(typed, &LENGTHS)), 0)),
            (Enrolled::Yes, taken) => Ok((end(taken), taken)),
            (Enrolled::No, taken) => Ok((end(taken), 0)),
        }
    }

    /// Returns the possible lengths of the account's codes, in digits.
    fn code_lengths(&mut self, name: &UserName) -> Result<(Enrolled, Vec<u32>), EngineError> {
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let mail = self.engine.load_policy_facts(name)?.mail;
        let mut tx = self.engine.begin(Intent::Read)?;
        let id = tx
            .find_account(name)?
            .map_or(AccountId(0), |record| record.id);
        let stored = tx.authenticators(id)?;
        let mut lengths: Vec<u32> = match declared {
            Some((_, parameters)) => vec![parameters.digits],
            None => stored
                .iter()
                .map(|stored| stored.parameters.digits)
                .collect(),
        };
        drop(tx);
        lengths.extend(crate::engine::mail::code::mailed_code_digits(mail));
        match lengths.is_empty() {
            true => Ok((
                Enrolled::No,
                vec![self.engine.config.totp.otp_parameters().digits],
            )),
            false => Ok((Enrolled::Yes, lengths)),
        }
    }
}

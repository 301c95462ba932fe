//! The step after a first factor has passed: a session, the code, or only an enrollment.

use super::known_browser::RecognizedBrowser;
use super::new_session::NewSession;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant, SteppedUp};
use super::{
    AfterPassword, BrowserContext, CodeSkipped, HostGroups, LoginError, OpenedSession,
    RequestedPage, SERVICE,
};
use crate::account::event::EventKind;
use crate::account::record::AccountRecord;
use crate::account::second_factor::{CodeMethods, Enrolled};
use crate::config::Config;
use crate::config::gate::rule::RuleAccess;
use crate::credential::input::Input;
use crate::crypto::password::PasswordError;
use crate::crypto::vault::Vault;
use crate::engine::accounts::account_data;
use crate::engine::enrollment::token::WebEnrollment;
use crate::engine::mail::code;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{EnrollmentPermission, EnrollmentToken};
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::policy::rule::{self, RuleRequest, RuleUser};
use crate::policy::session_groups::RequestedGroups;
use crate::store::Transaction;
use crate::system::clock::Timestamp;
use crate::token::{
    AccountVersion, LoginPayload, StepUpToken, Token, TokenHolder, TokenParent, TokenRecipient,
};
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;

/// A login whose first factor has passed.
pub(super) struct LoginProgress<'a> {
    pub(super) config: &'a Config,
    pub(super) vault: &'a Vault,
    pub(super) browser: &'a BrowserContext<'a>,
    pub(super) record: &'a AccountRecord,
    pub(super) host: &'a HostGroups,
    /// A recovery or one-time code that was given with the password.
    pub(super) recovery: &'a Input,
    /// The first factor, and the parent of the tokens that follow.
    pub(super) first: FirstFactorPassed,
    pub(super) parent: TokenParent,
    pub(super) now: Timestamp,
}

impl LoginProgress<'_> {
    pub(super) fn continue_login(
        &self,
        tx: &mut Transaction<'_>,
        evaluation: &Evaluation<'_>,
        recognized: &RecognizedBrowser,
    ) -> Result<AfterPassword, LoginError> {
        let requirement = self.requirement(evaluation.credentials.enrolled);
        if let Requirement::Nothing | Requirement::Exempt(_) = requirement {
            let mut opened = self.new_session(self.record).open(
                tx,
                self.first_factor_only(evaluation, recognized),
                None,
            )?;
            if let Requirement::Exempt(rule) = requirement {
                opened.code_skipped = Some(CodeSkipped::Exemption(rule));
            }
            evaluation.log_event(tx, EventKind::Accepted, &opened.cause())?;
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        let by_rule = match self.recovery {
            Input::Digits(_) | Input::Malformed => self.password_rule(),
            // A recovery or one-time code opens a full session, so the rule that needs only a
            // password does not apply.
            Input::RecoveryCode(_) | Input::OneTimeCode(_) => None,
        };
        if evaluation.credentials.enrolled == Enrolled::No && by_rule.is_none() {
            evaluation.log_event(tx, EventKind::Refused, &Refusal::NotEnrolled.to_string())?;
            return Ok(AfterPassword::Enroll(Box::new(self.enrollment()?)));
        }
        if let RecognizedBrowser::Trusted(trusted) = recognized {
            evaluation.log_event(
                tx,
                EventKind::Accepted,
                AuthenticationMethod::TrustedBrowser.name(),
            )?;
            let missed = evaluation
                .record_login(tx, self.record, AuthenticationMethod::TrustedBrowser)?
                .missed;
            let new_session = self.new_session(self.record);
            let (_, cookie) = new_session.rotate_cookie(tx, trusted.number(), true)?;
            let grant = SessionGrant::by_factors(
                &self.first,
                &SecondFactorPassed::by_trusted_browser(trusted),
            );
            let grant = grant.in_browser(Some(trusted.number()));
            let opened = OpenedSession {
                missed,
                ..new_session.open(tx, grant, Some(cookie))?
            };
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        if let Some(rule) = by_rule {
            let mut opened = self.new_session(self.record).open(
                tx,
                self.first_factor_only(evaluation, recognized),
                None,
            )?;
            opened.code_skipped = Some(CodeSkipped::Rule(rule));
            evaluation.log_event(tx, EventKind::Accepted, &opened.cause())?;
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        match self.recovery {
            Input::RecoveryCode(_) | Input::OneTimeCode(_) => self.verify_recovery_input(tx),
            Input::Digits(_) | Input::Malformed => self.ask_for_code(tx, evaluation),
        }
    }

    fn new_session<'a>(&'a self, record: &'a AccountRecord) -> NewSession<'a> {
        let LoginProgress {
            config,
            vault,
            browser,
            host,
            now,
            ..
        } = *self;
        NewSession {
            config,
            vault,
            browser,
            record,
            host,
            now,
        }
    }

    fn first_factor_only(
        &self,
        evaluation: &Evaluation<'_>,
        recognized: &RecognizedBrowser,
    ) -> SessionGrant {
        let none = SecondFactorPassed::none(evaluation.credentials.enrolled);
        SessionGrant::by_factors(&self.first, &none).in_browser(recognized.number())
    }

    fn token_recipient(&self) -> TokenRecipient<'_> {
        let at = AccountVersion {
            id: self.record.id,
            generation: self.record.generation,
        };
        let (account, parent) = (&self.record.name, self.parent.clone());
        TokenRecipient {
            account,
            at: Some(at),
            holder: TokenHolder::Bearer,
            parent,
        }
    }

    /// Returns the token for a first enrollment. It requires a one-time code unless the caller
    /// permits more.
    fn enrollment(&self) -> Result<EnrollmentToken, LoginError> {
        let enrollment = WebEnrollment {
            may: EnrollmentPermission::WithOneTimeCode,
            back_to: String::new(),
        };
        let token = Token::issue(
            &self.vault.token_keys(),
            self.token_recipient(),
            enrollment,
            self.now,
        );
        Ok(token.map_err(PasswordError::from)?)
    }

    fn requirement(&self, enrolled: Enrolled) -> Requirement {
        let groups = self.host.for_policy(self.config, self.record);
        let subject = PolicySubject {
            name: &self.record.name,
            groups: &groups,
            service: SERVICE,
            address: self.browser.origin.certain_address(),
            completed_methods: self.config.gate.first_factor.completed_methods(),
        };
        self.config.policy.evaluate_requirement(&subject, enrolled)
    }

    /// Returns the rule by which the requested page needs only the first factor.
    fn password_rule(&self) -> Option<usize> {
        let RequestedPage { host, target } = self.browser.page?;
        let asked = RequestedGroups::from_config(self.config);
        let known = self.host.known(&asked);
        let declared = self
            .config
            .find_declared_account(&self.record.name)
            .map_or(&[][..], |declared| &declared.groups);
        let groups = [declared, &self.record.groups];
        let person = RuleUser {
            name: &self.record.name,
            groups,
            host_groups: known.read_for(&asked),
        };
        // The browser returns to the page with GET, whatever the first request was.
        let request = RuleRequest {
            host,
            target,
            method: "GET",
            address: self.browser.origin.certain_address(),
        };
        let decision = rule::evaluate_rules(&self.config.gate.rule, &request, Some(&person));
        decision
            .rule
            .filter(|_| decision.access == RuleAccess::Password)
    }

    /// Verifies the recovery or one-time code that was given with the password.
    fn verify_recovery_input(&self, tx: &mut Transaction<'_>) -> Result<AfterPassword, LoginError> {
        let LoginProgress {
            config,
            vault,
            browser,
            record,
            now,
            ..
        } = *self;
        let name = &record.name;
        let after = browser.after_first_factor(name);
        let evaluation = Evaluation::load(
            config,
            vault,
            tx,
            &after,
            account_data::read_declared_secret(config, name)?,
            now,
        )?;
        let verified = evaluation.verify_input(tx, self.recovery)?;
        let accepted = match verified.result {
            Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
            Ok(accepted) => accepted,
        };
        // The use of the code may have ended all sessions, so the new session is issued for the
        // account as it is now.
        let record = tx.find_account(name)?.unwrap_or_else(|| record.clone());
        let grant = SessionGrant::by_factors(&self.first, &SecondFactorPassed::by_input(&accepted));
        let mut opened = self.new_session(&record).open(tx, grant, None)?;
        opened.step_up = step_up(&opened, SteppedUp::by_login(&accepted), now)?;
        let opened = OpenedSession {
            missed: verified.missed,
            recovery: verified.recovery,
            ..opened
        };
        Ok(AfterPassword::Opened(Box::new(opened)))
    }

    fn ask_for_code(
        &self,
        tx: &mut Transaction<'_>,
        evaluation: &Evaluation<'_>,
    ) -> Result<AfterPassword, LoginError> {
        let (config, record) = (self.config, self.record);
        let to = match config.email.is_enabled() {
            true => account_data::load_mail_address(config, tx, &record.name, record.id)?
                .map(|address| address.masked()),
            false => None,
        };
        let authenticators = &evaluation.credentials.authenticators;
        let lengths = authenticators.iter().map(|a| a.parameters.digits);
        let digits = lengths
            .chain(to.as_ref().map(|_| code::DIGITS))
            .max()
            .unwrap_or(code::DIGITS);
        let methods = match to {
            None => CodeMethods::App,
            Some(to) if authenticators.is_empty() => CodeMethods::Mail(to),
            Some(to) => CodeMethods::AppOrMail(to),
        };
        let login = LoginPayload {
            digits,
            methods,
            back_to: String::new(),
        };
        let token = Token::issue(
            &self.vault.token_keys(),
            self.token_recipient(),
            login,
            self.now,
        );
        Ok(AfterPassword::Code(Box::new(
            token.map_err(PasswordError::from)?,
        )))
    }
}

/// Returns the step-up token for the session that a login opened, where the login is proof enough.
pub(super) fn step_up(
    opened: &OpenedSession,
    proof: Option<SteppedUp>,
    now: Timestamp,
) -> Result<Option<StepUpToken>, LoginError> {
    let begun = proof.map(|proof| StepUpToken::begun(&proof, &opened.session, &opened.keys, now));
    Ok(begun.transpose().map_err(PasswordError::from)?)
}

//! The step after a first factor has passed: a session, the code, or only an enrollment.

use super::groups::{requires_passkey, web_requirement};
use super::known_browser::{RecognizedBrowser, TrustedBrowserProof};
use super::new_session::NewSession;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant};
use super::token_validity::check_session;
use super::{AfterPassword, CodeSkipped, LoginError, OpenedSession, RequestedPage};
use crate::account::event::EventKind;
use crate::account::second_factor::{CodeMethods, Enrolled};
use crate::config::Config;
use crate::config::gate::rule::RuleAccess;
use crate::credential::input::Input;
use crate::crypto::password::PasswordError;
use crate::engine::accounts::account_data;
use crate::engine::enrollment::token::WebEnrollment;
use crate::engine::mail::code;
use crate::engine::mail::sign_in::{is_new_address, report_sign_in};
use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{EnrollmentPermission, EnrollmentToken};
use crate::policy::requirement::Requirement;
use crate::policy::rule::{RuleDecision, RuleRequest};
use crate::token::{
    AccountVersion, LoginPayload, Token, TokenHolder, TokenParent, TokenPayload, TokenRecipient,
};
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;

/// A login whose first factor has passed.
pub(super) struct LoginProgress<'a> {
    pub(super) session: NewSession<'a>,
    /// A recovery or one-time code that was given with the password.
    pub(super) recovery: &'a Input,
    /// The first factor, and the parent of the tokens that follow.
    pub(super) first: FirstFactorPassed,
    pub(super) parent: TokenParent,
    /// Whether only a code continues, in a trusted browser too.
    pub(super) only_code: bool,
}

impl<'a> LoginProgress<'a> {
    /// Decides on the step that follows, and commits what it writes.
    pub(super) fn continue_login(
        &self,
        mut evaluation: Evaluation<'a>,
        recognized: &RecognizedBrowser,
    ) -> Result<AfterPassword, LoginError> {
        let (browser, record) = (self.session.browser, self.session.record);
        let is_new = recognized.number().is_none()
            && is_new_address(&mut evaluation.tx, record, browser.origin)?;
        let next = match self.decide_next(&mut evaluation, recognized)? {
            Some(next) => next,
            None => {
                let request = browser.after_first_factor(&record.name);
                evaluation = evaluation.load_again(request)?;
                self.verify_recovery_input(&mut evaluation)?
            }
        };
        if is_new && matches!(next, AfterPassword::Opened(_)) {
            report_sign_in(&mut evaluation.tx, &record.name, browser)?;
        }
        evaluation.commit()?;
        Ok(next)
    }

    /// Returns `None` where the recovery or one-time code that was given with the password decides.
    fn decide_next(
        &self,
        evaluation: &mut Evaluation<'_>,
        recognized: &RecognizedBrowser,
    ) -> Result<Option<AfterPassword>, LoginError> {
        let (config, enrolled) = (evaluation.tx.config, evaluation.credentials.enrolled);
        let skips_code = match self.requirement(config, enrolled) {
            Requirement::Nothing => Some(None),
            Requirement::Exempt(rule) => Some(Some(CodeSkipped::Exemption(rule))),
            Requirement::Code | Requirement::Enrollment => None,
        };
        // A recovery or one-time code opens a full session, so the rule that needs only a password
        // does not apply.
        let rule = self.page_rule(config);
        // Nor where a code is asked for again in a session.
        let by_rule = rule
            .filter(|rule| {
                let asks_for_password = rule.access == RuleAccess::Password;
                asks_for_password && !self.recovery.is_recovery() && !self.only_code
            })
            .and_then(|decision| decision.rule)
            .map(CodeSkipped::Rule);
        let needs_passkey = rule.is_some_and(|rule| rule.access == RuleAccess::Passkey);
        // A trusted browser is no proof of a recent code, and none of a passkey.
        let only_code = self.only_code
            || needs_passkey
            || rule.is_some_and(|rule| rule.access == RuleAccess::Code && rule.within.is_some());
        // Nor is an exemption, where a second factor could give one.
        let skips_code = skips_code.filter(|_| enrolled == Enrolled::No || !only_code);
        // A page that needs a passkey opens by nothing that an account without a second factor has.
        let skips_code = skips_code.filter(|_| !needs_passkey);
        let next = if let Some(code_skipped) = skips_code {
            self.open_by_first_factor(evaluation, recognized, code_skipped)?
        } else if enrolled == Enrolled::No && by_rule.is_none() {
            evaluation.log_event(EventKind::Refused, &Refusal::NotEnrolled.to_string())?;
            AfterPassword::Enroll(Box::new(self.issue_enrollment_token(&evaluation.tx)?))
        } else if let (RecognizedBrowser::Trusted(trusted), false) = (recognized, only_code) {
            self.open_in_trusted_browser(evaluation, trusted)?
        } else if by_rule.is_some() {
            self.open_by_first_factor(evaluation, recognized, by_rule)?
        } else if self.recovery.is_recovery() {
            return Ok(None);
        } else {
            self.ask_for_code(evaluation, needs_passkey)?
        };
        Ok(Some(next))
    }

    fn open_by_first_factor(
        &self,
        evaluation: &mut Evaluation<'_>,
        recognized: &RecognizedBrowser,
        code_skipped: Option<CodeSkipped>,
    ) -> Result<AfterPassword, LoginError> {
        let none = SecondFactorPassed::none(evaluation.credentials.enrolled);
        let grant = SessionGrant::by_factors(&self.first, &none).in_browser(recognized.number());
        let grant = match self.session.browser.session {
            Some(before) if check_session(before, &mut evaluation.tx)?.is_some() => {
                match before.account == self.session.record.id.0 {
                    true => grant.keeping_code_of(before),
                    false => grant,
                }
            }
            _ => grant,
        };
        let opened = OpenedSession {
            code_skipped,
            ..self.session.open(&mut evaluation.tx, grant, None)?
        };
        evaluation.log_event(EventKind::Accepted, &opened.cause())?;
        Ok(AfterPassword::Opened(Box::new(opened)))
    }

    fn open_in_trusted_browser(
        &self,
        evaluation: &mut Evaluation<'_>,
        trusted: &TrustedBrowserProof,
    ) -> Result<AfterPassword, LoginError> {
        let method = AuthenticationMethod::TrustedBrowser;
        evaluation.log_event(EventKind::Accepted, method.name())?;
        let after_login = evaluation.record_login(method)?;
        let tx = &mut evaluation.tx;
        let (number, cookie) = self.session.rotate_cookie(tx, trusted.number(), true)?;
        let second = SecondFactorPassed::by_trusted_browser(trusted);
        let grant = SessionGrant::by_factors(&self.first, &second).in_browser(Some(number));
        let opened = self.session.open(tx, grant, Some(cookie))?;
        Ok(AfterPassword::Opened(Box::new(OpenedSession {
            after_login,
            ..opened
        })))
    }

    fn issue_token<P: TokenPayload>(
        &self,
        tx: &EngineTransaction<'_>,
        payload: P,
    ) -> Result<Token<P>, LoginError> {
        let record = self.session.record;
        let to = TokenRecipient {
            account: &record.name,
            at: Some(AccountVersion::from_record(record)),
            holder: TokenHolder::Bearer,
            parent: self.parent.clone(),
        };
        Ok(Token::issue(&tx.vault.token_keys(), to, payload, tx.now)
            .map_err(PasswordError::from)?)
    }

    fn requirement(&self, config: &Config, enrolled: Enrolled) -> Requirement {
        let NewSession {
            browser,
            record,
            host,
        } = self.session;
        let groups = host.for_policy(config, record);
        let address = browser.origin.certain_address();
        web_requirement(config, &record.name, &groups, address, enrolled)
    }

    /// Returns what the rules require for the requested page, and the policy in the place of a code.
    fn page_rule(&self, config: &Config) -> Option<RuleDecision> {
        let NewSession {
            browser,
            record,
            host: groups,
        } = self.session;
        let RequestedPage { host, target } = browser.page?;
        // The browser returns to the page with GET, whatever the first request was.
        let request = RuleRequest {
            host,
            target,
            method: "GET",
            address: browser.origin.certain_address(),
        };
        let decision = groups.evaluate_rules(config, &record.name, &record.groups, &request);
        let of_policy = groups.for_policy(config, record);
        let needs_passkey = decision.access == RuleAccess::Code
            && requires_passkey(config, &record.name, &of_policy, request.address);
        Some(match needs_passkey {
            true => decision.with_passkey(),
            false => decision,
        })
    }

    /// Verifies the recovery or one-time code that was given with the password.
    fn verify_recovery_input(
        &self,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<AfterPassword, LoginError> {
        let verified = evaluation.verify_input(self.recovery)?;
        let accepted = match verified.result {
            Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
            Ok(accepted) => accepted,
        };
        let opened = self.session.open_by_input(
            &mut evaluation.tx,
            &self.first,
            (&accepted, verified.after_login),
            (None, None),
        )?;
        Ok(AfterPassword::Opened(Box::new(opened)))
    }

    fn ask_for_code(
        &self,
        evaluation: &mut Evaluation<'_>,
        needs_passkey: bool,
    ) -> Result<AfterPassword, LoginError> {
        let (tx, record) = (&mut evaluation.tx, self.session.record);
        let to = match tx.config.email.mails_codes() {
            true => account_data::load_mail_address(tx.config, tx, &record.name, record.id)?
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
            needs_passkey,
        };
        let token = self.issue_token(&evaluation.tx, login)?;
        Ok(AfterPassword::Code(Box::new(token)))
    }

    /// Returns the token for a first enrollment. It requires a one-time code unless the caller
    /// permits more.
    fn issue_enrollment_token(
        &self,
        tx: &EngineTransaction<'_>,
    ) -> Result<EnrollmentToken, LoginError> {
        let enrollment = WebEnrollment {
            may: EnrollmentPermission::WithOneTimeCode,
            back_to: String::new(),
        };
        self.issue_token(tx, enrollment)
    }
}

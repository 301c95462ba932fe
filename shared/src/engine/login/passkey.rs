//! A passkey as the second factor of a login whose first factor has passed, and as a step-up in a
//! session.
//!
//! A passkey cannot be guessed, so it is used during the delays of an account and an address too, as
//! a recovery code is. Each response uses up a token: of a login a limited number of wrong ones, in a
//! session the one request.

use super::known_browser::RecognizedBrowser;
use super::new_session::NewSession;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant, SteppedUp};
use super::token_validity::{check_session, check_token};
use super::{AfterCode, BrowserContext, LoginError, LoginGroups, OpenedSession, TrustRequest};
use crate::account::event::EventKind;
use crate::account::record::AccountId;
use crate::config::gate::UserVerification;
use crate::credential::passkey::response::AssertionResponse;
use crate::crypto::password::PasswordError;
use crate::engine::Login;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::mail::sign_in::report_sign_in;
use crate::engine::passkeys::assertion::use_passkey;
use crate::engine::verify::evaluation::Evaluation;
use crate::store::LoginTokenState;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{LoginPayload, LoginToken, PasskeyPurpose, PasskeyToken, StepUpToken};
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::passkey::AcceptedPasskey;
use crate::verify::throttle::Phase;

impl Login<'_> {
    /// Verifies a passkey, and opens the session. The login is refused where something has meanwhile
    /// ended all sessions, or the session that it upgrades.
    pub fn enter_passkey(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &LoginToken,
        response: &AssertionResponse,
        trust: TrustRequest,
        now: Timestamp,
    ) -> Result<AfterCode, LoginError> {
        if token.is_expired(now) {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        self.end_stolen_browser(browser, token.account(), now)?;
        let host = self.load_host_groups(token.account())?;
        let entered = repeat_after_conflict(|| {
            self.verify_login_passkey(browser, token, &host, response, trust, now)
        })?;
        if let AfterCode::Opened(opened) = &entered {
            self.settle_login(opened)?;
        }
        Ok(entered)
    }

    fn verify_login_passkey(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &LoginToken,
        host: &LoginGroups,
        response: &AssertionResponse,
        trust: TrustRequest,
        now: Timestamp,
    ) -> Result<AfterCode, LoginError> {
        let name = token.account();
        let (mut evaluation, recognized) =
            self.evaluate_login(browser, name, Phase::After, None, now)?;
        let tx = &mut evaluation.tx;
        let state = tx.login_token_state(token.id())?;
        let first = check_token(token, tx)?.and_then(|validity| {
            FirstFactorPassed::by_token_parent(token.parent(), &validity, token.issued(), now)
        });
        let (record, first) = match (evaluation.record.clone(), first) {
            (Some(record), Some(first)) if !state.used => (record, first),
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        if state.wrong >= LoginPayload::MAX_WRONG_CODES {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let challenge = token.passkey_challenge();
        let accepted = match use_passkey(
            &mut evaluation.tx,
            record.id,
            &challenge,
            UserVerification::Preferred,
            response,
        )? {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let state = LoginTokenState {
                    wrong: state.wrong + 1,
                    ..state
                };
                let tx = &mut evaluation.tx;
                tx.set_login_token_state(record.id, token, state, now)?;
                evaluation.charge_address()?;
                evaluation.log_event(EventKind::Refused, &format!("passkey: {refusal}"))?;
                evaluation.commit()?;
                return Ok(AfterCode::Refused(Refusal::Wrong));
            }
        };
        let state = LoginTokenState {
            used: true,
            ..state
        };
        evaluation.write_as_if_charged()?;
        let tx = &mut evaluation.tx;
        tx.set_login_token_state(record.id, token, state, now)?;
        let session = NewSession {
            browser,
            record: &record,
            host,
        };
        let entered = EnteredPasskey {
            first,
            accepted,
            method: AuthenticationMethod::Passkey,
        };
        let opened = entered.open(evaluation, &session, &recognized, trust)?;
        Ok(AfterCode::Opened(opened))
    }

    /// Verifies a passkey in a session, for acts that a session alone does not permit. `None` where
    /// it is refused, or the session has ended.
    pub fn step_up_by_passkey(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        token: &PasskeyToken,
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<Option<StepUpToken>, LoginError> {
        let Some(used) = self.use_passkey_in_session(
            browser,
            session,
            token,
            PasskeyPurpose::StepUp,
            response,
            now,
        )?
        else {
            return Ok(None);
        };
        let mut evaluation = used.evaluation;
        evaluation.log_event(EventKind::Accepted, "passkey-again")?;
        let keys = evaluation.tx.vault.token_keys();
        evaluation.commit()?;
        let proof = SteppedUp::by_passkey(&used.accepted);
        let token = StepUpToken::begun(&proof, session, &keys, now);
        Ok(Some(token.map_err(PasswordError::from)?))
    }

    /// Verifies a passkey whose authenticator verifies its user, in a session, and uses the token of
    /// the request up. The caller commits what is accepted. `None` where it is refused, which is
    /// committed here, or where the session has ended.
    pub(super) fn use_passkey_in_session<'a>(
        &'a mut self,
        browser: &BrowserContext<'a>,
        session: &'a Session,
        token: &PasskeyToken,
        purpose: PasskeyPurpose,
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<Option<UsedInSession<'a>>, LoginError> {
        if token.payload().purpose != purpose {
            return Ok(None);
        }
        let name = &session.name;
        self.end_stolen_browser(browser, name, now)?;
        let (mut evaluation, _) = self.evaluate_login(browser, name, Phase::After, None, now)?;
        let tx = &mut evaluation.tx;
        let state = tx.login_token_state(token.id())?;
        let is_valid = check_session(session, tx)?.is_some() && check_token(token, tx)?.is_some();
        let account = match &evaluation.record {
            Some(record) if is_valid && !state.used => record.id,
            _ => return Ok(None),
        };
        let state = LoginTokenState {
            used: true,
            ..state
        };
        let tx = &mut evaluation.tx;
        tx.set_login_token_state(account, token, state, now)?;
        let verified = use_passkey(
            tx,
            account,
            &token.passkey_challenge(),
            UserVerification::Required,
            response,
        )?;
        match verified {
            Ok(accepted) => Ok(Some(UsedInSession {
                evaluation,
                account,
                accepted,
            })),
            Err(refusal) => {
                evaluation.charge_address()?;
                evaluation.log_event(EventKind::Refused, &format!("passkey: {refusal}"))?;
                evaluation.commit()?;
                Ok(None)
            }
        }
    }
}

/// A passkey that was accepted in a session, in the transaction of the act that it is for.
pub(super) struct UsedInSession<'a> {
    pub(super) evaluation: Evaluation<'a>,
    pub(super) account: AccountId,
    pub(super) accepted: AcceptedPasskey,
}

/// A passkey that was accepted at a login, and the first factor before it, which may be the same.
pub(super) struct EnteredPasskey {
    pub(super) first: FirstFactorPassed,
    pub(super) accepted: AcceptedPasskey,
    /// What the log says: by the passkey alone, or after another first factor.
    pub(super) method: AuthenticationMethod,
}

impl EnteredPasskey {
    /// Opens the session, and commits.
    pub(super) fn open(
        self,
        mut evaluation: Evaluation<'_>,
        session: &NewSession<'_>,
        recognized: &RecognizedBrowser,
        trust: TrustRequest,
    ) -> Result<Box<OpenedSession>, LoginError> {
        evaluation.log_event(EventKind::Accepted, self.method.name())?;
        let after_login = evaluation.record_login(self.method)?;
        let is_new = recognized.number().is_none() && after_login.from_new_address;
        let tx = &mut evaluation.tx;
        let trusted = session.trusted_after_proof(tx, recognized, trust)?;
        let (number, cookie) = trusted.unzip();
        let second = SecondFactorPassed::by_passkey(&self.accepted);
        let grant = SessionGrant::by_factors(&self.first, &second);
        let grant = grant.in_browser(number.or(recognized.number()));
        let opened = OpenedSession {
            after_login,
            method: self.method,
            ..session.open(tx, grant, cookie)?
        };
        if is_new {
            report_sign_in(tx, &session.record.name, session.browser)?;
        }
        evaluation.commit()?;
        Ok(Box::new(opened))
    }
}

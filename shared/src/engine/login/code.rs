//! The code of a login whose first factor has passed. A limited number of wrong codes ends the
//! login; a right one ends it too.

use super::new_session::NewSession;
use super::proof::FirstFactorPassed;
use super::token_validity::check_token;
use super::{AfterCode, BrowserContext, LoginError, LoginGroups, TrustRequest};
use crate::credential::input::Input;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::mail::sign_in::report_sign_in;
use crate::engine::{AfterRecovery, Login};
use crate::store::LoginTokenState;
use crate::system::clock::Timestamp;
use crate::token::{LoginPayload, LoginToken};
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

impl Login<'_> {
    /// Verifies a code or a recovery code and opens the session. The login is refused where
    /// something has meanwhile ended all sessions, or the session that it upgrades.
    pub fn enter_code(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &LoginToken,
        input: &Input,
        trust: TrustRequest,
        now: Timestamp,
    ) -> Result<AfterCode, LoginError> {
        if token.is_expired(now) {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let name = token.account();
        self.end_stolen_browser(browser, name, now)?;
        let host = self.load_host_groups(name)?;
        let entered = repeat_after_conflict(|| {
            self.verify_login_code(browser, token, &host, input, trust, now)
        })?;
        match &entered {
            AfterCode::Opened(opened) => self.settle_login(opened)?,
            AfterCode::Refused(refusal) => self.engine.note_drift(Some(refusal), now),
        }
        Ok(entered)
    }

    /// Verifies the code in one transaction.
    fn verify_login_code(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &LoginToken,
        host: &LoginGroups,
        input: &Input,
        trust: TrustRequest,
        now: Timestamp,
    ) -> Result<AfterCode, LoginError> {
        let name = token.account();
        let (mut evaluation, recognized) =
            self.evaluate_login(browser, name, Phase::After, None, now)?;
        let tx = &mut evaluation.tx;
        let token_state = tx.login_token_state(token.id())?;
        let validity = check_token(token, tx)?;
        let first = validity.and_then(|validity| {
            FirstFactorPassed::by_token_parent(token.parent(), &validity, token.issued(), now)
        });
        let (record, first) = match (evaluation.record.clone(), first) {
            (Some(record), Some(first)) if !token_state.used => (record, first),
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        let decision = evaluation.decide_input(input);
        // A person who has to wait is told how long, even where the login is over after so many
        // wrong codes.
        let waits = matches!(
            decision.result,
            Err(Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } | Refusal::Locked)
        );
        // RecoveryCode and one-time codes are accepted during a delay and a lock, as the messages about
        // both say. So this limit does not apply to them either.
        let opens_anyway = input.is_recovery() && decision.result.is_ok();
        if token_state.wrong >= LoginPayload::MAX_WRONG_CODES && !waits && !opens_anyway {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let verified = evaluation.apply_decision(decision)?;
        let used_or_wrong = match &verified.result {
            Ok(_) => Some(LoginTokenState {
                used: true,
                ..token_state
            }),
            Err(_) if verified.is_free => None,
            Err(_) => Some(LoginTokenState {
                wrong: token_state.wrong + 1,
                ..token_state
            }),
        };
        let tx = &mut evaluation.tx;
        if let Some(state) = used_or_wrong {
            tx.set_login_token_state(record.id, token, state, now)?;
        }
        let accepted = match verified.result {
            Ok(accepted) => accepted,
            Err(refusal) => {
                evaluation.commit_if(!verified.is_free)?;
                return Ok(AfterCode::Refused(refusal));
            }
        };
        let new_session = NewSession {
            browser,
            record: &record,
            host,
        };
        let is_new = recognized.number().is_none() && verified.after_login.from_new_address;
        let trusted = match (verified.after_login.recovery, trust) {
            (Some(AfterRecovery::TurnedOff(_)), _) => None,
            // The use of a recovery code has removed every trusted browser.
            (Some(AfterRecovery::CodesLeft(_)), TrustRequest::Asked) => {
                Some(new_session.trust_browser(tx)?)
            }
            (Some(AfterRecovery::CodesLeft(_)), TrustRequest::NotAsked) => None,
            (None, _) => new_session.trusted_after_proof(tx, &recognized, trust)?,
        };
        let (number, cookie) = trusted.unzip();
        let opened = new_session.open_by_input(
            tx,
            &first,
            (&accepted, verified.after_login),
            (number.or(recognized.number()), cookie),
        )?;
        if is_new {
            report_sign_in(tx, name, browser)?;
        }
        evaluation.commit()?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

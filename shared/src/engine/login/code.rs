//! The code of a login whose first factor has passed. A limited number of wrong codes ends the
//! login; a right one ends it too.

use super::known_browser::{RecognizedBrowser, recognize_browser};
use super::new_session::NewSession;
use super::next::step_up;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant, SteppedUp};
use super::token_validity::check_token;
use super::{AfterCode, BrowserContext, LoginError, OpenedSession, TrustRequest};
use crate::credential::input::Input;
use crate::engine::Login;
use crate::engine::accounts::account_data;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{AfterRecovery, Engine};
use crate::store::{Intent, LoginTokenState};
use crate::system::clock::Timestamp;
use crate::token::{LoginPayload, LoginToken};
use crate::verify::decision::Refusal;

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
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        let recognized = recognize_browser(vault, tx, browser, name, now)?;
        let request = browser.after_first_factor(name);
        let evaluation = Evaluation::load(
            config,
            vault,
            tx,
            &request,
            account_data::read_declared_secret(config, name)?,
            now,
        )?;
        let token_state = tx.login_token_state(token.id())?;
        let validity = check_token(token, tx, &vault.token_keys(), now)?;
        let first = validity.and_then(|validity| {
            FirstFactorPassed::by_token_parent(token.parent(), &validity, now)
        });
        let (record, first) = match (&evaluation.record, first) {
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
        let opens_anyway = matches!(input, Input::RecoveryCode(_) | Input::OneTimeCode(_))
            && decision.result.is_ok();
        if token_state.wrong >= LoginPayload::MAX_WRONG_CODES && !waits && !opens_anyway {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let verified = evaluation.apply_decision(tx, decision)?;
        let accepted = match verified.result {
            Ok(accepted) => {
                tx.set_login_token_state(
                    record.id,
                    token,
                    LoginTokenState {
                        used: true,
                        ..token_state
                    },
                    now,
                )?;
                accepted
            }
            Err(refusal) => {
                if !verified.is_free {
                    let token_state = LoginTokenState {
                        wrong: token_state.wrong + 1,
                        ..token_state
                    };
                    tx.set_login_token_state(record.id, token, token_state, now)?;
                }
                if !verified.is_free || evaluation.clock_corrected {
                    drop(evaluation);
                    transaction.commit()?;
                }
                return Ok(AfterCode::Refused(refusal));
            }
        };
        // The use of a recovery code may have ended all sessions, so the new session is issued for
        // the account as it is now.
        let record = tx.find_account(name)?.unwrap_or_else(|| record.clone());
        let new_session = NewSession {
            config,
            vault,
            browser,
            record: &record,
            host: &host,
            now,
        };
        let trusted = match (verified.recovery, &recognized, trust) {
            (Some(AfterRecovery::TurnedOff(_)), ..) => None,
            // The use of a recovery code has removed every trusted browser.
            (Some(AfterRecovery::CodesLeft(_)), _, TrustRequest::Asked) => {
                Some(new_session.trust_browser(tx)?)
            }
            (Some(AfterRecovery::CodesLeft(_)), _, TrustRequest::NotAsked) => None,
            (None, RecognizedBrowser::OlderCookie(number), _) => {
                Some(new_session.rotate_cookie(tx, *number, false)?)
            }
            // Another tab was first. It is the same browser.
            (_, RecognizedBrowser::Trusted(trusted_browser), TrustRequest::Asked) => {
                Some(new_session.rotate_cookie(tx, trusted_browser.number(), true)?)
            }
            (_, _, TrustRequest::Asked) => Some(new_session.trust_browser(tx)?),
            (_, _, TrustRequest::NotAsked) => None,
        };
        let (number, cookie) = trusted.unzip();
        let grant = SessionGrant::by_factors(&first, &SecondFactorPassed::by_input(&accepted));
        let grant = grant.in_browser(number.or(recognized.number()));
        let mut opened = new_session.open(tx, grant, cookie)?;
        opened.step_up = step_up(&opened, SteppedUp::by_login(&accepted), now)?;
        let opened = OpenedSession {
            missed: verified.missed,
            recovery: verified.recovery,
            ..opened
        };
        drop(evaluation);
        transaction.commit()?;
        self.engine
            .verification()
            .settle_recovery(opened.recovery)?;
        self.await_session_end(&opened)?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

//! The code of a sign-in whose first factor has passed. So many wrong ones, and it begins anew; a right one ends it.

use super::known_browser::{RecognizedBrowser, recognize_browser};
use super::new_session::NewSession;
use super::next::step_up;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant, SteppedUp};
use super::token_validity::check_token;
use super::{AfterCode, BrowserContext, LoginError, OpenedSession, SERVICE, TrustRequest};
use crate::credential::input::Input;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{AfterRecovery, Engine, VerificationRequest, account_data};
use crate::store::{Intent, LoginTokenState};
use crate::system::clock::Timestamp;
use crate::token::{LoginPayload, LoginToken};
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

impl Engine {
    /// The code, or a recovery code. Whatever ended all sessions meanwhile, or the one from which it goes on, ended this
    /// sign-in too.
    pub fn enter_code(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &LoginToken,
        answer: &Input,
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
        } = self;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let recognised = recognize_browser(vault, tx, browser, name, now)?;
        let visitor = VerificationRequest {
            name,
            phase: Phase::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let visit = Evaluation::load(
            config,
            vault,
            tx,
            &visitor,
            account_data::read_declared_secret(config, name)?,
            now,
        )?;
        let trials = tx.login_token_state(token.id())?;
        let alive = check_token(token, tx, &vault.token_keys(), now)?;
        let first =
            alive.and_then(|alive| FirstFactorPassed::by_token_parent(token.parent(), &alive, now));
        let (record, first) = match (&visit.record, first) {
            (Some(record), Some(first)) if !trials.used => (record, first),
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        let ruling = visit.decide_input(answer);
        // Whoever waits learns how long, also where so many were wrong that waiting will not help.
        let waits = matches!(
            ruling.result,
            Err(Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } | Refusal::Locked)
        );
        // What lets in through delay and lock does here too: the words about them offer it.
        let opens_anyway = matches!(answer, Input::RecoveryCode(_) | Input::OneTimeCode(_))
            && ruling.result.is_ok();
        if trials.wrong >= LoginPayload::MAX_WRONG_CODES && !waits && !opens_anyway {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let outcome = visit.apply_decision(tx, ruling)?;
        let accepted = match outcome.result {
            Ok(accepted) => {
                tx.set_login_token_state(
                    record.id,
                    token,
                    LoginTokenState {
                        used: true,
                        ..trials
                    },
                    now,
                )?;
                accepted
            }
            Err(refusal) => {
                if !outcome.is_free {
                    let trials = LoginTokenState {
                        wrong: trials.wrong + 1,
                        ..trials
                    };
                    tx.set_login_token_state(record.id, token, trials, now)?;
                }
                if !outcome.is_free || visit.clock_corrected {
                    drop(visit);
                    transaction.commit()?;
                }
                return Ok(AfterCode::Refused(refusal));
            }
        };
        // The use of a recovery code may have ended all sessions: the new one belongs to what is now.
        let record = tx.find_account(name)?.unwrap_or_else(|| record.clone());
        let opening = NewSession {
            config,
            vault,
            browser,
            record: &record,
            host: &host,
            now,
        };
        let trusted = match (outcome.recovery, &recognised, trust) {
            (Some(AfterRecovery::TurnedOff(_)), ..) => None,
            // the use of a recovery code ended every trust
            (Some(AfterRecovery::CodesLeft(_)), _, TrustRequest::Asked) => {
                Some(opening.trust_browser(tx)?)
            }
            (Some(AfterRecovery::CodesLeft(_)), _, TrustRequest::NotAsked) => None,
            (None, RecognizedBrowser::OlderCookie(number), _) => {
                Some(opening.rotate_cookie(tx, *number, false)?)
            }
            // another tab was first: it is one browser
            (_, RecognizedBrowser::Trusted(here), TrustRequest::Asked) => {
                Some(opening.rotate_cookie(tx, here.number(), true)?)
            }
            (_, _, TrustRequest::Asked) => Some(opening.trust_browser(tx)?),
            (_, _, TrustRequest::NotAsked) => None,
        };
        let (number, cookie) = trusted.unzip();
        let opens = SessionGrant::by_factors(&first, &SecondFactorPassed::by_input(&accepted));
        let opens = opens.in_browser(number.or(recognised.number()));
        let mut opened = opening.open(tx, opens, cookie)?;
        opened.step_up = step_up(&opened, SteppedUp::by_login(&accepted), now)?;
        let opened = OpenedSession {
            missed: outcome.missed,
            recovery: outcome.recovery,
            ..opened
        };
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(opened.recovery)?;
        self.await_session_end(&opened)?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

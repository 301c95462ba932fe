//! The code of a sign-in whose first factor has passed. So many wrong ones, and it begins anew; a right one ends it.

use super::known_browser::{Recognised, recognise};
use super::new_session::Opening;
use super::next::step_up;
use super::proof::{FirstFactorPassed, OpensSession, SecondFactorPassed, SteppedUp};
use super::token_validity::alive;
use super::{AfterCode, Browser, Opened, SERVICE, SignInError, Trust};
use crate::credential::input::Answer;
use crate::engine::verify::evaluation::Visit;
use crate::engine::{Door, Recovered, Visitor, account_data};
use crate::store::{Intent, Trials};
use crate::system::clock::Timestamp;
use crate::token::{Login, LoginToken};
use crate::verify::decision::{Refusal, Verdict};
use crate::verify::throttle::Stage;

impl Door {
    /// The code, or a recovery code. Whatever ended all sessions meanwhile, or the one from which it goes on, ended this
    /// sign-in too.
    pub fn enter_code(
        &mut self,
        browser: &Browser<'_>,
        token: &LoginToken,
        answer: &Answer,
        trust: Trust,
        now: Timestamp,
    ) -> Result<AfterCode, SignInError> {
        if token.is_over(now) {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let name = token.account();
        self.end_stolen_browser(browser, name, now)?;
        let host = self.host_groups(name)?;
        let Door {
            config,
            vault,
            store,
            ..
        } = self;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let recognised = recognise(vault, tx, browser, name, now)?;
        let visitor = Visitor {
            name,
            stage: Stage::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let visit = Visit::load(
            config,
            vault,
            tx,
            &visitor,
            account_data::declared(config, name)?,
            now,
        )?;
        let trials = tx.trials(token.id())?;
        let alive = alive(token, tx, &vault.token_keys(), now)?;
        let first = alive.and_then(|alive| FirstFactorPassed::of(token.parent(), &alive, now));
        let (record, first) = match (&visit.record, first) {
            (Some(record), Some(first)) if !trials.used => (record, first),
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        let ruling = visit.decide(answer);
        // Whoever waits learns how long, also where so many were wrong that waiting will not help.
        let waits = matches!(
            ruling.verdict,
            Verdict::Refused(
                Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } | Refusal::Locked
            )
        );
        // What lets in through delay and lock does here too: the words about them offer it.
        let opens_anyway = matches!(answer, Answer::Recovery(_) | Answer::OneTime(_))
            && matches!(ruling.verdict, Verdict::Accepted(_));
        if trials.wrong >= Login::TRIALS && !waits && !opens_anyway {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let outcome = visit.apply(tx, ruling)?;
        let accepted = match outcome.verdict {
            Verdict::Accepted(accepted) => {
                tx.keep_trials(
                    record.id,
                    token,
                    Trials {
                        used: true,
                        ..trials
                    },
                    now,
                )?;
                accepted
            }
            Verdict::Refused(refusal) => {
                if !outcome.is_free {
                    let trials = Trials {
                        wrong: trials.wrong + 1,
                        ..trials
                    };
                    tx.keep_trials(record.id, token, trials, now)?;
                }
                if !outcome.is_free || visit.mended {
                    drop(visit);
                    transaction.commit()?;
                }
                return Ok(AfterCode::Refused(refusal));
            }
        };
        // The use of a recovery code may have ended all sessions: the new one belongs to what is now.
        let record = tx.account(name)?.unwrap_or_else(|| record.clone());
        let opening = Opening {
            config,
            vault,
            browser,
            record: &record,
            host: &host,
            now,
        };
        let trusted = match (outcome.recovery, &recognised, trust) {
            (Some(Recovered::TurnedOff(_)), ..) => None,
            // the use of a recovery code ended every trust
            (Some(Recovered::CodesLeft(_)), _, Trust::Asked) => Some(opening.trust(tx)?),
            (Some(Recovered::CodesLeft(_)), _, Trust::NotAsked) => None,
            (None, Recognised::Behind(number), _) => Some(opening.rotate(tx, *number, false)?),
            // another tab was first: it is one browser
            (_, Recognised::Trusted(here), Trust::Asked) => {
                Some(opening.rotate(tx, here.number(), true)?)
            }
            (_, _, Trust::Asked) => Some(opening.trust(tx)?),
            (_, _, Trust::NotAsked) => None,
        };
        let (number, cookie) = trusted.unzip();
        let opens = OpensSession::by(&first, &SecondFactorPassed::accepted(&accepted));
        let opens = opens.in_browser(number.or(recognised.number()));
        let mut opened = opening.session(tx, opens, cookie)?;
        opened.step_up = step_up(&opened, SteppedUp::by_sign_in(&accepted), now)?;
        let opened = Opened {
            missed: outcome.missed,
            recovery: outcome.recovery,
            ..opened
        };
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(opened.recovery)?;
        self.settle_session(&opened)?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

//! The code of a sign-in whose first factor has passed. So many wrong ones, and it begins anew; a right one ends it.

use super::recognised::{Recognised, recognise};
use super::{AfterCode, Browser, HostGroups, Opened, SERVICE, SignInError, Trust};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::decision::{Refusal, Verdict};
use crate::door::opening::Opening;
use crate::door::visit::Visit;
use crate::door::{Door, Recovered, Visitor, load};
use crate::guess::Stage;
use crate::name::UserName;
use crate::store::{Intent, Trials};
use crate::ticket::Pass;

impl Door {
    /// The code, or a recovery code. The generation of the pass must be the account's: whatever ended all sessions
    /// meanwhile ended this sign-in too.
    pub fn enter_code(
        &mut self,
        browser: &Browser<'_>,
        name: &UserName,
        pass: &Pass,
        answer: &Answer,
        trust: Trust,
        now: Timestamp,
    ) -> Result<AfterCode, SignInError> {
        if pass.is_over(now) {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let host = HostGroups::look_up(&self.config, name).map_err(SignInError::Groups)?;
        let Door { config, vault, store, .. } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let recognised = recognise(config, vault, tx, browser, name, now)?;
        let visitor =
            Visitor { name, stage: Stage::After, origin: browser.origin, browser: None, service: SERVICE };
        let visit = Visit::load(config, vault, tx, &visitor, load::declared(config, name)?, now)?;
        let trials = tx.trials(pass.id)?;
        let record = match &visit.record {
            Some(record) if record.generation == pass.generation && !trials.used => record,
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        let ruling = visit.decide(answer, Stage::After);
        // Whoever waits learns how long, also where so many were wrong that waiting will not help.
        let waits = matches!(
            ruling.verdict,
            Verdict::Refused(Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } | Refusal::Locked)
        );
        // What lets in through delay and lock does here too: the words about them offer it.
        let opens_anyway = matches!(answer, Answer::Recovery(_) | Answer::OneTime(_))
            && matches!(ruling.verdict, Verdict::Accepted(_));
        if trials.wrong >= Pass::TRIALS && !waits && !opens_anyway {
            return Ok(AfterCode::Refused(Refusal::Expired));
        }
        let outcome = visit.apply(tx, ruling)?;
        let means = match outcome.verdict {
            Verdict::Accepted(accepted) => {
                tx.keep_trials(record.id, pass, Trials { used: true, ..trials }, now)?;
                accepted.spent().into()
            }
            Verdict::Refused(refusal) => {
                if !outcome.is_free {
                    let trials = Trials { wrong: trials.wrong + 1, ..trials };
                    tx.keep_trials(record.id, pass, trials, now)?;
                }
                if !outcome.is_free || visit.mended || matches!(recognised, Recognised::Stolen) {
                    drop(visit);
                    transaction.commit()?;
                }
                return Ok(AfterCode::Refused(refusal));
            }
        };
        // The use of a recovery code may have ended all sessions: the new one belongs to what is now.
        let record = tx.account(name)?.unwrap_or_else(|| record.clone());
        let began = pass.rises_from.unwrap_or(now);
        let opening = Opening { config, vault, browser, record: &record, host: &host, began, now };
        let cookie = match (outcome.recovery, recognised, trust) {
            (Some(Recovered::TurnedOff(_)), ..) => None,
            // the use of a recovery code ended every trust
            (Some(Recovered::CodesLeft(_)), _, Trust::Asked) => Some(opening.trust(tx)?),
            (Some(Recovered::CodesLeft(_)), _, Trust::NotAsked) => None,
            (None, Recognised::Behind(number), _) => Some(opening.rotate(tx, number, false)?),
            // another tab was first: it is one browser
            (_, Recognised::Trusted(number), Trust::Asked) => Some(opening.rotate(tx, number, true)?),
            (_, _, Trust::Asked) => Some(opening.trust(tx)?),
            (_, _, Trust::NotAsked) => None,
        };
        let opened = Opened {
            missed: outcome.missed,
            recovery: outcome.recovery,
            ..opening.session(tx, means, cookie)?
        };
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(opened.recovery)?;
        self.settle_session(&opened)?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

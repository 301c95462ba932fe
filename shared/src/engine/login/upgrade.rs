//! Sessions that the first factor alone opened, because a rule or an exemption asked for no more: where that is not
//! enough, what else a sign-in takes comes then, and the session that it opens takes the place of the one before.

use super::first_factor::before;
use super::known_browser::recognize_browser;
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::token_validity::check_session;
use super::{AfterPassword, BrowserContext, LoginError, OpenedSession};
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, EngineError, account_data};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::TokenParent;
use crate::token::session::Session;

impl Engine {
    /// What comes after the first factor of a session. None where that is over, or has no second factor to ask for: a
    /// first setup takes the first factor itself, and so the whole sign-in.
    pub fn upgrade_session(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        now: Timestamp,
    ) -> Result<Option<AfterPassword>, LoginError> {
        let name = &session.name;
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
        let visitor = before(browser, name, &recognised);
        let visit = Evaluation::load(
            config,
            vault,
            tx,
            &visitor,
            account_data::read_declared_secret(config, name)?,
            now,
        )?;
        let alive = check_session(session, tx, now)?;
        let (Some(record), Some(alive)) = (&visit.record, alive) else {
            return Ok(None);
        };
        if visit.credentials.enrolled == Enrolled::No {
            return Ok(None);
        }
        let parent = TokenParent::session(session);
        let Some(first) = FirstFactorPassed::by_token_parent(&parent, &alive, now) else {
            return Ok(None);
        };
        let recovery = &Input::Malformed;
        let entering = LoginProgress {
            config,
            vault,
            browser,
            record,
            host: &host,
            recovery,
            first,
            parent,
            now,
        };
        let next = entering.continue_login(tx, &visit, &recognised)?;
        drop(visit);
        transaction.commit()?;
        if let AfterPassword::Opened(opened) = &next {
            self.await_session_end(opened)?;
        }
        Ok(Some(next))
    }

    /// The session before has ended at every gate when this returns.
    pub(super) fn await_session_end(&mut self, opened: &OpenedSession) -> Result<(), EngineError> {
        opened
            .ended
            .map_or(Ok(()), |revision| self.await_gate_confirmations(revision))
    }
}

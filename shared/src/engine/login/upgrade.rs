//! Upgrade of a session from level password to level full, where a rule or an exemption asked for
//! no code and a page requires one. The session that the upgrade opens replaces the one before.

use super::known_browser::recognize_browser;
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::token_validity::check_session;
use super::{AfterPassword, BrowserContext, LoginError, OpenedSession};
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::engine::Login;
use crate::engine::accounts::account_data;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, EngineError};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::TokenParent;
use crate::token::session::Session;

impl Login<'_> {
    /// Returns the step after the first factor of a session. `None` where the session is over or
    /// the account has no second factor: a first enrollment requires the first factor itself, and
    /// so the whole login.
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
        } = self.engine;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        let recognized = recognize_browser(vault, tx, browser, name, now)?;
        let request = browser.before_first_factor(name, &recognized);
        let evaluation = Evaluation::load(
            config,
            vault,
            tx,
            &request,
            account_data::read_declared_secret(config, name)?,
            now,
        )?;
        let validity = check_session(session, tx, now)?;
        let (Some(record), Some(validity)) = (&evaluation.record, validity) else {
            return Ok(None);
        };
        if evaluation.credentials.enrolled == Enrolled::No {
            return Ok(None);
        }
        let parent = TokenParent::session(session);
        let Some(first) = FirstFactorPassed::by_token_parent(&parent, &validity, now) else {
            return Ok(None);
        };
        let recovery = &Input::Malformed;
        let progress = LoginProgress {
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
        let next = progress.continue_login(tx, &evaluation, &recognized)?;
        drop(evaluation);
        transaction.commit()?;
        if let AfterPassword::Opened(opened) = &next {
            self.await_session_end(opened)?;
        }
        Ok(Some(next))
    }

    /// Waits until every gate refuses the previous session.
    pub(super) fn await_session_end(&mut self, opened: &OpenedSession) -> Result<(), EngineError> {
        opened.ended.map_or(Ok(()), |revision| {
            self.engine.sessions().await_gate_confirmations(revision)
        })
    }
}

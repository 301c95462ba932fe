//! Upgrade of a session from level password to level full, where a rule or an exemption asked for
//! no code and a page requires one; and re-authentication by a code, where the last one is older
//! than a rule's `within`. The session that the upgrade opens replaces the one before.

use super::new_session::NewSession;
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::token_validity::check_session;
use super::{AfterPassword, BrowserContext, LoginError};
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::engine::Login;
use crate::system::clock::Timestamp;
use crate::token::TokenParent;
use crate::token::session::Session;
use crate::verify::throttle::Phase;

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
        let (mut evaluation, recognized) =
            self.evaluate_login(browser, name, Phase::Before, None, now)?;
        let validity = check_session(session, &mut evaluation.tx)?;
        let (Some(record), Some(validity)) = (evaluation.record.clone(), validity) else {
            return Ok(None);
        };
        if evaluation.credentials.enrolled == Enrolled::No {
            return Ok(None);
        }
        let parent = TokenParent::session(session);
        let Some(first) =
            FirstFactorPassed::by_token_parent(&parent, &validity, session.issued, now)
        else {
            return Ok(None);
        };
        let progress = LoginProgress {
            session: NewSession {
                browser,
                record: &record,
                host: &host,
            },
            recovery: &Input::Malformed,
            first,
            parent,
            // a code that has passed was asked for again
            only_code: session.passed.second.is_full(),
        };
        let next = progress.continue_login(evaluation, &recognized)?;
        if let AfterPassword::Opened(opened) = &next {
            self.settle_login(opened)?;
        }
        Ok(Some(next))
    }
}

//! The one-time code for PAM prompts that a passkey makes in a session. It brings what the passkey
//! proves to a prompt that cannot ask for a passkey: a page that imitates the gate obtains neither the
//! passkey's answer nor a code.
//!
//! MUST require the passkey at this act, with user verification: no step-up of before, and no password
//! with a code, may make such a code.

use super::{BrowserContext, LoginError};
use crate::account::event::EventKind;
use crate::credential::passkey::response::AssertionResponse;
use crate::credential::recovery_code::OneTimeCode;
use crate::crypto::password::PasswordError;
use crate::engine::{Login, is_enrolled};
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{PasskeyPurpose, PasskeyToken};
use crate::verify::account::StoredOneTimeCode;

/// Lifetime of a code, in seconds: enough to type it at a prompt that is open.
const LIFETIME: u64 = 90;

impl Login<'_> {
    /// Makes the code, which replaces an earlier one of a passkey and no administrator's one-time code.
    /// Returns it with its expiry time; `None` where the passkey is refused, or the session has ended.
    pub fn issue_passkey_code(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        token: &PasskeyToken,
        response: &AssertionResponse,
        now: Timestamp,
    ) -> Result<Option<(OneTimeCode, Timestamp)>, LoginError> {
        if !self.engine.passkeys().can_make_codes() {
            return Ok(None);
        }
        let code = OneTimeCode::random().map_err(PasswordError::from)?;
        let Some(used) = self.use_passkey_in_session(
            browser,
            session,
            token,
            PasskeyPurpose::PamCode,
            response,
            now,
        )?
        else {
            return Ok(None);
        };
        let (account, mut evaluation) = (used.account, used.evaluation);
        let tx = &mut evaluation.tx;
        if !is_enrolled(tx, account)? {
            return Ok(None);
        }
        let expires = now.plus(LIFETIME);
        let stored = StoredOneTimeCode {
            hash: tx.vault.one_time_hash(account.0, code.plain()),
            issued: now,
            expires,
            used: false,
        };
        tx.set_passkey_code(account, Some(&stored))?;
        evaluation.log_event(EventKind::PasskeyCodeIssued, "")?;
        evaluation.commit()?;
        Ok(Some((code, expires)))
    }
}

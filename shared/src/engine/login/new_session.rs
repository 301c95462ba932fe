//! What a login opens: a session with its row, a trusted browser, its next cookie.
//! A session is opened only from a [`SessionGrant`], and its cookie says exactly what that grant
//! proves.

use super::known_browser::RecognizedBrowser;
use super::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant, SteppedUp};
use super::{LoginGroups, TrustRequest};
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::crypto::password::PasswordError;
use crate::engine::accounts::account_data;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{
    AfterLogin, AppPasswordsAfter, BrowserContext, EngineError, Login, LoginError, OpenedSession,
};
use crate::policy::session_groups::RequestedGroups;
use crate::store::{BrowserRecord, Intent, SessionBrowser, SessionRecord};
use crate::system::clock::Timestamp;
use crate::system::random::fill_random;
use crate::token::session::{SecondFactorMethod, Session, SessionId};
use crate::token::{AccountVersion, StepUpToken};
use crate::verify::decision::Accepted;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

impl Login<'_> {
    /// Opens the session that replaces one in which a person did what ends all sessions of the
    /// account. The new session keeps the completed factors and the expiry of the old one. `None`
    /// if anything else ended the sessions as well, or that session alone.
    pub fn reopen_session(
        &mut self,
        browser: &BrowserContext<'_>,
        before: &Session,
        now: Timestamp,
    ) -> Result<Option<OpenedSession>, LoginError> {
        let at = AccountVersion {
            id: AccountId(before.account),
            generation: before.generation,
        };
        let whose = (&before.name, at, Some(before.id));
        self.open_session_after(browser, whose, SessionGrant::like_session(before), now)
    }

    /// Opens a session for the browser in which a person did what ends all sessions of the account.
    /// `at` is the account's version before that act, `before` the session in which it was done.
    /// `None` if another account has the name meanwhile.
    pub(in crate::engine) fn open_session_after(
        &mut self,
        browser: &BrowserContext<'_>,
        (name, at, before): (&UserName, AccountVersion, Option<SessionId>),
        grant: SessionGrant,
        now: Timestamp,
    ) -> Result<Option<OpenedSession>, LoginError> {
        let host = self.load_host_groups(name)?;
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let is_after =
            |record: &AccountRecord| record.id == at.id && record.generation == at.generation + 1;
        let Some(record) = tx.find_account(name)?.filter(is_after) else {
            return Ok(None);
        };
        // The person signed out meanwhile, in another tab.
        if before.is_some_and(|before| tx.is_revoked(before).unwrap_or(true)) {
            return Ok(None);
        }
        // What a passkey proved ends with the last one.
        let grant = match tx.passkeys(record.id)?.is_empty() {
            true => grant.without_passkey(),
            false => Some(grant),
        };
        let Some(grant) = grant else {
            return Ok(None);
        };
        tx.record_sign_in(record.id, now)?;
        let opened = NewSession {
            browser,
            record: &record,
            host: &host,
        }
        .open(&mut tx, grant, None)?;
        tx.commit()?;
        Ok(Some(opened))
    }

    /// Waits until every gate refuses what the login ended: the previous session, and what the use
    /// of a recovery code ended.
    pub(super) fn settle_login(&mut self, opened: &OpenedSession) -> Result<(), EngineError> {
        let mut verification = self.engine.verification();
        verification.settle_recovery(&opened.after_login)?;
        match opened.ended {
            Some(revision) => self.engine.sessions().await_gate_confirmations(revision),
            None => Ok(()),
        }
    }
}

/// For whom a session is opened, in which browser.
pub(super) struct NewSession<'a> {
    pub(super) browser: &'a BrowserContext<'a>,
    pub(super) record: &'a AccountRecord,
    pub(super) host: &'a LoginGroups,
}

impl NewSession<'_> {
    fn address(&self) -> String {
        self.browser
            .origin
            .address()
            .map_or_else(|| "-".to_owned(), |address| address.to_string())
    }

    /// Opens a session for an accepted input, with the step-up token where the login is proof
    /// enough.
    pub(super) fn open_by_input(
        &self,
        tx: &mut EngineTransaction<'_>,
        first: &FirstFactorPassed,
        (accepted, after_login): (&Accepted, AfterLogin),
        (browser, cookie): (Option<i64>, Option<Zeroizing<String>>),
    ) -> Result<OpenedSession, LoginError> {
        // The use of a recovery code may have ended all sessions, so the new session is issued for
        // the account as it is now.
        let found = tx.find_account(&self.record.name)?;
        let record = found.as_ref().unwrap_or(self.record);
        let grant = SessionGrant::by_factors(first, &SecondFactorPassed::by_input(accepted));
        let opened = NewSession { record, ..*self }.open(tx, grant.in_browser(browser), cookie)?;
        let step_up = SteppedUp::by_login(accepted)
            .map(|proof| StepUpToken::begun(&proof, &opened.session, &opened.keys, tx.now))
            .transpose()
            .map_err(PasswordError::from)?;
        Ok(OpenedSession {
            after_login,
            step_up,
            ..opened
        })
    }

    /// Opens a session and adds its row.
    pub(super) fn open(
        &self,
        tx: &mut EngineTransaction<'_>,
        grant: SessionGrant,
        browser_cookie: Option<Zeroizing<String>>,
    ) -> Result<OpenedSession, LoginError> {
        let (config, vault, now) = (tx.config, tx.vault, tx.now);
        let groups = self
            .host
            .of_session(config, self.record)
            .map_err(LoginError::Groups)?;
        let id = SessionId::random().map_err(PasswordError::from)?;
        let of_life = grant.began.plus(config.gate.session_lifetime.seconds());
        let expires = grant.until.map_or(of_life, |until| until.min(of_life));
        let by_trust = grant.passed.second == SecondFactorMethod::TrustedBrowser;
        tx.add_session(
            self.record.id,
            &SessionRecord {
                id,
                browser: self.browser.name.to_owned(),
                address: self.address(),
                created: now,
                last_seen: now,
                expires,
                trusted_browser: grant
                    .browser
                    .map(|number| SessionBrowser { number, by_trust }),
            },
        )?;
        let ended = match self.browser.session {
            Some(before) if tx.end_session(before.id)? => Some(tx.raise_revision()?),
            _ => None,
        };
        let session = Session {
            id,
            account: self.record.id.0,
            generation: self.record.generation,
            revision: tx.revision()?,
            passed: grant.passed,
            passed_at: grant.passed_at(now),
            issued: grant.began,
            opened: now,
            expires,
            name: self.record.name.clone(),
            scope: self.browser.scope.to_owned(),
            groups,
            host_groups: self.host.known(&RequestedGroups::from_config(config)),
            email: account_data::load_mail_address(config, tx, &self.record.name, self.record.id)?,
        };
        Ok(OpenedSession {
            session,
            method: grant.method(),
            code_skipped: None,
            keys: vault.token_keys(),
            browser_cookie,
            step_up: None,
            after_login: AfterLogin::default(),
            app_passwords: AppPasswordsAfter::None,
            ended,
        })
    }

    /// Returns the trusted browser after a second factor that was given in it, with its next cookie.
    pub(super) fn trusted_after_proof(
        &self,
        tx: &mut EngineTransaction<'_>,
        recognized: &RecognizedBrowser,
        trust: TrustRequest,
    ) -> Result<Option<(i64, Zeroizing<String>)>, LoginError> {
        match (recognized, trust) {
            (RecognizedBrowser::OlderCookie(number), _) => {
                self.rotate_cookie(tx, *number, false).map(Some)
            }
            // Another tab was first. It is the same browser.
            (RecognizedBrowser::Trusted(trusted), TrustRequest::Asked) => {
                self.rotate_cookie(tx, trusted.number(), true).map(Some)
            }
            (_, TrustRequest::Asked) => self.trust_browser(tx).map(Some),
            (_, TrustRequest::NotAsked) => Ok(None),
        }
    }

    /// Adds a trusted browser and returns its number and its cookie.
    pub(super) fn trust_browser(
        &self,
        tx: &mut EngineTransaction<'_>,
    ) -> Result<(i64, Zeroizing<String>), LoginError> {
        let (lifetime, now) = (tx.config.gate.trusted_browser_lifetime, tx.now);
        let number = tx.add_trusted_browser(&BrowserRecord {
            number: 0,
            account: self.record.id,
            name: self.browser.name.to_owned(),
            address: self.address(),
            created: now,
            last_seen: now,
            expires: now.plus(lifetime.seconds()),
        })?;
        self.rotate_cookie(tx, number, false)
    }

    /// Replaces the cookie of a trusted browser and returns its number and the new cookie.
    pub(super) fn rotate_cookie(
        &self,
        tx: &mut EngineTransaction<'_>,
        number: i64,
        seen: bool,
    ) -> Result<(i64, Zeroizing<String>), LoginError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes).map_err(PasswordError::from)?;
        let value = Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes));
        let (hash, now) = (tx.vault.browser_hash(value.as_bytes()), tx.now);
        tx.rotate_browser_token(number, &hash, seen, &self.address(), now)?;
        Ok((number, value))
    }
}

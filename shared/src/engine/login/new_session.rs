//! What a login opens: a session with its row, a trusted browser, its next cookie.
//! A session is opened only from a [`SessionGrant`], and its cookie says exactly what that grant
//! proves.

use super::HostGroups;
use super::proof::SessionGrant;
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::config::Config;
use crate::credential::secret::fill_random;
use crate::crypto::password::PasswordError;
use crate::crypto::vault::Vault;
use crate::engine::Login;
use crate::engine::accounts::account_data;
use crate::engine::{AppPasswordsAfter, BrowserContext, Engine, LoginError, OpenedSession};
use crate::policy::session_groups::RequestedGroups;
use crate::store::{BrowserRecord, Intent, SessionBrowser, SessionRecord, Transaction};
use crate::system::clock::Timestamp;
use crate::token::AccountVersion;
use crate::token::session::{SecondFactorMethod, Session, SessionId};
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
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = &mut transaction;
        let is_after =
            |record: &AccountRecord| record.id == at.id && record.generation == at.generation + 1;
        let record = tx.find_account(name)?.filter(is_after);
        let Some(record) = record else {
            return Ok(None);
        };
        // The person signed out meanwhile, in another tab.
        if before.is_some_and(|before| tx.is_revoked(before).unwrap_or(true)) {
            return Ok(None);
        }
        tx.record_sign_in(record.id, now)?;
        let new_session = NewSession {
            config,
            vault,
            browser,
            record: &record,
            host: &host,
            now,
        };
        let opened = new_session.open(tx, grant, None)?;
        transaction.commit()?;
        Ok(Some(opened))
    }
}

/// What is needed to open a session.
pub(in crate::engine) struct NewSession<'a> {
    pub(in crate::engine) config: &'a Config,
    pub(in crate::engine) vault: &'a Vault,
    pub(in crate::engine) browser: &'a BrowserContext<'a>,
    pub(in crate::engine) record: &'a AccountRecord,
    pub(in crate::engine) host: &'a HostGroups,
    pub(in crate::engine) now: Timestamp,
}

impl NewSession<'_> {
    fn address(&self) -> String {
        self.browser
            .origin
            .address()
            .map_or_else(|| "-".to_owned(), |address| address.to_string())
    }

    /// Opens a session and adds its row.
    pub(in crate::engine) fn open(
        &self,
        tx: &mut Transaction<'_>,
        grant: SessionGrant,
        browser_cookie: Option<Zeroizing<String>>,
    ) -> Result<OpenedSession, LoginError> {
        let groups = self
            .host
            .of_session(self.config, self.record)
            .map_err(LoginError::Groups)?;
        let id = SessionId::random().map_err(PasswordError::from)?;
        let of_life = grant
            .began
            .plus(self.config.gate.session_lifetime.seconds());
        let expires = grant.until.map_or(of_life, |until| until.min(of_life));
        let by_trust = grant.passed.second == SecondFactorMethod::TrustedBrowser;
        tx.add_session(
            self.record.id,
            &SessionRecord {
                id,
                browser: self.browser.name.to_owned(),
                address: self.address(),
                created: self.now,
                last_seen: self.now,
                expires,
                trusted_browser: grant
                    .browser
                    .map(|number| SessionBrowser { number, by_trust }),
            },
        )?;
        let ended = match self.browser.session {
            Some(before) if tx.end_session(before)? => Some(tx.raise_revision()?),
            _ => None,
        };
        let session = Session {
            id,
            account: self.record.id.0,
            generation: self.record.generation,
            revision: tx.revision()?,
            passed: grant.passed,
            issued: grant.began,
            expires,
            name: self.record.name.clone(),
            scope: self.browser.scope.to_owned(),
            groups,
            host_groups: self.host.known(&RequestedGroups::from_config(self.config)),
            email: account_data::load_mail_address(
                self.config,
                tx,
                &self.record.name,
                self.record.id,
            )?,
        };
        let keys = self.vault.token_keys();
        Ok(OpenedSession {
            session,
            method: grant.method(),
            code_skipped: None,
            keys,
            browser_cookie,
            step_up: None,
            missed: None,
            recovery: None,
            app_passwords: AppPasswordsAfter::None,
            ended,
        })
    }

    /// Adds a trusted browser and returns its number and its cookie.
    pub(in crate::engine) fn trust_browser(
        &self,
        tx: &mut Transaction<'_>,
    ) -> Result<(i64, Zeroizing<String>), LoginError> {
        let number = tx.add_trusted_browser(&BrowserRecord {
            number: 0,
            account: self.record.id,
            name: self.browser.name.to_owned(),
            address: self.address(),
            created: self.now,
            last_seen: self.now,
            expires: self
                .now
                .plus(self.config.gate.trusted_browser_lifetime.seconds()),
        })?;
        self.rotate_cookie(tx, number, false)
    }

    /// Replaces the cookie of a trusted browser and returns its number and the new cookie.
    pub(in crate::engine) fn rotate_cookie(
        &self,
        tx: &mut Transaction<'_>,
        number: i64,
        seen: bool,
    ) -> Result<(i64, Zeroizing<String>), LoginError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes).map_err(PasswordError::from)?;
        let value = Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes));
        let hash = self.vault.browser_hash(value.as_bytes());
        tx.rotate_browser_token(number, &hash, seen, &self.address(), self.now)?;
        Ok((number, value))
    }
}

//! What a sign-in opens: a session with its row, a browser that is trusted from now on, its next cookie.

use super::sign_in::HostGroups;
use super::{AppPasswordsAfter, Browser, Door, Means, Opened, SignInError, load};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::host_groups::AskedGroups;
use crate::name::UserName;
use crate::password::PasswordError;
use crate::secret::fill_random;
use crate::session::{Factors, Session, SessionId};
use crate::store::{AccountRecord, BrowserRecord, Intent, SessionRecord, Transaction};
use crate::vault::Vault;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

impl Door {
    /// The session that takes the place of one in which someone just did what ends all sessions of the account. It lasts no
    /// longer than that one would have. None if anything else ended them as well.
    pub fn go_on(
        &mut self,
        browser: &Browser<'_>,
        before: &Session,
        now: Timestamp,
    ) -> Result<Option<Opened>, SignInError> {
        self.open_after(browser, (&before.name, before.generation), before.issued, now)
    }

    /// A session for the browser of someone who just did what ends all sessions of the account. The generation is the
    /// account's before that.
    pub(super) fn open_after(
        &mut self,
        browser: &Browser<'_>,
        (name, generation): (&UserName, u64),
        began: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Opened>, SignInError> {
        let host = HostGroups::look_up(&self.config, name).map_err(SignInError::Groups)?;
        let Door { config, vault, store, .. } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let record = tx.account(name)?.filter(|record| record.generation == generation + 1);
        let Some(record) = record else { return Ok(None) };
        tx.signed_in(record.id, now)?;
        let opening = Opening { config, vault, browser, record: &record, host: &host, began, now };
        let opened = opening.session(tx, Means::Code, None)?;
        transaction.commit()?;
        Ok(Some(opened))
    }
}

/// What a success opens.
pub(super) struct Opening<'a> {
    pub(super) config: &'a Config,
    pub(super) vault: &'a Vault,
    pub(super) browser: &'a Browser<'a>,
    pub(super) record: &'a AccountRecord,
    pub(super) host: &'a HostGroups,
    /// From when on the session's life counts: one that takes another's place lasts no longer than that.
    pub(super) began: Timestamp,
    pub(super) now: Timestamp,
}

impl Opening<'_> {
    fn address(&self) -> String {
        self.browser.origin.address().map_or_else(|| "-".to_owned(), |address| address.to_string())
    }

    /// A session and its row.
    pub(super) fn session(
        &self,
        tx: &mut dyn Transaction,
        means: Means,
        browser_cookie: Option<Zeroizing<String>>,
    ) -> Result<Opened, SignInError> {
        let groups = self.host.of_session(self.config, self.record).map_err(SignInError::Groups)?;
        let id = SessionId::random().map_err(PasswordError::from)?;
        tx.add_session(
            self.record.id,
            &SessionRecord {
                id,
                browser: self.browser.name.to_owned(),
                address: self.address(),
                created: self.now,
                last_seen: self.now,
                expires: self.began.plus(self.config.gate.session.seconds()),
            },
        )?;
        let ended = match self.browser.session {
            Some(before) if tx.end_session(before)? => Some(tx.revise()?),
            _ => None,
        };
        let session = Session {
            id,
            account: self.record.id.0,
            generation: self.record.generation,
            factors: Factors::Code,
            issued: self.began,
            name: self.record.name.clone(),
            scope: self.browser.scope.to_owned(),
            groups,
            host_groups: self.host.known(&AskedGroups::of(self.config)),
            email: load::mail_address(self.config, tx, &self.record.name, self.record.id)?,
        };
        let keys = self.vault.token_keys();
        Ok(Opened {
            session,
            means,
            spared: None,
            keys,
            browser_cookie,
            missed: None,
            recovery: None,
            app_passwords: AppPasswordsAfter::None,
            ended,
        })
    }

    /// A new trusted browser; its cookie.
    pub(super) fn trust(&self, tx: &mut dyn Transaction) -> Result<Zeroizing<String>, SignInError> {
        let number = tx.add_browser(&BrowserRecord {
            number: 0,
            account: self.record.id,
            name: self.browser.name.to_owned(),
            address: self.address(),
            created: self.now,
            last_seen: self.now,
            expires: self.now.plus(self.config.gate.trust.seconds()),
        })?;
        self.rotate(tx, number, false)
    }

    /// A new cookie for a trusted browser.
    pub(super) fn rotate(
        &self,
        tx: &mut dyn Transaction,
        number: i64,
        seen: bool,
    ) -> Result<Zeroizing<String>, SignInError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes).map_err(PasswordError::from)?;
        let value = Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes));
        let hash = self.vault.browser_hash(value.as_bytes());
        tx.rotate(number, &hash, seen, &self.address(), self.now)?;
        Ok(value)
    }
}

//! What a sign-in opens: a session with its row, a browser that is trusted from now on, its next cookie.

use super::{AppPasswordsAfter, Browser, Means, Opened, SignInError, load};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::config::rule::Access;
use crate::host_groups::{AskedGroups, HostGroups};
use crate::password::PasswordError;
use crate::rule::{self, Person, Request};
use crate::secret::fill_random;
use crate::session::{Factors, Session, SessionId};
use crate::store::{AccountRecord, BrowserRecord, SessionRecord, Transaction};
use crate::vault::Vault;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// What a success opens.
pub(super) struct Opening<'a> {
    pub(super) config: &'a Config,
    pub(super) vault: &'a Vault,
    pub(super) browser: &'a Browser<'a>,
    pub(super) record: &'a AccountRecord,
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
        let id = SessionId::random().map_err(PasswordError::from)?;
        tx.add_session(
            self.record.id,
            &SessionRecord {
                id,
                browser: self.browser.name.to_owned(),
                address: self.address(),
                created: self.now,
                last_seen: self.now,
                expires: self.now.plus(self.config.gate.session.seconds()),
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
            issued: self.now,
            name: self.record.name.clone(),
            scope: self.browser.scope.to_owned(),
            groups: self.record.groups.clone(),
            host_groups: self.host_groups()?,
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

    fn host_groups(&self) -> Result<HostGroups, SignInError> {
        AskedGroups::of(self.config).look_up(&self.record.name).map_err(SignInError::Groups)
    }

    /// The rule by which the page that the browser came from takes no more than the first factor.
    pub(super) fn password_suffices(&self) -> Result<Option<usize>, SignInError> {
        let Some(page) = &self.browser.page else { return Ok(None) };
        let rules = &self.config.gate.rule;
        if rules.is_empty() {
            return Ok(None);
        }
        let asked = AskedGroups::of(self.config);
        let of_host = self.host_groups()?;
        let declared = self.config.declared(&self.record.name).map_or(&[][..], |declared| &declared.groups);
        let person = Person {
            name: &self.record.name,
            groups: [declared, &self.record.groups],
            of_host: of_host.answers(&asked),
        };
        // a page is gone back to by GET, whatever was asked for first
        let address = self.browser.origin.address();
        let request = Request { host: page.host, target: page.target, method: "GET", address };
        let decision = rule::decide(rules, &request, Some(&person));
        Ok(decision.rule.filter(|_| decision.access == Access::Password))
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

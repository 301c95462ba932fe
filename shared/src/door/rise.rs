//! Sessions that the password alone opened, because a rule or an exemption asked for no more: where that is not enough
//! the code is asked for, and what it opens takes the place of the session before.

use super::visit::Visit;
use super::{AfterPassword, Browser, Door, DoorError, Opened, SERVICE, SignInError, Visitor, load, mail};
use crate::account::{Enrolled, Methods};
use crate::clock::Timestamp;
use crate::guess::Stage;
use crate::session::Session;
use crate::store::{AccountRecord, Intent, StoreError, Transaction};

/// A page behind the gate that a browser came from.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// In lower case, without port and trailing dot.
    pub host: &'a str,
    /// The path, with or without a query.
    pub target: &'a str,
}

impl Door {
    /// What the code page needs to raise a session: [`AfterPassword::Code`]. None where a code would not do that, and
    /// the whole sign-in is what is left.
    pub fn rise(
        &mut self,
        browser: &Browser<'_>,
        session: &Session,
        now: Timestamp,
    ) -> Result<Option<AfterPassword>, SignInError> {
        let Door { config, vault, store, .. } = self;
        // a declared account may come into being here
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let (name, origin) = (&session.name, browser.origin);
        let visitor = Visitor { name, stage: Stage::After, origin, browser: None, service: SERVICE };
        let visit = Visit::load(config, vault, tx, &visitor, load::declared(config, name)?, now)?;
        match &visit.record {
            Some(record) if record.generation == session.generation && record.id.0 == session.account => {
                match visit.account.enrolled {
                    Enrolled::Yes => Ok(Some(visit.ask_code(tx, record)?)),
                    Enrolled::No => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// The session before has ended at every gate when this returns.
    pub(super) fn settle_session(&mut self, opened: &Opened) -> Result<(), DoorError> {
        opened.ended.map_or(Ok(()), |revision| self.await_gates(revision))
    }
}

impl Visit<'_> {
    /// What codes there are, and how long.
    pub(super) fn ask_code(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
    ) -> Result<AfterPassword, StoreError> {
        let to = match self.config.email.is_on() {
            true => load::mail_address(self.config, tx, &record.name, record.id)?,
            false => None,
        };
        let to = to.map(|address| address.masked());
        let authenticators = &self.account.authenticators;
        let lengths = authenticators.iter().map(|a| a.parameters.digits);
        let digits = lengths.chain(to.as_ref().map(|_| mail::DIGITS)).max().unwrap_or(mail::DIGITS);
        let methods = match to {
            None => Methods::App,
            Some(to) if authenticators.is_empty() => Methods::Mail(to),
            Some(to) => Methods::AppOrMail(to),
        };
        Ok(AfterPassword::Code { generation: record.generation, digits, methods })
    }
}
